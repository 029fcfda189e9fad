//! Opens an index: every length bounded before memory is taken, every value checked once.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path;

use super::super::{
    Digest, FileDigest, FormatError, MAX_FRAME_FILE, MAX_FRAME_SIZE, VERSION, leb128, open,
};
use super::columns::Columns;
use super::read::Index;
use super::{
    FANOUT_LEN, FRAME_ROW_LEN, FrameRow, HASH_SHA1, HEADER_LEN, MAGIC, OID_LEN, TRAILER_LEN, group,
};

impl Index {
    /// Opens the index at `path` and checks all of it: its trailer, and against `expected` where
    /// that is given.
    pub fn open(path: &Path, expected: Option<&FileDigest>) -> Result<Self, FormatError> {
        let (mut file, length) = open::open_file(path)?;
        check_digests(&mut file, path, length, expected)?;
        let damaged = |reason: String| FormatError::damaged(path, reason);
        let mut parts = Parts {
            inner: BufReader::with_capacity(1 << 20, file),
            at: 0,
            end: length - TRAILER_LEN,
            path,
        };
        let header = Header::read(&mut parts)?;

        let mut frames = Vec::with_capacity(header.frames as usize);
        for _ in 0..header.frames {
            frames.push(parts.frame()?);
        }
        let file_lengths = check_frames(&frames, header.frame_files, header.frame_size)
            .map_err(|reason| damaged(reason.into()))?;

        let mut fanout = Box::new([0u32; 256]);
        for count in fanout.iter_mut() {
            *count = parts.u32()?;
        }
        let oids_at = parts.at;
        parts.check_oids(&fanout, header.objects)?;
        let ranks_at = parts.at;
        parts.check_ranks(header.objects)?;

        let most = u64::from(header.objects) * leb128::MAX_LEN;
        let columns = [
            parts.column(u64::from(header.objects))?,
            parts.column(most)?,
            parts.column(most)?,
        ];
        let columns = Columns::checked(columns, header.objects, header.externals)
            .map_err(|reason| damaged(reason.into()))?;
        let externals = parts.bytes(u64::from(header.externals) * OID_LEN)?;
        if parts.at != parts.end {
            return Err(damaged("there are bytes behind its end".into()));
        }
        let groups = group::deal(&columns, &frames, header.frame_size)
            .map_err(|reason| damaged(reason.into()))?;
        Ok(Self {
            path: path.to_owned(),
            file: parts.inner.into_inner(),
            frame_size: header.frame_size,
            frames,
            file_lengths,
            fanout,
            oids_at,
            ranks_at,
            columns,
            externals,
            groups,
        })
    }
}

/// Reads the file once through the digest.
fn check_digests(
    file: &mut File,
    path: &Path,
    length: u64,
    expected: Option<&FileDigest>,
) -> Result<(), FormatError> {
    let io = |error| FormatError::io(path)(error);
    if length < HEADER_LEN + FANOUT_LEN + 48 + TRAILER_LEN {
        return Err(FormatError::damaged(
            path,
            format!("{length} bytes are too few for an index"),
        ));
    }
    if let Some(expected) = expected
        && expected.bytes != length
    {
        return Err(FormatError::damaged(
            path,
            format!(
                "it has {length} bytes, the manifest says {}",
                expected.bytes
            ),
        ));
    }
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(file.by_ref().take(length - TRAILER_LEN))
        .map_err(io)?;
    let mut trailer = [0; 32];
    file.read_exact(&mut trailer).map_err(io)?;
    file.rewind().map_err(io)?;
    let body = hasher.finalize();
    let whole = Digest::from(hasher.update(&trailer).finalize());
    if body != trailer {
        // A later version may end differently: say that it is one.
        let mut head = [0; 12];
        file.read_exact(&mut head).map_err(io)?;
        let [magic @ .., a, b, c, d] = head;
        let found = u32::from_le_bytes([a, b, c, d]);
        if &magic == MAGIC
            && found > VERSION
            && expected.is_some_and(|expected| expected.blake3 == whole)
        {
            return Err(FormatError::Newer {
                path: path.to_owned(),
                found: found.into(),
                known: VERSION,
            });
        }
        return Err(FormatError::damaged(path, "its checksum does not match"));
    }
    if expected.is_some_and(|expected| expected.blake3 != whole) {
        return Err(FormatError::damaged(
            path,
            "it is not the index that the manifest names",
        ));
    }
    Ok(())
}

struct Header {
    objects: u32,
    frames: u32,
    frame_files: u32,
    externals: u32,
    frame_size: u32,
}

