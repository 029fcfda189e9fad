//! The list of changes, as it is kept in a file of the operation from the check on.

use std::io::{self, Read};

use gix::bstr::BString;
use gix::index::entry::Mode;
use gix_hash::ObjectId;

use super::changes::{Change, Side};

/// The operation's file with it.
pub(super) const CHANGES: &str = "worktree.changes";

const FILE: u8 = 1;
const SPARSE: u8 = 2;
const OLD: u8 = 4;
const NEW: u8 = 8;

pub(super) fn write(change: &Change, to: &mut Vec<u8>) {
    let flag = |flag, on| if on { flag } else { 0 };
    to.push(
        flag(FILE, change.file)
            | flag(SPARSE, change.sparse)
            | flag(OLD, change.old.is_some())
            | flag(NEW, change.new.is_some()),
    );
    // Paths are far shorter: an index holds no longer ones.
    let length = u32::try_from(change.path.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(&change.path);
    for side in [change.old, change.new].into_iter().flatten() {
        to.extend_from_slice(&side.mode.bits().to_le_bytes());
        to.extend_from_slice(side.id.as_slice());
    }
}

/// The next one; none at the end.
fn read(from: &mut impl Read) -> io::Result<Option<Change>> {
    let mut flags = [0];
    if from.read(&mut flags)? == 0 {
        return Ok(None);
    }
    let has = |flag| flags[0] & flag != 0;
    let mut number = [0; 4];
    from.read_exact(&mut number)?;
    let length = u64::from(u32::from_le_bytes(number));
    let mut path = Vec::new();
    from.take(length).read_to_end(&mut path)?;
    let mut side = |there: bool| -> io::Result<Option<Side>> {
        if !there {
            return Ok(None);
        }
        let (mut mode, mut id) = ([0; 4], [0; 20]);
        from.read_exact(&mut mode)?;
        from.read_exact(&mut id)?;
        Ok(Some(Side {
            mode: Mode::from_bits_retain(u32::from_le_bytes(mode)),
            id: ObjectId::Sha1(id),
        }))
    };
    Ok(Some(Change {
        path: BString::from(path),
        old: side(has(OLD))?,
        new: side(has(NEW))?,
        file: has(FILE),
        sparse: has(SPARSE),
    }))
}

/// All of them.
pub(super) fn read_all(from: impl Read) -> io::Result<Vec<Change>> {
    let mut from = io::BufReader::with_capacity(1 << 17, from);
    let mut changes = Vec::new();
    while let Some(change) = read(&mut from)? {
        changes.push(change);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back() {
        let side = |mode| Side {
            mode,
            id: ObjectId::Sha1([7; 20]),
        };
        let changes = [
            (None, Some(side(Mode::FILE)), true, false),
            (Some(side(Mode::SYMLINK)), None, false, true),
            (
                Some(side(Mode::COMMIT)),
                Some(side(Mode::FILE_EXECUTABLE)),
                true,
                true,
            ),
        ]
        .map(|(old, new, file, sparse)| Change {
            path: "a/\u{1b}b".into(),
            old,
            new,
            file,
            sparse,
        });
        let mut bytes = Vec::new();
        for change in &changes {
            write(change, &mut bytes);
        }
        assert_eq!(read_all(&*bytes).unwrap(), changes);
        assert!(read_all(&bytes[..bytes.len() - 1]).is_err());
    }
}
