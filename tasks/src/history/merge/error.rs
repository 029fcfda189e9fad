//! Why there is no merge.

use gix::bstr::BString;
use resume_runtime::StepError;

/// So many paths are named.
const LISTED: usize = 20;

/// Why there is no merge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is no repository.
    #[error("no repository in '{}': {reason}", path.display())]
    NoRepository {
        /// Where it should be.
        path: std::path::PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no working tree.
    #[error("a merge needs a working tree, and this repository is bare")]
    Bare,
    /// Something else is going on.
    #[error("{what} is in progress in this working tree")]
    Busy {
        /// What.
        what: &'static str,
    },
    /// It names nothing, or no commit.
    #[error("{name:?} is not something that can be merged: {reason}")]
    NoCommit {
        /// What was given.
        name: BString,
        /// Why not.
        reason: String,
    },
    /// Only a fast-forward was allowed.
    #[error("not possible to fast-forward: both sides have commits of their own")]
    NoFastForward,
    /// What makes no sense on a branch without a commit.
    #[error("`{option}` makes no sense on a branch that has no commit yet")]
    Unborn {
        /// The option.
        option: &'static str,
    },
    /// A submodule conflicts.
    #[error("the submodule {path:?} conflicts, which is not done here")]
    Submodule {
        /// Its path.
        path: BString,
    },
    /// There are conflicts.
    #[error("merging {name} into {into} conflicts in {}", listed(paths, details))]
    Conflicts {
        /// What is merged.
        name: String,
        /// The branch.
        into: String,
        /// The paths with stages in the index.
        paths: Vec<BString>,
        /// What Git says of conflicts.
        details: Vec<String>,
    },
    /// Some are left.
    #[error("not resolved yet: {}", listed(paths, &[]))]
    Unresolved {
        /// The paths.
        paths: Vec<BString>,
    },
    /// The message is empty.
    #[error("the message of the commit is empty")]
    NoMessage,
    /// Files that were merged have changes of the user's.
    #[error("these files were changed since the merge began: {}", listed(paths, &[]))]
    ChangedSince {
        /// The paths.
        paths: Vec<BString>,
    },
    /// A setting that is not heeded.
    #[error("`{key}` is set, which is not done here")]
    Setting {
        /// Its key.
        key: String,
    },
}

fn listed(paths: &[BString], details: &[String]) -> String {
    let mut said: Vec<String> = paths
        .iter()
        .take(LISTED)
        .map(|path| format!("{path:?}"))
        .collect();
    if paths.len() > LISTED {
        said.push(format!("and {} more", paths.len() - LISTED));
    }
    let mut text = said.join(", ");
    if paths.is_empty() {
        text = details.join("; ");
    }
    text
}

impl From<MergeError> for StepError {
    fn from(error: MergeError) -> Self {
        use MergeError as E;
        match error {
            error @ E::Conflicts { .. } => Self::needs_user(
                error,
                "resolve them, `git add` the files, then continue; `mug merge --abort` goes back",
            ),
            error @ E::Unresolved { .. } => Self::needs_user(
                error,
                "`git add` what is resolved, then continue; `mug merge --abort` goes back",
            ),
            error @ E::NoMessage => {
                Self::needs_user(error, "write one into MERGE_MSG, then continue")
            }
            error @ E::ChangedSince { .. } => {
                Self::needs_user(error, "undo these changes or stash them, then try again")
            }
            error @ E::NoFastForward => {
                Self::fatal(error).with_hint("leave `--ff-only` out, or rebase")
            }
            error @ E::Busy { .. } => Self::fatal(error).with_hint("finish it, or abort it first"),
            error @ (E::Submodule { .. } | E::Setting { .. }) => {
                Self::fatal(error).with_hint("`git merge` does this")
            }
            error => Self::fatal(error),
        }
    }
}
