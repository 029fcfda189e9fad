//! The commits that a server lacks, and how far they are sent.

use gix_hash::ObjectId;
use resume_runtime::{Blocking, StepError};

use super::{
    history,
    machine::Push,
    target::{Opened, Target, TargetError},
};

/// What is to be sent, and how much of it was.
pub(super) struct Walked {
    pub(super) tips: Vec<ObjectId>,
    pub(super) commits: Vec<ObjectId>,
    pub(super) sent: usize,
    /// What the server must have for it to hold.
    pub(super) heads: Vec<ObjectId>,
}

impl Walked {
    /// Finds out what the server lacks that has what is `known`.
    pub(super) fn new(
        b: &Blocking<Push>,
        target: &Target,
        tips: Vec<ObjectId>,
        known: &[ObjectId],
    ) -> Result<Self, StepError> {
        let stopped = || b.pause_requested();
        let commits = history::missing(&target.store, &tips, known, &target.shallow, &stopped);
        Ok(Self {
            commits: commits.map_err(TargetError::from)?,
            sent: 0,
            heads: Vec::new(),
            tips,
        })
    }

    /// Whether it holds for a server that has this.
    pub(super) fn fits(&self, tips: &[ObjectId], known: &[ObjectId]) -> bool {
        self.tips == tips && self.heads.iter().all(|head| known.contains(head))
    }
}

/// What the server has for sure.
pub(super) fn known(opened: &Opened) -> Vec<ObjectId> {
    let refs = opened.refs.iter().filter_map(|it| it.target);
    refs.chain(opened.session.extra().iter().copied()).collect()
}
