//! One open append file: its buffer, and its syncs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{self, Disk};

/// Small writes are gathered up to this size.
pub(crate) const BUFFER: usize = 128 * 1024;
/// Once this much is unsynced, a sync starts in the background, so that the
/// commit finds little left to wait for.
const BACKGROUND: u64 = 8 << 20;

pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes in the file; those of the buffer come after.
    written: u64,
    /// Up to where a background sync was started.
    started: u64,
    background: Arc<Background>,
    /// Whether its name may not be on disk yet.
    new_name: bool,
    dirty: bool,
    /// A write failed: what the file holds is no longer known, and only a
    /// rollback helps.
    broken: Option<Broken>,
}

/// An error that is told again.
#[derive(Clone)]
struct Broken {
    code: Option<i32>,
    kind: io::ErrorKind,
}

impl Broken {
    fn new(error: &io::Error) -> Self {
        Self {
            code: error.raw_os_error(),
            kind: error.kind(),
        }
    }

    fn error(&self) -> io::Error {
        self.code
            .map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

/// What a sync in the background leaves for the commit. The system reports a
/// failed write once: whoever sees it has to pass it on.
#[derive(Default)]
struct Background {
    running: Mutex<()>,
    failed: Mutex<Option<io::Error>>,
}

impl OpenFile {
    /// Opens `path` and cuts it to `len`, its committed length. A new file is
    /// created where `len` is `None`.
    pub(crate) fn open(path: PathBuf, len: Option<u64>, private: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let new_name = len.is_none();
        if new_name {
            match path.parent() {
                Some(dir) if private => disk::create_private(dir)?,
                Some(dir) => fs::create_dir_all(dir)?,
                None => {}
            }
            options.create(true).truncate(true);
            #[cfg(unix)]
            if private {
                use std::os::unix::fs::OpenOptionsExt as _;
                options.mode(0o600);
            }
        }
        let mut file = match (options.open(&path), len) {
            (Err(e), Some(len)) if e.kind() == io::ErrorKind::NotFound => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "it is gone where {len} bytes were committed: it was removed from \
                         outside; delete the operation and start anew"
                    ),
                ));
            }
            (file, _) => file?,
        };
        let len = len.unwrap_or(0);
        let found = file.metadata()?.len();
        if found < len {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "it has {found} bytes where {len} were committed: it was changed from \
                     outside; delete the operation and start anew"
                ),
            ));
        }
        if found > len {
            file.set_len(len)?;
        }
        file.seek(SeekFrom::Start(len))?;
        Ok(Self {
            file,
            path,
            buffer: Vec::new(),
            written: len,
            started: len,
            background: Arc::default(),
            dirty: new_name || found > len,
            new_name,
            broken: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(crate) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether `more` bytes fit into the buffer, so that no write is needed.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.buffer.len() + more <= BUFFER
    }

    pub(crate) fn append(&mut self, data: &[u8], disk: &Disk) -> io::Result<()> {
        self.check()?;
        self.dirty = true;
        if self.has_room(data.len()) {
            self.buffer.extend_from_slice(data);
            return Ok(());
        }
        self.flush(disk)?;
        if data.len() < BUFFER {
            self.buffer.extend_from_slice(data);
            return Ok(());
        }
        self.write(data, disk)
    }

    /// Hands what is gathered to the system.
    pub(crate) fn flush(&mut self, disk: &Disk) -> io::Result<()> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.write(&buffer, disk);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    /// Puts everything, and the file's name, on disk.
    pub(crate) fn sync(&mut self, disk: &Disk) -> io::Result<()> {
        self.flush(disk)?;
        drop(lock(&self.background.running));
        if let Some(error) = lock(&self.background.failed).take() {
            return Err(error);
        }
        disk.sync_file(&self.path, &self.file)?;
        if self.new_name {
            disk.sync_names(&self.path)?;
            self.new_name = false;
        }
        self.dirty = false;
        self.started = self.written;
        Ok(())
    }

    pub(crate) fn identity(&self) -> io::Result<Option<(u64, u64)>> {
        Ok(disk::identity(&self.file.metadata()?))
    }

    fn check(&self) -> io::Result<()> {
        self.broken
            .as_ref()
            .map_or(Ok(()), |broken| Err(broken.error()))
    }

    fn write(&mut self, data: &[u8], disk: &Disk) -> io::Result<()> {
        let written = disk
            .may_write(&self.path, data.len())
            .and_then(|()| self.file.write_all(data));
        if let Err(error) = &written {
            self.broken = Some(Broken::new(error));
        }
        written?;
        self.written += data.len() as u64;
        if self.written - self.started >= BACKGROUND {
            self.sync_in_background();
        }
        Ok(())
    }

    fn sync_in_background(&mut self) {
        // One at a time; a busy disk gets no second one.
        if self.background.running.try_lock().is_err() {
            return;
        }
        let Ok(file) = self.file.try_clone() else {
            return;
        };
        let background = Arc::clone(&self.background);
        let spawned = std::thread::Builder::new()
            .name("sync".to_owned())
            .spawn(move || {
                let _running = lock(&background.running);
                if let Err(error) = file.sync_data() {
                    lock(&background.failed).get_or_insert(error);
                }
            });
        if spawned.is_ok() {
            self.started = self.written;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
