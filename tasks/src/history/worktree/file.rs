//! What a file of the working tree is, compared with what the index says of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice as _};
use gix::filter::plumbing::pipeline::convert::ToGitOutcome;
use gix::index::entry::{Mode, Stat, stat};
use gix_hash::ObjectId;
use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::changes::Side;
use super::error::WorktreeError;
use crate::checkout;

/// What there is under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Directory,
    /// What the index says.
    Same,
    /// Something else.
    Other,
}

/// The stat data that the index has of a file.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) stat: Stat,
    /// Whether a file with the same stat data may have been changed.
    pub(super) racy: bool,
}

/// Looks at files.
pub(super) struct Files<'r> {
    filters: gix::filter::Pipeline<'r>,
    /// For the line ends of what is committed already.
    index: gix::worktree::IndexPersistedOrInMemory,
    options: stat::Options,
    executable: bool,
    links: bool,
}

/// How an index was taken: what its stat data are worth.
pub(super) fn known(
    index: &gix::index::State,
    entry: &gix::index::Entry,
    options: stat::Options,
) -> Known {
    Known {
        stat: entry.stat,
        racy: entry.stat.is_racy(index.timestamp(), options),
    }
}

/// How stat data are compared: as configured, and to the nanosecond.
pub(super) fn options(repository: &gix::Repository) -> Result<stat::Options, WorktreeError> {
    let mut options = repository
        .stat_options()
        .map_err(WorktreeError::unreadable("the configuration"))?;
    options.use_nsec = true;
    Ok(options)
}

impl<'r> Files<'r> {
    pub(super) fn new(repository: &'r gix::Repository) -> Result<Self, WorktreeError> {
        let (filters, index) = repository
            .filter_pipeline(None)
            .map_err(WorktreeError::unreadable("the configuration of filters"))?;
        let config = repository.config_snapshot();
        let on = |key: &str| config.boolean(key).unwrap_or(true);
        Ok(Self {
            filters,
            index,
            options: options(repository)?,
            executable: on("core.fileMode"),
            links: on("core.symlinks"),
        })
    }

    /// Compares what is called `name` in `dir` with what the index has at `path`. Of a file that was
    /// moved, `moved` says that its time of change means nothing.
    pub(super) fn look(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &BStr,
        side: Side,
        known: Option<Known>,
        moved: bool,
    ) -> Result<Found, WorktreeError> {
        let meta = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(meta) => meta,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Found::Nothing),
            Err(error) => return Err(step(path, error.into())),
        };
        let kind = FileType::from_raw_mode(meta.st_mode);
        if kind.is_dir() {
            return Ok(if side.mode == Mode::COMMIT {
                Found::Same
            } else {
                Found::Directory
            });
        }
        let fits = match side.mode {
            Mode::SYMLINK if self.links => kind.is_symlink(),
            Mode::COMMIT => false,
            mode => {
                let executable = meta.st_mode & 0o100 != 0;
                kind.is_file()
                    && (!self.executable
                        || mode == Mode::SYMLINK
                        || executable == (mode == Mode::FILE_EXECUTABLE))
            }
        };
        if !fits {
            return Ok(Found::Other);
        }
        if let Some(known) = known {
            let mut options = self.options;
            options.trust_ctime &= !moved;
            let found = checkout::stat::of(&meta);
            if !known.racy && known.stat.matches(&found, options) {
                return Ok(Found::Same);
            }
        }
        let id = self.id(dir, name, path, kind.is_symlink(), side.mode)?;
        Ok(if id == Some(side.id) {
            Found::Same
        } else {
            Found::Other
        })
    }

    /// The object that the file would be; none where a filter fails.
    pub(super) fn id(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &BStr,
        is_link: bool,
        mode: Mode,
    ) -> Result<Option<ObjectId>, WorktreeError> {
        match self.content(dir, name, path, is_link, mode)? {
            Some(content) => {
                let kind = gix::object::Kind::Blob;
                let id = gix_object::compute_hash(gix_hash::Kind::Sha1, kind, &content);
                Ok(id.ok())
            }
            None => Ok(None),
        }
    }

    /// What Git would store of the file; none where a filter fails.
    pub(super) fn content(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &BStr,
        is_link: bool,
        mode: Mode,
    ) -> Result<Option<Vec<u8>>, WorktreeError> {
        if is_link {
            let target = rustix::fs::readlinkat(dir, name, Vec::new());
            let target = target.map_err(|error| step(path, error.into()))?;
            return Ok(Some(target.into_bytes()));
        }
        // A pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(dir, name, flags, rustix::fs::Mode::empty());
        let file = File::from(file.map_err(|error| step(path, error.into()))?);
        let mut content = Vec::new();
        let mut read = |from: &mut dyn io::Read| from.read_to_end(&mut content);
        if mode == Mode::SYMLINK {
            let mut file = file;
            read(&mut file).map_err(|error| step(path, error))?;
            return Ok(Some(content));
        }
        let relative = Path::new(OsStr::from_bytes(path));
        let converted = self.filters.convert_to_git(file, relative, &self.index);
        let read = match converted {
            Ok(ToGitOutcome::Unchanged(mut file)) => read(&mut file),
            Ok(ToGitOutcome::Buffer(bytes)) => read(&mut &*bytes),
            Ok(ToGitOutcome::Process(mut output)) => read(&mut output),
            Err(_) => return Ok(None),
        };
        match read {
            Ok(_) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::Other => Ok(None),
            Err(error) => Err(step(path, error)),
        }
    }
}

/// An error of the file system at `path`.
pub(super) fn step(path: &BStr, error: io::Error) -> WorktreeError {
    resume_runtime::StepError::from(error)
        .context(format!("{:?}", path.as_bstr()))
        .into()
}
