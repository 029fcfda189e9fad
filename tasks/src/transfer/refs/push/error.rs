//! Why a push is not begun.

use gix::bstr::BString;

use super::super::name::shown;

/// Why a push is not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// A refspec can't be read.
    #[error("invalid refspec '{}'", shown(spec))]
    Spec {
        /// As it was given.
        spec: BString,
    },
    /// `--delete` with something that is no name of a ref.
    #[error("--delete only accepts plain target ref names, not '{}'", shown(spec))]
    Delete {
        /// As it was given.
        spec: BString,
    },
    /// The source names nothing.
    #[error("src refspec {} does not match any", shown(name))]
    NoSource {
        /// The source.
        name: BString,
    },
    /// The source is ambiguous.
    #[error("src refspec {} matches more than one", shown(name))]
    ManySources {
        /// The source.
        name: BString,
    },
    /// The destination is ambiguous.
    #[error("dst refspec {} matches more than one", shown(name))]
    ManyTargets {
        /// The destination.
        name: BString,
    },
    /// A destination is given twice.
    #[error("dst ref {} receives from more than one src", shown(name))]
    Twice {
        /// The destination.
        name: BString,
    },
    /// What is to be deleted is not there.
    #[error("unable to delete '{}': remote ref does not exist", shown(name))]
    NothingToDelete {
        /// The destination.
        name: BString,
    },
    /// It is not clear what the destination is to be.
    #[error(
        "the destination '{}' is not a full refname; give refs/heads/{0} or refs/tags/{0}",
        shown(name)
    )]
    Unqualified {
        /// The destination.
        name: BString,
    },
    /// The destination is no valid name of a ref.
    #[error("'{}' is not a valid refname", shown(name))]
    Name {
        /// The destination.
        name: BString,
    },
    /// `HEAD`, say, leads to no branch.
    #[error("{} cannot be resolved to branch", shown(name))]
    NotBranch {
        /// The source.
        name: BString,
    },
    /// No branch is checked out.
    #[error(
        "you are not currently on a branch; push the history leading to HEAD with \
         `mug push {} HEAD:<name-of-remote-branch>`",
        shown(remote)
    )]
    Detached {
        /// The remote.
        remote: BString,
    },
    /// The branch has no upstream.
    #[error(
        "the current branch {0} has no upstream branch; to push it and set the remote as upstream, use \
         `mug push --set-upstream {1} {0}`",
        shown(branch),
        shown(remote)
    )]
    NoUpstream {
        /// The branch, short.
        branch: BString,
        /// The remote.
        remote: BString,
    },
    /// The branch has several of them.
    #[error(
        "the current branch {} has multiple upstream branches, refusing to push",
        shown(branch)
    )]
    ManyUpstreams {
        /// The branch, short.
        branch: BString,
    },
    /// The upstream has another name.
    #[error(
        "the upstream branch of your current branch does not match the name of your current branch; \
         use `mug push {0} HEAD:{1}` or `mug push {0} HEAD`",
        shown(remote),
        shown(upstream)
    )]
    OtherName {
        /// The remote.
        remote: BString,
        /// The upstream, as it is named there.
        upstream: BString,
    },
    /// The upstream is elsewhere.
    #[error(
        "you are pushing to remote '{}', which is not the upstream of your current branch '{}'; \
         say what to push",
        shown(remote),
        shown(branch)
    )]
    OtherRemote {
        /// The remote.
        remote: BString,
        /// The branch, short.
        branch: BString,
    },
    /// Nothing is named, and nothing is meant.
    #[error("you didn't specify any refspecs to push, and push.default is \"nothing\"")]
    Nothing,
    /// There is no remote.
    #[error(
        "no configured push destination; give a URL, or configure a remote with \
         `git remote add <name> <url>`"
    )]
    NoRemote,
    /// What a lease expects names nothing.
    #[error("cannot parse expected object name '{}'", shown(name))]
    Expected {
        /// As it was given.
        name: BString,
    },
    /// A value of the configuration is none that git knows.
    #[error(
        "the configuration has '{}' for {key}, which is not known",
        shown(value)
    )]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        value: BString,
    },
    /// The repository's refs or objects can't be read.
    #[error("cannot read {what}: {reason}")]
    Repository {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl PushError {
    /// The error for what can't be read here.
    pub(super) fn unreadable(what: &'static str) -> impl Fn(gix::Error) -> Self {
        move |error| Self::Repository {
            what,
            reason: error.to_string(),
        }
    }
}
