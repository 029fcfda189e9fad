//! From the plan to frames: inflate each entry, join them, compress, hash; on all threads, in order.
//!
//! A frame depends on the plan and the sources alone. Any frame can be made without those before
//! it, which is what makes an interrupted operation go on at the first frame that is missing and
//! end in the same bytes. Only the pieces of one large entry are made in one go, since an entry's
//! middle cannot be inflated without its beginning; a start among them inflates, but does not
//! compress, what is there already.

mod frame;
mod pipeline;

pub use frame::Frame;
pub use pipeline::Pipeline;

/// Why a frame could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An entry could not be read.
    #[error(transparent)]
    Source(#[from] super::source::SourceError),
    /// The plan could not be read.
    #[error(transparent)]
    Plan(#[from] super::plan::PlanError),
    /// The frame could not be compressed.
    #[error(transparent)]
    Compress(#[from] crate::compress::CompressError),
}

#[cfg(test)]
mod tests;
