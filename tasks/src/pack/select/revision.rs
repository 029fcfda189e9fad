//! Revisions: the commits that names, ids and expressions such as `main~3` stand for.

use gix::{bstr::BStr, objs::Kind};
use gix_hash::ObjectId;

use super::{Repository, SelectError};

impl Repository {
    /// Whether the history is cut off below some commits, or that cannot be told.
    pub fn is_shallow(&self) -> bool {
        self.git.is_shallow().unwrap_or(true)
    }

    /// The commit that `revision` stands for, last; before it the annotated tags that lead to it.
    pub fn commit(&self, revision: &BStr) -> Result<Vec<ObjectId>, SelectError> {
        let none = |why: String| SelectError::Revision {
            name: revision.to_string(),
            why,
        };
        let found = self
            .git
            .rev_parse_single(revision)
            .map_err(|error| none(error.to_string()))?;
        self.peel(found.detach()).map_err(none)
    }

    /// The same for an object.
    pub fn commit_of(&self, id: ObjectId) -> Result<Vec<ObjectId>, SelectError> {
        self.peel(id).map_err(|why| SelectError::Revision {
            name: id.to_string(),
            why,
        })
    }

    fn peel(&self, mut id: ObjectId) -> Result<Vec<ObjectId>, String> {
        let mut way = Vec::new();
        loop {
            let object = self.git.find_object(id).map_err(|e| e.to_string())?;
            way.push(id);
            match object.kind {
                Kind::Commit => return Ok(way),
                Kind::Tag => {
                    let tag = object.try_into_tag().map_err(|e| e.to_string())?;
                    id = tag.target_id().map_err(|e| e.to_string())?.detach();
                }
                kind => return Err(format!("{id} is a {kind}")),
            }
        }
    }
}
