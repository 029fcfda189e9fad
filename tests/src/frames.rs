//! Where the frames of a pack lie, by the file itself.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use zstd::zstd_safe;

/// The frames of a finished frame file: each a zstd frame, one after the other.
#[derive(Debug)]
pub struct FrameMap {
    /// Where each frame ends in the file.
    ends: Vec<u64>,
    /// Where each frame ends in the stream, before compression.
    raw_ends: Vec<u64>,
    /// A byte in the midst of each frame: its place and its value.
    probes: Vec<(u64, u8)>,
}

impl FrameMap {
    /// Walks the frames of a file.
    ///
    /// # Panics
    ///
    /// When it holds anything else.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut map = Self {
            ends: Vec::new(),
            raw_ends: Vec::new(),
            probes: Vec::new(),
        };
        let (mut at, mut raw) = (0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            let length = zstd_safe::find_frame_compressed_size(rest).expect("a zstd frame");
            let content = zstd_safe::get_frame_content_size(rest).ok().flatten();
            raw += content.expect("a frame says how much it holds");
            let probe = at + length / 2;
            map.probes.push((probe as u64, bytes[probe]));
            at += length;
            map.ends.push(at as u64);
            map.raw_ends.push(raw);
        }
        map
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many frames are whole in the first `length` bytes of the file.
    pub fn whole(&self, length: u64) -> usize {
        self.ends.partition_point(|end| *end <= length)
    }

    /// How many frames are whole in the first `raw` bytes of the stream.
    pub fn whole_raw(&self, raw: u64) -> usize {
        self.raw_ends.partition_point(|end| *end <= raw)
    }

    /// The bytes of the frames before frame `number`.
    pub fn bytes_before(&self, number: usize) -> u64 {
        number.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// The length of the longest frame.
    pub fn longest(&self) -> u64 {
        let starts = std::iter::once(&0).chain(&self.ends);
        let lengths = self.ends.iter().zip(starts).map(|(end, start)| end - start);
        lengths.max().unwrap_or(0)
    }

    /// Whether frame `number` in `file` bears the mark.
    ///
    /// # Panics
    ///
    /// When it is neither as it must be nor marked.
    pub(crate) fn is_marked(&self, file: &File, number: usize) -> bool {
        let (at, value) = self.probes[number];
        let mut found = [0];
        file.read_exact_at(&mut found, at).expect("a whole frame");
        assert!(
            found[0] == value || found[0] == !value,
            "frame {number} has {} at {at}: neither {value} nor the mark",
            found[0]
        );
        found[0] != value
    }

    /// Puts the mark on frame `number`, or takes it off.
    pub(crate) fn mark(&self, file: &File, number: usize, marked: bool) {
        let (at, value) = self.probes[number];
        let byte = if marked { !value } else { value };
        file.write_all_at(&[byte], at).expect("a byte is written");
    }
}

/// The frame file of the pack at `out`, finished or not; none when there is none
/// yet.
///
/// # Panics
///
/// When there are several.
pub fn frame_file(out: &Path) -> Option<PathBuf> {
    if !out.exists() {
        return None;
    }
    let mut found: Vec<_> = crate::files(out)
        .into_keys()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("frames-")
        })
        .collect();
    assert!(found.len() < 2, "one frame file is expected: {found:?}");
    found.pop().map(|path| out.join(path))
}
