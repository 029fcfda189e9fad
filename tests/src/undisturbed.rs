//! A pack as it comes out when nothing interferes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{FrameMap, Scratch, frame_file};

/// A pack as an undisturbed run makes it, and what it took.
#[derive(Debug)]
pub struct Undisturbed {
    /// The pack.
    pub pack: PathBuf,
    /// Its frames.
    pub frames: FrameMap,
    /// The time.
    pub wall: Duration,
    /// The bytes that the process wrote, to whatever file.
    pub written: u64,
}

impl Undisturbed {
    /// Packs the repository at `repository` into `out`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn run(scratch: &Scratch, repository: &Path, out: &str) -> Self {
        let pack = scratch.join(out);
        let start = Instant::now();
        let text = pack.to_str().expect("a scratch path is text");
        let process = scratch.spawn(repository, &["pack", "create", text, "--threads", "1"]);
        let (output, written) = process.wait_counted();
        output.ok();
        let frames = frame_file(&pack).expect("a pack has frames");
        Self {
            frames: FrameMap::read(&frames),
            wall: start.elapsed(),
            pack,
            written,
        }
    }
}
