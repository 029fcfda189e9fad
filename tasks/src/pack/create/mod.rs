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

use crate::pack::format::DEFAULT_FRAME_SIZE;

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
        }
    }

    /// The length of a full frame in the stream.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn frame_size(&self) -> u32 {
        #[cfg(test)]
        if self.small {
            return 512;
        }
        DEFAULT_FRAME_SIZE
    }

    /// How long the first slice of a scan is.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn first_slice(&self) -> Duration {
        #[cfg(test)]
        if self.small {
            return Duration::ZERO;
        }
        scan::FIRST_SLICE
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
    /// The layer's id, 64 hex digits.
    pub layer: String,
    /// The number of objects.
    pub objects: u64,
    /// The number of frames.
    pub frames: u64,
    /// The length of the stream that the frames hold.
    pub raw_bytes: u64,
    /// The length of all files of the pack.
    pub stored_bytes: u64,
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
