//! A clone or fetch that is brought to its end by as many processes as it takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Shim;
use crate::{Output, Running, Scratch, Shown, id_told, printed};

/// How many processes in a row may end without being done, where nobody stops them.
const RUNS: usize = 8;

/// One operation.
#[derive(Debug)]
pub struct Cloning<'a> {
    scratch: &'a Scratch,
    /// Where the commands run.
    dir: PathBuf,
    args: Vec<String>,
    shim: Option<&'a Shim>,
    /// Where git finds its configuration, in place of none.
    global: Option<PathBuf>,
    /// The operation, once it is known.
    pub id: Option<String>,
    /// The line that continues it, as it was printed last.
    line: Option<String>,
    /// All that its processes said.
    pub said: String,
}

impl<'a> Cloning<'a> {
    /// `mug clone` of `url` to `target` in the scratch directory.
    pub fn new(scratch: &'a Scratch, url: &str, target: &str, options: &[&str]) -> Self {
        let args = [&["clone"], options, &[url, target]].concat();
        Self::command(scratch, scratch.path(), &args)
    }

    /// `mug` with these arguments in `dir`.
    pub fn command(scratch: &'a Scratch, dir: &Path, args: &[&str]) -> Self {
        Self {
            scratch,
            dir: dir.to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            shim: None,
            global: None,
            id: None,
            line: None,
            said: String::new(),
        }
    }

    /// Has it use this instead of ssh.
    pub fn shim(mut self, shim: &'a Shim) -> Self {
        self.shim = Some(shim);
        self
    }

    /// Has it, and git, read this configuration.
    pub fn global(mut self, path: PathBuf) -> Self {
        self.global = Some(path);
        self
    }

    /// Starts a process: the command as it was given, or the one that goes on with
    /// it, as it was printed or by its id.
    pub fn start(&self) -> Running {
        let command = if let Some(line) = &self.line {
            // As a user would.
            let mut command = self.scratch.command("sh", &self.dir);
            command.args(["-c", &format!("exec {line}")]);
            command
        } else {
            let mut args = self.args.clone();
            if let Some(id) = &self.id {
                args.extend(["--resume".to_owned(), id.clone()]);
            }
            self.scratch.mug_command(&self.dir, &args)
        };
        Running::start(self.with_environment(command), &self.scratch.join("tmp"))
    }

    /// Runs one process to its end, and notes what it said.
    #[track_caller]
    pub fn run(&mut self) -> Output {
        let output = self.start().wait();
        self.note(&output);
        output
    }

    /// Runs as many as it takes; each that gives up says how to go on.
    ///
    /// # Panics
    ///
    /// When one fails, or none is done.
    #[track_caller]
    pub fn finish(&mut self) -> Output {
        for _ in 0..RUNS {
            let output = self.run();
            if output.code() == Some(0) {
                return output;
            }
            self.line = Some(printed(&output.exits(5)));
        }
        panic!("it is not done after {RUNS} processes:\n{}", self.said);
    }

    /// Notes what a process has said that came to an end.
    pub fn note(&mut self, output: &Output) {
        self.said.push_str(&output.to_string());
        self.said.push('\n');
        if self.id.is_none() {
            self.id = id_told(&output.stderr);
        }
    }

    /// Has the next process start with the line that this one printed.
    #[track_caller]
    pub fn goes_on(&mut self, output: &Output) {
        self.note(output);
        self.line = Some(printed(output));
    }

    /// Its record, as it is seen from where it was started.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn record(&self) -> Shown {
        let id = self.id.as_deref().expect("it has said its id");
        self.scratch.operation(&self.dir, id)
    }

    fn with_environment(&self, mut command: Command) -> Command {
        if let Some(shim) = self.shim {
            shim.apply(&mut command);
        }
        if let Some(global) = &self.global {
            command.env("GIT_CONFIG_GLOBAL", global);
        }
        command
    }
}
