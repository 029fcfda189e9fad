//! What can be done of a chunk without knowing where it will lie: checking what is to be copied, and
//! deflating the rest; on all threads.

use std::{ops::Range, sync::Arc};

use super::{
    BundleError,
    layout::{Entry, Form, Layout, Sizes},
    raw::Raw,
};
use crate::{
    compress::{Compressor as _, FlateCompressor},
    pack::{
        ordered::Ordered,
        source::{Catalog, Reader, Sources},
    },
};

/// The zlib level of what is deflated anew: Git's own for packs.
pub(super) const LEVEL: u32 = 6;

/// A chunk whose entries only lack their headers.
pub(super) struct Ready {
    pub(super) entries: Vec<Entry>,
    /// For each entry that is deflated anew: the object's size, and where in `bytes` it is.
    pub(super) deflated: Vec<(u64, Range<usize>)>,
    pub(super) bytes: Vec<u8>,
    /// A single entry that is to be made piece by piece; nothing is done of it yet.
    pub(super) large: bool,
}

/// Where everything is read from.
#[derive(Clone)]
pub(super) struct Stock {
    pub(super) layout: Arc<Layout>,
    pub(super) sources: Arc<Sources>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) sizes: Sizes,
}

/// Chunks in order.
pub(super) type Chunks = Ordered<Result<Ready, BundleError>>;

impl Stock {
    /// Starts threads on the chunks from `first` on.
    pub(super) fn start(&self, first: usize, threads: usize) -> Chunks {
        let worker = || {
            let stock = self.clone();
            let mut zlib = FlateCompressor::new(LEVEL);
            move |chunk| stock.make(chunk, &mut zlib)
        };
        Ordered::start(
            first..self.layout.chunks.len(),
            threads,
            2 * threads + 2,
            worker,
        )
    }

    fn make(&self, chunk: usize, zlib: &mut FlateCompressor) -> Result<Ready, BundleError> {
        let entries = self.layout.entries(chunk)?;
        let mut ready = Ready {
            large: entries.len() == 1 && entries[0].length >= self.sizes.large,
            entries,
            deflated: Vec::new(),
            bytes: Vec::new(),
        };
        if ready.large {
            return Ok(ready);
        }
        let mut reader = None;
        let (mut object, mut packed) = (Vec::new(), Vec::new());
        for entry in &ready.entries {
            if entry.form != Form::Deflated {
                let raw = Raw::find(&self.sources, &self.catalog, entry)?;
                raw.check().map_err(|why| self.damaged(entry, &why))?;
                continue;
            }
            let reader = reader.get_or_insert_with(|| Reader::new(&self.sources, &self.catalog));
            object.clear();
            if reader.is_delta(entry.id)? {
                reader.object(entry.id, &mut object)?;
            } else {
                reader.payload(entry.id, &mut object)?;
            }
            if object.len() as u64 != entry.length {
                return Err(self.damaged(entry, "its size is not the planned one"));
            }
            zlib.compress(&object, &mut packed)?;
            let start = ready.bytes.len();
            ready.bytes.extend_from_slice(&packed);
            let range = start..ready.bytes.len();
            ready.deflated.push((entry.length, range));
        }
        Ok(ready)
    }

    /// The error for an entry that is not what it should be.
    pub(super) fn damaged(&self, entry: &Entry, why: &str) -> BundleError {
        let reader = Reader::new(&self.sources, &self.catalog);
        reader.damaged(entry.id, why).into()
    }
}
