//! Merges of the content of files.

use gix::diff::blob::{Algorithm, InternedInput};
use gix::merge::blob::Resolution;
use gix::merge::blob::builtin_driver::text::{Conflict, Labels, Merge};

/// Git looks so far for a zero byte, which makes a file binary.
const LOOKED_AT: usize = 8000;
/// Larger files are left to Git.
const LARGEST: usize = 64 << 20;

/// The content that both sides' changes make of `base`; none where they conflict, and where this is
/// not for us to say.
pub(super) fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    if [base, ours, theirs]
        .iter()
        .any(|content| content.len() > LARGEST || is_binary(content))
    {
        return None;
    }
    let (mut input, mut merged) = (InternedInput::default(), Vec::new());
    // What Git's merges use.
    let merge = Merge::new(&mut input, ours, base, theirs, Algorithm::Histogram);
    match merge.run(&mut merged, Labels::default(), Conflict::default()) {
        Resolution::Complete => Some(merged),
        Resolution::CompleteWithAutoResolvedConflict | Resolution::Conflict => None,
    }
}

fn is_binary(content: &[u8]) -> bool {
    content[..content.len().min(LOOKED_AT)].contains(&0)
}
