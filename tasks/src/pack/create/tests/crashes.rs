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

use super::{Create, Env, input};
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
    let frames = Arc::new(AtomicU64::new(0));
    let counter = frames.clone();
    let case = Case::<Create>::with_env(
        |scratch| input(&repository(scratch), &scratch.join("out"), &["main"]),
        move |_, _| {
            let frames = counter.clone();
            Ok(Env {
                threads: NonZero::new(2),
                small: true,
                hook: Some(Arc::new(move |place: &str| {
                    if place.starts_with("made") {
                        frames.fetch_add(1, Ordering::Relaxed);
                    }
                })),
            })
        },
    )
    .work(frames)
    .points(8)
    .states_may_differ();
    let report = case.check().await;
    assert!(report.commits > 20, "{report}");
}
