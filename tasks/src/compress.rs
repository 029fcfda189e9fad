//! One-shot compression behind one trait: zstd for this project's own frames, zlib for Git's objects.
//!
//! Both compressors keep their context between calls, since setting one up costs more than most
//! objects. Whoever reads bytes chooses by the bytes themselves ([`Format::detect`]), never by a
//! file's name.
//!
//! The zstd parameters are fixed for a compressor's life and the one-shot call is used throughout:
//! zstd gives the same bytes for the same input only while level, window, worker count and call
//! style stay the same, and packs are promised to be the same bytes wherever they were interrupted.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe::CParameter;

/// How a sequence of bytes is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zstd frame.
    Zstd,
    /// A zlib stream, as in Git's packs and loose objects.
    Zlib,
}

impl Format {
    /// The format that `bytes` begin with, if it is one of ours.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // Method 8, a window of at most 32 KiB, and the check bits that make it a multiple of 31.
            [a, b, ..] if a & 0x8f == 0x08 && (u16::from(*a) << 8 | u16::from(*b)) % 31 == 0 => {
                Some(Self::Zlib)
            }
            _ => None,
        }
    }

    /// A compressor for this format with the project's usual parameters.
    pub fn compressor(self) -> Result<Box<dyn Compressor>, CompressError> {
        Ok(match self {
            Self::Zstd => Box::new(ZstdCompressor::new(ZstdCompressor::LEVEL)?),
            Self::Zlib => Box::new(FlateCompressor::new(FlateCompressor::LEVEL)),
        })
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The compressor refused or failed; a fault of parameters or memory.
    #[error("cannot compress: {0}")]
    Compress(io::Error),
    /// The input is not a whole, valid stream of the format.
    #[error("the compressed data is damaged: {0}")]
    Damaged(String),
    /// The input holds more than the caller accepts.
    #[error("the compressed data holds more than the {max} bytes expected")]
    TooLong {
        /// What the caller was ready to take.
        max: usize,
    },
}

/// Compresses and decompresses whole buffers.
pub trait Compressor: Send {
    /// The format that this compressor writes and reads.
    fn format(&self) -> Format;

    /// Replaces the content of `out` with `src`, compressed.
    fn compress(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError>;

    /// Replaces the content of `out` with the content of `src`, which is one whole stream.
    ///
    /// More than `max` bytes are an error, and no more than that is ever allocated.
    fn decompress(
        &mut self,
        src: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError>;
}

/// How hard zstd tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZstdSettings {
    /// The level.
    pub level: i32,
    /// The window's size as a power of two.
    pub window_log: u32,
}

impl ZstdSettings {
    /// For frames of 4 MiB that are made quickly.
    pub const USUAL: Self = Self {
        level: ZstdCompressor::LEVEL,
        window_log: ZstdCompressor::WINDOW_LOG,
    };
    /// For frames of 16 MiB that are small.
    pub const SMALL: Self = Self {
        level: 9,
        window_log: 24,
    };
}

/// zstd with a fixed level and window, no workers, content size on, checksum off.
pub struct ZstdCompressor {
    compress: zstd::bulk::Compressor<'static>,
    decompress: zstd::bulk::Decompressor<'static>,
}

impl ZstdCompressor {
    /// The level for frames: beyond it, time grows much faster than size shrinks.
    pub const LEVEL: i32 = 3;
    /// The window's size as a power of two: one 4 MiB frame.
    pub const WINDOW_LOG: u32 = 22;
    /// The largest window that is accepted when reading, as a power of two.
    const WINDOW_LOG_MAX: u32 = 27;

    /// A compressor of the given level.
    pub fn new(level: i32) -> Result<Self, CompressError> {
        Self::with(ZstdSettings {
            level,
            window_log: Self::WINDOW_LOG,
        })
    }

    /// A compressor with these settings.
    pub fn with(settings: ZstdSettings) -> Result<Self, CompressError> {
        let ZstdSettings { level, window_log } = settings;
        let mut compress = zstd::bulk::Compressor::new(level).map_err(CompressError::Compress)?;
        for parameter in [
            CParameter::WindowLog(window_log),
            CParameter::ContentSizeFlag(true),
            CParameter::ChecksumFlag(false),
        ] {
            compress
                .set_parameter(parameter)
                .map_err(CompressError::Compress)?;
        }
        let mut decompress = zstd::bulk::Decompressor::new().map_err(CompressError::Compress)?;
        decompress
            .window_log_max(Self::WINDOW_LOG_MAX)
            .map_err(CompressError::Compress)?;
        Ok(Self {
            compress,
            decompress,
        })
    }
}

impl Compressor for ZstdCompressor {
    fn format(&self) -> Format {
        Format::Zstd
    }

    fn compress(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        out.clear();
        out.reserve(zstd::zstd_safe::compress_bound(src.len()));
        self.compress
            .compress_to_buffer(src, out)
            .map_err(CompressError::Compress)?;
        Ok(())
    }

    fn decompress(
        &mut self,
        src: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        out.clear();
        // Our frames always state their length, so it is known before anything is taken.
        let length = zstd::zstd_safe::get_frame_content_size(src)
            .map_err(|_| CompressError::Damaged("not a zstd frame".into()))?
            .ok_or_else(|| CompressError::Damaged("the zstd frame states no length".into()))?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= max)
            .ok_or(CompressError::TooLong { max })?;
        let frame = zstd::zstd_safe::find_frame_compressed_size(src)
            .map_err(|_| CompressError::Damaged("the zstd frame is cut short".into()))?;
        if frame != src.len() {
            return Err(CompressError::Damaged("bytes follow the zstd frame".into()));
        }
        out.reserve(length);
        let written = self
            .decompress
            .decompress_to_buffer(src, out)
            .map_err(|error| CompressError::Damaged(error.to_string()))?;
        if written != length {
            return Err(CompressError::Damaged(format!(
                "the frame states {length} bytes and holds {written}"
            )));
        }
        Ok(())
    }
}

