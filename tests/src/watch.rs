//! What the kernel tells of a running command: to stop it, and to see what it
//! has written and what it has open.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};

use crate::{Output, Running, Scratch};

impl Running {
    /// Stops it where it is, with SIGSTOP, and waits until all its threads stand
    /// still; `false` when it has ended instead.
    ///
    /// # Panics
    ///
    /// When the system does not say.
    pub fn stop(&self) -> bool {
        self.signal(Signal::STOP);
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.process()), options)
            .expect("a child can be waited for")
            .expect("it was waited for");
        status.stopped()
    }

    /// Stops it where it keeps nobody else in `dir` from the store: in the midst of a commit it
    /// would; `false` when it has ended instead.
    ///
    /// # Panics
    ///
    /// When the system does not say.
    pub fn stop_beside_store(&self, scratch: &Scratch, dir: impl AsRef<Path>) -> bool {
        while self.stop() {
            if scratch.mug(&dir, &["resume", "list"]).code() == Some(0) {
                return true;
            }
            self.signal(Signal::CONT);
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }

    /// The bytes that it has handed to the system for writing so far, whatever
    /// became of them: `wchar` of `/proc/<pid>/io`.
    ///
    /// # Panics
    ///
    /// When the kernel does not count them.
    pub fn written(&self) -> u64 {
        self.counted("wchar: ")
    }

    /// The bytes that the system has handed to it for reading so far, from memory or
    /// disk: `rchar` of `/proc/<pid>/io`. What is mapped does not count.
    ///
    /// # Panics
    ///
    /// When the kernel does not count them.
    pub fn bytes_read(&self) -> u64 {
        self.counted("rchar: ")
    }

    fn counted(&self, key: &str) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.pid())).expect("its io");
        let count = io.lines().find_map(|line| line.strip_prefix(key));
        count
            .and_then(|count| count.trim().parse().ok())
            .expect("the kernel counts reads and writes")
    }

    /// The memory that is its own, in bytes: what is resident and backed by no
    /// file; 0 when it has ended.
    pub fn anonymous(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) << 10
    }

    /// Waits for its end; gives what it has written, too.
    ///
    /// # Panics
    ///
    /// When it does not end in good time.
    #[track_caller]
    pub fn wait_counted(self) -> (Output, u64) {
        crate::wait_until("the command ends", || !self.is_running());
        // It is dead, but its counters are kept until it is waited for in earnest.
        let written = self.written();
        (self.wait(), written)
    }

    /// The files that it has open; none when it has ended.
    pub fn open_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fd", self.pid())) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .collect()
    }

    /// Whether a file of this name is among them.
    pub fn has_open(&self, name: impl AsRef<OsStr>) -> bool {
        let name = name.as_ref();
        self.open_files()
            .iter()
            .any(|path| path.file_name() == Some(name))
    }
}
