//! What lives from slice to slice.

use std::fs;
use std::path::Path;

use resume_runtime::{Blocking, Resumable, StepError};

use super::bundles::Offers;
use super::line::Line;
use super::setback::Loss;
use super::{Goal, Source};
use crate::disk::Disk;
use crate::transfer::missing::Batch;
use crate::transfer::receive::{Incoming, Joining, Parsed};
use crate::transfer::refs::Objects;

/// The operation's file with the bytes of the pack that comes.
pub(super) const RAW: &str = "raw";
/// Its file with the commits or trees to ask for.
pub(super) const WANTS: &str = "wants";
/// Its file with what the server is told to be here, where it is asked for trees.
pub(super) const HAVES: &str = "haves";
/// Its file with commits that are here, whose parents the server is to take for unknown here, where it
/// is asked for commits.
pub(super) const EDGES: &str = "edges";
/// Its file with the root trees that the last answer brought to its end: all trees below them are
/// here.
pub(super) const WHOLE: &str = "whole";
/// Its file with the blobs to ask for.
pub(super) const BLOBS: &str = "blobs";
/// Its file with the commits whose parents the server cuts off.
pub(super) const SHALLOW: &str = "cut-off";
/// Its file with the commits whose parents were cut off before and now come.
pub(super) const OPENED: &str = "opened";

/// Its file with the refs of the bundle that comes.
pub(super) const REFS: &str = "bundle-refs";
/// Its file with the refs of the bundles that came.
pub(super) const BUNDLED: &str = "bundled";
/// Its file with the packs that gathered, by their hashes, in the order in which they came.
pub(super) const PACKS: &str = "packs";
/// Its file with the pack that is made of them.
pub(super) const JOINED: &str = "joined";

/// What lives from slice to slice. All of it can be made again.
pub(super) struct Work {
    pub(super) goal: Goal,
    /// A connection that stands idle.
    pub(super) source: Option<Box<dyn Source>>,
    /// An answer that is on its way.
    pub(super) line: Option<Line>,
    /// What takes it apart.
    pub(super) incoming: Option<Incoming>,
    /// What it was, once all of it came.
    pub(super) parsed: Option<Parsed>,
    /// Why not all of it came.
    pub(super) loss: Option<Loss>,
    /// The objects that are there, as long as no pack is added.
    pub(super) there: Option<Objects>,
    /// The list of blobs.
    pub(super) blobs: Option<Vec<u8>>,
    /// The blobs that were asked for.
    pub(super) batch: Option<Batch>,
    /// The bundles that the server offers.
    pub(super) offers: Option<Offers>,
    /// How much of its pack was there when the bundle that comes was asked for.
    pub(super) opened_at: u64,
    /// What came of the text that a bundle begins with.
    pub(super) head: Vec<u8>,
    /// The pack that is made of others.
    pub(super) joining: Option<Joining>,
}

impl Work {
    /// Makes the place where objects gather.
    pub(super) fn open<M: Resumable>(b: &Blocking<M>, goal: Goal) -> Result<Self, StepError> {
        // So that its folder is nobody else's to look into.
        b.folder()?;
        prepare(&goal, b).map_err(|error| about(&goal.own, error))?;
        Ok(Self {
            goal,
            source: None,
            line: None,
            incoming: None,
            parsed: None,
            loss: None,
            there: None,
            blobs: None,
            batch: None,
            offers: None,
            opened_at: 0,
            head: Vec::new(),
            joining: None,
        })
    }

    /// The objects that are there.
    pub(super) fn there(&mut self) -> Result<&Objects, StepError> {
        if self.there.is_none() {
            self.there = Some(Objects::at(&self.goal.objects())?);
        }
        self.there
            .as_ref()
            .ok_or_else(|| StepError::fatal("the objects were just opened"))
    }
}

fn prepare(goal: &Goal, disk: &dyn Disk) -> std::io::Result<()> {
    fs::create_dir_all(goal.packs())?;
    let Some(existing) = &goal.existing else {
        return Ok(());
    };
    let info = goal.objects().join("info");
    fs::create_dir_all(&info)?;
    let line = [existing.as_os_str().as_encoded_bytes(), b"\n"].concat();
    let alternates = info.join("alternates");
    if fs::read(&alternates).is_ok_and(|there| there == line) {
        return Ok(());
    }
    fs::write(&alternates, line)?;
    // Other steps rely on it.
    disk.sync(&alternates)
}

/// Keeps an open connection for the first request of a process.
pub fn hand_over<M: Resumable>(
    b: &mut Blocking<M>,
    goal: Goal,
    source: Box<dyn Source>,
) -> Result<(), StepError> {
    let mut work = Work::open(b, goal)?;
    work.source = Some(source);
    b.keep_local(work);
    Ok(())
}

/// An error of the file system at `path`.
pub(super) fn about(path: &Path, error: std::io::Error) -> StepError {
    StepError::from(error).context(format!("'{}'", path.display()))
}
