//! New deltas among the objects that go into a pack, and against what the other side has.
//!
//! The objects are sorted by kind and path, the large ones first, since leaving something out takes
//! fewer bytes than adding it. Each is held against the few before it.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    delta::{self, Index},
    plan::{Base, How, Options, Plan, has_deltas, index},
};
use crate::{
    compress::{Compressor as _, FlateCompressor},
    pack::source::Kind,
    transfer::push::{error::PackError, name::PathKey, store::Store},
};

/// So many objects are tried as a base.
const WINDOW: usize = 10;
/// What they may take in memory, with their indexes.
const MEMORY: usize = 256 << 20;
/// A chain of deltas is no longer than that.
const DEPTH: u16 = 50;
/// Objects of less bytes are not worth a delta.
const SMALLEST: u64 = 50;
/// Larger objects are sent whole.
const LARGEST: u64 = 128 << 20;
/// Deltas that were found are kept up to this many bytes; beyond, they are made again when written.
const KEPT: u64 = 32 << 20;
/// How hard deltas and objects are compressed.
pub(super) const LEVEL: u32 = 6;

/// An object that is looked at.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    base: Base,
    kind: Kind,
    key: PathKey,
    size: u64,
    /// The pack in which it is whole, or none.
    whole_in: Option<u32>,
}

/// An object in the window.
struct Held {
    it: Candidate,
    content: Box<[u8]>,
    index: Option<Index>,
    depth: u16,
}

/// Looks for deltas for what is not reused as it is.
pub(super) fn search(
    plan: &mut Plan<'_>,
    store: &Store,
    options: Options,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), PackError> {
    let candidates = candidates(plan, store)?;
    // Where nothing is to be found, nothing is read.
    if !candidates.iter().any(|it| wanted(plan, it)) {
        return Ok(());
    }
    let kept = AtomicU64::new(0);
    let threads = options.threads.clamp(1, 1 + candidates.len() / 256);
    let share = candidates.len().div_ceil(threads);
    let shared = &*plan;
    let kept = &kept;
    let results: Vec<_> = std::thread::scope(|scope| {
        let work: Vec<_> = candidates
            .chunks(share)
            .map(|part| {
                let store = store.for_one_of(threads);
                scope.spawn(move || window(shared, &store, part, kept, stopped))
            })
            .collect();
        work.into_iter()
            .map(|thread| thread.join().unwrap_or(Err(PackError::Stopped)))
            .collect()
    });
    for found in results {
        for (at, how) in found? {
            plan.how[at as usize] = how;
        }
    }
    Ok(())
}

/// Whether a delta would help it.
fn wanted(plan: &Plan<'_>, it: &Candidate) -> bool {
    match it.base {
        Base::Inside(at) => !matches!(plan.how[at as usize], How::Reused(_)),
        Base::Outside(_) => false,
    }
}

/// What is looked at, sorted.
fn candidates(plan: &Plan<'_>, store: &Store) -> Result<Vec<Candidate>, PackError> {
    let inside = (0..plan.items.len()).map(|at| Base::Inside(index(at)));
    let outside = (0..plan.bases.len()).map(|at| Base::Outside(index(at)));
    let mut candidates = Vec::new();
    for base in outside.chain(inside) {
        if let Base::Inside(at) = base
            && matches!(plan.how[at as usize], How::Reused(_))
        {
            continue;
        }
        let item = plan.base(base);
        let size = match &item.packed {
            Some(packed) => packed.size,
            None => store.header(&item.id)?.map_or(0, |(_, size)| size),
        };
        if !has_deltas(item.kind) || !(SMALLEST..=LARGEST).contains(&size) {
            continue;
        }
        let whole = item.packed.as_ref().filter(|it| !it.header.is_delta());
        candidates.push(Candidate {
            base,
            kind: item.kind,
            key: item.key,
            size,
            whole_in: whole.map(|packed| packed.at.pack_id),
        });
    }
    candidates.sort_by(|a, b| {
        let order = (a.kind.place(), a.key).cmp(&(b.kind.place(), b.key));
        // What the other side has comes first: it costs nothing.
        let outside = |it: &Candidate| matches!(it.base, Base::Inside(_));
        let order = order.then(outside(a).cmp(&outside(b)));
        order.then(b.size.cmp(&a.size)).then_with(|| newest(a, b))
    });
    Ok(candidates)
}

/// The newer ones first: they were found last.
fn newest(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let place = |it: &Candidate| match it.base {
        Base::Inside(at) | Base::Outside(at) => at,
    };
    place(b).cmp(&place(a))
}

type Found = Vec<(u32, How)>;

