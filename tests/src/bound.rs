//! How much may be written when a pack is made by many processes.
//!
//! What a process loses when it is killed is its tail: what it did since its last
//! commit, the frame files being cut back to that commit. A tail is an interval
//! between commits that was not over yet. How long intervals are is not for a test to
//! say: on a machine where a commit takes long, they are long. Frames that its
//! threads had in work and not yet appended are lost, too, and are allowed for,
//! although none of their bytes were written. So over all processes
//!
//! ```text
//! frames written <= frames of the pack + for each kill: frames of its tail + threads
//! bytes written  <= bytes written undisturbed
//!                   + for each kill: bytes of its tail + threads * longest frame + beside
//! ```
//!
//! where `beside` is what an undisturbed run writes beside the frames: the list of
//! sources, the plan, the frame table, the index, the store's commits. A process
//! that is killed before these are committed has them written again.
//!
//! The frames are counted by marks in the file (see [`Ledger`](crate::Ledger)), the
//! bytes by the kernel. Only what was committed is taken from mug's record. Were it
//! to say too much, committed frames would be seen to be written again; were it to
//! say too little, the tails would come to what starting over takes.

use crate::{Trial, Undisturbed};

/// What was written, and what may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Frames in the file when each process was stopped, and at the end, in all:
    /// so many would have been written, had each process started over.
    pub starting_over: u64,
    /// Frames that were written.
    pub frames: u64,
    /// Frames that may be.
    pub frames_allowed: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Bytes that may be.
    pub bytes_allowed: u64,
}

impl Bound {
    /// For a pack that is done, of processes with up to `threads` threads.
    pub fn of(trial: &Trial, threads: usize) -> Self {
        let undisturbed: &Undisturbed = trial.undisturbed();
        let frames = &undisturbed.frames;
        let kills = trial.blows.len() as u64;
        let in_work = threads as u64 * frames.longest();
        let beside = undisturbed.written - frames.bytes_before(frames.len());
        let left: usize = trial.blows.iter().map(|blow| blow.look.whole).sum();
        let tails = trial.blows.iter().map(|blow| {
            let (whole, committed) = (blow.look.whole, blow.committed.min(blow.look.whole));
            let bytes = frames.bytes_before(whole) - frames.bytes_before(committed);
            (whole - committed, bytes)
        });
        let (tail_frames, tail_bytes) =
            tails.fold((0, 0), |sum, tail| (sum.0 + tail.0, sum.1 + tail.1));
        Self {
            starting_over: (left + frames.len()) as u64,
            frames: trial.ledger().written() as u64,
            frames_allowed: frames.len() as u64 + tail_frames as u64 + kills * threads as u64,
            bytes: trial.bytes,
            bytes_allowed: undisturbed.written + tail_bytes + kills * (in_work + beside),
        }
    }

    /// Whether no more was written than may be.
    pub fn holds(&self) -> bool {
        self.frames <= self.frames_allowed && self.bytes <= self.bytes_allowed
    }
}

impl std::ops::AddAssign for Bound {
    fn add_assign(&mut self, other: Self) {
        self.starting_over += other.starting_over;
        self.frames += other.frames;
        self.frames_allowed += other.frames_allowed;
        self.bytes += other.bytes;
        self.bytes_allowed += other.bytes_allowed;
    }
}
