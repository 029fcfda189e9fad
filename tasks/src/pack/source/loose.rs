//! Loose objects: one zlib stream a file, `<kind> <size>\0<content>`.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use gix_zlib::{Decompress, FlushDecompress, Status};

use super::{Kind, LooseSource, Oid, SourceError, hex};

/// The longest header is `commit `, 20 digits and the NUL.
const HEADER_MAX: usize = 32;

/// All loose objects of the object directories, by id, each once (from the first that has it).
pub(super) fn find(directories: &[PathBuf]) -> Result<Vec<LooseSource>, SourceError> {
    let mut found = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        let number = u16::try_from(number).expect("the number of directories was checked");
        for first in 0..=255_u8 {
            let folder = directory.join(format!("{first:02x}"));
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if absent(&error) => continue,
                Err(error) => return Err(SourceError::io(folder)(error)),
            };
            for entry in entries {
                let name = entry.map_err(SourceError::io(&folder))?.file_name();
                let Some(oid) = oid_of(first, name.as_encoded_bytes()) else {
                    continue; // a file that Git is still writing
                };
                match Stream::open(directory, &oid) {
                    Ok(stream) => found.push(LooseSource {
                        oid,
                        directory: number,
                        kind: stream.kind,
                        size: stream.size,
                    }),
                    // Packed and removed since the folder was read: the pack has it.
                    Err(error) if error.is_gone() => {}
                    // What a crash left. It matters only to those who need it: see `damage`.
                    Err(SourceError::Loose { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    found.sort_by_key(|loose| (loose.oid, loose.directory));
    found.dedup_by_key(|loose| loose.oid);
    Ok(found)
}

/// What is wrong with the file of a loose object that was not listed, if there is such a file.
pub(super) fn damage(directories: &[PathBuf], oid: &Oid) -> Option<SourceError> {
    let open = |directory: &PathBuf| Stream::open(directory, oid).err();
    directories
        .iter()
        .filter_map(open)
        .find(|error| !error.is_gone())
}

fn oid_of(first: u8, name: &[u8]) -> Option<Oid> {
    let mut text = [0; 40];
    text[..2].copy_from_slice(format!("{first:02x}").as_bytes());
    text[2..].copy_from_slice(name.get(..38).filter(|_| name.len() == 38)?);
    match gix_hash::ObjectId::from_hex(&text).ok()? {
        gix_hash::ObjectId::Sha1(oid) => Some(oid),
        _ => None,
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A loose object's content, inflated piece by piece.
pub(super) struct Stream {
    /// The object's kind.
    pub(super) kind: Kind,
    /// The object's size.
    pub(super) size: u64,
    oid: Oid,
    file: File,
    inflate: Decompress,
    input: Vec<u8>,
    at: usize,
    /// Content that came with the header.
    early: Vec<u8>,
    /// How much of `early` was delivered.
    given: usize,
    produced: u64,
}

impl Stream {
    /// Opens the file of `oid` below `directory` and reads its header.
    pub(super) fn open(directory: &Path, oid: &Oid) -> Result<Self, SourceError> {
        let id = hex(oid);
        let path = directory.join(&id[..2]).join(&id[2..]);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if absent(&error) => {
                return Err(SourceError::Gone {
                    what: format!("loose object {id}"),
                });
            }
            Err(error) => return Err(SourceError::io(path)(error)),
        };
        let mut stream = Self {
            kind: Kind::Blob,
            size: 0,
            oid: *oid,
            file,
            inflate: Decompress::new(),
            input: Vec::new(),
            at: 0,
            early: Vec::new(),
            given: 0,
            produced: 0,
        };
        let mut head = [0; HEADER_MAX];
        let mut filled = 0;
        while filled < head.len() {
            match stream.inflate_some(&mut head[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let head = &head[..filled];
        let (kind, size, start) =
            parse_header(head).ok_or_else(|| stream.damaged("it has no valid header"))?;
        (stream.kind, stream.size) = (kind, size);
        stream.early = head[start..].to_vec();
        Ok(stream)
    }

    /// Fills `out` with the content's next bytes; fewer only where the content ends.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = (self.early.len() - self.given).min(out.len());
        out[..filled].copy_from_slice(&self.early[self.given..self.given + filled]);
        self.given += filled;
        while filled < out.len() {
            match self.inflate_some(&mut out[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        self.produced += filled as u64;
        if self.produced > self.size {
            return Err(self.damaged("its content is longer than its header says"));
        }
        Ok(filled)
    }

    /// That nothing follows what was read, and that it was all.
    pub(super) fn finish(&mut self) -> Result<(), SourceError> {
        if self.produced != self.size || self.read(&mut [0])? != 0 {
            return Err(self.damaged("its content is not as long as its header says"));
        }
        Ok(())
    }

    /// Inflates into `out`; 0 at the stream's end.
    fn inflate_some(&mut self, out: &mut [u8]) -> Result<usize, SourceError> {
        loop {
            if self.at == self.input.len() {
                self.input.resize(64 * 1024, 0);
                let n = self
                    .file
                    .read(&mut self.input)
                    .map_err(SourceError::io(hex(&self.oid)))?;
                self.input.truncate(n);
                self.at = 0;
            }
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&self.input[self.at..], out, FlushDecompress::None)
                .map_err(|error| self.damaged(error.to_string()))?;
            let consumed = advance(in_before, self.inflate.total_in());
            let written = advance(out_before, self.inflate.total_out());
            self.at += consumed;
            if written > 0 || status == Status::StreamEnd {
                return Ok(written);
            }
            if consumed == 0 && self.input.is_empty() {
                return Err(self.damaged("it is cut short"));
            }
        }
    }

    fn damaged(&self, why: impl Into<String>) -> SourceError {
        SourceError::Loose {
            id: hex(&self.oid),
            why: why.into(),
        }
    }
}

fn parse_header(head: &[u8]) -> Option<(Kind, u64, usize)> {
    let end = head.iter().position(|byte| *byte == 0)?;
    let space = head[..end].iter().position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&head[space + 1..end]).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let size = plain.then(|| digits.parse().ok()).flatten()?;
    Some((Kind::from_name(&head[..space])?, size, end + 1))
}

fn advance(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("a step lies within one slice")
}
