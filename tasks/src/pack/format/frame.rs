//! Reads frames: each is checked against its digest before it is decompressed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{Digest, FormatError, FrameRow, LayerManifest, frame_file_name};

/// The open frame files of a layer.
#[derive(Debug)]
pub(super) struct FrameFiles {
    files: Vec<(PathBuf, File)>,
}

impl FrameFiles {
    /// Opens all files of the layer in `dir` and checks their lengths.
    pub(super) fn open(dir: &Path, manifest: &LayerManifest) -> Result<Self, FormatError> {
        let files = (0..).zip(&manifest.files).map(|(number, expected)| {
            let path = dir.join(frame_file_name(number));
            let file = File::open(&path).map_err(FormatError::io(&path))?;
            let length = file.metadata().map_err(FormatError::io(&path))?.len();
            if length != expected.bytes {
                let reason = format!(
                    "it has {length} bytes, the manifest says {}",
                    expected.bytes
                );
                return Err(FormatError::damaged(&path, reason));
            }
            Ok((path, file))
        });
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads frames one at a time; each thread has its own.
pub struct FrameReader {
    decoder: zstd::bulk::Decompressor<'static>,
    stored: Vec<u8>,
}

impl FrameReader {
    /// A reader without any buffers yet.
    pub fn new() -> Self {
        Self {
            decoder: zstd::bulk::Decompressor::default(),
            stored: Vec::new(),
        }
    }

    /// Reads `frame` of `layer` and appends its part of the stream to `raw`.
    pub fn read(
        &mut self,
        layer: &super::Layer,
        frame: &FrameRow,
        raw: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let unknown = || {
            FormatError::damaged(
                layer.index().path(),
                "it names a frame file that is not listed",
            )
        };
        let (path, file) = layer
            .frame_files()
            .files
            .get(frame.file as usize)
            .ok_or_else(unknown)?;
        let damaged = |reason: &str| {
            FormatError::damaged(path, format!("the frame at byte {} {reason}", frame.offset))
        };
        self.stored.resize(frame.stored as usize, 0);
        file.read_exact_at(&mut self.stored, frame.offset)
            .map_err(FormatError::io(path))?;
        if Digest::of(&self.stored) != frame.blake3 {
            return Err(damaged("does not match its checksum"));
        }
        let (start, length) = (raw.len(), frame.raw as usize);
        raw.resize(start + length, 0);
        match self
            .decoder
            .decompress_to_buffer(&self.stored, &mut raw[start..])
        {
            Ok(written) if written == length => Ok(()),
            _ => Err(damaged(
                "can't be decompressed to the length that the index says",
            )),
        }
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}