/// zlib through zlib-rs, as Git reads and writes it.
pub struct FlateCompressor {
    compress: Compress,
    decompress: Decompress,
}

impl FlateCompressor {
    /// The level for Git's objects: fast, since what matters is packed again by Git itself.
    pub const LEVEL: u32 = 1;

    /// A compressor of the given level, 0 to 9.
    pub fn new(level: u32) -> Self {
        Self {
            compress: Compress::new(Compression::new(level.min(9)), true),
            decompress: Decompress::new(true),
        }
    }
}

impl Compressor for FlateCompressor {
    fn format(&self) -> Format {
        Format::Zlib
    }

    fn compress(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        out.clear();
        // The fast levels can expand what does not compress by more than zlib's usual bound.
        out.reserve(src.len() + src.len() / 4 + 128);
        self.compress.reset();
        let mut consumed = 0;
        loop {
            let before = self.compress.total_in();
            let status = self
                .compress
                .compress_vec(&src[consumed..], out, FlushCompress::Finish)
                .map_err(|error| CompressError::Compress(error.into()))?;
            consumed += advance(before, self.compress.total_in());
            match status {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError => out.reserve(out.len() / 2 + 128),
            }
        }
    }

    fn decompress(
        &mut self,
        src: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        out.clear();
        self.decompress.reset(true);
        let mut consumed = 0;
        loop {
            if out.len() > max {
                return Err(CompressError::TooLong { max });
            }
            if out.len() == out.capacity() {
                // One byte more than allowed tells a stream that is too long from one that just fits.
                let room = (out.len().max(4096)).min(max + 1 - out.len());
                out.reserve_exact(room);
            }
            let (before_in, before_out) = (self.decompress.total_in(), out.len());
            let status = self
                .decompress
                .decompress_vec(&src[consumed..], out, FlushDecompress::None)
                .map_err(|error| CompressError::Damaged(error.to_string()))?;
            let step = advance(before_in, self.decompress.total_in());
            consumed += step;
            match status {
                Status::StreamEnd if out.len() > max => {
                    return Err(CompressError::TooLong { max });
                }
                Status::StreamEnd if consumed == src.len() => return Ok(()),
                Status::StreamEnd => {
                    return Err(CompressError::Damaged(
                        "bytes follow the zlib stream".into(),
                    ));
                }
                Status::Ok | Status::BufError => {
                    if step == 0 && out.len() == before_out && out.len() < out.capacity() {
                        return Err(CompressError::Damaged(
                            "the zlib stream is cut short".into(),
                        ));
                    }
                }
            }
        }
    }
}

/// How far a stream's counter moved, which is never more than the slice that it was given.
fn advance(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("a step lies within one slice")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    fn both() -> [Box<dyn Compressor>; 2] {
        [
            Format::Zstd.compressor().unwrap(),
            Format::Zlib.compressor().unwrap(),
        ]
    }

    fn inputs() -> Vec<Vec<u8>> {
        let mut random = blake3::Hasher::new().finalize_xof();
        let mut noise = vec![0; 300_000];
        random.fill(&mut noise);
        vec![
            vec![],
            b"x".to_vec(),
            b"tree parent author ".repeat(10_000),
            noise,
        ]
    }

    #[test]
    fn what_goes_in_comes_out_and_names_its_format() {
        for mut compressor in both() {
            for input in inputs() {
                let (mut packed, mut unpacked) = (Vec::new(), vec![9; 7]);
                compressor.compress(&input, &mut packed).unwrap();
                assert_eq!(Format::detect(&packed), Some(compressor.format()));
                compressor
                    .decompress(&packed, input.len(), &mut unpacked)
                    .unwrap();
                assert_eq!(unpacked, input);
            }
        }
    }

    #[test]
    fn a_reused_context_gives_the_bytes_of_a_fresh_one() {
        for (mut reused, format) in both().into_iter().zip([Format::Zstd, Format::Zlib]) {
            for input in inputs() {
                let (mut a, mut b) = (Vec::new(), Vec::new());
                reused.compress(&input, &mut a).unwrap();
                format
                    .compressor()
                    .unwrap()
                    .compress(&input, &mut b)
                    .unwrap();
                assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn more_than_the_maximum_is_refused_before_it_is_taken() {
        for mut compressor in both() {
            let (mut packed, mut out) = (Vec::new(), Vec::new());
            compressor.compress(&vec![7; 100_000], &mut packed).unwrap();
            let error = compressor
                .decompress(&packed, 99_999, &mut out)
                .unwrap_err();
            assert!(
                matches!(error, CompressError::TooLong { max: 99_999 }),
                "{error}"
            );
            assert!(out.capacity() <= 100_000);
        }
    }

    #[test]
    fn cut_and_prolonged_streams_are_damaged() {
        for mut compressor in both() {
            let (mut packed, mut out) = (Vec::new(), Vec::new());
            compressor
                .compress(&b"abcdefgh".repeat(500), &mut packed)
                .unwrap();
            for bad in [&packed[..packed.len() - 1], &[&packed[..], b"!"].concat()] {
                let error = compressor.decompress(bad, 10_000, &mut out).unwrap_err();
                assert!(matches!(error, CompressError::Damaged(_)), "{error}");
            }
        }
    }

    #[test]
    fn text_is_neither_format() {
        for bytes in [&b""[..], b"x", b"blob 12\0hello", b"\x1f\x8b\x08\x00"] {
            assert_eq!(Format::detect(bytes), None);
        }
    }
}
