//! Writing the pack.

use std::{
    io::{Seek as _, SeekFrom},
    sync::{Arc, atomic::Ordering},
};

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    BUNDLE, Bundle, BundleError, OFFSETS, PLAN, Publish, Summary,
    error::recover,
    large::Large,
    layout::{Form, Layout, Totals},
    raw::Raw,
    ready::{Chunks, Ready, Stock},
    threads,
    writer::PackWriter,
};
use crate::pack::{
    gather::{self, Found},
    source::Catalog,
};

/// How far the pack is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entries {
    replans: u32,
    totals: Totals,
    head: Head,
    /// The next chunk.
    chunk: u32,
    /// How much of its only entry, with its header, is in the pack.
    within: u64,
}

/// What comes before the pack.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Head {
    /// Its length.
    pub(super) bytes: u64,
    pub(super) refs: u64,
    pub(super) refs_left_out: u64,
    pub(super) prerequisites: u64,
}

/// What lives from slice to slice.
struct Local {
    stock: Stock,
    chunks: Chunks,
    writer: PackWriter,
    large: Option<Large>,
    /// What is done of the large entry, for the progress.
    large_done: u64,
    /// The lengths of the entries of all chunks before.
    bytes: u64,
}

impl Entries {
    pub(super) const fn new(replans: u32, totals: Totals, head: Head) -> Self {
        Self {
            replans,
            totals,
            head,
            chunk: 0,
            within: 0,
        }
    }
}

