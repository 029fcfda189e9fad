//! Which entries lie in which frames.

use super::FrameRow;
use super::columns::{Columns, Position};

/// Frames that are read together, with the entries in them: one frame with all of its entries, or
/// one entry larger than a frame with all of its frames. Empty entries may form a group without a
/// frame. All groups in order make up the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number of the first frame.
    pub first_frame: u32,
    /// How many frames.
    pub frames: u32,
    /// The length in the stream.
    pub bytes: u64,
    /// How many entries.
    pub entries: u32,
    pub(super) start: Position,
}

impl Group {
    /// The rank of the first entry.
    pub fn first_rank(&self) -> u32 {
        self.start.rank
    }

    /// The ranks of the entries.
    pub fn ranks(&self) -> std::ops::Range<u32> {
        self.start.rank..self.start.rank + self.entries
    }

    /// Whether this is a single entry in several frames.
    pub fn is_large(&self) -> bool {
        self.frames > 1
    }
}

/// Deals all entries out to the frames, and checks that these are cut as the format says.
pub(super) fn deal(
    columns: &Columns,
    frames: &[FrameRow],
    frame_size: u32,
) -> Result<Vec<Group>, &'static str> {
    let mut groups: Vec<Group> = Vec::with_capacity(frames.len());
    let (mut at, mut next_frame, mut room) = (Position::default(), 0u32, 0u64);
    for _ in 0..columns.len() {
        let start = at;
        let size = columns.read(&mut at).ok_or("an entry can't be read")?.size;
        if size <= room
            && let Some(group) = groups.last_mut()
            && !group.is_large()
        {
            group.entries += 1;
            room -= size;
            continue;
        }
        if room > 0 {
            return Err("an entry straddles two frames");
        }
        let mut group = Group {
            first_frame: next_frame,
            frames: 0,
            bytes: 0,
            entries: 1,
            start,
        };
        while group.bytes < size {
            let raw = frames
                .get(next_frame as usize)
                .ok_or("there are more entries than frames")?
                .raw;
            if group.frames > 0 && group.bytes != u64::from(group.frames) * u64::from(frame_size) {
                return Err("a large entry is not cut at the frame size");
            }
            group.bytes += u64::from(raw);
            group.frames += 1;
            next_frame += 1;
        }
        if group.frames > 1 && group.bytes != size {
            return Err("a large entry shares a frame");
        }
        room = group.bytes - size;
        groups.push(group);
    }
    if room > 0 || next_frame as usize != frames.len() {
        return Err("there are more frames than entries");
    }
    Ok(groups)
}
