//! Reading a file of the operation.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// What was appended to a file so far, read from its start. Implements
/// [`Read`] and [`Seek`]; what is appended later is not seen.
#[derive(Debug)]
pub struct ReadFile {
    file: File,
    at: u64,
    len: u64,
}

impl ReadFile {
    pub(crate) const fn new(file: File, len: u64) -> Self {
        Self { file, at: 0, len }
    }

    /// Its length in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Read for ReadFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = buf.len().min(left);
        let n = self.file.read(&mut buf[..most])?;
        if n == 0 && most > 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a file of the operation became shorter while it was read",
            ));
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for ReadFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        let to = match pos {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        let to = to.ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.file.seek(SeekFrom::Start(to))?;
        Ok(self.at)
    }
}
