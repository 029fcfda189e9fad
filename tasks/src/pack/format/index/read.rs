//! An open index: look-ups, and walks in rank order.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gix_hash::ObjectId;

use super::super::FormatError;
use super::columns::Columns;
use super::{BaseRef, FrameRow, Group, Kind, OID_LEN};

/// An open and checked index. Memory: a few bytes per object; oids and ranks stay in the file.
#[derive(Debug)]
pub struct Index {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) frame_size: u32,
    pub(super) frames: Vec<FrameRow>,
    pub(super) file_lengths: Vec<u64>,
    pub(super) fanout: Box<[u32; 256]>,
    pub(super) oids_at: u64,
    pub(super) ranks_at: u64,
    pub(super) columns: Columns,
    pub(super) externals: Vec<u8>,
    pub(super) groups: Vec<Group>,
}

/// An entry of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef {
    /// Its place in the order.
    pub rank: u32,
    /// The object's kind, for a delta too.
    pub kind: Kind,
    /// The payload's length in bytes.
    pub size: u64,
    /// What the payload is.
    pub base: BaseRef,
}

impl Index {
    /// The number of objects; ranks and positions are below it.
    pub fn objects(&self) -> u32 {
        self.fanout[255]
    }

    /// The largest raw length of a frame.
    pub fn frame_size(&self) -> u32 {
        self.frame_size
    }

    /// The frames, in order.
    pub fn frames(&self) -> &[FrameRow] {
        &self.frames
    }

    /// The length that each frame file must have.
    pub fn file_lengths(&self) -> &[u64] {
        &self.file_lengths
    }

    /// The groups of entries and frames, in order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The length of the stream.
    pub fn stream_bytes(&self) -> u64 {
        self.groups.iter().map(|group| group.bytes).sum()
    }

    /// The entries of `group`, in rank order; the first begins at the group's first byte and each
    /// follows the one before.
    pub fn entries(&self, group: &Group) -> impl Iterator<Item = EntryRef> + '_ {
        let mut at = group.start;
        (0..group.entries).map_while(move |_| self.columns.read(&mut at))
    }

    /// The position in [`groups`](Self::groups) of the group that holds `rank`.
    pub fn group_of(&self, rank: u32) -> Option<usize> {
        let after = self
            .groups
            .partition_point(|group| group.start.rank <= rank);
        (rank < self.objects())
            .then(|| after.checked_sub(1))
            .flatten()
    }

    /// The kind of the object of this rank, if there is one.
    pub fn kind(&self, rank: u32) -> Option<Kind> {
        self.columns.kind(rank)
    }

    /// The number of bases that lie in older layers.
    pub fn external_count(&self) -> u32 {
        u32::try_from(self.externals.len() / 20).unwrap_or(u32::MAX)
    }

    /// The oid of the external base at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`external_count`](Self::external_count).
    pub fn external(&self, position: u32) -> ObjectId {
        let start = position as usize * 20;
        ObjectId::from_bytes_or_panic(&self.externals[start..start + 20])
    }

    /// The oid at `position` in ascending order.
    pub fn oid_at(&self, position: u32) -> Result<ObjectId, FormatError> {
        let mut oid = [0; 20];
        self.read_at(&mut oid, self.oids_at + u64::from(position) * OID_LEN)?;
        Ok(ObjectId::Sha1(oid))
    }

    /// The rank of the oid at `position` in ascending order.
    pub fn rank_at(&self, position: u32) -> Result<u32, FormatError> {
        let mut rank = [0; 4];
        self.read_at(&mut rank, self.ranks_at + u64::from(position) * 4)?;
        Ok(u32::from_le_bytes(rank))
    }

    /// The rank of the object `oid`, if the layer has it.
    pub fn rank_of(&self, oid: &gix_hash::oid) -> Result<Option<u32>, FormatError> {
        let first = usize::from(oid.as_bytes()[0]);
        let mut low = first.checked_sub(1).map_or(0, |before| self.fanout[before]);
        let mut high = self.fanout[first];
        while low < high {
            let middle = low + (high - low) / 2;
            match self.oid_at(middle)?.as_ref().cmp(oid) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.rank_at(middle).map(Some),
            }
        }
        Ok(None)
    }

    /// All oids in ascending order with their ranks, read in large pieces.
    pub fn objects_by_oid(
        &self,
    ) -> impl Iterator<Item = Result<(ObjectId, u32), FormatError>> + '_ {
        const PIECE: u32 = 8192;
        let (mut oids, mut ranks) = (Vec::new(), Vec::new());
        (0..self.objects()).map(move |position| {
            let within = (position % PIECE) as usize;
            if within == 0 {
                let count = PIECE.min(self.objects() - position) as usize;
                oids.resize(count * 20, 0);
                ranks.resize(count * 4, 0);
                self.read_at(&mut oids, self.oids_at + u64::from(position) * OID_LEN)?;
                self.read_at(&mut ranks, self.ranks_at + u64::from(position) * 4)?;
            }
            let oid = ObjectId::from_bytes_or_panic(&oids[within * 20..][..20]);
            let rank = &ranks[within * 4..][..4];
            Ok((
                oid,
                u32::from_le_bytes([rank[0], rank[1], rank[2], rank[3]]),
            ))
        })
    }

    /// The position in ascending order of the oid of each rank: with [`oid_at`](Self::oid_at), the
    /// way from ranks to oids. Takes 4 bytes per object.
    pub fn positions_by_rank(&self) -> Result<Vec<u32>, FormatError> {
        let mut positions = vec![0; self.objects() as usize];
        for (position, object) in (0..).zip(self.objects_by_oid()) {
            // A file that changed since it was checked may hold anything.
            let slot = positions.get_mut(object?.1 as usize);
            *slot.ok_or_else(|| {
                FormatError::damaged(&self.path, "it changed while it was read")
            })? = position;
        }
        Ok(positions)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), FormatError> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(FormatError::io(&self.path))
    }
}
