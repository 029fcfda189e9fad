//! The stat data of placed files, kept until the index is written: 36 bytes an entry, in the
//! entries' order, little endian. An entry that was left out has zeros, as in Git.

use std::io::{self, Read};

use gix::index::entry::{Stat, stat::Time};

pub(crate) const LEN: usize = 36;

pub(crate) fn write(stat: &Stat, to: &mut Vec<u8>) {
    for field in [
        stat.mtime.secs,
        stat.mtime.nsecs,
        stat.ctime.secs,
        stat.ctime.nsecs,
        stat.dev,
        stat.ino,
        stat.uid,
        stat.gid,
        stat.size,
    ] {
        to.extend_from_slice(&field.to_le_bytes());
    }
}

/// The next row.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Stat> {
    let mut row = [0; LEN];
    from.read_exact(&mut row)?;
    let mut fields = row
        .chunks_exact(4)
        .map(|field| u32::from_le_bytes([field[0], field[1], field[2], field[3]]));
    let mut next = || fields.next().unwrap_or_default();
    Ok(Stat {
        mtime: Time {
            secs: next(),
            nsecs: next(),
        },
        ctime: Time {
            secs: next(),
            nsecs: next(),
        },
        dev: next(),
        ino: next(),
        uid: next(),
        gid: next(),
        size: next(),
    })
}

/// As Git has it: all fields cut to 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "an index holds the low 32 bits; the fields' types differ between systems"
)]
pub(crate) fn stat(from: &rustix::fs::Stat) -> Stat {
    Stat {
        mtime: Time {
            secs: from.st_mtime as u32,
            nsecs: from.st_mtime_nsec as u32,
        },
        ctime: Time {
            secs: from.st_ctime as u32,
            nsecs: from.st_ctime_nsec as u32,
        },
        dev: from.st_dev as u32,
        ino: from.st_ino as u32,
        uid: from.st_uid as u32,
        gid: from.st_gid as u32,
        size: from.st_size as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back() {
        let stat = Stat {
            mtime: Time { secs: 1, nsecs: 2 },
            ctime: Time { secs: 3, nsecs: 4 },
            dev: 5,
            ino: 6,
            uid: 7,
            gid: 8,
            size: u32::MAX,
        };
        let mut rows = Vec::new();
        write(&stat, &mut rows);
        assert_eq!(rows.len(), LEN);
        assert_eq!(read(&mut &*rows).unwrap(), stat);
        assert!(read(&mut &rows[1..]).is_err());
    }
}
