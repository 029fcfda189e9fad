//! The packs that gather, and how they become one.
//!
//! Which packs these are is written down before the first byte of the joined one is, and they stay
//! until it is in its place: so a process that takes over joins the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::time::{Duration, Instant};

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, StepError};

use super::Obtain;
use super::advance::{Advance, Next};
use super::ask::{read_list, write_list};
use super::state::Stage;
use super::work::{JOINED, PACKS, Work, about};
use crate::transfer::receive::{self, Joining, Received};

/// For so long entries are written before it is asked whether a commit is due.
const AT_ONCE: Duration = Duration::from_millis(10);

impl Obtain {
    /// All is there: writes down which packs are to be one.
    pub(super) fn gather<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &Work,
    ) -> Result<Next, StepError> {
        let there: Vec<ObjectId> = hashes(&work.goal.packs())?;
        let mut packs = read_list(b, PACKS)?;
        packs.retain(|hash| there.contains(hash));
        // What a lost slice has left may be what others rest on.
        packs.extend(&there);
        let mut seen = std::collections::HashSet::new();
        packs.retain(|hash| seen.insert(*hash));
        if packs.len() < 2 {
            return Ok(Next::Stop(Advance::Done(self)));
        }
        write_list(b, PACKS, &packs)?;
        b.append_file_in(&work.goal.own, JOINED)?.restart()?;
        self.stage = Stage::Join(0);
        b.want_commit();
        Ok(Next::Yield(self))
    }

    /// Writes entries of the joined pack until a commit is due, or there are no more.
    pub(super) fn join<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        begun: u32,
    ) -> Result<Next, StepError> {
        let mut joining = match work.joining.take() {
            Some(joining) => joining,
            None => joining(b, work, begun)?,
        };
        let since = Instant::now();
        let interrupt = Arc::clone(b.interrupt());
        let enough = || since.elapsed() > AT_ONCE || interrupt.load(Relaxed);
        let mut file = b.append_file_in(&work.goal.own, JOINED)?;
        let whole = joining.advance(&mut file, &enough)?;
        b.report(joining.begun().into(), Some(joining.objects().into()));
        self.stage = if whole {
            // What could be cut back later gets no name.
            b.want_commit();
            Stage::Install
        } else {
            Stage::Join(joining.begun())
        };
        work.joining = Some(joining);
        Ok(Next::Go(self))
    }

    /// Gives the joined pack its name.
    pub(super) fn install<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        let joining = if let Some(joining) = work.joining.take() {
            joining
        } else {
            let all = Joining::begin(&paths(b, work)?)?.objects();
            let mut joining = joining(b, work, all)?;
            // Its end is written already.
            joining.advance(&mut io::sink(), &|| false)?;
            joining
        };
        let raw = b.file_path(JOINED)?;
        let received = joining.publish(&raw, &work.goal.packs(), b)?;
        self.objects = received.objects.into();
        let hash = received
            .hash
            .ok_or_else(|| StepError::fatal("the joined pack is empty"))?;
        let mut packs = read_list(b, PACKS)?;
        packs.retain(|it| *it != hash);
        write_list(b, PACKS, &packs)?;
        self.stage = Stage::Discard;
        work.there = None;
        b.want_commit();
        Ok(Next::Yield(self))
    }

    /// Removes what the joined pack was made of.
    pub(super) fn discard<M: Resumable>(
        self,
        b: &mut Blocking<M>,
        work: &Work,
    ) -> Result<Next, StepError> {
        let packs = paths(b, work)?;
        receive::discard(&packs, Path::new(""), b)?;
        b.append_file_in(&work.goal.own, JOINED)?.restart()?;
        Ok(Next::Stop(Advance::Done(self)))
    }

    /// Removes all packs but the one that has everything.
    pub(super) fn drop_others<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &Work,
        whole: &Received,
    ) -> Result<(), StepError> {
        let (Some(hash), Some(keep)) = (&whole.hash, &whole.pack) else {
            return Ok(());
        };
        let packs = stems(&work.goal.packs())?;
        if packs.len() > 1 {
            let packs: Vec<PathBuf> = packs.iter().map(|it| it.with_extension("pack")).collect();
            receive::discard(&packs, keep, b)?;
            write_list(b, PACKS, &[*hash])?;
        }
        self.objects = whole.objects.into();
        Ok(())
    }
}

/// Goes on with the joined pack, of which so many objects are written.
fn joining<M: Resumable>(
    b: &mut Blocking<M>,
    work: &Work,
    begun: u32,
) -> Result<Joining, StepError> {
    let packs = paths(b, work)?;
    if begun == 0 {
        return Ok(Joining::begin(&packs)?);
    }
    let written = io::BufReader::with_capacity(1 << 18, b.read_file(JOINED)?);
    Ok(Joining::resume(&packs, begun, written, &|| {
        b.pause_requested()
    })?)
}

/// The packs that are to be one.
fn paths<M: Resumable>(b: &mut Blocking<M>, work: &Work) -> Result<Vec<PathBuf>, StepError> {
    let packs = work.goal.packs();
    let hashes = read_list(b, PACKS)?;
    let path = |hash: &ObjectId| packs.join(format!("pack-{hash}.pack"));
    Ok(hashes.iter().map(path).collect())
}

/// The hashes in the names of the packs in a directory.
fn hashes(packs: &Path) -> Result<Vec<ObjectId>, StepError> {
    let stems = stems(packs)?;
    let names = stems.iter().filter_map(|stem| stem.file_name()?.to_str());
    let hash = |name: &str| ObjectId::from_hex(name.strip_prefix("pack-")?.as_bytes()).ok();
    Ok(names.filter_map(hash).collect())
}

/// The packs in a directory, without the extension, by name.
pub fn stems(packs: &Path) -> Result<Vec<PathBuf>, StepError> {
    let mut stems = Vec::new();
    for entry in fs::read_dir(packs).map_err(|error| about(packs, error))? {
        let path = entry.map_err(|error| about(packs, error))?.path();
        let named = path.file_name().and_then(|name| name.to_str());
        let pack = named.is_some_and(|name| name.starts_with("pack-"));
        if pack && path.extension().is_some_and(|it| it == "idx") {
            stems.push(path.with_extension(""));
        }
    }
    stems.sort();
    Ok(stems)
}
