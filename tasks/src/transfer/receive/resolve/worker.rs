//! One thread's way through the deltas.

use std::sync::{MutexGuard, PoisonError, atomic::Ordering::Relaxed};

use gix_hash::ObjectId;
use gix_zlib::{Inflate, Status};

use super::{
    Outside, Root, Shared,
    share::{Part, Work},
    tree::Children,
};
use crate::{
    pack::{
        delta,
        source::{Kind, Oid},
    },
    transfer::receive::{ReceiveError, head::Head, parser::object_hasher},
};

/// The largest object that is made in memory. Git makes no deltas of files this large by default.
const LARGEST: u64 = 2 << 30;
/// The bytes of bases that a thread keeps.
const KEPT: usize = 6 << 20;
/// With more than this, a thread has to be the only one.
const HEAVY: u64 = if cfg!(test) { 4 << 20 } else { 64 << 20 };
/// The buffers that a thread keeps for later, and the largest of them.
const SPARE: usize = 8;
const SPARE_BYTES: usize = 256 << 10;
/// So many results are handed over at once.
const FOUND: usize = 2048;

const TOO_LARGE: &str = "it has more than 2 GiB, which is too much to make in memory";
const CHANGED: &str = "its compressed content is not what was received";

pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    work: &'a Work,
    outside: Option<Outside>,
    /// While it holds much.
    heavy: Option<MutexGuard<'a, ()>>,
    inflate: Inflate,
    /// The instructions of the present delta; longer than they are.
    delta: Vec<u8>,
    /// The chain of bases from the root to the present one.
    chain: Vec<Base>,
    /// How many bytes the chain holds.
    kept: usize,
    spare: Vec<Vec<u8>>,
    found: Vec<(u32, Oid)>,
}

/// A base whose deltas are being made.
struct Base {
    /// None where it cannot be made again from the pack, so that its content must stay.
    entry: Option<u32>,
    /// Its content, unless that is not needed, or was given up to save memory.
    bytes: Option<Vec<u8>>,
    children: Children,
}

