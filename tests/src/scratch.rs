//! A directory of a test's own, and commands with an environment of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Output, Running, binary};

/// A directory that is removed at the end. Commands that are run in it see no
/// configuration of the machine's user, and always the same author and time.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// A new, empty one.
    ///
    /// # Panics
    ///
    /// When the directory cannot be made.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// A new one in memory, if there is room for so many bytes: where commits
    /// cost little they come often, and a test sees many. An ordinary one
    /// otherwise, which is slower and as good.
    ///
    /// # Panics
    ///
    /// When the directory cannot be made.
    pub fn fast(bytes: u64) -> Self {
        match crate::memory(bytes) {
            Some(memory) => Self::within(memory),
            None => Self::new(),
        }
    }

    /// A new one in the directory `parent`.
    ///
    /// # Panics
    ///
    /// When the directory cannot be made.
    pub fn within(parent: &Path) -> Self {
        let dir = tempfile::tempdir_in(parent).expect("a temporary directory");
        for name in ["home", "state", "tmp"] {
            std::fs::create_dir(dir.path().join(name)).expect("a directory in it");
        }
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `program`, to be run in the directory `dir` (below this one, or absolute).
    pub fn command(&self, program: impl AsRef<OsStr>, dir: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(self.join(dir))
            .stdin(Stdio::null());
        // What finds programs and libraries; coverage and sanitizers.
        for name in [
            "PATH",
            "LD_LIBRARY_PATH",
            "LLVM_PROFILE_FILE",
            "RUST_BACKTRACE",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.join("home"))
            .env("XDG_STATE_HOME", self.join("state"))
            .env("XDG_CONFIG_HOME", self.join("home/.config"))
            .env("TMPDIR", self.join("tmp"))
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", self.path())
            .env("GIT_TERMINAL_PROMPT", "0");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "A U Thor")
                .env(format!("GIT_{who}_EMAIL"), "author@example.com")
                .env(format!("GIT_{who}_DATE"), "1700000000 +0000");
        }
        command
    }

    /// The environment of its commands, for processes that are not its own.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        let command = self.command("git", ".");
        let set = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        set.collect()
    }

    /// `mug` with `args`, to be run in `dir`.
    pub fn mug_command<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: &[S]) -> Command {
        let mut command = self.command(binary(), dir);
        command.args(args);
        command
    }

    /// Runs `mug` in `dir` to its end.
    pub fn mug<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: &[S]) -> Output {
        run(self.mug_command(dir, args))
    }

    /// Starts `mug` in `dir`.
    pub fn spawn<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: &[S]) -> Running {
        Running::start(self.mug_command(dir, args), &self.join("tmp"))
    }

    /// Starts `mug` in `dir`, behind all others that want the processor: so that a
    /// test that waits for something sees it in time, on a busy machine, too.
    pub fn spawn_behind<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: &[S]) -> Running {
        let mut command = self.command("nice", dir);
        command.args(["-n", "19"]).arg(binary()).args(args);
        Running::start(command, &self.join("tmp"))
    }

    /// Runs git in `dir` and gives its stdout without the last line feed.
    ///
    /// # Panics
    ///
    /// When git fails.
    #[track_caller]
    pub fn git<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: &[S]) -> String {
        let mut command = self.command("git", dir);
        command.args(args);
        run(command).ok().stdout.trim_end_matches('\n').to_owned()
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Output {
    let line = line(&command);
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => panic!("`{line}` was not run: {e}"),
    };
    Output {
        command: line,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The command line, for messages.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
