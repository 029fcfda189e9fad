//! Crashes at every commit, sync and write; power cuts; full disks.

use std::{
    num::NonZero,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use resume_runtime::testing::{Case, Report};

use super::{Bundle, Env, input, mixed};

/// The bundle of `revisions`, disturbed everywhere.
async fn check(revisions: &'static [&'static str]) -> Report {
    let made = Arc::new(AtomicU64::new(0));
    let counter = made.clone();
    Case::<Bundle>::with_env(
        |scratch: &Path| input(&mixed(scratch), &scratch.join("a.bundle"), revisions),
        move |_, _| {
            let made = counter.clone();
            Ok(Env {
                threads: NonZero::new(2),
                small: true,
                hook: Some(Arc::new(move |place: &str| {
                    if place == "made" {
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                })),
            })
        },
    )
    .work(made)
    .points(8)
    .states_may_differ()
    .check()
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_interrupts_it_it_ends_in_the_same_file_and_makes_nothing_committed_again() {
    let report = check(&[]).await;
    assert!(report.commits > 20, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_one_that_leaves_out_what_its_reader_has() {
    let report = check(&["v1~1..main"]).await;
    assert!(report.commits > 10, "{report}");
}
