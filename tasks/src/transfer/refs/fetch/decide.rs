//! What becomes of a ref that is fetched.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::map::{Destination, Entry};
use crate::transfer::refs::ancestry::is_ancestor;
use crate::transfer::refs::{Local, NotMoved, Objects, RefsError};

/// What a ref is, by its name on the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A remote-tracking branch.
    Tracking,
    /// `HEAD`, or anything else.
    Other,
}

impl Kind {
    /// The kind, and the name without what tells it.
    pub(super) fn of(name: &BStr) -> (Self, &BStr) {
        for (prefix, kind) in [
            ("refs/heads/", Self::Branch),
            ("refs/tags/", Self::Tag),
            ("refs/remotes/", Self::Tracking),
        ] {
            if let Some(rest) = name.strip_prefix(prefix.as_bytes()) {
                return (kind, rest.as_bstr());
            }
        }
        (Self::Other, name)
    }

    /// Git's word for it; none for what has none.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Branch => Some("branch"),
            Self::Tag => Some("tag"),
            Self::Tracking => Some("remote-tracking branch"),
            Self::Other => None,
        }
    }
}

/// Why a ref is left where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is the branch of a working tree.
    CheckedOut,
    /// It is a tag that is there with another value.
    Tag,
    /// What it names would be lost.
    NotFastForward,
    /// It was moved by somebody else since the fetch was planned, and what it names would be lost.
    Moved,
}

/// What becomes of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It names that already.
    UpToDate,
    /// It moves forward.
    FastForward,
    /// It moves, and what it named is left behind.
    Forced,
    /// It is new, or named something that is no commit.
    New(Kind),
    /// The tag moves.
    TagMoved,
    /// It is removed.
    Deleted,
    /// It stays.
    Refused(Refused),
    /// It was to move, but could not.
    NotMoved(NotMoved),
    /// It stands in `FETCH_HEAD` alone.
    FetchHead(Kind),
}

impl Outcome {
    /// What the log of the ref says; none if it does not move.
    pub(super) fn message(&self) -> Option<&'static str> {
        match self {
            Self::FastForward => Some("fast-forward"),
            Self::Forced => Some("forced-update"),
            Self::TagMoved => Some("updating tag"),
            Self::New(Kind::Tag) => Some("storing tag"),
            Self::New(Kind::Branch) => Some("storing head"),
            Self::New(_) => Some("storing ref"),
            _ => None,
        }
    }

    /// Whether something did not go as it was asked for.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotMoved(_))
    }
}

/// What became of one ref, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What became of it.
    pub outcome: Outcome,
    /// Its name on the remote.
    pub remote: BString,
    /// Its name here.
    pub local: BString,
    /// What it named.
    pub old: Option<ObjectId>,
    /// What it was to name.
    pub new: Option<ObjectId>,
}

/// With what it is decided.
pub(super) struct Deciding<'a> {
    pub(super) local: &'a Local,
    pub(super) objects: &'a Objects,
    pub(super) shallow: &'a [ObjectId],
    pub(super) update_head_ok: bool,
}

impl Deciding<'_> {
    /// What becomes of the ref `to`, and what it names before.
    pub(super) fn decide(
        &self,
        entry: &Entry,
        to: &Destination,
    ) -> Result<(Outcome, Option<ObjectId>), RefsError> {
        let now = self.local.oid(to.name.as_bstr());
        if now == to.old {
            return Ok((self.from(entry, to, now, to.force)?, now));
        }
        if now == Some(entry.oid) {
            // This operation moved it before it died; or another one did, which is as well.
            let outcome = self.from(entry, to, to.old, to.force)?;
            return Ok(if outcome.message().is_some() {
                (outcome, to.old)
            } else {
                (Outcome::UpToDate, now)
            });
        }
        // What it names now nobody has asked to give up.
        let outcome = match self.from(entry, to, now, false)? {
            Outcome::New(_) if now.is_some() => Outcome::Refused(Refused::Moved),
            Outcome::Refused(Refused::NotFastForward) => Outcome::Refused(Refused::Moved),
            outcome => outcome,
        };
        Ok((outcome, now))
    }

    fn from(
        &self,
        entry: &Entry,
        to: &Destination,
        old: Option<ObjectId>,
        force: bool,
    ) -> Result<Outcome, RefsError> {
        let kind = Kind::of(entry.name.as_bstr()).0;
        let Some(old) = old else {
            return Ok(Outcome::New(kind));
        };
        if old == entry.oid {
            return Ok(Outcome::UpToDate);
        }
        let resolved = self.local.resolved(to.name.as_bstr());
        if !self.update_head_ok && self.local.checked_out(resolved).is_some() {
            return Ok(Outcome::Refused(Refused::CheckedOut));
        }
        if to.name.starts_with(b"refs/tags/") {
            return Ok(if force {
                Outcome::TagMoved
            } else {
                Outcome::Refused(Refused::Tag)
            });
        }
        let commits = (self.objects.commit(&old)?, self.objects.commit(&entry.oid)?);
        let (Some(before), Some(after)) = commits else {
            return Ok(Outcome::New(kind));
        };
        if is_ancestor(self.objects, self.shallow, before, after)? {
            return Ok(Outcome::FastForward);
        }
        Ok(if force {
            Outcome::Forced
        } else {
            Outcome::Refused(Refused::NotFastForward)
        })
    }
}
