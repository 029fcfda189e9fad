//! A command that runs: to be watched, signalled and killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::Output;
use crate::scratch::line;

/// How long a test waits for something that must happen. It takes that long only
/// where the test fails, or on a machine that is busy with much else.
const PATIENCE: Duration = Duration::from_secs(300);

/// A command that was started. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts `command`, with its output in files in `dir`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(mut command: Command, dir: &Path) -> Self {
        let file = |name: &str| {
            let file = tempfile::Builder::new().prefix(name).tempfile_in(dir);
            file.and_then(|file| Ok(file.keep()?))
                .expect("a file for the output")
        };
        let ((out, stdout), (err, stderr)) = (file("stdout"), file("stderr"));
        let line = line(&command);
        let child = command.stdout(out).stderr(err).spawn();
        Self {
            child: child.unwrap_or_else(|e| panic!("`{line}` was not started: {e}")),
            command: line,
            stdout,
            stderr,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        // It is left to be waited for, with its counters.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(self.process()), options), Ok(None))
    }

    /// Sends it a signal; one that has ended gets none.
    pub fn signal(&self, signal: Signal) {
        // Not waited for since, so the id is still its own.
        if self.is_running() {
            // It may have ended just now.
            let _ = kill_process(self.process(), signal);
        }
    }

    /// Kills it with SIGKILL, and gives what it wrote.
    pub fn kill(self) -> Output {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end within five minutes.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let mut status = None;
        wait_until("the command ends", || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        self.output(status.expect("it has ended"))
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(self.pid().cast_signed()).expect("a child has an id")
    }

    fn output(&self, status: ExitStatus) -> Output {
        Output {
            command: self.command.clone(),
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for path in [&self.stdout, &self.stderr] {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn read(path: &Path) -> String {
    let bytes = File::open(path).and_then(|mut file| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
    });
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// Looks every few milliseconds whether `condition` holds: for what another
/// process does and does not announce.
///
/// # Panics
///
/// When it does not hold within five minutes.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
