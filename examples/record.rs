//! Counts lines, words and bytes of a text of any size, as `wc` does. It has no
//! steps and no scheduler: it drives itself, and only keeps a record of how far
//! it is.
//!
//! ```text
//! cargo run -p examples --example record -- /var/log/huge.log
//! ```
//!
//! Stop it with Ctrl-C or `kill -9`, and run the same command again: it goes on
//! where it was. Nothing that was counted is counted again, but for the last
//! quarter of a second before a `kill -9`.
//!
//! What to look at: `create`, then `update_checkpoint`, `update_progress` and
//! `pause_requested` now and then, then `complete` or `fail`. That is all that a
//! command needs which keeps its own loop.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser as _;
use examples::command::{self, Error};
use resume_runtime::{Database, Operation, OperationManager, OperationStatus, OperationType};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often the record is brought up to date.
const EVERY: Duration = Duration::from_millis(250);
/// Marks the records of this command among those of the type `custom`.
const KIND: &str = "count";

/// All that is needed to go on: the record's checkpoint, as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counts {
    bytes: u64,
    lines: u64,
    words: u64,
    in_word: bool,
}

impl Counts {
    fn add(&mut self, block: &[u8]) {
        self.bytes += block.len() as u64;
        for byte in block {
            let space = byte.is_ascii_whitespace() || *byte == b'\x0b';
            self.lines += u64::from(*byte == b'\n');
            self.words += u64::from(!space && !self.in_word);
            self.in_word = !space;
        }
    }
}

/// How a run ended.
#[derive(Debug, PartialEq)]
enum Ended {
    Done(Counts),
    Paused(String),
}

/// The count of one file.
struct Count<'a> {
    manager: &'a OperationManager,
    path: &'a Path,
    file: File,
    len: u64,
}

impl<'a> Count<'a> {
    fn new(manager: &'a OperationManager, path: &'a Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self {
            manager,
            path,
            file,
            len,
        })
    }

    /// Counts on from the last checkpoint of the same file, or from the start.
    fn run(mut self, stop: &AtomicBool) -> Result<Ended, Error> {
        let (id, counts) = self.begin()?;
        command::say(&format!("operation {id}, from byte {}", counts.bytes));
        match self.count(&id, counts, stop) {
            Ok(ended) => Ok(ended),
            Err(error) => {
                self.manager.fail(&id, &error.to_string())?;
                Err(error)
            }
        }
    }

    /// Takes up the operation that was left, or makes one.
    fn begin(&self) -> Result<(String, Counts), Error> {
        let about = self.about()?;
        let same = |op: &Operation| {
            about
                .iter()
                .all(|(k, v)| op.state.metadata.get(k) == Some(v))
        };
        for status in [OperationStatus::Paused, OperationStatus::Failed] {
            if let Some(op) = self.manager.list(Some(status))?.into_iter().find(same) {
                let counts = serde_json::from_str(&op.state.checkpoint)?;
                self.manager
                    .update_status(&op.id, OperationStatus::Running)?;
                return Ok((op.id, counts));
            }
        }
        let counts = Counts::default();
        let checkpoint = serde_json::to_string(&counts)?;
        let op = self
            .manager
            .create(OperationType::Custom, checkpoint, about)?;
        Ok((op.id, counts))
    }

    /// What tells this count from others: a file that has changed is another.
    fn about(&self) -> Result<HashMap<String, String>, Error> {
        let meta = self.file.metadata()?;
        let version = format!("{} {}.{:09}", meta.ino(), meta.mtime(), meta.mtime_nsec());
        Ok(HashMap::from([
            ("command".to_owned(), KIND.to_owned()),
            ("file".to_owned(), self.path.to_string_lossy().into_owned()),
            ("version".to_owned(), format!("{version} {}", meta.len())),
        ]))
    }

    fn count(&mut self, id: &str, mut counts: Counts, stop: &AtomicBool) -> Result<Ended, Error> {
        self.file.seek(SeekFrom::Start(counts.bytes))?;
        let mut block = vec![0; 1 << 20];
        let mut saved: Option<Instant> = None;
        loop {
            let n = self.file.read(&mut block)?;
            counts.add(&block[..n]);
            if n == 0 {
                self.save(id, counts)?;
                self.manager.complete(id)?;
                return Ok(Ended::Done(counts));
            }
            if stop.load(Ordering::Relaxed) {
                self.save(id, counts)?;
                self.manager.update_status(id, OperationStatus::Paused)?;
                return Ok(Ended::Paused(id.to_owned()));
            }
            if saved.is_none_or(|at| at.elapsed() >= EVERY) {
                self.save(id, counts)?;
                // Asked for by another process.
                stop.fetch_or(self.manager.pause_requested(id)?, Ordering::Relaxed);
                saved = Some(Instant::now());
            }
        }
    }

    fn save(&self, id: &str, counts: Counts) -> Result<(), Error> {
        let checkpoint = serde_json::to_string(&counts)?;
        let step = "count".to_owned();
        self.manager
            .update_checkpoint(id, checkpoint, step, Some(1))?;
        self.manager
            .update_progress(id, counts.lines, None, counts.bytes, Some(self.len))?;
        Ok(())
    }
}

