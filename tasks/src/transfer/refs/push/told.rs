//! What is said of an update, in git's words.

use super::{Status, Update};

/// The line of an update, in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// The sign at its beginning.
    pub flag: char,
    /// What happens to the ref; none where it is a range of commits.
    pub summary: Option<&'static str>,
    /// Why, or how.
    pub reason: Option<&'a str>,
}

impl Update {
    /// What is said of it, once it was sent or where it was not to be sent.
    pub fn told(&self) -> Told<'_> {
        let told = |flag, summary, reason| Told {
            flag,
            summary,
            reason,
        };
        let rejected = |reason| told('!', Some("[rejected]"), Some(reason));
        match &self.status {
            Status::Send | Status::Done => match (self.pair.new, self.old) {
                (None, _) => told('-', Some("[deleted]"), None),
                (Some(_), None) => {
                    let name = &self.pair.to;
                    let what = if name.starts_with(b"refs/tags/") {
                        "[new tag]"
                    } else if name.starts_with(b"refs/heads/") {
                        "[new branch]"
                    } else {
                        "[new reference]"
                    };
                    told('*', Some(what), None)
                }
                (Some(_), Some(_)) if self.forced => told('+', None, Some("forced update")),
                (Some(_), Some(_)) => told(' ', None, None),
            },
            Status::UpToDate => told('=', Some("[up to date]"), None),
            Status::NonFastForward => rejected("non-fast-forward"),
            Status::FetchFirst => rejected("fetch first"),
            Status::NeedsForce => rejected("needs force"),
            Status::AlreadyExists => rejected("already exists"),
            Status::Stale => rejected("stale info"),
            Status::NoDelete => rejected("remote does not support deleting refs"),
            Status::AtomicFailed => rejected("atomic push failed"),
            Status::Remote(said) => told('!', Some("[remote rejected]"), Some(said)),
            Status::Unreported => told(
                '!',
                Some("[remote failure]"),
                Some("remote failed to report status"),
            ),
        }
    }
}
