//! Writing the pack.

use std::io::Write;

use gix_hash::ObjectId;

use super::{
    plan::{Base, How, Options, Plan, index},
    search,
};
use crate::{
    compress::{Compressor as _, FlateCompressor},
    pack::git_pack::{Form, GitPack},
    transfer::push::{
        contents::{Contents, Extra},
        error::PackError,
        store::Store,
    },
};

/// A pack that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its objects.
    pub(crate) objects: u32,
    /// How many of them are deltas.
    pub(crate) deltas: u32,
    /// Its length.
    pub(crate) bytes: u64,
    /// The hash at its end.
    pub(crate) id: ObjectId,
}

/// Writes the pack of `contents` to `out`.
pub(crate) fn write(
    mut contents: Contents,
    store: &Store,
    options: Options,
    out: &mut dyn Write,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Made, PackError> {
    let extra = std::mem::take(&mut contents.extra);
    let mut plan = Plan::of(&mut contents, store, options)?;
    search::search(&mut plan, store, options, stopped)?;
    let count = index(plan.items.len());
    let all = count + index(extra.len());
    let mut writer = Writer {
        plan: &plan,
        store,
        options,
        pack: GitPack::begin(all),
        ranks: vec![u32::MAX; plan.items.len()],
        zlib: FlateCompressor::new(search::LEVEL),
        deltas: 0,
        scratch: (Vec::new(), Vec::new()),
    };
    // Commits first, then the newest of the rest, as Git has it.
    let mut order: Vec<u32> = (0..count).rev().collect();
    order.sort_by_key(|at| plan.items[*at as usize].kind.place().min(2));
    let mut stack = Vec::new();
    for it in &extra {
        writer.extra(it)?;
    }
    for at in order {
        writer.with_bases(at, &mut stack, out)?;
        if stopped() {
            return Err(PackError::Stopped);
        }
    }
    let deltas = writer.deltas;
    let mut pack = writer.pack;
    pack.flush(&mut &mut *out).map_err(PackError::Write)?;
    let bytes = pack.end() + 20;
    let id = pack.finish();
    out.write_all(id.as_slice()).map_err(PackError::Write)?;
    Ok(Made {
        objects: all,
        deltas,
        bytes,
        id,
    })
}

struct Writer<'a> {
    plan: &'a Plan<'a>,
    store: &'a Store,
    options: Options,
    pack: GitPack,
    /// The place of each object in the pack; the largest number for what is not written.
    ranks: Vec<u32>,
    zlib: FlateCompressor,
    deltas: u32,
    scratch: (Vec<u8>, Vec<u8>),
}

impl Writer<'_> {
    /// Writes an object behind the bases that it needs.
    fn with_bases(
        &mut self,
        at: u32,
        stack: &mut Vec<u32>,
        out: &mut dyn Write,
    ) -> Result<(), PackError> {
        stack.push(at);
        while let Some(at) = stack.pop() {
            if self.ranks[at as usize] != u32::MAX {
                continue;
            }
            if let How::Reused(Base::Inside(base)) | How::Found(Base::Inside(base), _) =
                self.plan.how[at as usize]
                && self.ranks[base as usize] == u32::MAX
            {
                stack.extend([at, base]);
                continue;
            }
            self.entry(at)?;
            if self.pack.is_full() {
                self.pack.flush(&mut &mut *out).map_err(PackError::Write)?;
            }
        }
        Ok(())
    }

    /// Writes an object.
    fn entry(&mut self, at: u32) -> Result<(), PackError> {
        let plan = self.plan;
        let item = &plan.items[at as usize];
        match (&plan.how[at as usize], &item.packed) {
            (How::Reused(base), Some(packed)) => {
                let payload = self.store.payload(&item.id, packed)?;
                self.begin(self.delta_of(*base), packed.inflated, item.id)?;
                self.deltas += 1;
                self.pack.push(&payload);
            }
            (How::Copied, Some(packed)) => {
                let payload = self.store.payload(&item.id, packed)?;
                self.begin(Form::Whole(item.kind), packed.inflated, item.id)?;
                self.pack.push(&payload);
            }
            (How::Found(base, kept), _) => {
                self.deltas += 1;
                let form = self.delta_of(*base);
                if let Some(kept) = kept {
                    self.begin(form, kept.1, item.id)?;
                    self.pack.push(&kept.0);
                } else {
                    let delta = search::again(self.store, &plan.base(*base).id, &item.id)?;
                    self.zlib.compress(&delta, &mut self.scratch.1)?;
                    self.begin(form, delta.len() as u64, item.id)?;
                    self.pack.push(&self.scratch.1);
                }
            }
            (How::Deflated, _) | (_, None) => {
                self.store.read(&item.id, &mut self.scratch.0)?;
                self.zlib.compress(&self.scratch.0, &mut self.scratch.1)?;
                let size = self.scratch.0.len() as u64;
                self.begin(Form::Whole(item.kind), size, item.id)?;
                self.pack.push(&self.scratch.1);
            }
        }
        self.ranks[at as usize] = index(self.pack.offsets().len() - 1);
        Ok(())
    }

    /// Writes an object that is in no store.
    fn extra(&mut self, it: &Extra) -> Result<(), PackError> {
        self.zlib.compress(&it.content, &mut self.scratch.1)?;
        self.begin(Form::Whole(it.kind), it.content.len() as u64, it.id)?;
        self.pack.push(&self.scratch.1);
        Ok(())
    }

    fn delta_of(&self, base: Base) -> Form {
        match base {
            Base::Inside(at) if self.options.ofs => Form::Before(self.ranks[at as usize] as usize),
            base => {
                let mut id = [0; 20];
                id.copy_from_slice(self.plan.base(base).id.as_slice());
                Form::Of(id)
            }
        }
    }

    fn begin(&mut self, form: Form, size: u64, id: ObjectId) -> Result<(), PackError> {
        let begun = self.pack.entry(form, size);
        let reason = "its base is not before it";
        begun
            .map(drop)
            .ok_or_else(|| PackError::unreadable(&id, &reason))
    }
}
