//! Writes files under numbers into the staging directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::Mode;
use gix::prelude::FindExt as _;
use resume_runtime::StepError;

use super::convert::{Converted, Converter};
use super::error::{self, CheckoutError};
use super::plan::Plan;

/// Entries that a thread takes at a time: they share directories, and so attributes.
pub(crate) const CHUNK: usize = 16;
/// Larger buffers are not kept.
const KEPT: usize = 32 << 20;

/// What became of an entry.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) what: What,
    /// The length of its content.
    pub(crate) bytes: u64,
    /// What there is to say about it.
    pub(crate) remark: Option<String>,
}

/// What is to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The staged file.
    File,
    /// The staged symbolic link.
    Link,
    /// A directory that is a submodule's.
    Submodule,
    /// Nothing: the remark says why.
    Nothing,
}

impl Staged {
    fn nothing(remark: String) -> Self {
        Self {
            what: What::Nothing,
            bytes: 0,
            remark: Some(remark),
        }
    }
}

/// The name of an entry's staged file.
pub(crate) fn name(entry: usize) -> String {
    entry.to_string()
}

/// Stages entries; each thread has its own.
pub(crate) struct Stager {
    repository: gix::Repository,
    converter: Converter,
    index: Arc<gix::index::State>,
    dir: PathBuf,
    links: bool,
    buffer: Vec<u8>,
}

impl Stager {
    /// Stages entries of `index`, with the attributes that these files say: their paths and objects.
    pub(crate) fn new(
        plan: &Plan,
        index: Arc<gix::index::State>,
        attributes: Vec<(BString, gix_hash::ObjectId)>,
    ) -> Result<Self, CheckoutError> {
        let mut repository = plan.repository.to_thread_local();
        repository
            .objects
            .set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(48 << 20)));
        let converter = Converter::new(&repository, plan, attributes)?;
        let links = repository
            .config_snapshot()
            .boolean("core.symlinks")
            .unwrap_or(true);
        Ok(Self {
            repository,
            converter,
            index,
            dir: plan.staging(),
            links,
            buffer: Vec::new(),
        })
    }

    /// Stages the entries from `first` to before `end`.
    pub(crate) fn stage(&mut self, first: usize, end: usize) -> Result<Vec<Staged>, StepError> {
        (first..end).map(|entry| self.entry(entry)).collect()
    }

    fn entry(&mut self, number: usize) -> Result<Staged, StepError> {
        let index = Arc::clone(&self.index);
        let entry = &index.entries()[number];
        if entry.mode == Mode::COMMIT {
            return Ok(Staged {
                what: What::Submodule,
                bytes: 0,
                remark: None,
            });
        }
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let found = self.repository.objects.find_blob(&entry.id, &mut buffer);
        let staged = match found {
            Ok(blob) => self.write(number, entry.path(&index), entry.mode, entry.id, blob.data),
            Err(error) => Ok(Staged::nothing(format!(
                "its object {} can't be read: {error}",
                entry.id
            ))),
        };
        self.buffer = buffer;
        staged
    }

    fn write(
        &mut self,
        number: usize,
        path: &BStr,
        mode: Mode,
        id: gix_hash::ObjectId,
        content: &[u8],
    ) -> Result<Staged, StepError> {
        let to = self.dir.join(name(number));
        if mode == Mode::SYMLINK && self.links {
            return link(content, &to);
        }
        let mut file = create(&to, mode == Mode::FILE_EXECUTABLE).map_err(error::io(&to))?;
        let done = |bytes: usize, remark| Staged {
            what: What::File,
            bytes: bytes as u64,
            remark,
        };
        if mode == Mode::SYMLINK {
            file.write_all(content).map_err(error::io(&to))?;
            return Ok(done(content.len(), None));
        }
        let objects = &self.repository.objects;
        match self.converter.convert(objects, path, mode, id, content) {
            Ok((Converted::Bytes(bytes), remark)) => {
                file.write_all(&bytes).map_err(error::io(&to))?;
                Ok(done(bytes.len(), remark))
            }
            Ok((Converted::Filtered { output, instead }, remark)) => {
                match copy(output, &mut file).map_err(error::io(&to))? {
                    Ok(bytes) => Ok(done(bytes, remark)),
                    Err(failed) => match instead {
                        Some(bytes) => {
                            drop(file);
                            std::fs::write(&to, &bytes).map_err(error::io(&to))?;
                            Ok(done(bytes.len(), remark))
                        }
                        None => Ok(Staged::nothing(format!("its filter failed: {failed}"))),
                    },
                }
            }
            Err(reason) => Ok(Staged::nothing(reason)),
        }
    }
}

/// Git writes with the modes that the umask leaves of these.
fn create(path: &Path, executable: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if executable { 0o777 } else { 0o666 })
        .open(path)
}

fn link(target: &[u8], to: &Path) -> Result<Staged, StepError> {
    // For the system a target ends there, as it does for Git.
    let shown = target.split(|byte| *byte == 0).next().unwrap_or_default();
    let made = symlink(std::ffi::OsStr::from_bytes(shown), to);
    match made {
        Ok(()) => Ok(Staged {
            what: What::Link,
            bytes: shown.len() as u64,
            remark: None,
        }),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
            ) =>
        {
            let target = shown[..shown.len().min(80)].as_bstr();
            Ok(Staged::nothing(format!(
                "can't be a symbolic link to {target:?}: {error}"
            )))
        }
        Err(error) => Err(error::io(to)(error)),
    }
}

/// Copies a filter's output; the inner error is the filter's.
fn copy(mut from: impl Read, to: &mut File) -> io::Result<Result<usize, io::Error>> {
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Ok(bytes)),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                bytes += n;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}
