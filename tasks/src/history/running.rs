//! Programs of the user's (hooks, commands between picks), run to their end, with what they print kept.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gix::bstr::ByteSlice as _;
use rustix::process::{Pid, Signal, kill_process_group};

/// So much of what a program prints is kept: the end of it.
const KEPT: u64 = 16 << 10;
/// Between two looks whether it has ended, or is to be ended.
const LOOK: Duration = Duration::from_millis(5);
/// So long a program may take to end by itself when it is told to.
const GRACE: Duration = Duration::from_millis(100);

/// A program that is to be run.
pub(super) struct Running<'a> {
    pub(super) command: Command,
    /// What it reads.
    pub(super) stdin: Option<&'a [u8]>,
    /// A directory for what it reads and prints.
    pub(super) own: &'a Path,
    /// It is ended when this is set, with all that it has started.
    pub(super) interrupt: &'a AtomicBool,
}

/// What came of it.
pub(super) struct Ran {
    /// How it ended; none if it was ended.
    pub(super) status: Option<ExitStatus>,
    /// The end of what it printed, without control characters.
    pub(super) output: String,
}

impl Running<'_> {
    /// Runs it.
    pub(super) fn run(mut self) -> io::Result<Ran> {
        let mut output = scratch(self.own)?;
        self.command
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            // A signal of the terminal's is for the operation, which ends the program then.
            .process_group(0);
        match self.stdin {
            Some(bytes) => {
                let mut input = scratch(self.own)?;
                io::Write::write_all(&mut input, bytes)?;
                input.rewind()?;
                self.command.stdin(input);
            }
            None => drop(self.command.stdin(Stdio::null())),
        }
        let mut child = self.command.spawn()?;
        let status = wait(&mut child, self.interrupt)?;
        let length = output.metadata()?.len();
        output.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        let mut printed = Vec::new();
        output.take(KEPT).read_to_end(&mut printed)?;
        Ok(Ran {
            status,
            output: plain(&printed),
        })
    }
}

/// A file without a name.
fn scratch(own: &Path) -> io::Result<File> {
    fs::create_dir_all(own)?;
    let path = own.join("printed");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Waits for the end; `None` if it was ended.
fn wait(child: &mut Child, interrupt: &AtomicBool) -> io::Result<Option<ExitStatus>> {
    let mut told: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(told.is_none().then_some(status));
        }
        let end = |signal| {
            // It may have ended by itself meanwhile.
            let group = Pid::from_raw(child.id().cast_signed());
            let _ = group.map(|group| kill_process_group(group, signal));
        };
        match told {
            // Git, for one, takes its locks with it.
            None if interrupt.load(Ordering::Relaxed) => {
                end(Signal::TERM);
                told = Some(Instant::now());
            }
            Some(at) if at.elapsed() >= GRACE => end(Signal::KILL),
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

/// Without control characters, lines aside.
fn plain(printed: &[u8]) -> String {
    let text = printed.to_str_lossy();
    text.chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}