/// Counts lines, words and bytes of a file
#[derive(clap::Parser)]
struct Args {
    /// The file
    file: PathBuf,
    /// Where operations are kept
    #[arg(long, value_name = "DIR", default_value_os_t = command::state_dir())]
    state: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(Ended::Done(_)) => ExitCode::SUCCESS,
        Ok(Ended::Paused(id)) => {
            command::say(&format!("{id} is paused: run the same command to continue"));
            ExitCode::from(130)
        }
        Err(error) => {
            command::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<Ended, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let manager = OperationManager::new(Database::open(&args.state)?);
    let path = args.file.canonicalize()?;
    let ended = Count::new(&manager, &path)?.run(&stop)?;
    if let Ended::Done(counts) = &ended {
        let Counts {
            lines,
            words,
            bytes,
            ..
        } = counts;
        writeln!(io::stdout(), "{lines} {words} {bytes}")?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dir: &Path) -> PathBuf {
        let path = dir.join("text");
        std::fs::write(&path, "a line\tof many \n".repeat(600_000)).unwrap();
        path
    }

    #[test]
    fn a_count_in_pieces_is_the_count_of_wc() {
        let dir = tempfile::tempdir().unwrap();
        let path = text(dir.path());
        let manager = OperationManager::new(Database::in_memory().unwrap());
        let len = path.metadata().unwrap().len();
        let mut runs = 0;
        let counts = loop {
            runs += 1;
            // Every run stops after its first block.
            let stop = AtomicBool::new(true);
            match Count::new(&manager, &path).unwrap().run(&stop).unwrap() {
                Ended::Done(counts) => break counts,
                Ended::Paused(id) => {
                    let op = manager.get(&id).unwrap().unwrap();
                    assert_eq!(op.status, OperationStatus::Paused);
                    assert_eq!(op.progress.bytes_processed, len.min(runs << 20));
                }
            }
        };
        assert!(runs > 5, "{runs}");
        let wc = std::process::Command::new("wc")
            .env("LC_ALL", "C")
            .arg(&path)
            .output()
            .unwrap();
        let expected = format!("{} {} {}", counts.lines, counts.words, counts.bytes);
        let wc = String::from_utf8(wc.stdout).unwrap();
        assert_eq!(
            wc.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            expected
        );
        let ops = manager.list(None).unwrap();
        assert_eq!(ops.len(), 1);
        assert_eq!(ops[0].status, OperationStatus::Completed);
    }

    #[test]
    fn a_changed_file_is_counted_from_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = text(dir.path());
        let manager = OperationManager::new(Database::in_memory().unwrap());
        let run = |stop| {
            Count::new(&manager, &path)
                .unwrap()
                .run(&AtomicBool::new(stop))
        };
        assert!(matches!(run(true).unwrap(), Ended::Paused(_)));
        std::fs::write(&path, "two words\n").unwrap();
        let Ended::Done(counts) = run(false).unwrap() else {
            panic!("nobody paused it");
        };
        assert_eq!((counts.lines, counts.words, counts.bytes), (1, 2, 10));
    }

    #[test]
    fn a_request_from_elsewhere_pauses_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = text(dir.path());
        let manager = OperationManager::new(Database::in_memory().unwrap());
        let mut count = Count::new(&manager, &path).unwrap();
        let (id, counts) = count.begin().unwrap();
        manager.request_pause(&id).unwrap();
        let ended = count.count(&id, counts, &AtomicBool::new(false)).unwrap();
        assert_eq!(ended, Ended::Paused(id.clone()));
        let op = manager.get(&id).unwrap().unwrap();
        assert_eq!(op.status, OperationStatus::Paused);
        assert!(op.progress.bytes_processed < path.metadata().unwrap().len());
        // It is settled: the next run is not paused by it.
        assert!(!manager.pause_requested(&id).unwrap());
    }
}
