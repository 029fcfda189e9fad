//! Entries that go from one pack to another with their content as it is, compressed.

use std::io::{self, Write};

use crate::pack::{git_idx::Row, git_pack::GitPack, source::Oid};

/// Large content goes on in pieces of this size.
const PIECE: usize = 1 << 20;

/// Adds the content of the entry of `oid` whose header, of `header` bytes, was just added to `pack`;
/// gives its row.
pub(super) fn append(
    pack: &mut GitPack,
    out: &mut impl Write,
    header: u64,
    content: &[u8],
    oid: Oid,
) -> io::Result<Row> {
    let offset = pack.end() - header;
    let pending = pack.pending();
    let header = usize::try_from(header).unwrap_or(pending.len());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&pending[pending.len() - header..]);
    for piece in content.chunks(PIECE) {
        crc.update(piece);
        pack.push(piece);
        if pack.is_full() {
            pack.flush(out)?;
        }
    }
    let crc32 = crc.finalize();
    Ok(Row { oid, crc32, offset })
}
