//! Writes the index of a restored pack.

use std::io::Write;

use gix_hash::ObjectId;

use super::RestoreError;
use super::source::Source;
use super::writer::Row;
use crate::pack::git_idx;

/// Writes the index of the pack with this checksum; `rows` are its entries in rank order.
pub fn write(
    out: impl Write,
    source: &Source,
    rows: &[Row],
    checksum: ObjectId,
) -> Result<(), RestoreError> {
    if rows.len() != source.objects() as usize {
        return Err(RestoreError::Unfinished {
            reason: "the table has another number of entries",
        });
    }
    let by_oid = || {
        source.objects_by_oid().map(|object| {
            let (id, rank) = object?;
            let Row { offset, crc32 } = rows[rank as usize];
            let mut oid = [0; 20];
            oid.copy_from_slice(id.as_slice());
            Ok(git_idx::Row { oid, crc32, offset })
        })
    };
    let error = |error| RestoreError::io("the restored pack's index")(error);
    git_idx::write(out, by_oid, checksum, error)
}
