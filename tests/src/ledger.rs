//! Which frames a process wrote, found out by marks in the frame file.
//!
//! After a process has died, a byte in the midst of each frame that it left is
//! turned over. Packing never reads a frame back, so a frame that a later process
//! leaves alone keeps the mark, and one that it writes again has lost it. What is
//! counted so is what really went into the file, whatever mug says of itself; at
//! the end the marks are taken off.

use std::fs::OpenOptions;
use std::path::Path;

use crate::FrameMap;

/// The frames of one pack over all processes that work on it.
#[derive(Debug)]
pub struct Ledger<'a> {
    frames: &'a FrameMap,
    /// Frames in the file when it was last looked at; all of them are marked.
    marked: usize,
    /// Frames written in all, again or not.
    written: usize,
    /// Their bytes.
    bytes: u64,
}

/// What a process did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The frames before this one are as it found them.
    pub kept: usize,
    /// The frames that are whole in the file now.
    pub whole: usize,
    /// Of the frames it found, those that it wrote again or cut off.
    pub again: usize,
}

impl<'a> Ledger<'a> {
    /// For a pack that comes out with these frames.
    pub fn new(frames: &'a FrameMap) -> Self {
        Self {
            frames,
            marked: 0,
            written: 0,
            bytes: 0,
        }
    }

    /// Looks at the frame file that a process left, or stands still on, and marks
    /// what is in it.
    ///
    /// # Panics
    ///
    /// When a frame behind one that was written anew was not.
    pub fn look(&mut self, path: &Path) -> Look {
        let options = OpenOptions::new().read(true).write(true).open(path);
        let file = options.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let length = file.metadata().expect("its length").len();
        let whole = self.frames.whole(length);
        let marked: Vec<bool> = (0..whole)
            .map(|number| self.frames.is_marked(&file, number))
            .collect();
        let kept = marked.iter().take_while(|marked| **marked).count();
        assert!(
            !marked[kept..].contains(&true),
            "frames are written in order: {marked:?}"
        );
        let look = Look {
            kept,
            whole,
            again: self.marked.saturating_sub(kept),
        };
        for number in kept..whole {
            self.frames.mark(&file, number, true);
        }
        self.written += whole - kept;
        self.bytes += self.frames.bytes_before(whole) - self.frames.bytes_before(kept);
        self.marked = whole;
        look
    }

    /// Takes all marks off.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn unmark(&self, path: &Path) {
        let options = OpenOptions::new().read(true).write(true).open(path);
        let file = options.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for number in 0..self.marked {
            self.frames.mark(&file, number, false);
        }
    }

    /// Frames written in all, by all processes.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The bytes of these.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use super::*;

    fn file(dir: &Path) -> (FrameMap, Vec<u8>) {
        let mut bytes = Vec::new();
        for number in 0..10_u8 {
            let content: Vec<u8> = (0..1000).map(|i: u32| (i * 7) as u8 ^ number).collect();
            bytes.extend(zstd::bulk::compress(&content, 3).expect("it compresses"));
        }
        let path = dir.join("whole");
        std::fs::write(&path, &bytes).expect("a file");
        (FrameMap::read(&path), bytes)
    }

    /// Leaves the file as a process does that keeps `kept` frames and is killed
    /// when `whole` are there, and a part of the next.
    fn process(path: &Path, map: &FrameMap, bytes: &[u8], kept: usize, whole: usize) {
        let mut now = std::fs::read(path).unwrap_or_default();
        let end = map.bytes_before(whole) as usize;
        now.truncate(map.bytes_before(kept) as usize);
        now.extend_from_slice(&bytes[now.len()..(end + 3).min(bytes.len())]);
        std::fs::write(path, now).expect("a file");
    }

    #[test]
    fn what_is_kept_is_not_counted_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (map, bytes) = file(dir.path());
        assert_eq!(map.len(), 10);
        assert_eq!(map.whole_raw(2500), 2);
        let path = dir.path().join("frames");
        let mut ledger = Ledger::new(&map);
        for (kept, whole, again) in [(0, 4, 0), (3, 7, 1), (7, 7, 0), (6, 10, 1)] {
            process(&path, &map, &bytes, kept, whole);
            let look = ledger.look(&path);
            assert_eq!(look, Look { kept, whole, again });
        }
        assert_eq!(ledger.written(), 12);
        ledger.unmark(&path);
        assert_eq!(std::fs::read(&path).expect("a file"), bytes);
    }

    #[test]
    fn starting_over_is_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let (map, bytes) = file(dir.path());
        let path = dir.path().join("frames");
        let mut ledger = Ledger::new(&map);
        for whole in [4, 6, 3, 10] {
            process(&path, &map, &bytes, 0, whole);
            assert_eq!(ledger.look(&path).kept, 0);
        }
        assert_eq!(ledger.written(), 23);
    }
}
