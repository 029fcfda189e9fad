//! Reads frames: each is checked against its digest before it is decompressed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{Digest, FormatError, FrameRow, Layer, LayerManifest, frame_file_name, open};

/// The frame files of a layer. They are opened when they are read: a pack may have more of them than
/// a process may have open files.
#[derive(Debug)]
pub(super) struct FrameFiles {
    files: Vec<FrameFile>,
}

#[derive(Debug)]
struct FrameFile {
    path: PathBuf,
    /// Whether it is there, and as long as it must be.
    whole: bool,
}

impl FrameFiles {
    /// Looks at all files of the layer in `dir`, and tells which are not as they must be.
    pub(super) fn look(
        dir: &Path,
        manifest: &LayerManifest,
        damages: &mut Vec<FormatError>,
    ) -> Self {
        let files = (0..).zip(&manifest.files).map(|(number, expected)| {
            let path = dir.join(frame_file_name(number));
            let damage = match open::open_file(&path) {
                Ok((_, length)) if length == expected.bytes => None,
                Ok((_, length)) => {
                    let reason = format!(
                        "it has {length} bytes, the manifest says {}",
                        expected.bytes
                    );
                    Some(FormatError::damaged(&path, reason))
                }
                Err(error) => Some(error),
            };
            let whole = damage.is_none();
            damages.extend(damage);
            FrameFile { path, whole }
        });
        Self {
            files: files.collect(),
        }
    }

    /// Whether file `number` is there, in its whole length.
    pub(super) fn is_whole(&self, number: u32) -> bool {
        self.files
            .get(number as usize)
            .is_some_and(|file| file.whole)
    }
}

/// Reads frames one at a time; each thread has its own.
pub struct FrameReader {
    decoder: zstd::bulk::Decompressor<'static>,
    stored: Vec<u8>,
    /// The file that was read last, and its length.
    open: Option<(PathBuf, File, u64)>,
}

impl FrameReader {
    /// A reader without any buffers yet.
    pub fn new() -> Self {
        Self {
            decoder: zstd::bulk::Decompressor::default(),
            stored: Vec::new(),
            open: None,
        }
    }

    /// Reads `frame` of `layer` and appends its part of the stream to `raw`.
    pub fn read(
        &mut self,
        layer: &Layer,
        frame: &FrameRow,
        raw: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let path = self.fetch(layer, frame)?;
        let (start, length) = (raw.len(), frame.raw as usize);
        raw.resize(start + length, 0);
        match self
            .decoder
            .decompress_to_buffer(&self.stored, &mut raw[start..])
        {
            Ok(written) if written == length => Ok(()),
            _ => Err(damaged(
                path,
                frame,
                "can't be decompressed to the length that the index says",
            )),
        }
    }

    /// Reads `frame` of `layer` only to hold it against its checksum.
    pub fn check(&mut self, layer: &Layer, frame: &FrameRow) -> Result<(), FormatError> {
        self.fetch(layer, frame).map(|_| ())
    }

    /// Reads the stored bytes of `frame`, which match its checksum; gives the file's path.
    fn fetch<'l>(&mut self, layer: &'l Layer, frame: &FrameRow) -> Result<&'l Path, FormatError> {
        let file = layer.frame_files().files.get(frame.file as usize);
        let path = match file {
            Some(file) => file.path.as_path(),
            None => {
                return Err(FormatError::damaged(
                    layer.index().path(),
                    "it names a frame file that is not listed",
                ));
            }
        };
        let (_, file, length) = match &mut self.open {
            Some(open) if open.0 == path => open,
            open => {
                let (file, length) = open::open_file(path)?;
                open.insert((path.to_owned(), file, length))
            }
        };
        // Before memory is taken for it.
        if frame.offset.saturating_add(frame.stored.into()) > *length {
            return Err(damaged(path, frame, "lies beyond the end of the file"));
        }
        self.stored.resize(frame.stored as usize, 0);
        file.read_exact_at(&mut self.stored, frame.offset)
            .map_err(FormatError::io(path))?;
        if Digest::of(&self.stored) != frame.blake3 {
            return Err(damaged(path, frame, "does not match its checksum"));
        }
        Ok(path)
    }
}

fn damaged(path: &Path, frame: &FrameRow, reason: &str) -> FormatError {
    FormatError::damaged(path, format!("the frame at byte {} {reason}", frame.offset))
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
