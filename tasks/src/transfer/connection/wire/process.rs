//! A conversation with a program of this machine: a server for its own repositories, or ssh.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gix::bstr::BString;

use super::super::message::{Lines, Sink, cleaned};
use super::super::{Address, ConnectionError, Service, Settings};
use super::ended::meaning;
use super::stream::Stream;
use super::watch::Watch;

/// So much of what a program says at its end is kept.
const LAST_WORDS: usize = 4 << 10;
/// So long its last words are waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// So long it may take to end by itself: an ssh may serve others, too.
const PARTING: Duration = Duration::from_millis(300);

/// What says which repository git works on; a server finds its own.
const OF_A_REPOSITORY: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A program that runs. Dropped, it is ended.
pub(in super::super) struct Process {
    child: Child,
    address: String,
    words: Arc<Mutex<Vec<u8>>>,
    /// What it says is passed on.
    heeded: Arc<AtomicBool>,
    /// Says when there are no more of them.
    silent: Receiver<()>,
}

/// Talks to the repository at `path`.
pub(super) fn local(
    address: &Address,
    path: &Path,
    service: Service,
    settings: &Settings,
    watch: Watch,
) -> Result<Stream, ConnectionError> {
    if path.as_os_str().as_bytes().first() == Some(&b'-') {
        return Err(ConnectionError::Address {
            given: address.shown().to_owned(),
            reason: "the path begins with a dash; put ./ before it".into(),
        });
    }
    let mut command = if let Some(program) = settings.of_remote(service.program_key()) {
        by_shell(&program)
    } else {
        let mut git = Command::new("git");
        git.arg(service.subcommand());
        git
    };
    command.arg(path);
    // What Ctrl-C says to us is not for it: it ends when its pipes close.
    command.process_group(0);
    start(command, address, service, settings, watch)
}

/// A command line of the user's, for which further arguments are to come.
pub(super) fn by_shell(text: &BString) -> Command {
    let mut command = Command::new("sh");
    let mut script = text.to_vec();
    script.extend_from_slice(b" \"$@\"");
    command.arg("-c").arg(OsStr::from_bytes(&script));
    command.arg(OsStr::from_bytes(text));
    command
}

/// Starts it, and talks to it.
pub(super) fn start(
    mut command: Command,
    address: &Address,
    service: Service,
    settings: &Settings,
    watch: Watch,
) -> Result<Stream, ConnectionError> {
    for name in OF_A_REPOSITORY {
        command.env_remove(name);
    }
    let version = service.version(settings);
    if version > 0 {
        command.env("GIT_PROTOCOL", format!("version={version}"));
    } else {
        command.env_remove("GIT_PROTOCOL");
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String| ConnectionError::Refused {
        said: format!("'{program}' could not be started: {reason}"),
    };
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(failed("it has no pipes".into()));
    };
    let words = Arc::new(Mutex::new(Vec::new()));
    let (tell, silent) = channel();
    let heeded = Arc::new(AtomicBool::new(true));
    let (kept, heed) = (Arc::clone(&words), Arc::clone(&heeded));
    let said = Arc::clone(settings.sink());
    let sink: Sink = Arc::new(move |message| {
        if heed.load(Ordering::Relaxed) {
            said(message);
        }
    });
    let listen = move || {
        listen(stderr, &kept, &sink);
        // Nobody may ask any more.
        let _ = tell.send(());
    };
    let listener = std::thread::Builder::new().name("stderr of a server".into());
    listener
        .spawn(listen)
        .map_err(|error| failed(error.to_string()))?;
    let process = Process {
        child,
        address: address.shown().to_owned(),
        words,
        heeded,
        silent,
    };
    Stream::new(
        OwnedFd::from(stdout),
        OwnedFd::from(stdin),
        Some(process),
        watch,
    )
}

/// Passes on what a program says beside its answers, and keeps the last of it.
fn listen(mut stderr: impl Read, kept: &Mutex<Vec<u8>>, sink: &Sink) {
    let mut lines = Lines::default();
    let mut block = [0; 1 << 10];
    while let Ok(read @ 1..) = stderr.read(&mut block) {
        lines.take(&block[..read], sink);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        // It never fails.
        let _ = kept.write_all(&block[..read]);
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    lines.finish(sink);
}

impl Process {
    /// Waits until it has ended, as long as there is patience.
    pub(super) fn finish(&mut self, watch: &Watch) {
        let since = Instant::now();
        while watch.check(since).is_ok() && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Why it ended.
    pub(super) fn ended(&mut self, where_: &str, heard: bool) -> ConnectionError {
        // What it says comes before its end, and by another way.
        let _ = self.silent.recv_timeout(FAREWELL);
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let said = last_line(&words);
        if heard {
            return match said {
                Some(said) => ConnectionError::Lost {
                    reason: format!("it ended {where_}: {said}"),
                },
                None => ConnectionError::cut(where_),
            };
        }
        let all = cleaned(&words);
        if let Some(error) = meaning(&self.address, &all) {
            return error;
        }
        match said {
            Some(said) => ConnectionError::Refused { said },
            None => ConnectionError::cut(where_),
        }
    }
}

/// The last line that has something in it.
fn last_line(words: &[u8]) -> Option<String> {
    let lines = words.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
    lines.map(cleaned).find(|line| !line.is_empty())
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its pipes are closed, which it may complain of.
        self.heeded.store(false, Ordering::Relaxed);
        let since = Instant::now();
        while since.elapsed() < PARTING && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        // One that does not look at them is not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
