//! What refs need to know of objects.

use std::path::Path;

use gix::objs::commit::ref_iter::Token;
use gix::objs::{CommitRefIter, Exists as _, Find as _, FindHeader as _, Kind, TagRefIter};
use gix::odb;
use gix_hash::{ObjectId, oid};

use super::RefsError;

/// So many tags may name one another.
const DEEPEST: usize = 1000;

/// Where a commit comes from.
pub(in super::super) struct Ancestry {
    pub(in super::super) parents: Vec<ObjectId>,
    /// When it was committed, in seconds.
    pub(in super::super) time: i64,
}

/// The objects of a directory, as they were when it was opened.
pub struct Objects {
    odb: odb::Handle,
}

impl Objects {
    /// Opens the directory `objects` of a repository.
    pub fn at(objects: &Path) -> Result<Self, RefsError> {
        let mut odb = odb::at(objects, gix_hash::Kind::Sha1).map_err(RefsError::io(objects))?;
        // Many are asked for that are not there.
        odb.refresh_never();
        Ok(Self { odb })
    }

    /// Whether the object is there.
    pub fn has(&self, oid: &oid) -> bool {
        self.odb.exists(oid)
    }

    /// What kind of object it is; none if it is not there.
    pub fn kind(&self, oid: &oid) -> Result<Option<Kind>, RefsError> {
        let header = self
            .odb
            .try_header(oid)
            .map_err(|error| unreadable(oid, &error))?;
        Ok(header.map(|header| header.kind))
    }

    /// What tags lead to in the end, beginning with `oid`, and its kind. None if something is not
    /// there on the way.
    pub fn peel(&self, oid: &oid) -> Result<Option<(ObjectId, Kind)>, RefsError> {
        let (mut at, mut buffer) = (oid.to_owned(), Vec::new());
        for _ in 0..DEEPEST {
            match self.kind(&at)? {
                None => return Ok(None),
                Some(Kind::Tag) => {}
                Some(kind) => return Ok(Some((at, kind))),
            }
            let found = self.odb.try_find(&at, &mut buffer);
            let Some(data) = found.map_err(|error| unreadable(&at, &error))? else {
                return Ok(None);
            };
            at = TagRefIter::from_bytes(data.data, gix_hash::Kind::Sha1)
                .target_id()
                .map_err(|error| unreadable(&at, &error))?;
        }
        Err(unreadable(oid, &"too many tags name one another"))
    }

    /// The parents and the date of a commit; none if it is not there, or no commit.
    pub(in super::super) fn ancestry(&self, oid: &oid) -> Result<Option<Ancestry>, RefsError> {
        let mut buffer = Vec::new();
        let found = self.odb.try_find(oid, &mut buffer);
        let Some(data) = found.map_err(|error| unreadable(oid, &error))? else {
            return Ok(None);
        };
        if data.kind != Kind::Commit {
            return Ok(None);
        }
        let mut it = Ancestry {
            parents: Vec::new(),
            time: 0,
        };
        for token in CommitRefIter::from_bytes(data.data, gix_hash::Kind::Sha1) {
            match token.map_err(|error| unreadable(oid, &error))? {
                Token::Parent { id } => it.parents.push(id),
                Token::Committer { signature } => {
                    it.time = signature.seconds();
                    break;
                }
                _ => {}
            }
        }
        Ok(Some(it))
    }

    /// The tree of a commit; none if the commit is not there.
    pub fn tree(&self, commit: &oid) -> Result<Option<ObjectId>, RefsError> {
        let mut buffer = Vec::new();
        let found = self.odb.try_find(commit, &mut buffer);
        let Some(data) = found.map_err(|error| unreadable(commit, &error))? else {
            return Ok(None);
        };
        let tree = CommitRefIter::from_bytes(data.data, gix_hash::Kind::Sha1).tree_id();
        tree.map(Some).map_err(|error| unreadable(commit, &error))
    }

    /// The commit that `oid` is or leads to, if it is one and there.
    pub fn commit(&self, oid: &oid) -> Result<Option<ObjectId>, RefsError> {
        let peeled = self.peel(oid)?;
        Ok(peeled.and_then(|(oid, kind)| (kind == Kind::Commit).then_some(oid)))
    }
}

fn unreadable(oid: &oid, error: &dyn std::fmt::Display) -> RefsError {
    RefsError::Object {
        oid: oid.to_owned(),
        reason: error.to_string(),
    }
}
