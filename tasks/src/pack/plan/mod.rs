//! The plan: which entry comes when, and where the frames are cut; durable before the first frame.
//!
//! # Order
//! Entries with alike content should share a frame. Roots (whole objects, deltas with a base in an
//! older layer, and those whose base is not in the pack, which become whole) are sorted by kind, file name, size (largest first) and id;
//! each is followed by its delta tree, depth first, the largest delta first. Nothing of this depends
//! on where an object lies in its pack, on threads, or on time.
//!
//! # Frames
//! A frame ends where the next entry would push it over the frame size, and where the kind changes.
//! An entry that is larger than a frame takes frames of its own, each but the last exactly full.
//!
//! # The file
//! Little endian: a header of 40 bytes (magic, number of entries, of frames, length of the stream,
//! frame size, number of bases in older layers); thirteen bytes for each entry (object number, base,
//! size, kind), then 24 for each frame, then eight for each base in an older layer (rank of the
//! delta, object number of the base). An entry larger than a frame is found by its frames, so 32
//! bits are enough for sizes. The plan names objects by their numbers in the
//! [`Catalog`](super::source::Catalog), which the operation's list of sources fixes.

mod file;
mod make;
mod order;

pub use file::{PlanFile, PlannedEntry, PlannedFrame, ReadAt};
pub use make::{PlanSummary, write_plan};

/// Why a plan could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The sources could not be read.
    #[error(transparent)]
    Source(#[from] super::source::SourceError),
    /// The plan could not be written or read.
    #[error("cannot write or read the plan: {0}")]
    Io(#[from] std::io::Error),
    /// The stored plan cannot be understood.
    #[error("the stored plan is damaged: {0}")]
    Damaged(&'static str),
    /// The work was asked to stop.
    #[error("the planning was stopped")]
    Stopped,
    /// More frames than can be numbered.
    #[error("the repository is too large for the frame size")]
    TooLarge,
}