impl<'a> Worker<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, work: &'a Work, outside: Option<Outside>) -> Self {
        Self {
            shared,
            work,
            outside,
            heavy: None,
            inflate: Inflate::default(),
            delta: Vec::new(),
            chain: Vec::new(),
            kept: 0,
            spare: Vec::new(),
            found: Vec::with_capacity(FOUND),
        }
    }

    /// Hands over what was found out.
    pub(super) fn hand_over(&mut self) {
        self.shared.take(&mut self.found);
    }

    /// Makes all that stands on `root`.
    pub(super) fn grow(&mut self, root: &Root) -> Result<(), ReceiveError> {
        let tree = &self.shared.tree;
        let (kind, base) = match root {
            Root::Entry(entry, kind) => {
                let children = tree.children(*entry, || self.shared.oid(*entry));
                if children.is_empty() {
                    return Ok(());
                }
                // Its content is made once it is needed.
                (*kind, (Some(*entry), None, children))
            }
            Root::Outside(oid) => {
                if !tree.waits(oid) {
                    return Ok(());
                }
                let mut bytes = self.spare.pop().unwrap_or_default();
                let outside = self.outside.as_ref();
                let read = outside.map_or(Ok(None), |outside| outside.read(oid, &mut bytes));
                let kind = match read {
                    Ok(Some(kind)) => kind,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        self.shared.note(|results| {
                            results.failed.get_or_insert(error);
                        });
                        return Ok(());
                    }
                };
                self.shared.note(|results| results.outside.push(*oid));
                (kind, (None, Some(bytes), tree.children_of(oid)))
            }
        };
        self.push(base.0, base.1, base.2);
        self.climb(kind)
    }

    /// Goes on with what another thread has left.
    pub(super) fn go_on(&mut self, part: Part) -> Result<(), ReceiveError> {
        self.push(None, Some(part.bytes), part.children);
        self.climb(part.kind)
    }

    fn climb(&mut self, kind: Kind) -> Result<(), ReceiveError> {
        while !self.chain.is_empty() {
            if self.shared.how.stopped.load(Relaxed) {
                return Err(ReceiveError::Stopped);
            }
            if self.work.is_wanted() {
                self.share(kind);
            }
            self.step(kind);
            if self.kept as u64 + (self.delta.len() as u64) < HEAVY {
                self.heavy = None;
            }
        }
        Ok(())
    }

    /// Leaves deltas to a thread that waits: those of the lowest base that has any, since with those
    /// of the bases above there is something left to do here; or half of those of the only one.
    fn share(&mut self, kind: Kind) {
        let Some((top, lower)) = self.chain.split_last_mut() else {
            return;
        };
        let free = |base: &&mut Base| {
            base.entry.is_some() && base.bytes.is_some() && !base.children.is_empty()
        };
        let (bytes, children) = if let Some(base) = lower.iter_mut().find(free) {
            let bytes = base.bytes.take().unwrap_or_default();
            self.kept -= bytes.len();
            (bytes, base.children.take_all())
        } else if let (Some(bytes), Some(half)) = (&top.bytes, top.children.take_half()) {
            (bytes.clone(), half)
        } else {
            return;
        };
        self.work.give(Part {
            kind,
            bytes,
            children,
        });
    }

    /// Waits until this thread may use so much memory more than it does.
    fn weigh(&mut self, more: u64) {
        let held = self.kept as u64 + self.delta.len() as u64;
        if self.heavy.is_none() && held.saturating_add(more) > HEAVY {
            let heavy = self.shared.heavy.lock();
            self.heavy = Some(heavy.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Makes one delta of the present base, or leaves the base if there are no more.
    fn step(&mut self, kind: Kind) {
        let Some(base) = self.chain.last_mut() else {
            return;
        };
        let Some(entry) = self.shared.tree.take(&mut base.children) else {
            self.pop();
            return;
        };
        if let Err(why) = self.make(entry, kind) {
            let at = self.shared.table.offset(entry);
            self.shared.note(|results| {
                let failed = ReceiveError::Delta { at, why };
                results.failed.get_or_insert(failed);
            });
        }
    }

    fn make(&mut self, entry: u32, kind: Kind) -> Result<(), &'static str> {
        self.restore()?;
        let mut bytes = self.spare.pop().unwrap_or_default();
        let made = self.apply(self.chain.len() - 1, entry, &mut bytes);
        // The last delta of a base is the last that needs it: along a chain, two objects are there
        // at a time.
        let last = |base: &Base| base.children.is_empty() && base.entry.is_some();
        if self.chain.last().is_some_and(last) {
            self.give_up(self.chain.len() - 1);
        }
        made?;
        let mut hasher = object_hasher(kind, bytes.len() as u64);
        hasher.update(&bytes);
        let Ok(ObjectId::Sha1(oid)) = hasher.try_finalize() else {
            return Err("it is a collision attack on SHA-1");
        };
        self.found.push((entry, oid));
        if self.found.len() >= FOUND {
            self.hand_over();
        }
        let children = self.shared.tree.children(entry, || oid);
        if children.is_empty() {
            self.recycle(bytes);
        } else {
            self.push(Some(entry), Some(bytes), children);
        }
        Ok(())
    }

    /// Makes the object of the delta `entry` from the base at this place of the chain, which has its
    /// bytes.
    fn apply(&mut self, base: usize, entry: u32, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let mut delta = std::mem::take(&mut self.delta);
        let read = self.content(entry, &mut delta);
        let made = read.and_then(|len| {
            let delta = &delta[..len];
            // Before memory is taken for it.
            let size = delta::sizes(delta)?.1;
            if size > LARGEST {
                return Err(TOO_LARGE);
            }
            self.weigh(size + len as u64);
            let base = self.chain[base].bytes.as_deref().unwrap_or_default();
            out.clear();
            delta::apply(base, delta, out, |_, _, _| {})
        });
        if delta.len() > SPARE_BYTES {
            delta = Vec::new();
        }
        self.delta = delta;
        made
    }

    /// Inflates an entry into the beginning of `out`; how long the content is.
    fn content(&mut self, entry: u32, out: &mut Vec<u8>) -> Result<usize, &'static str> {
        let table = self.shared.table;
        let range = table.offset(entry)..table.end_of(entry);
        let bytes = self.shared.raw.entry_slice(range).ok_or(CHANGED)?;
        let head = Head::decode(bytes)?.ok_or(CHANGED)?;
        let size = usize::try_from(head.size).map_err(|_| TOO_LARGE)?;
        if head.size > LARGEST {
            return Err(TOO_LARGE);
        }
        self.weigh(head.size);
        if out.len() < size {
            let more = size - out.len();
            out.try_reserve(more)
                .map_err(|_| "there is not enough memory to make it")?;
            out.resize(size, 0);
        }
        self.inflate.reset();
        let done = self.inflate.once(&bytes[head.len..], &mut out[..size]);
        match done {
            Ok((Status::StreamEnd, _, made)) if made == size => Ok(size),
            _ => Err(CHANGED),
        }
    }

    /// Makes the bytes of the present base again, if they were given up.
    fn restore(&mut self) -> Result<(), &'static str> {
        let top = self.chain.len() - 1;
        let have = self.chain.iter().rposition(|base| base.bytes.is_some());
        if have == Some(top) {
            return Ok(());
        }
        let mut at = if let Some(at) = have {
            at
        } else {
            let Some(root) = self.chain[0].entry else {
                // One from outside is never given up.
                return Err("its base was given up");
            };
            let mut bytes = self.spare.pop().unwrap_or_default();
            let len = self.content(root, &mut bytes)?;
            bytes.truncate(len);
            self.keep(0, bytes);
            0
        };
        while at < top {
            let Some(entry) = self.chain[at + 1].entry else {
                return Err("its base was given up");
            };
            let mut bytes = self.spare.pop().unwrap_or_default();
            self.apply(at, entry, &mut bytes)?;
            let done = &self.chain[at];
            if done.children.is_empty() && done.entry.is_some() {
                self.give_up(at);
            }
            at += 1;
            self.keep(at, bytes);
        }
        Ok(())
    }

    fn push(&mut self, entry: Option<u32>, bytes: Option<Vec<u8>>, children: Children) {
        self.chain.push(Base {
            entry,
            bytes: None,
            children,
        });
        if let Some(bytes) = bytes {
            self.keep(self.chain.len() - 1, bytes);
        }
    }

    /// Keeps the bytes of a base; those that are needed last are given up for them.
    fn keep(&mut self, at: usize, bytes: Vec<u8>) {
        self.kept += bytes.len();
        self.chain[at].bytes = Some(bytes);
        let mut below = 0;
        while self.kept > KEPT && below < at {
            // What came from outside is not made again from the pack.
            if self.chain[below].entry.is_some() {
                self.give_up(below);
            }
            below += 1;
        }
    }

    fn give_up(&mut self, at: usize) {
        if let Some(bytes) = self.chain[at].bytes.take() {
            self.kept -= bytes.len();
            self.recycle(bytes);
        }
    }

    fn pop(&mut self) {
        self.give_up(self.chain.len() - 1);
        self.chain.pop();
    }

    fn recycle(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE && bytes.capacity() <= SPARE_BYTES {
            self.spare.push(bytes);
        }
    }
}
