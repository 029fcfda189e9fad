//! The next piece of what is to be sent.

use std::{fs::File, io::BufWriter, path::Path, sync::Arc};

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use super::{
    contents::{Collector, Contents, Large, Limits},
    error::{Limit, PackError},
    pack::{Made, Options, write},
    parts::{self, Sent},
    target::Target,
};

/// An increment has no more objects: each of them takes some 300 bytes of memory.
const OBJECTS: usize = 1 << 17;
/// What is likely to become shorter weighs no more, in bytes.
const WEIGHT: u64 = 64 << 20;

/// How long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Pieces are about this long, in bytes.
    pub(crate) piece: u64,
    /// No piece that can be made shorter is longer.
    pub(crate) longest: u64,
    /// So long is a pack for what weighs one byte here, as far as is known.
    pub(crate) ratio: f64,
    /// Longer ones are of no use.
    pub(crate) most: u64,
    /// Why.
    pub(crate) limit: Limit,
}

impl Size {
    /// What the objects of the next piece may weigh here.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "it is a guess"
    )]
    fn budget(self) -> u64 {
        let piece = self.piece.min(self.longest).min(self.most);
        let more = (piece as f64 / self.ratio) as u64;
        // Guesses go wrong, and memory is taken for all of it.
        let most = piece.max(WEIGHT).min(piece.saturating_mul(4));
        more.clamp(piece / 4, most).max(1)
    }
}

/// A pack of the next commits.
pub(crate) struct Increment {
    pub(crate) pack: Arc<File>,
    pub(crate) made: Made,
    /// What its objects weigh here.
    pub(crate) weight: u64,
    /// So many commits of the list are in it.
    pub(crate) commits: usize,
    /// What of the first commit's objects the server has then, where it goes in parts.
    pub(crate) part: Option<Sent>,
    /// What holds it: those of the commits that have no child among them.
    pub(crate) heads: Vec<ObjectId>,
    /// What is held by these as well: the commits' parents outside of it, and earlier parts.
    pub(crate) onto: HashSet<ObjectId>,
    /// The only object in it, and its commit, if there is no other one: it can't get shorter.
    pub(crate) single: Option<(ObjectId, ObjectId)>,
    /// All that is to be sent is in it.
    pub(crate) last: bool,
}

/// What is to be sent.
pub(crate) struct Rest<'a> {
    /// The commits, each after its parents.
    pub(crate) commits: &'a [ObjectId],
    /// What goes along with the last of them.
    pub(crate) tips: &'a [ObjectId],
    /// What the server has of the first one's objects.
    pub(crate) sent: Option<Sent>,
}

/// Makes the next increment.
pub(crate) fn next(
    target: &Target,
    rest: &Rest<'_>,
    size: Option<Size>,
    options: Options,
    at: &Path,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Increment, PackError> {
    let longest = size.map_or(u64::MAX, |size| size.longest.min(size.most));
    let mut budget = size.map_or(u64::MAX, Size::budget);
    loop {
        let collected = collect(target, rest, budget, size, stopped)?;
        let (count, part) = (collected.commits, collected.part);
        let single = match (collected.contents.items.as_slice(), rest.commits) {
            ([only], [commit, ..]) => Some((only.id, *commit)),
            _ => None,
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(at)
            .map_err(PackError::Write)?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let contents = collected.contents;
        let weight = contents.weight;
        let made = write(contents, &target.store, options, &mut out, stopped)?;
        let file = out
            .into_inner()
            .map_err(|it| PackError::Write(it.into_error()))?;
        // What it weighs was a guess.
        if made.bytes > longest && single.is_none() && budget > 1 {
            budget = (budget.min(weight) / 2).max(1);
            continue;
        }
        let (mut heads, mut onto) = edges(target, &rest.commits[..count])?;
        heads.extend(part.map(|it| it.at));
        onto.extend(rest.sent.map(|it| it.at));
        return Ok(Increment {
            pack: Arc::new(file),
            made,
            weight,
            commits: count,
            part,
            heads,
            onto,
            single,
            last: collected.last,
        });
    }
}

/// The objects of an increment.
struct Collected {
    contents: Contents,
    /// Of so many commits.
    commits: usize,
    /// Of a part of the first one instead.
    part: Option<Sent>,
    /// These are all.
    last: bool,
}

/// The objects of as many commits as fit, at least of a part of one.
fn collect(
    target: &Target,
    rest: &Rest<'_>,
    budget: u64,
    size: Option<Size>,
    stopped: &dyn Fn() -> bool,
) -> Result<Collected, PackError> {
    let limits = Limits {
        blob: size.map_or(u64::MAX, |size| size.most),
        this: None,
    };
    let mut collector = Collector::new(&target.store, limits);
    let (mut count, mut part) = (0, None);
    for id in rest.commits {
        if stopped() {
            return Err(PackError::Stopped);
        }
        let before = (collector.contents.items.len(), collector.contents.weight);
        collector.commit(*id, target.shallow.contains(id))?;
        let contents = &mut collector.contents;
        if count == 0
            && let Some(sent) = rest.sent
        {
            let order = parts::order(&contents.items, &target.store)?;
            parts::leave_out(contents, &order, sent);
        }
        if let (Some(large), Some(size)) = (contents.too_large(), size) {
            return Err(PackError::too_large(large, size.most, size.limit));
        }
        let full = contents.weight > budget || contents.items.len() > OBJECTS;
        if full && size.is_some() {
            if count > 0 {
                contents.items.truncate(before.0);
                contents.weight = before.1;
                break;
            }
            part = parts::next(contents, &target.store, *id, rest.sent, budget, OBJECTS)?;
            if part.is_some() {
                break;
            }
        }
        count += 1;
    }
    let last = count == rest.commits.len();
    if last {
        for tip in rest.tips {
            collector.object(*tip)?;
        }
    }
    Ok(Collected {
        contents: collector.contents,
        commits: count,
        part,
        last,
    })
}

/// Where a blob of a commit is.
pub(crate) fn find(
    target: &Target,
    commit: ObjectId,
    blob: ObjectId,
) -> Result<Option<Large>, PackError> {
    let limits = Limits {
        blob: u64::MAX,
        this: Some(blob),
    };
    let mut collector = Collector::new(&target.store, limits);
    collector.commit(commit, target.shallow.contains(&commit))?;
    Ok(collector.contents.too_large().cloned())
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
