//! One pass over all commits, tags and trees: what the chosen refs reach, and what files are called.
//!
//! # Reachability without a walk
//! Walking the object graph from its tips visits objects in an order that has nothing to do with
//! the order in which they are stored, and pays for each object with a delta chain. This pass goes
//! the other way. Every commit, tag and tree of the sources is made once, along the delta trees, a
//! base before its deltas; it counts for each object how often it is referred to. Then what is
//! unreachable is peeled off: an object that nothing refers to and that is no tip is unreachable;
//! it is taken away with its references, which may leave others without any; and so on ([`reach`]).
//!
//! *What remains is exactly what the tips reach.* Nothing reachable is ever taken away: a tip never
//! is, and an object on a path from a tip keeps the reference of its predecessor on that path. And
//! nothing unreachable remains: a remaining object that is no tip has a remaining object that
//! refers to it, that one too, and so on upwards; references form no ring (an id is a hash over the
//! ids it refers to) and objects are finite, so every such way up ends at a tip.
//!
//! Since most objects are reachable in most repositories, peeling makes few objects a second time.
//!
//! # Trees by their deltas
//! The trees of a long history sum up to many times the size of everything else, but each differs
//! little from its delta base. An entry that lies wholly in a range copied from the base was looked
//! up for the base already; only the entries that touch inserted bytes are parsed. Counts follow
//! the same rule: an entry that first appears in some tree counts once for each tree below it in
//! the delta tree, and an entry that disappears is taken off the same way, so a tree costs what
//! its delta costs.
//!
//! # Slices
//! Delta trees are taken in a fixed order. After any number of them the counts and names found
//! since the last time can be exported ([`Scan::export`]) and put together again in another
//! process ([`Scan::absorb`]); sums and smallest names do not depend on where the cuts were, nor on
//! the number of threads.

mod along;
mod error;
mod explain;
mod gaps;
pub(crate) mod level;
pub(crate) mod links;
mod names;
pub mod news;
pub mod reach;
mod set;
mod slice;
mod state;
mod walk;

pub use error::ScanError;
pub use explain::explain;
pub use gaps::{Gap, has_promises};
pub use names::Names;
pub use news::News;
pub use reach::{Reach, Reached};
pub use set::Set;
pub use state::Scan;

use std::{collections::HashSet, sync::Arc};

use super::source::{Catalog, Children, Shape, SourceError, Sources};

/// The objects of a repository: where they lie, what they are, how their deltas hang together.
pub struct Universe {
    /// The files.
    pub sources: Arc<Sources>,
    /// The objects' numbers.
    pub catalog: Arc<Catalog>,
    /// Kinds, sizes, bases.
    pub shape: Shape,
    /// The delta trees.
    pub children: Children,
    /// The commits whose parents are cut off.
    pub shallow: HashSet<u32>,
}

impl Universe {
    /// Reads everything that the files' indexes and entry headers say.
    pub fn read(sources: Arc<Sources>) -> Result<Self, SourceError> {
        let catalog = Catalog::build(&sources)?;
        let shape = Shape::read(&sources, &catalog);
        Ok(Self::new(sources, Arc::new(catalog), shape))
    }

    fn new(sources: Arc<Sources>, catalog: Arc<Catalog>, shape: Shape) -> Self {
        Self {
            children: Children::of(&catalog, &shape),
            shallow: shallow(&sources, &catalog),
            sources,
            catalog,
            shape,
        }
    }
}

/// The numbers of the commits whose parents are cut off.
fn shallow(sources: &Sources, catalog: &Catalog) -> HashSet<u32> {
    let listed = sources.list.shallow.iter();
    listed
        .filter_map(|oid| catalog.find(sources, oid))
        .collect()
}

#[cfg(test)]
mod tests;
