//! New objects, kept in memory until the operation commits, then written as one pack: thousands of loose
//! files would cost more than all the rest.
//!
//! [`in_memory`] gives a repository that reads and writes as any other; [`save`] puts what it wrote on
//! disk, before the commit that points to it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gix::objs::Kind as ObjectKind;
use gix_hash::ObjectId;
use resume_runtime::StepError;
use rustix::fs::CWD;
use rustix::io::Errno;

use crate::compress::{Compressor as _, FlateCompressor};
use crate::disk::Disk;
use crate::pack::git_idx::{self, Row};
use crate::pack::git_pack::{Form, GitPack};
use crate::pack::source::Kind;
use crate::rename::rename_new;

/// So many objects are deflated by one thread at a time.
const CHUNK: usize = 64;
/// Objects that are read again and again, in bytes.
const CACHE: usize = 64 << 20;

/// The repository with a memory for new objects.
pub fn in_memory(repository: &gix::ThreadSafeRepository) -> gix::Repository {
    let mut repository = repository.to_thread_local().with_object_memory();
    repository.object_cache_size_if_unset(CACHE);
    repository
}

/// The number of objects that are in memory only.
pub fn pending(repository: &gix::Repository) -> usize {
    repository.objects.num_objects_in_memory()
}

/// Writes all objects that are in memory as one pack, and gives its name; none where the repository has
/// all of them. Afterwards they are read from there.
///
/// `own` is a directory of the operation on the repository's file system. It can be repeated: the same
/// objects make the same pack.
pub fn save(
    repository: &gix::Repository,
    own: &Path,
    disk: &dyn Disk,
) -> Result<Option<ObjectId>, StepError> {
    save_as(repository, own, disk, false)
}

/// As [`save`], for objects that no ref leads to for longer: `git gc` leaves the pack alone until
/// [`release`] is called with the same `own`.
pub fn save_kept(
    repository: &gix::Repository,
    own: &Path,
    disk: &dyn Disk,
) -> Result<Option<ObjectId>, StepError> {
    save_as(repository, own, disk, true)
}

/// Lets go of the packs that [`save_kept`] wrote. It can be repeated.
pub fn release(repository: &gix::Repository, own: &Path) -> io::Result<()> {
    let ours = keeper(own);
    let dir = repository.common_dir().join("objects/pack");
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let is_keep = path.extension().is_some_and(|it| it == "keep");
        if is_keep && fs::metadata(&path)?.len() == ours.len() as u64 && fs::read(&path)? == ours {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What a pack's `.keep` says of who keeps it.
fn keeper(own: &Path) -> Vec<u8> {
    [b"mug: ", own.as_os_str().as_encoded_bytes(), b"\n"].concat()
}

fn save_as(
    repository: &gix::Repository,
    own: &Path,
    disk: &dyn Disk,
    kept: bool,
) -> Result<Option<ObjectId>, StepError> {
    let Some(memory) = repository.objects.reset_object_memory() else {
        return Ok(None);
    };
    let mut objects: Vec<(ObjectId, ObjectKind, &[u8])> = memory
        .iter()
        .filter(|(id, _)| !repository.objects.exists_without_refresh(id))
        .map(|(id, (kind, data))| (*id, *kind, &**data))
        .collect();
    if objects.is_empty() {
        return Ok(None);
    }
    // As Git has it: commits first.
    objects.sort_unstable_by_key(|(id, kind, _)| (rank(*kind), *id));
    let written = write(repository, &objects, own, disk, kept);
    match written {
        Ok(name) => Ok(Some(name)),
        Err(error) => Err(StepError::from(error).context("new objects")),
    }
}

const fn rank(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Commit => 0,
        ObjectKind::Tag => 1,
        ObjectKind::Tree => 2,
        ObjectKind::Blob => 3,
    }
}

fn write(
    repository: &gix::Repository,
    objects: &[(ObjectId, ObjectKind, &[u8])],
    own: &Path,
    disk: &dyn Disk,
    kept: bool,
) -> io::Result<ObjectId> {
    fs::create_dir_all(own)?;
    let (pack_path, idx_path) = (own.join("new.pack"), own.join("new.idx"));
    let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
    let mut pack = GitPack::begin(count);
    let mut out = fs::File::create(&pack_path)?;
    let mut rows = Vec::with_capacity(objects.len());
    for ((oid, kind, data), deflated) in objects.iter().zip(deflate(objects)?) {
        let (offset, before) = (pack.end(), pack.pending().len());
        let form = Form::Whole(match kind {
            ObjectKind::Commit => Kind::Commit,
            ObjectKind::Tree => Kind::Tree,
            ObjectKind::Blob => Kind::Blob,
            ObjectKind::Tag => Kind::Tag,
        });
        pack.entry(form, data.len() as u64)
            .ok_or_else(|| io::Error::other("an entry without a header"))?;
        pack.push(&deflated);
        let crc32 = crc32fast::hash(&pack.pending()[before..]);
        let ObjectId::Sha1(oid) = oid else {
            return Err(io::Error::other("an object that is not named by SHA-1"));
        };
        rows.push(Row {
            oid: *oid,
            crc32,
            offset,
        });
        if pack.is_full() {
            pack.flush(&mut out)?;
        }
    }
    pack.flush(&mut out)?;
    let name = pack.finish();
    io::Write::write_all(&mut out, name.as_slice())?;
    drop(out);
    rows.sort_unstable_by_key(|row| row.oid);
    let idx = fs::File::create(&idx_path)?;
    git_idx::write(idx, || rows.iter().copied().map(Ok), name, |error| error)?;
    let dir = repository.common_dir().join("objects/pack");
    fs::create_dir_all(&dir)?;
    if kept {
        let keep = dir.join(format!("pack-{name}.keep"));
        fs::write(&keep, keeper(own))?;
        disk.sync(&keep)?;
    }
    // The index last: with it the pack is seen.
    for (from, extension) in [(&pack_path, "pack"), (&idx_path, "idx")] {
        fs::set_permissions(from, fs::Permissions::from_mode(0o444))?;
        disk.sync(from)?;
        let to = dir.join(format!("pack-{name}.{extension}"));
        match rename_new(CWD, &**from, CWD, &*to) {
            Ok(()) => {}
            Err(Errno::EXIST) => fs::remove_file(from)?,
            Err(error) => return Err(error.into()),
        }
    }
    disk.sync(&dir)?;
    Ok(name)
}

/// The objects' contents, deflated on all processors.
fn deflate(objects: &[(ObjectId, ObjectKind, &[u8])]) -> io::Result<Vec<Vec<u8>>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = objects.len().div_ceil(threads).max(CHUNK);
    let deflate = |objects: &[(ObjectId, ObjectKind, &[u8])]| -> io::Result<Vec<Vec<u8>>> {
        let mut compressor = FlateCompressor::new(FlateCompressor::LEVEL);
        let deflated = objects.iter().map(|(_, _, data)| {
            let mut out = Vec::new();
            compressor
                .compress(data, &mut out)
                .map_err(io::Error::other)?;
            out.shrink_to_fit();
            Ok(out)
        });
        deflated.collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = objects
            .chunks(part)
            .map(|part| scope.spawn(move || deflate(part)))
            .collect();
        let mut all = Vec::with_capacity(objects.len());
        for part in parts {
            let part = part
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))?;
            all.extend(part?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests;
