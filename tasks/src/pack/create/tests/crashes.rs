//! Crashes at every commit, sync and write; power cuts; full disks.

use std::{
    num::NonZero,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use resume_runtime::testing::Case;

use super::{Create, Env, Input, create, input};
use crate::pack::testing::{GitRepo, lines};

/// Loose and packed objects, some of them unreachable, one larger than a frame.
fn repository(root: &Path) -> GitRepo {
    let repo = GitRepo::below(root);
    repo.grow(4);
    repo.git(&["checkout", "-q", "-b", "lost"]);
    repo.write("lost", "unreachable");
    repo.commit("lost");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("large", lines("large", 3, 200));
    repo.commit("loose");
    repo
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_interrupts_it_it_ends_in_the_same_files_and_makes_no_committed_frame_again() {
    let case = case(false, |scratch| {
        input(&repository(scratch), &scratch.join("out"), &["main"])
    });
    let report = case.check().await;
    assert!(report.commits > 20, "{report}");
}

/// The same repository, and a pack of what it was before.
fn pack_and_repository(scratch: &Path) -> Input {
    let repo = GitRepo::below(scratch);
    repo.grow(3);
    let output = scratch.join("out");
    let first = input(&repo, &output, &["main"]);
    // The harness calls this outside of any runtime's reach: the first layer needs one of its own.
    let made = std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(create(first, 1))
    });
    made.join().unwrap().unwrap();
    repo.grow(6);
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("large", lines("large", 3, 200));
    repo.commit("loose");
    input(&repo, &output, &["main"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_whose_making_is_interrupted_ends_in_the_same_files() {
    for scan_all in [false, true] {
        let report = case(scan_all, pack_and_repository).check().await;
        assert!(report.commits > 10, "{report}");
    }
}

fn case(scan_all: bool, prepare: impl Fn(&Path) -> Input + Send + Sync + 'static) -> Case<Create> {
    let frames = Arc::new(AtomicU64::new(0));
    let counter = frames.clone();
    let case = Case::<Create>::with_env(prepare, move |_, _| {
        let frames = counter.clone();
        Ok(Env {
            threads: NonZero::new(2),
            small: true,
            scan_all,
            hook: Some(Arc::new(move |place: &str| {
                if place.starts_with("made") {
                    frames.fetch_add(1, Ordering::Relaxed);
                }
            })),
        })
    });
    case.work(frames).points(8).states_may_differ()
}
