//! What the fuzz targets share: an input as a pack whose checksums are right, so that what lies
//! behind them is reached.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd tasks && cargo +nightly fuzz run manifest|refs|index|frames -- -max_total_time=600
//! ```
//!
//! `frames` wants `-detect_leaks=0`: threads that read frames end by themselves, and what they hold
//! until then looks like a leak.
//!
//! The inputs to begin with are in `corpus`; `cargo test -p mug --lib seeds -- --ignored` writes them
//! anew. What fuzzing finds besides stays out of it, but for what broke something: that becomes a test.

use std::fs;
use std::path::{Path, PathBuf};

use mug::pack::format::{Digest, FileDigest, Index, LayerManifest, Manifest};

/// A directory in memory where there is one: each input is written to files.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(parent).expect("a directory")
}

/// An index with the checksum that an index ends with.
pub fn sealed(body: &[u8]) -> Vec<u8> {
    let mut index = body.to_vec();
    index.extend_from_slice(blake3::hash(body).as_bytes());
    index
}

/// The parts of an input: refs, the index without its checksum, and one file of frames. Two lengths
/// of four bytes stand before it.
pub fn split(input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<4>()?;
    let (refs, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (index, frames) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((refs, index, frames))
}

/// Writes an input as a pack to the empty directory `dir`, every checksum made right. `None` if its
/// index is refused.
pub fn write_pack(dir: &Path, input: &[u8]) -> Option<PathBuf> {
    let (refs, index, frames) = split(input)?;
    let mut index = index.to_vec();
    let count = u32::from_le_bytes(*index.get(24..28)?.first_chunk()?);
    for at in 0..count as usize {
        // u32 file, u64 offset, u32 stored, u32 raw, the digest.
        let Some(row) = index.get_mut(40 + at * 52..40 + (at + 1) * 52) else {
            break;
        };
        let offset = u64::from_le_bytes(*row[4..].first_chunk()?) as usize;
        let stored = u32::from_le_bytes(*row[12..].first_chunk()?) as usize;
        if let Some(frame) = offset
            .checked_add(stored)
            .and_then(|end| frames.get(offset..end))
        {
            row[20..].copy_from_slice(&Digest::of(frame).0);
        }
    }
    let index = sealed(&index);
    let layer = dir.join("layer");
    fs::create_dir(&layer).expect("a directory");
    fs::write(layer.join("index"), &index).expect("a file");
    let open = Index::open(&layer.join("index"), None).ok()?;
    fs::write(layer.join("refs"), refs).expect("a file");
    if !open.file_lengths().is_empty() {
        fs::write(layer.join("frames-0000"), frames).expect("a file");
    }
    let listed = LayerManifest::new(
        open.objects().into(),
        open.stream_bytes(),
        open.file_lengths().iter().copied(),
        FileDigest::of(&index),
        FileDigest::of(refs),
    );
    let pack = dir.join("pack");
    fs::create_dir_all(pack.join("layers")).expect("a directory");
    let id = listed.id.to_string();
    fs::rename(layer, pack.join("layers").join(id)).expect("renamed");
    let manifest = Manifest::new(vec![listed]).to_bytes();
    fs::write(pack.join("manifest.json"), manifest).expect("a file");
    Some(pack)
}
