//! Packing under attack: a pack is made by many processes, each of which is
//! stopped before it is done, and every stop is put on record.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{
    Ledger, Look, Running, Scratch, Shown, Signal, Step, Undisturbed, assert_same, frame_file,
    id_told, printed,
};

/// How a process is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// kill -9.
    Kill,
    /// A signal that pauses.
    Signal(Signal),
    /// `mug resume pause` in another process.
    Pause,
}

/// When a process is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// So long after its start.
    After(Duration),
    /// So long after it was first seen in this step.
    At(Step, Duration),
    /// When there are so many frames.
    Frames(usize),
}

/// A process that was stopped.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    /// The step that it was in.
    pub step: Step,
    /// Commits by then, as the record says afterwards.
    pub commits: u64,
    /// Frames committed by then, as the record says.
    pub committed: usize,
    /// Whether all was committed by then.
    pub done: bool,
    /// What the frame file says.
    pub look: Look,
    /// What the process wrote, to whatever file.
    pub written: u64,
}

/// What is done between two commits, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Frames.
    pub frames: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One pack in the making.
#[derive(Debug)]
pub struct Trial<'a> {
    scratch: &'a Scratch,
    repository: &'a Path,
    undisturbed: &'a Undisturbed,
    /// Where the pack goes.
    pub out: PathBuf,
    ledger: Ledger<'a>,
    /// The operation, once it is known.
    pub id: Option<String>,
    /// The line that continues it, as it was printed last.
    line: Option<String>,
    /// All that happened.
    pub blows: Vec<Blow>,
    /// What the processes wrote in all, to whatever file.
    pub bytes: u64,
    /// Frames that were committed, and written again all the same.
    pub repeated: usize,
}

impl<'a> Trial<'a> {
    /// A pack of `repository` in the new directory `out`.
    pub fn new(
        scratch: &'a Scratch,
        repository: &'a Path,
        undisturbed: &'a Undisturbed,
        out: &str,
    ) -> Self {
        Self {
            scratch,
            repository,
            undisturbed,
            out: scratch.join(out),
            ledger: Ledger::new(&undisturbed.frames),
            id: None,
            line: None,
            blows: Vec::new(),
            bytes: 0,
            repeated: 0,
        }
    }

    /// Goes on with the pack in a new process, and stops it; whether it was done
    /// before.
    ///
    /// # Panics
    ///
    /// When anything does not hold that always must.
    pub fn turn(&mut self, means: Means, aim: Aim, threads: usize) -> bool {
        let process = self.start(threads);
        if means != Means::Kill {
            // From then on a signal pauses; before that it ends the process.
            crate::wait_until("it says its id", || {
                id_told(&process.stderr()).is_some() || !process.is_running()
            });
        }
        if !self.wait(&process, aim) {
            self.done(process);
            return true;
        }
        // Standing still, it can be looked at.
        if !process.stop() {
            self.done(process);
            return true;
        }
        let step = Step::seen(&process, &self.out);
        match means {
            Means::Kill => {
                let written = process.written();
                let output = process.kill();
                assert_eq!(output.code(), None, "{output}");
                self.bytes += written;
                self.note(step, written)
            }
            Means::Signal(signal) => {
                process.signal(signal);
                process.signal(Signal::CONT);
                self.ended(process, step)
            }
            Means::Pause => {
                process.signal(Signal::CONT);
                self.pause(process, step)
            }
        }
    }

