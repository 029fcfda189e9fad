//! The next piece of what is to be sent.

use std::{fs::File, io::BufWriter, path::Path, sync::Arc};

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use super::{
    contents::{Collector, Contents, Limits},
    error::PackError,
    pack::{Made, Options, write},
    target::Target,
};

/// An increment has no more objects.
const OBJECTS: usize = 1 << 19;

/// How long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Pieces are about this long, in bytes.
    pub(crate) piece: u64,
    /// Longer ones are of no use.
    pub(crate) most: u64,
}

/// A pack of the next commits.
pub(crate) struct Increment {
    pub(crate) pack: Arc<File>,
    pub(crate) made: Made,
    /// So many commits of the list are in it.
    pub(crate) commits: usize,
    /// These of them have no child among them.
    pub(crate) heads: Vec<ObjectId>,
    /// What their parents outside of it are.
    pub(crate) onto: HashSet<ObjectId>,
    /// All that is to be sent is in it.
    pub(crate) last: bool,
}

/// Makes the next increment of `commits`; with the last of them come the `tips`.
pub(crate) fn next(
    target: &Target,
    commits: &[ObjectId],
    tips: &[ObjectId],
    size: Option<Size>,
    options: Options,
    at: &Path,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Increment, PackError> {
    let most = size.map_or(u64::MAX, |size| size.most);
    let mut budget = size.map_or(u64::MAX, |size| size.piece.min(size.most));
    loop {
        let (contents, count, last) = collect(target, commits, tips, budget, most, stopped)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(at)
            .map_err(PackError::Write)?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let made = write(contents, &target.store, options, &mut out, stopped)?;
        let file = out
            .into_inner()
            .map_err(|it| PackError::Write(it.into_error()))?;
        // What it weighs was a guess.
        if made.bytes > most && count > 1 && budget > 1 {
            budget = (budget.min(made.bytes) / 2).max(1);
            continue;
        }
        let (heads, onto) = edges(target, &commits[..count])?;
        return Ok(Increment {
            pack: Arc::new(file),
            made,
            commits: count,
            heads,
            onto,
            last,
        });
    }
}

/// The objects of as many commits as fit, at least of one. Whether these are all.
fn collect(
    target: &Target,
    commits: &[ObjectId],
    tips: &[ObjectId],
    budget: u64,
    most: u64,
    stopped: &dyn Fn() -> bool,
) -> Result<(Contents, usize, bool), PackError> {
    let mut collector = Collector::new(&target.store, Limits { blob: most });
    let mut count = 0;
    for id in commits {
        if stopped() {
            return Err(PackError::Stopped);
        }
        let before = (collector.contents.items.len(), collector.contents.weight);
        collector.commit(*id, target.shallow.contains(id))?;
        let contents = &mut collector.contents;
        let full = contents.weight > budget || contents.items.len() > OBJECTS;
        if full && budget != u64::MAX && count > 0 {
            contents.items.truncate(before.0);
            contents.weight = before.1;
            break;
        }
        count += 1;
    }
    let last = count == commits.len();
    if last {
        for tip in tips {
            collector.object(*tip)?;
        }
    }
    Ok((collector.contents, count, last))
}

/// The commits without a child, and the parents that are not among them.
fn edges(
    target: &Target,
    commits: &[ObjectId],
) -> Result<(Vec<ObjectId>, HashSet<ObjectId>), PackError> {
    let inside: HashSet<ObjectId> = commits.iter().copied().collect();
    let (mut parents, mut buffer) = (HashSet::default(), Vec::new());
    for id in commits {
        let commit = target.store.commit(id, &mut buffer)?;
        parents.extend(commit.into_iter().flat_map(|it| it.parents));
    }
    let heads = commits.iter().filter(|id| !parents.contains(*id));
    let heads = heads.copied().collect();
    let onto = parents.into_iter().filter(|id| !inside.contains(id));
    Ok((heads, onto.collect()))
}
