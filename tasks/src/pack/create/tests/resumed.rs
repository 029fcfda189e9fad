//! Paused and resumed, with another number of threads, and with the repository repacked meanwhile.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use resume_runtime::{Scheduler, Start, Stopped};

use super::{Create, Env, Machine, check, copy_dir, create, files, input};
use crate::pack::testing::{GitRepo, git_in};

/// Every place where an operation with at least three frames can be disturbed.
const PLACES: [&str; 8] = [
    "prepare", "scan", "plan", "frame 0", "frame 1", "frame 2", "index", "publish",
];

/// What is done to the repository, given where it is, and where the operation keeps its links.
type Disturbance = fn(&Path, &Path);

/// A repository with loose and packed objects, and a pack of it that nothing disturbed.
struct Case {
    repo: GitRepo,
    /// The pack that a layer is added to.
    base: Option<PathBuf>,
    expected: std::collections::BTreeMap<PathBuf, (u64, String)>,
}

impl Case {
    async fn new() -> Self {
        let repo = GitRepo::history(6);
        repo.git(&["repack", "-q", "-a", "-d"]);
        repo.write("later", "loose");
        repo.commit("later");
        let output = repo.beside("undisturbed");
        create(input(&repo, &output, &[]), 2).await.unwrap();
        Self {
            expected: files(&output),
            base: None,
            repo,
        }
    }

    /// The same for a layer that is added to a pack.
    async fn layer() -> Self {
        let repo = GitRepo::history(6);
        let base = repo.beside("base");
        create(input(&repo, &base, &[]), 2).await.unwrap();
        repo.grow(9);
        repo.git(&["repack", "-q", "-a", "-d"]);
        repo.write("later", "loose");
        repo.commit("later");
        let output = repo.beside("undisturbed");
        copy_dir(&base, &output);
        create(input(&repo, &output, &[]), 2).await.unwrap();
        Self {
            expected: files(&output),
            base: Some(base),
            repo,
        }
    }

    /// Runs an operation that is paused at `place`, disturbs it, and resumes it elsewhere.
    async fn disturbed(&self, machine: &Machine, place: &str, disturb: Disturbance) -> PathBuf {
        let output = self.repo.beside(&format!("at {place}"));
        if let Some(base) = &self.base {
            copy_dir(base, &output);
        }
        fs::create_dir_all(&output).unwrap();
        let before = files(&output);
        let running = Arc::new(OnceLock::<(Scheduler, String)>::new());
        let reached = Arc::new(Mutex::new(false));
        let env = Env {
            threads: NonZero::new(2),
            hook: Some({
                let (running, reached, place) =
                    (running.clone(), reached.clone(), place.to_owned());
                Arc::new(move |at: &str| {
                    if at == place {
                        let (scheduler, id) = running.wait();
                        *reached.lock().unwrap() = true;
                        scheduler.pause(id);
                    }
                })
            }),
            ..Env::default()
        };
        let scheduler = machine.scheduler_with(env);
        let input = input(&self.repo, &output, &[]);
        let handle = scheduler
            .start::<Create>(input, Start::new())
            .await
            .unwrap();
        let id = handle.id().to_owned();
        running.set((scheduler.clone(), id.clone())).ok().unwrap();
        let stopped = handle.await;
        assert!(*reached.lock().unwrap(), "{place} was never reached");
        match stopped {
            Err(Stopped::Paused { .. }) => {
                let now = files(&output);
                let kept = before
                    .iter()
                    .all(|(path, file)| now.get(path) == Some(file));
                assert!(kept, "{place}: a file of the pack changed");
                assert_eq!(
                    now.contains_key(Path::new("manifest.json")),
                    self.base.is_some(),
                    "{place}: half a pack"
                );
                disturb(
                    &self.repo.path(),
                    &machine.folder.path().join(&id).join("sources.d"),
                );
                let elsewhere = machine.scheduler(1);
                elsewhere.resume::<Create>(&id).unwrap().await.unwrap();
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
    for case in [Case::new().await, Case::layer().await] {
        for place in PLACES {
            let output = case.disturbed(&Machine::new(), place, |_, _| {}).await;
            assert_eq!(files(&output), case.expected, "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repack_in_between_changes_no_byte() {
    for place in ["scan", "plan", "frame 0", "frame 2", "index"] {
        let case = Case::new().await;
        let output = case
            .disturbed(&Machine::new(), place, |repo, links| {
                assert_eq!(fs::read_dir(links).unwrap().count(), 2);
                let args = ["repack", "-q", "-a", "-d", "-f", "--depth=1"];
                assert!(git_in(repo, &args).status.success());
                assert!(git_in(repo, &["prune-packed"]).status.success());
            })
            .await;
        assert_eq!(files(&output), case.expected, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sources_that_are_replaced_without_links_are_planned_anew_for_the_same_refs() {
    for place in ["scan", "plan", "frame 1"] {
        let (case, machine) = (Case::new().await, Machine::new());
        let before = case.repo.git(&["rev-parse", "HEAD"]);
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
        check(&output, &case.repo, &[&before]);
        assert_eq!(files(&output).len(), case.expected.len());
        let leftovers = fs::read_dir(&output).unwrap().count();
        assert_eq!(leftovers, 2, "manifest and layers only");
    }
}
