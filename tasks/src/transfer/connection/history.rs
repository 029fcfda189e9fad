//! What is here, as Git's own negotiators put it.

use gix::negotiate::{Algorithm, Graph, Negotiator};
use gix_hash::ObjectId;

use super::{ConnectionError, Haves};

/// The commits of a repository, from its tips down, as [`Haves`].
pub struct History<'repo, 'cache> {
    negotiator: Box<dyn Negotiator>,
    graph: Graph<'repo, 'cache>,
}

impl<'repo, 'cache> History<'repo, 'cache> {
    /// From `tips` down, which are commits that are here with all that is older; of those in
    /// `common` it is known that the server has them, too. `graph` is of the same repository:
    /// `repo.revision_graph(None)`.
    pub fn new(
        algorithm: Algorithm,
        mut graph: Graph<'repo, 'cache>,
        tips: impl IntoIterator<Item = ObjectId>,
        common: impl IntoIterator<Item = ObjectId>,
    ) -> Result<Self, ConnectionError> {
        let mut negotiator = algorithm.into_negotiator();
        for oid in common {
            negotiator
                .known_common(oid, &mut graph)
                .map_err(|it| unread(&it))?;
        }
        for oid in tips {
            negotiator
                .add_tip(oid, &mut graph)
                .map_err(|it| unread(&it))?;
        }
        Ok(Self { negotiator, graph })
    }
}

impl Haves for History<'_, '_> {
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        let mut batch = Vec::new();
        while batch.len() < most {
            match self.negotiator.next_have(&mut self.graph) {
                Some(oid) => batch.push(oid.map_err(|it| unread(&it))?),
                None => break,
            }
        }
        Ok(batch)
    }

    fn common(&mut self, oid: ObjectId) -> Result<(), ConnectionError> {
        let graph = &mut self.graph;
        let known = self.negotiator.in_common_with_remote(oid, graph);
        known.map(|_| ()).map_err(|it| unread(&it))
    }
}

fn unread(error: &gix::Error) -> ConnectionError {
    ConnectionError::History {
        reason: error.to_string(),
    }
}
