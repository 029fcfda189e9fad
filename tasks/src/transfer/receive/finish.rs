//! From parsed bytes to a pack with its index.

use std::{
    fs::{self},
    io::BufWriter,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use gix_hash::ObjectId;

use super::{
    Parsed, ReceiveError, place,
    resolve::{self, How, Outside, Resolved},
    rewrite::{Unwritten, Written, rewrite},
    table::{Table, UNKNOWN},
};
use crate::{disk::Disk, pack::git_idx::Row};

/// Where a pack goes, and how the work on it goes about.
#[derive(Clone, Copy)]
pub struct To<'a> {
    /// The object directory, with its alternates, that bases outside of the pack are looked up in. It
    /// need not exist.
    pub objects: &'a Path,
    /// The directory that the pack goes to; it is made.
    pub packs: &'a Path,
    /// How many threads resolve deltas.
    pub threads: usize,
    /// Told of how many deltas are resolved, of [`Parsed::deltas`].
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Ends the work with [`ReceiveError::Stopped`] once it is true.
    pub stopped: &'a AtomicBool,
    /// How bytes get on disk.
    pub disk: &'a dyn Disk,
}

/// A pack that is in its place, with its index, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its objects: those that came, and the bases that were added to a thin pack.
    pub objects: u32,
    /// Its length.
    pub bytes: u64,
    /// The bases that were added.
    pub added: u32,
    /// What it did not keep of what came: deltas without base, and what was cut off.
    pub lost: u64,
    /// The hash in its name, and at its end; none if there are no objects, and so no pack.
    pub hash: Option<ObjectId>,
    /// Its file.
    pub pack: Option<PathBuf>,
}

/// Makes a pack of all that came, which must be all that was announced.
///
/// The file `raw` itself becomes the pack, by a second name, unless bases must be added. All of it
/// must be committed before: what an operation cut back later would be missing in the pack. Doing it
/// twice is doing it once.
pub fn finish(raw: &Path, parsed: &mut Parsed, to: To<'_>) -> Result<Received, ReceiveError> {
    if let Some(fault) = &parsed.fault {
        return Err(fault.clone().into());
    }
    let Some(trailer) = parsed.parser.trailer else {
        let seen = parsed.seen();
        return Err(ReceiveError::Cut {
            objects: seen.objects,
            announced: seen.announced,
        });
    };
    if parsed.table().len() == 0 {
        return Ok(Received::NOTHING);
    }
    let file = open(raw, parsed)?;
    let resolved = resolved(&file, parsed, to)?;
    if let Some(failed) = resolved.failed.take() {
        return Err(failed);
    }
    if resolved.left > 0 {
        let count = resolved.left;
        let table = parsed.table();
        let base = first_lost(table);
        return Err(ReceiveError::NoBase { count, base });
    }
    if !parsed
        .resolved
        .as_ref()
        .is_some_and(|r| r.outside.is_empty())
    {
        return anew(&file, parsed, to);
    }
    make(to.packs)?;
    let hash = ObjectId::Sha1(trailer);
    let pack = place::pack_path(to.packs, &hash);
    place::link(raw, &pack)?;
    let table = parsed.table();
    let mut order: Vec<u32> = (0..table.len()).collect();
    order.sort_unstable_by_key(|entry| (table.oids[*entry as usize], *entry));
    let rows = || {
        order.iter().map(|entry| {
            Ok(Row {
                oid: table.oids[*entry as usize],
                crc32: table.crc(*entry),
                offset: table.offset(*entry),
            })
        })
    };
    place::index(&pack, hash, rows, to.disk)?;
    Ok(Received {
        objects: table.len(),
        bytes: parsed.parser.at(),
        added: 0,
        lost: 0,
        hash: Some(hash),
        pack: Some(pack),
    })
}