impl Header {
    fn read(parts: &mut Parts<'_>) -> Result<Self, FormatError> {
        let magic = parts.array::<8>()?;
        let version = parts.u32()?;
        let [hash, zeros @ ..] = parts.array::<4>()?;
        if &magic != MAGIC || version == 0 || zeros != [0; 3] {
            return Err(parts.damaged("its header can't be read"));
        }
        if version > VERSION {
            return Err(FormatError::Newer {
                path: parts.path.to_owned(),
                found: version.into(),
                known: VERSION,
            });
        }
        if hash != HASH_SHA1 {
            return Err(FormatError::UnsupportedHash {
                path: parts.path.to_owned(),
                hash: format!("hash {hash}"),
            });
        }
        let objects = u32::try_from(u64::from_le_bytes(parts.array()?));
        let objects =
            objects.map_err(|_| parts.damaged("it has more objects than a layer can hold"))?;
        let header = Self {
            objects,
            frames: parts.u32()?,
            frame_files: parts.u32()?,
            externals: parts.u32()?,
            frame_size: parts.u32()?,
        };
        if header.frame_size == 0 || header.frame_size > MAX_FRAME_SIZE {
            return Err(parts.damaged("its frame size is out of bounds"));
        }
        let needed = u64::from(header.frames) * FRAME_ROW_LEN
            + FANOUT_LEN
            + u64::from(objects) * (OID_LEN + 4)
            + u64::from(header.externals) * OID_LEN;
        if parts.left() < needed {
            return Err(parts.damaged("it is too short for what its header says"));
        }
        Ok(header)
    }
}

/// Frames fill their files from the first to the last without gaps; gives the files' lengths.
fn check_frames(
    frames: &[FrameRow],
    frame_files: u32,
    frame_size: u32,
) -> Result<Vec<u64>, &'static str> {
    let mut lengths: Vec<u64> = Vec::new();
    for frame in frames {
        if frame.file as usize == lengths.len() {
            lengths.push(0);
        }
        let is_last = frame.file as usize + 1 == lengths.len();
        let length = lengths
            .last_mut()
            .filter(|length| is_last && **length == frame.offset);
        let length = length.ok_or("its frames do not follow each other")?;
        *length += u64::from(frame.stored);
        if frame.raw == 0 || frame.raw > frame_size || frame.stored == 0 || *length > MAX_FRAME_FILE
        {
            return Err("a frame's length is out of bounds");
        }
    }
    if lengths.len() == frame_files as usize {
        Ok(lengths)
    } else {
        Err("its frame files are not as many as its header says")
    }
}

/// The file up to its trailer, read in order; nothing is taken that is not there.
struct Parts<'a> {
    inner: BufReader<File>,
    at: u64,
    end: u64,
    path: &'a Path,
}

impl Parts<'_> {
    fn damaged(&self, reason: &str) -> FormatError {
        FormatError::damaged(self.path, reason)
    }

    fn left(&self) -> u64 {
        self.end - self.at
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), FormatError> {
        if self.left() < bytes.len() as u64 {
            return Err(self.damaged("it is too short"));
        }
        self.inner
            .read_exact(bytes)
            .map_err(FormatError::io(self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, FormatError> {
        let length = usize::try_from(length)
            .ok()
            .filter(|_| length <= self.left());
        let mut bytes = vec![0; length.ok_or_else(|| self.damaged("it is too short"))?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn frame(&mut self) -> Result<FrameRow, FormatError> {
        Ok(FrameRow {
            file: self.u32()?,
            offset: u64::from_le_bytes(self.array()?),
            stored: self.u32()?,
            raw: self.u32()?,
            blake3: Digest(self.array()?),
        })
    }

    fn check_oids(&mut self, fanout: &[u32; 256], objects: u32) -> Result<(), FormatError> {
        let (mut counts, mut last) = ([0u32; 256], None);
        for _ in 0..objects {
            let oid: [u8; 20] = self.array()?;
            if last.is_some_and(|last| last >= oid) {
                return Err(self.damaged("its objects are not in order"));
            }
            counts[usize::from(oid[0])] += 1;
            last = Some(oid);
        }
        let mut sum = 0;
        for (count, said) in counts.iter().zip(fanout) {
            sum += count;
            if sum != *said {
                return Err(self.damaged("its fanout does not match its objects"));
            }
        }
        Ok(())
    }

    fn check_ranks(&mut self, objects: u32) -> Result<(), FormatError> {
        let mut seen = vec![0u64; (objects as usize).div_ceil(64)];
        for _ in 0..objects {
            let rank = self.u32()?;
            let bit = 1 << (rank % 64);
            if rank >= objects || seen[rank as usize / 64] & bit != 0 {
                return Err(self.damaged("two objects share a rank"));
            }
            seen[rank as usize / 64] |= bit;
        }
        Ok(())
    }

    /// A zstd'd column of at most `most` bytes.
    fn column(&mut self, most: u64) -> Result<Vec<u8>, FormatError> {
        let raw = u64::from_le_bytes(self.array()?);
        let stored = u64::from_le_bytes(self.array()?);
        let raw = usize::try_from(raw).ok().filter(|_| raw <= most);
        let raw = raw.ok_or_else(|| self.damaged("a column is longer than its objects allow"))?;
        let stored = self.bytes(stored)?;
        let column = zstd::bulk::decompress(&stored, raw)
            .ok()
            .filter(|column| column.len() == raw);
        column.ok_or_else(|| self.damaged("a column can't be decompressed"))
    }
}