/// Moves a window over the candidates.
fn window(
    plan: &Plan<'_>,
    store: &Store,
    candidates: &[Candidate],
    kept: &AtomicU64,
    stopped: &dyn Fn() -> bool,
) -> Result<Found, PackError> {
    let mut found = Vec::new();
    let mut held: VecDeque<Held> = VecDeque::new();
    let mut memory = 0;
    let mut zlib = FlateCompressor::new(LEVEL);
    // What is kept is as long as it has to be; what reads and compresses takes more.
    let (mut content, mut packed) = (Vec::new(), Vec::new());
    for (i, it) in candidates.iter().enumerate() {
        if stopped() {
            return Err(PackError::Stopped);
        }
        if held.back().is_some_and(|last| last.it.kind != it.kind) {
            held.clear();
            memory = 0;
        }
        // What has nothing to do with its neighbours need not be read.
        let next = candidates[i + 1..].iter().take(WINDOW);
        let useful = held.iter().any(|base| tried(plan, &base.it, it))
            || next
                .take_while(|next| next.kind == it.kind)
                .any(|next| tried(plan, it, next));
        if !useful {
            continue;
        }
        if store
            .try_read(&plan.base(it.base).id, &mut content)?
            .is_none()
        {
            match it.base {
                Base::Inside(_) => {
                    let id = plan.base(it.base).id;
                    return Err(PackError::Missing { id });
                }
                Base::Outside(_) => continue,
            }
        }
        let mut depth = 0;
        if wanted(plan, it)
            && let Some((place, delta)) = best(plan, &mut held, it, &content)
            && let Base::Inside(at) = it.base
        {
            let base = &held[place];
            depth = base.depth + 1;
            zlib.compress(&delta, &mut packed)?;
            // A whole entry that exists may be shorter.
            let whole = it.whole_in.and(plan.items[at as usize].packed.as_ref());
            if whole.is_none_or(|whole| (packed.len() + 20) < whole.at.entry_size) {
                let room = kept.fetch_add(packed.len() as u64, Ordering::Relaxed) < KEPT;
                let bytes = room.then(|| Box::new((packed.as_slice().into(), delta.len() as u64)));
                found.push((at, How::Found(base.it.base, bytes)));
                // The base that was just useful stays in the window longest.
                if let Some(base) = held.remove(place) {
                    held.push_back(base);
                }
            } else {
                depth = 0;
            }
        }
        memory += content.len() * 2;
        held.push_back(Held {
            it: *it,
            content: content.as_slice().into(),
            index: None,
            depth,
        });
        while held.len() > WINDOW || (memory > MEMORY && held.len() > 1) {
            if let Some(gone) = held.pop_front() {
                memory -= gone.content.len() * 2;
            }
        }
    }
    Ok(found)
}

/// Whether it is worth trying `it` as a delta against `base`.
fn tried(plan: &Plan<'_>, base: &Candidate, it: &Candidate) -> bool {
    if !wanted(plan, it) || it.size < base.size / 32 {
        return false;
    }
    // Whoever wrote the pack with both of them found none.
    let packed = it.whole_in.is_some() && it.whole_in == base.whole_in;
    !packed || matches!(base.base, Base::Outside(_))
}

/// The shortest delta against what is in the window, and its base's place there.
fn best(
    plan: &Plan<'_>,
    held: &mut VecDeque<Held>,
    it: &Candidate,
    content: &[u8],
) -> Option<(usize, Vec<u8>)> {
    let mut best: Option<(usize, u16, Vec<u8>)> = None;
    for (place, base) in held.iter_mut().enumerate().rev() {
        if !tried(plan, &base.it, it) || base.depth >= DEPTH {
            continue;
        }
        // A long chain has to be worth it.
        let (most, before) = match &best {
            Some((_, depth, delta)) => (delta.len(), *depth),
            None => ((content.len() / 2).saturating_sub(20), 0),
        };
        let left = usize::from(DEPTH - base.depth);
        let most = most * left / usize::from(DEPTH + 1 - before.min(DEPTH)).max(1);
        if most == 0 || content.len().saturating_sub(base.content.len()) >= most {
            continue;
        }
        if base.index.is_none() {
            base.index = Index::of(&base.content);
        }
        let Some(index) = &base.index else { continue };
        if let Some(delta) = delta::encode(index, &base.content, content, most) {
            best = Some((place, base.depth + 1, delta));
        }
    }
    best.map(|(place, _, delta)| (place, delta))
}

/// Makes a delta again for which there was no room.
pub(super) fn again(
    store: &Store,
    base: &gix_hash::oid,
    id: &gix_hash::oid,
) -> Result<Vec<u8>, PackError> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    store.read(base, &mut old)?;
    store.read(id, &mut new)?;
    let index = Index::of(&old);
    let delta = index.and_then(|index| delta::encode(&index, &old, &new, usize::MAX));
    delta.ok_or_else(|| PackError::unreadable(id, &"no delta is found for it again"))
}