/// Makes a pack of what came whole, of a pack that was cut off or is damaged from some byte on.
///
/// It has each object that came whole and whose bases are there: among them, or in the object
/// directory. It is written anew, so `raw` can be emptied once it is there. Doing it twice is doing
/// it once.
pub fn salvage(raw: &Path, parsed: &mut Parsed, to: To<'_>) -> Result<Received, ReceiveError> {
    let len = fs::metadata(raw).map_err(ReceiveError::io(raw))?.len();
    if parsed.table().len() == 0 || len < SHORTEST {
        return Ok(Received {
            lost: parsed.lost(),
            ..Received::NOTHING
        });
    }
    let file = open(raw, parsed)?;
    resolved(&file, parsed, to)?;
    if parsed.table().oids.iter().all(|oid| *oid == UNKNOWN) {
        return Ok(Received {
            lost: parsed.lost(),
            ..Received::NOTHING
        });
    }
    anew(&file, parsed, to)
}

impl Received {
    const NOTHING: Self = Self {
        objects: 0,
        bytes: 0,
        added: 0,
        lost: 0,
        hash: None,
        pack: None,
    };
}

impl Parsed {
    /// The objects that were announced and that are not known.
    fn lost(&self) -> u64 {
        let known = self.table().oids.iter().filter(|oid| **oid != UNKNOWN);
        u64::from(self.parser.announced.unwrap_or(0)).saturating_sub(known.count() as u64)
    }
}

/// The length of an empty pack. What is shorter is not opened, and holds at most one tiny object.
const SHORTEST: u64 = 32;

/// Opens what was parsed.
fn open(raw: &Path, parsed: &Parsed) -> Result<gix_pack::data::File, ReceiveError> {
    let len = fs::metadata(raw).map_err(ReceiveError::io(raw))?.len();
    let changed = || ReceiveError::Changed(raw.to_owned());
    if len < parsed.table().end {
        return Err(changed());
    }
    gix_pack::data::File::at(raw, gix_hash::Kind::Sha1).map_err(|_| changed())
}

/// Resolves the deltas, unless that was done.
fn resolved<'a>(
    raw: &gix_pack::data::File,
    parsed: &'a mut Parsed,
    to: To<'_>,
) -> Result<&'a mut Resolved, ReceiveError> {
    let how = How {
        threads: to.threads,
        progress: to.progress,
        stopped: to.stopped,
    };
    let resolved = match parsed.resolved.take() {
        Some(resolved) => resolved,
        None => resolve::resolve(raw, &mut parsed.parser.table, to.objects, how)?,
    };
    Ok(parsed.resolved.insert(resolved))
}

fn first_lost(table: &Table) -> ObjectId {
    let lost = |(_, entry): &&(_, u32)| table.oids[*entry as usize] == UNKNOWN;
    let base = table.bases.iter().find(lost);
    // Without one there would be no delta without base.
    base.map_or(gix_hash::Kind::Sha1.null(), |(base, _)| {
        ObjectId::Sha1(*base)
    })
}

/// Writes the pack anew.
fn anew(raw: &gix_pack::data::File, parsed: &Parsed, to: To<'_>) -> Result<Received, ReceiveError> {
    make(to.packs)?;
    let bases = parsed.resolved.as_ref().map_or(&[][..], |r| &r.outside);
    let outside = (!bases.is_empty()).then(|| Outside::open(to.objects));
    let outside = outside.transpose()?;
    let (written, pack) = place::write_as(to.packs, |file| {
        let stopped = || to.stopped.load(Relaxed);
        let table = parsed.table();
        let out = BufWriter::with_capacity(4096, file);
        let written = rewrite(out, raw, table, bases, outside.as_ref(), &stopped);
        let written: Written = written.map_err(|error| match error {
            Unwritten::Io(error) => ReceiveError::io(to.packs)(error),
            Unwritten::Other(error) => error,
        })?;
        let path = place::pack_path(to.packs, &written.hash);
        Ok((written, path))
    })?;
    let rows = || written.rows.iter().map(|row| Ok(*row));
    place::index(&pack, written.hash, rows, to.disk)?;
    Ok(Received {
        objects: u32::try_from(written.rows.len()).unwrap_or(u32::MAX),
        bytes: written.bytes,
        added: u32::try_from(bases.len()).unwrap_or(u32::MAX),
        lost: parsed.lost(),
        hash: Some(written.hash),
        pack: Some(pack),
    })
}

fn make(packs: &Path) -> Result<(), ReceiveError> {
    fs::create_dir_all(packs).map_err(ReceiveError::io(packs))
}
