//! The operation `pack`: a repository, or some refs of it, as a pack directory.
//!
//! ```text
//! prepare   what to pack: the refs, and the files that objects are read from; held against `git gc`
//! scan      what the refs reach, and file names, over all commits, tags and trees; in slices
//! plan      the order of the entries and the cuts of the frames
//! frames    the frames, in order
//! index     where each object is; the manifest
//! publish   everything under its final name, the manifest last
//! ```
//!
//! What the first three steps find is kept in files of the operation (`sources`, `scan`, `plan`),
//! so that nothing is found twice and nothing can be found differently: from there on, every byte
//! follows from them. Files of the result are written to `.mug-<operation>` inside the output
//! directory, and moved from there at the end.
//!
//! Should a source vanish all the same (a pack that could not be linked, say), the operation notes
//! it in its journal and plans anew, for the same refs.
//!
//! # Adding a layer
//! Where the output is a pack already, the operation makes one more layer, with what the refs reach
//! and no older layer holds; nothing that is there is touched but the manifest, which is replaced
//! at the end. A pack is closed: whatever an object in it refers to is in it too. So what is new is
//! found by walking from the refs and turning back at what the older layers' indexes list; none of
//! their frames is read. Where much is new, and where older layers were cut off (made from a
//! shallow or partial clone), everything is scanned as for a first layer, and what is held is left
//! out. Both are decided by the sources and the pack alone, so that the bytes follow from them.
//!
//! The manifest is compared before it is replaced, under a lock; one that has changed means that
//! the layer is planned anew.

mod base;
mod course;
mod cut_off;
mod dates;
mod error;
mod frames;
mod index;
mod input;
mod open;
mod plan;
mod prepare;
mod publish;
mod scan;

use std::{num::NonZero, time::Duration};

use resume_runtime::{Blocking, Resumable};
use serde::{Deserialize, Serialize};

pub use error::CreateError;
pub use input::Input;

use crate::pack::{
    format::{DEFAULT_FRAME_SIZE, Manifest, SMALL_FRAME_SIZE},
    gather,
};

use frames::Frames;
use index::Index;
use plan::Plan;
use prepare::Prepare;
use publish::Publish;
use scan::Scan;

#[cfg(test)]
type Hook = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

/// What each process brings along.
#[derive(Clone, Default)]
pub struct Env {
    /// How many threads to use; what the input says otherwise.
    pub threads: Option<NonZero<usize>>,
    /// Told of each step, and of each frame.
    #[cfg(test)]
    hook: Option<Hook>,
    /// Small frames and short slices, so that a small repository has many.
    #[cfg(test)]
    small: bool,
    /// New objects of a layer are never found by a walk.
    #[cfg(test)]
    scan_all: bool,
}

impl Env {
    /// Work with so many threads.
    pub fn with_threads(threads: Option<NonZero<usize>>) -> Self {
        Self {
            threads,
            #[cfg(test)]
            hook: None,
            #[cfg(test)]
            small: false,
            #[cfg(test)]
            scan_all: false,
        }
    }

    /// The length of a full frame in the stream.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn frame_size(&self, input: &Input) -> u32 {
        #[cfg(test)]
        if self.small {
            return 512;
        }
        if input.small {
            SMALL_FRAME_SIZE
        } else {
            DEFAULT_FRAME_SIZE
        }
    }

    /// How long the first slice of a scan is.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn first_slice(&self) -> Duration {
        #[cfg(test)]
        if self.small {
            return Duration::ZERO;
        }
        gather::FIRST_SLICE
    }

    /// How many new objects, of so many that there are, are found by a walk.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    fn most_new(&self, objects: u32) -> u32 {
        #[cfg(test)]
        if self.scan_all {
            return 0;
        }
        scan::NEW_AT_LEAST.max(objects / scan::NEW_OF)
    }

    /// A place where tests can interfere.
    #[cfg(test)]
    fn at(&self, place: &str) {
        if let Some(hook) = &self.hook {
            hook(place);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests listen")]
    const fn at(&self, _place: &str) {}
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The layer's id, 64 hex digits; where nothing was added, that of the newest one.
    pub layer: String,
    /// The number of objects.
    pub objects: u64,
    /// The number of frames.
    pub frames: u64,
    /// The length of the stream that the frames hold.
    pub raw_bytes: u64,
    /// The length of all files that were written: of the layer, and the manifest.
    pub stored_bytes: u64,
    /// How many layers the pack has now.
    #[serde(default)]
    pub layers: u64,
    /// Whether there was nothing to add: same refs, no new objects.
    #[serde(default)]
    pub unchanged: bool,
}

impl Summary {
    /// Nothing was added to the pack with this manifest.
    fn nothing(manifest: &Manifest) -> Self {
        let newest = manifest.layers.last();
        Self {
            layer: newest.map(|layer| layer.id.to_string()).unwrap_or_default(),
            objects: 0,
            frames: 0,
            raw_bytes: 0,
            stored_bytes: 0,
            layers: manifest.layers.len() as u64,
            unchanged: true,
        }
    }
}

/// The machine.
#[derive(Resumable)]
#[resumable(kind = "pack", version = 1, input = Input, output = Summary, env = Env)]
pub enum Create {
    /// Refs and sources.
    #[step(start)]
    Prepare(Prepare),
    /// Reachability and names.
    #[step]
    Scan(Scan),
    /// Order and cuts.
    #[step]
    Plan(Plan),
    /// The frames.
    #[step]
    Frames(Frames),
    /// The index and the manifest.
    #[step]
    Index(Index),
    /// The final names.
    #[step(effect)]
    Publish(Publish),
}

/// How many threads the operation uses in this process.
fn threads(b: &Blocking<Create>) -> usize {
    let chosen = b.env().threads.or(b.input().threads);
    chosen
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests;
