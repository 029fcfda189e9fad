//! Paused and resumed, with another number of threads, and with the repository repacked meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use resume_runtime::{Scheduler, Start, Stopped};

use super::{Bundle, Env, Machine, bundle_with, cloned, input, mixed, objects, small};
use crate::pack::testing::{GitRepo, git_in};

/// Every place where an operation with at least three chunks can be disturbed.
const PLACES: [&str; 7] = [
    "prepare", "scan", "plan", "chunk 0", "chunk 1", "chunk 7", "publish",
];

/// What is done to the repository, given where it is, and where the operation keeps its links.
type Disturbance = fn(&Path, &Path);

struct Case {
    _root: tempfile::TempDir,
    repo: GitRepo,
    expected: Vec<u8>,
}

impl Case {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let repo = mixed(root.path());
        let output = repo.beside("undisturbed");
        bundle_with(input(&repo, &output, &[]), small(2))
            .await
            .unwrap();
        Self {
            expected: fs::read(&output).unwrap(),
            _root: root,
            repo,
        }
    }

    /// Runs an operation that is paused at `place`, disturbs it, and resumes it elsewhere.
    async fn disturbed(&self, machine: &Machine, place: &str, disturb: Disturbance) -> PathBuf {
        let output = self.repo.beside(&format!("at {place}"));
        let running = Arc::new(OnceLock::<(Scheduler, String)>::new());
        let reached = Arc::new(Mutex::new(false));
        let env = Env {
            hook: Some({
                let (running, reached) = (running.clone(), reached.clone());
                let place = place.to_owned();
                Arc::new(move |at: &str| {
                    if at == place {
                        let (scheduler, id) = running.wait();
                        *reached.lock().unwrap() = true;
                        scheduler.pause(id);
                    }
                })
            }),
            ..small(2)
        };
        let scheduler = machine.scheduler(env);
        let input = input(&self.repo, &output, &[]);
        let handle = scheduler
            .start::<Bundle>(input, Start::new())
            .await
            .unwrap();
        let id = handle.id().to_owned();
        running.set((scheduler.clone(), id.clone())).ok().unwrap();
        let stopped = handle.await;
        assert!(*reached.lock().unwrap(), "{place} was never reached");
        match stopped {
            Err(Stopped::Paused { .. }) => {
                assert!(!output.exists(), "{place}: half a bundle");
                let links = machine.folder.path().join(&id).join("sources.d");
                disturb(&self.repo.path(), &links);
                let elsewhere = machine.scheduler(small(1));
                elsewhere.resume::<Bundle>(&id).unwrap().await.unwrap();
            }
            // The last step is not divisible: it may end before it looks at the flag.
            Ok(_) => assert_eq!(place, "publish"),
            Err(other) => panic!("{place}: {other:?}"),
        }
        output
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paused_anywhere_and_resumed_with_other_threads_it_ends_in_the_same_bytes() {
    let case = Case::new().await;
    for place in PLACES {
        let output = case.disturbed(&Machine::new(), place, |_, _| {}).await;
        assert!(fs::read(&output).unwrap() == case.expected, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repack_in_between_changes_no_byte() {
    for place in ["scan", "plan", "chunk 0", "chunk 7"] {
        let case = Case::new().await;
        let output = case
            .disturbed(&Machine::new(), place, |repo, links| {
                assert_eq!(fs::read_dir(links).unwrap().count(), 4);
                let args = ["repack", "-q", "-a", "-d", "-f", "--depth=1"];
                assert!(git_in(repo, &args).status.success());
                assert!(git_in(repo, &["prune-packed"]).status.success());
            })
            .await;
        assert!(fs::read(&output).unwrap() == case.expected, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sources_that_are_replaced_without_links_are_planned_anew_for_the_same_refs() {
    for place in ["scan", "plan", "chunk 3"] {
        let (case, machine) = (Case::new().await, Machine::new());
        let before = case.repo.reachable(&["--all"]);
        let output = case
            .disturbed(&machine, place, |repo, links| {
                fs::remove_dir_all(links).unwrap();
                fs::write(repo.join("readme"), "moved on").unwrap();
                for args in [
                    &["commit", "-q", "-a", "-m", "moved on"][..],
                    &["repack", "-q", "-a", "-d", "-f", "--depth=1"],
                    &["prune-packed"],
                ] {
                    assert!(git_in(repo, args).status.success());
                }
            })
            .await;
        let clone = cloned(&case.repo, &output, "clone.git");
        assert_eq!(objects(&clone), before, "{place}");
        let work = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
        let left = fs::read_dir(case.repo.beside("")).unwrap();
        assert!(!left.map(Result::unwrap).any(|entry| work(&entry)));
    }
}
