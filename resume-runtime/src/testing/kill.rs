//! Over the store on disk, in real processes that are killed at commits.
//!
//! The test binary runs itself again for one test; the child finds its task in
//! its environment, drives the same case over a store on disk, says when it
//! stands before or after the commit that it is to die at, and waits there to be
//! killed.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::case::Case;
use super::check::Check;
use super::child::{self, MARK, Said, TASK, Task};
use super::disk::Cut;
use super::finding::{Finding, Point};
use super::strikes::Pacing;
use super::trial::Broken;
use crate::faults::Moment;
use crate::resumable::Resumable;

pub(super) async fn kill_at_commits<M: Resumable>(case: &Case<M>) -> Result<u64, Finding> {
    if let Some(task) = child::task(M::KIND) {
        child::run(case, task).await;
    }
    if child::is_child() {
        // The task is another case's of the same test.
        return Ok(0);
    }
    let test = test_name(case)?;
    let (mut check, known) = Check::begin(case).await?;
    let stride = match known.pacing {
        Pacing::Every(stride) => stride,
        Pacing::Rarely | Pacing::Sometimes { .. } => 1,
    };
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        let dir = tempfile::tempdir().map_err(harness)?;
        check.bench.reset().map_err(harness)?;
        let mut last = Point::Commit(0, moment);
        let mut halts: Vec<_> = check
            .sample(known.counts.commits)
            .map(|number| Some((number, moment)))
            .collect();
        halts.push(None);
        for halt in halts {
            let task = Task {
                kind: M::KIND.to_owned(),
                input: check.bench.input.clone(),
                scratch: check.bench.place.scratch.clone(),
                store: dir.path().join("store"),
                stride,
                halt,
            };
            let path = dir.path().join("task");
            child::write(&task, &path).map_err(harness)?;
            match start(test.clone(), path).await.map_err(harness)? {
                Some(Said::Halted) => {
                    kills += 1;
                    if let Some((number, moment)) = halt {
                        last = Point::Commit(number, moment);
                    }
                }
                Some(Said::Done(output)) => {
                    let outcome = check.bench.observe(output).map_err(|broken| match broken {
                        Broken::Harness(error) | Broken::Failed(error) => harness(error),
                        Broken::ForEver => harness("it never ends"),
                    })?;
                    if let Some(difference) = outcome.difference(&known.base.outcome) {
                        return Err(Finding::DiffersAfterCrash {
                            point: last,
                            cut: Cut::Kept,
                            difference,
                        });
                    }
                    break;
                }
                Some(Said::Stopped(error)) => {
                    return Err(Finding::FailsAfterCrash {
                        point: last,
                        cut: Cut::Kept,
                        error,
                    });
                }
                None => {
                    return Err(harness(format!(
                        "the child for the test `{test}` ended without a word; \
                         is that the test's name? (`Case::test_name` sets it)"
                    )));
                }
            }
        }
    }
    Ok(kills)
}

#[expect(clippy::needless_pass_by_value, reason = "it goes into `map_err`")]
fn harness(error: impl ToString) -> Finding {
    Finding::Harness {
        error: error.to_string(),
    }
}

/// Runs a child until it has said something, then kills it.
async fn start(test: String, task: PathBuf) -> io::Result<Option<Said>> {
    tokio::task::spawn_blocking(move || start_blocking(&test, &task))
        .await
        .map_err(io::Error::other)?
}

fn start_blocking(test: &str, task: &Path) -> io::Result<Option<Said>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(TASK, task)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            if let Some(text) = line.strip_prefix(MARK.as_bytes()) {
                said = serde_json::from_slice(text).ok();
                break;
            }
        }
    }
    // SIGKILL; it may have ended by itself.
    let _ = child.kill();
    child.wait()?;
    Ok(said)
}

/// The name of the test that runs, as the test binary takes it.
fn test_name<M: Resumable>(case: &Case<M>) -> Result<String, Finding> {
    if let Some(name) = &case.test_name {
        return Ok(name.clone());
    }
    match std::thread::current().name() {
        Some(name) if name != "main" && !name.starts_with("tokio-") => Ok(name.to_owned()),
        // A single test may run on the main thread; then it was asked for.
        _ => only_argument().ok_or_else(|| {
            harness("the name of the test is not known: set it with `Case::test_name`")
        }),
    }
}

/// The one test that the command line names exactly.
fn only_argument() -> Option<String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--exact") {
        return None;
    }
    let mut names = args.iter().filter(|arg| !arg.starts_with('-'));
    names.next().filter(|_| names.next().is_none()).cloned()
}