    /// Lets it run to its end.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn finish(&mut self, threads: usize) {
        let process = self.start(threads);
        self.done(process);
    }

    /// Takes the marks off the frames: nothing is counted from here on.
    ///
    /// # Panics
    ///
    /// When they cannot be taken off.
    pub fn unmark(&self) {
        if let Some(file) = frame_file(&self.out) {
            self.ledger.unmark(&file);
        }
    }

    /// Asserts that the pack is that of an undisturbed run, and removes it.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub fn check(&self) {
        self.unmark();
        assert_same(&self.out, &self.undisturbed.pack);
        std::fs::remove_dir_all(&self.out).expect("the pack can be removed");
    }

    /// What the pack is to be.
    pub fn undisturbed(&self) -> &'a Undisturbed {
        self.undisturbed
    }

    /// What was written, counted in the frame file.
    pub fn ledger(&self) -> &Ledger<'a> {
        &self.ledger
    }

    /// The longest interval between two commits, by the journal.
    ///
    /// # Panics
    ///
    /// When the operation is not known.
    pub fn interval(&self) -> Interval {
        let id = self.id.as_deref().expect("an operation that was stopped");
        let journal = self.scratch.operation(self.repository, id);
        let frames = &self.undisturbed.frames;
        let commits = journal.commits_in("frames").into_iter();
        let done: Vec<_> = commits.map(|raw| frames.whole_raw(raw)).collect();
        let ends = done.iter().copied().skip(1).chain([frames.len()]);
        let mut longest = Interval::default();
        for (end, start) in ends.zip(done.iter().copied()) {
            let bytes = frames
                .bytes_before(end)
                .saturating_sub(frames.bytes_before(start));
            longest.frames = longest.frames.max(end.saturating_sub(start));
            longest.bytes = longest.bytes.max(bytes);
        }
        longest
    }

    /// Forgets the operation: the next process begins anew, as if nothing had
    /// been committed.
    ///
    /// # Panics
    ///
    /// When it cannot be deleted.
    pub fn forget(&mut self) {
        if let Some(id) = self.id.take() {
            let delete = ["resume", "delete", &id];
            self.scratch.mug(self.repository, &delete).ok();
        }
        self.line = None;
        if self.out.exists() {
            std::fs::remove_dir_all(&self.out).expect("the output can be removed");
        }
    }

    /// Starts it behind all others that want the processor: what is to be seen is
    /// seen in time.
    fn start(&self, threads: usize) -> Running {
        // As a user would: what was printed, as it was printed.
        if let Some(line) = &self.line {
            let mut command = self.scratch.command("nice", self.repository);
            command.args(["-n", "19", "sh", "-c", &format!("exec {line}")]);
            return Running::start(command, &self.scratch.join("tmp"));
        }
        let out = self.out.to_str().expect("a scratch path is text");
        let threads = threads.to_string();
        let mut args = vec!["pack", "create", out, "--threads", &threads];
        if let Some(id) = &self.id {
            args.extend(["--resume", id]);
        }
        self.scratch.spawn_behind(self.repository, &args)
    }

    /// Waits until the time has come; `false` when the process ended before.
    fn wait(&self, process: &Running, aim: Aim) -> bool {
        let seen = || match aim {
            Aim::After(_) => true,
            Aim::At(step, _) => step.reached(process, &self.out),
            Aim::Frames(frames) => self.frames() >= frames,
        };
        while process.is_running() {
            if seen() {
                if let Aim::After(delay) | Aim::At(_, delay) = aim {
                    std::thread::sleep(delay);
                }
                return process.is_running();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        false
    }

    /// The frames that are whole in the file now.
    fn frames(&self) -> usize {
        let file = frame_file(&self.out).and_then(|file| file.metadata().ok());
        file.map_or(0, |meta| self.undisturbed.frames.whole(meta.len()))
    }

    fn done(&mut self, process: Running) {
        let (output, written) = process.wait_counted();
        output.ok();
        self.bytes += written;
        let file = frame_file(&self.out).expect("a pack has frames");
        let look = self.ledger.look(&file);
        self.check_kept(look);
        assert_eq!(look.whole, self.undisturbed.frames.len());
    }

    /// Waits for the end of a process that was asked to pause; whether it was
    /// done instead.
    fn ended(&mut self, process: Running, step: Step) -> bool {
        let (output, written) = process.wait_counted();
        self.bytes += written;
        if output.code() == Some(0) {
            let file = frame_file(&self.out).expect("a pack has frames");
            let look = self.ledger.look(&file);
            self.check_kept(look);
            return true;
        }
        self.line = Some(printed(&output.exits(130)));
        self.note(step, written)
    }

    fn pause(&mut self, process: Running, step: Step) -> bool {
        let id = id_told(&process.stderr()).expect("it has said its id");
        let output = self.scratch.mug(self.repository, &["resume", "pause", &id]);
        if output.code() == Some(0) {
            let record = self.scratch.operation(self.repository, &id);
            // Whoever is told that it is paused can rely on it.
            assert_ne!(record.status(), "running", "{output}");
        } else {
            let output = output.exits(1);
            assert!(output.stderr.contains("is completed"), "{output}");
        }
        self.ended(process, step)
    }

    /// Puts a stop on record; whether it came after the last commit.
    fn note(&mut self, step: Step, written: u64) -> bool {
        let record = self.record();
        let look = match frame_file(&self.out) {
            Some(file) => self.ledger.look(&file),
            None => Look::default(),
        };
        self.check_kept(look);
        let (mut step, mut commits, mut committed, mut done) = (step, 0, 0, false);
        if let Some(record) = &record {
            done = record.status() == "completed";
            assert!(done || record.status() == "paused", "its process is gone");
            commits = record.commits();
            // A step that a process has yet to take up again is the one it is in.
            step = step.max(Step::named(record.step()));
            committed = match Step::named(record.step()) {
                Step::Frames => self.undisturbed.frames.whole_raw(record.bytes()),
                Step::Index | Step::Publish => self.undisturbed.frames.len(),
                _ => 0,
            };
        }
        self.blows.push(Blow {
            step,
            commits,
            committed,
            done,
            look,
            written,
        });
        done
    }

    /// Counts what was committed when the last process ended, and is not as that
    /// process left it.
    fn check_kept(&mut self, look: Look) {
        let committed = self.blows.last().map_or(0, |blow| blow.committed);
        self.repeated += committed.saturating_sub(look.kept);
    }

    /// The record of the operation, once there is one.
    fn record(&mut self) -> Option<Shown> {
        let records = self.scratch.operations(self.repository, &[]);
        let out = self.out.to_str();
        let ours = |record: &Shown| {
            let output = record.0.pointer("/state/metadata/output");
            output.and_then(serde_json::Value::as_str) == out && record.status() != "failed"
        };
        let record = records.into_iter().find(ours)?;
        self.id = Some(record.id().to_owned());
        Some(record)
    }
}
