//! The pack as far as it is made, with the entries as the layout has them.

use std::io::{Read, Write};

use gix_hash::ObjectId;

use super::{
    BundleError,
    layout::{Entry, Form},
};
use crate::pack::{
    git_pack::{self, GitPack, Unfit},
    source::Oid,
};

/// A pack that is being written.
pub(super) struct PackWriter {
    pack: GitPack,
    /// How many of the offsets are in their file.
    written: usize,
}

const NO_BASE: BundleError = BundleError::Damaged("the stored plan names a base that is none");
const MISFIT: BundleError =
    BundleError::Damaged("the unfinished pack does not fit the offsets of its entries");

impl PackWriter {
    /// Begins a pack of so many entries.
    pub(super) fn begin(entries: u32) -> Self {
        Self {
            pack: GitPack::begin(entries),
            written: 0,
        }
    }

    /// Goes on with a pack of which `pack` is all there is, with `begun` entries begun; `offsets`
    /// says where.
    pub(super) fn resume(
        begun: usize,
        pack: impl Read,
        mut offsets: impl Read,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, BundleError> {
        let mut bytes = Vec::new();
        offsets.read_to_end(&mut bytes)?;
        let (rows, rest) = bytes.as_chunks();
        if rows.len() != begun || !rest.is_empty() {
            return Err(MISFIT);
        }
        let offsets = rows.iter().map(|row| u64::from_le_bytes(*row)).collect();
        let pack = GitPack::resume(offsets, pack, stopped).map_err(|unfit| match unfit {
            Unfit::Io(error) => error.into(),
            Unfit::Offsets => MISFIT,
            Unfit::Stopped => BundleError::Stopped,
        })?;
        Ok(Self {
            pack,
            written: begun,
        })
    }

    /// The length of the pack so far.
    pub(super) const fn end(&self) -> u64 {
        self.pack.end()
    }

    /// Begins the next entry; its compressed content, which inflates to `size` bytes, follows. Gives
    /// the length of its header.
    pub(super) fn entry(
        &mut self,
        entry: &Entry,
        size: u64,
        oid: impl Fn(u32) -> Oid,
    ) -> Result<u64, BundleError> {
        let rank = self.pack.offsets().len();
        let form = form(entry, rank, oid)?;
        self.pack.entry(form, size).ok_or(NO_BASE)
    }

    /// The length of the header of the entry that was begun last.
    pub(super) fn header_len(
        &self,
        entry: &Entry,
        size: u64,
        oid: impl Fn(u32) -> Oid,
    ) -> Result<u64, BundleError> {
        let rank = self.pack.offsets().len().checked_sub(1).ok_or(MISFIT)?;
        let form = form(entry, rank, oid)?;
        self.pack.header_len(form, size).ok_or(NO_BASE)
    }

    /// Adds bytes to the pack.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pack.push(bytes);
    }

    /// Whether there is enough to hand on.
    pub(super) fn is_full(&self) -> bool {
        self.pack.is_full()
    }

    /// Hands on what was added to the pack.
    pub(super) fn flush(&mut self, pack: &mut impl Write) -> std::io::Result<()> {
        self.pack.flush(pack)
    }

    /// The offsets that are not in their file, as bytes.
    pub(super) fn take_offsets(&mut self) -> Vec<u8> {
        let offsets = self.pack.offsets();
        let new = &offsets[self.written..];
        let bytes = new.iter().flat_map(|at| at.to_le_bytes()).collect();
        self.written = offsets.len();
        bytes
    }

    /// The hash of the pack, for its end; all of it must have been handed on.
    pub(super) fn finish(self) -> ObjectId {
        self.pack.finish()
    }
}

/// What the entry of this rank is in a pack.
fn form(
    entry: &Entry,
    rank: usize,
    oid: impl Fn(u32) -> Oid,
) -> Result<git_pack::Form, BundleError> {
    Ok(match entry.form {
        Form::Before(distance) => {
            let base = rank.checked_sub(distance as usize);
            git_pack::Form::Before(base.ok_or(NO_BASE)?)
        }
        Form::Elsewhere(base) => git_pack::Form::Of(oid(base)),
        Form::Whole | Form::Deflated => git_pack::Form::Whole(entry.kind),
    })
}