impl Step<Bundle> for Entries {
    async fn run(self, cx: &mut Context<'_, Bundle>) -> StepResult<Bundle> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Entries {
    fn slice(mut self, b: &mut Blocking<Bundle>) -> StepResult<Bundle> {
        let mut local = match b.take_local::<Local>() {
            Some(local) => local,
            None => match self.open(b)? {
                Ok(local) => local,
                Err(error) => return recover(b, error, self.replans),
            },
        };
        self.report(b, &local);
        while self.chunk < self.totals.chunks {
            #[cfg(test)]
            b.env().at(&format!("chunk {}", self.chunk));
            match self.advance(&mut local) {
                Ok(made) if made => b.env().at("made"),
                Ok(_) => {}
                Err(error) => return recover(b, error, self.replans),
            }
            self.report(b, &local);
            if local.writer.is_full() {
                flush(b, &mut local.writer)?;
            }
            if b.should_yield() {
                flush(b, &mut local.writer)?;
                b.keep_local(local);
                return Transition::to(self);
            }
        }
        flush(b, &mut local.writer)?;
        let bytes = self.head.bytes + local.writer.end() + 20;
        let hash = local.writer.finish();
        let work = b.input().work(b.id());
        b.append_file_in(&work, BUNDLE)?.append(hash.as_slice())?;
        Transition::to(Publish {
            summary: Summary {
                objects: self.totals.entries.into(),
                bytes,
                refs: self.head.refs,
                refs_left_out: self.head.refs_left_out,
                prerequisites: self.head.prerequisites,
                pack: hash.to_string(),
            },
        })
    }

    fn open(&self, b: &mut Blocking<Bundle>) -> Found<Local, BundleError> {
        let layout = match Layout::open(b.read_file(PLAN)?, &self.totals) {
            Ok(layout) => Arc::new(layout),
            Err(error) => return Ok(Err(error)),
        };
        let sources = match gather::sources(b)? {
            Ok(sources) => sources,
            Err(error) => return Ok(Err(error.into())),
        };
        let catalog = match Catalog::build(&sources) {
            Ok(catalog) => Arc::new(catalog),
            Err(error) => return Ok(Err(error.into())),
        };
        let writer = match self.writer(b, &layout)? {
            Ok(writer) => writer,
            Err(error) => return Ok(Err(error)),
        };
        let stock = Stock {
            layout,
            sources,
            catalog,
            sizes: b.env().sizes(),
        };
        let chunk = self.chunk as usize;
        Ok(Ok(Local {
            chunks: stock.start(chunk, threads(b)),
            bytes: stock.layout.bytes(0..chunk),
            stock,
            writer,
            large: None,
            large_done: 0,
        }))
    }

    fn writer(&self, b: &mut Blocking<Bundle>, layout: &Layout) -> Found<PackWriter, BundleError> {
        let work = b.input().work(b.id());
        let begun = b.append_file_in(&work, BUNDLE)?.len() > self.head.bytes;
        if !begun {
            // Nothing of the pack is there, not even its first bytes.
            b.append_file(OFFSETS)?;
            return Ok(Ok(PackWriter::begin(self.totals.entries)));
        }
        let mut pack = b.read_file(BUNDLE)?;
        pack.seek(SeekFrom::Start(self.head.bytes))?;
        let offsets = b.read_file(OFFSETS)?;
        let chunk = layout.chunks.get(self.chunk as usize);
        let first = chunk.map_or(self.totals.entries, |chunk| chunk.first);
        let begun = first as usize + usize::from(self.within > 0);
        let interrupt = Arc::clone(b.interrupt());
        let stopped = || interrupt.load(Ordering::Relaxed);
        Ok(PackWriter::resume(begun, pack, offsets, &stopped))
    }

    /// Makes the next chunk, or the next piece of a large entry; whether there was anything to make.
    fn advance(&mut self, local: &mut Local) -> Result<bool, BundleError> {
        if local.large.is_none() {
            let ready = local.chunks.next().ok_or(BundleError::Damaged(
                "the stored plan has fewer entries than the state says",
            ))??;
            if !ready.large {
                append(local, &ready)?;
                self.next(local);
                return Ok(true);
            }
            self.begin_large(local, &ready)?;
        }
        let Some(large) = &mut local.large else {
            return Ok(false);
        };
        let Some(progress) = large.next(&local.stock)? else {
            return Ok(false);
        };
        local.writer.push(&progress.bytes);
        self.within += progress.bytes.len() as u64;
        local.large_done = progress.done;
        if progress.last {
            local.large = None;
            self.next(local);
        }
        Ok(true)
    }

    fn begin_large(&mut self, local: &mut Local, ready: &Ready) -> Result<(), BundleError> {
        let entry = ready.entries[0];
        let oid = |id| local.stock.catalog.oid(&local.stock.sources, id);
        let size = Large::size(&local.stock, &entry)?;
        if self.within == 0 {
            self.within = local.writer.entry(&entry, size, oid)?;
        }
        let header = local.writer.header_len(&entry, size, oid)?;
        let from = self.within.checked_sub(header).ok_or(BundleError::Damaged(
            "less is done of an entry than its header",
        ))?;
        local.large = Some(Large::start(&local.stock, entry, from)?);
        Ok(())
    }

    fn next(&mut self, local: &mut Local) {
        let chunk = self.chunk as usize;
        local.bytes += local.stock.layout.bytes(chunk..chunk + 1);
        local.large_done = 0;
        self.chunk += 1;
        self.within = 0;
    }

    fn report(&self, b: &Blocking<Bundle>, local: &Local) {
        let chunk = local.stock.layout.chunks.get(self.chunk as usize);
        let entries = chunk.map_or(self.totals.entries, |chunk| chunk.first);
        b.report(entries.into(), Some(self.totals.entries.into()));
        b.report_bytes(local.bytes + local.large_done, Some(self.totals.bytes));
    }
}

/// Adds the entries of a chunk to the pack.
fn append(local: &mut Local, ready: &Ready) -> Result<(), BundleError> {
    let (stock, writer) = (&local.stock, &mut local.writer);
    let oid = |id| stock.catalog.oid(&stock.sources, id);
    let mut deflated = ready.deflated.iter();
    for entry in &ready.entries {
        if entry.form != Form::Deflated {
            let raw = Raw::find(&stock.sources, &stock.catalog, entry)?;
            writer.entry(entry, raw.size(), oid)?;
            writer.push(raw.data());
        } else if let Some((size, range)) = deflated.next() {
            writer.entry(entry, *size, oid)?;
            writer.push(&ready.bytes[range.clone()]);
        }
    }
    Ok(())
}

/// Hands what was made to the files.
fn flush(b: &mut Blocking<Bundle>, writer: &mut PackWriter) -> Result<(), StepError> {
    let work = b.input().work(b.id());
    writer.flush(&mut b.append_file_in(&work, BUNDLE)?)?;
    let offsets = writer.take_offsets();
    b.append_file(OFFSETS)?.append(&offsets)
}
