//! What the crash harness finds beside the planted bugs of `planted_bugs.rs`: runs
//! that never end, work done twice, pauses and full disks taken the wrong way.
#![allow(missing_docs, reason = "a test's machines explain themselves")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use resume_runtime::testing::{Case, Cut, Fault, Finding, Moment, Point};
use resume_runtime::{Context, Resumable, Step, StepError, StepResult, Table, Transition};
use serde::{Deserialize, Serialize};

const ITEMS: u64 = 8;
const SEEN: Table<u64, ()> = Table::new("seen");

/// What the machine does wrong.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Wrong {
    Nothing,
    NeverEnds,
    WorksTwice,
    StopsAtPause,
    FailsOnFullDisk,
    Hangs,
    TriesForEver,
    TrustsItsLocal,
}

#[derive(Serialize, Deserialize)]
struct Input {
    wrong: Wrong,
}

#[derive(Resumable)]
#[resumable(kind = "wrong", version = 1, input = Input, output = u64, env = Arc<AtomicU64>)]
enum Machine {
    #[step(start)]
    Count(Count),
}

#[derive(Default, Serialize, Deserialize)]
struct Count {
    next: u64,
    tries: u64,
}

impl Step<Machine> for Count {
    async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        let wrong = cx.input().wrong;
        let mut seen: u64 = cx.take_local().unwrap_or_default();
        let start = self.next;
        for n in start..ITEMS {
            cx.put(&SEEN, &n, &())?;
            cx.env().fetch_add(1, Ordering::SeqCst);
            seen += 1;
            // More than what is gathered in memory.
            let big = vec![b'x'; 200_000];
            let written = cx.append_file("big").await?.write_all(&big).await;
            match (written, wrong) {
                (Err(e), Wrong::FailsOnFullDisk) => return Err(StepError::fatal(e.to_string())),
                (written, _) => written?,
            }
            if wrong != Wrong::WorksTwice || n % 4 == 3 {
                self.next = n + 1;
            }
            match wrong {
                Wrong::NeverEnds => return Transition::to(Self::default()),
                Wrong::TriesForEver => {
                    (self.next, self.tries) = (n, self.tries + 1);
                    return Transition::retry(self, StepError::transient("again"));
                }
                Wrong::Hangs if n == 3 => std::future::pending::<()>().await,
                _ => {}
            }
            if cx.should_yield() {
                if wrong == Wrong::StopsAtPause && cx.pause_requested() {
                    return Transition::done(seen);
                }
                cx.keep_local(seen);
                return Transition::to(self);
            }
        }
        if wrong == Wrong::TrustsItsLocal {
            return Transition::done(seen);
        }
        Transition::done(cx.page(&SEEN, None, 100).await?.len() as u64)
    }
}

fn case(wrong: Wrong) -> Case<Machine> {
    let work = Arc::<AtomicU64>::default();
    let counter = Arc::clone(&work);
    Case::with_env(
        move |_| Input { wrong },
        move |_, _| Ok(Arc::clone(&counter)),
    )
    .work(work)
}

async fn found(wrong: Wrong) -> Finding {
    case(wrong).try_check().await.unwrap_err()
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong() {
    let report = case(Wrong::Nothing).points(6).check().await;
    assert!(
        report.commits >= ITEMS && report.writes >= ITEMS,
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains(&format!("{} runs", report.runs))
    );
}

#[tokio::test]
async fn a_machine_that_never_moves_on_ends_the_check() {
    for wrong in [Wrong::NeverEnds, Wrong::TriesForEver] {
        let finding = case(wrong)
            .patience(Duration::from_secs(2))
            .try_check()
            .await;
        assert!(
            matches!(finding, Err(Finding::RunsForEver { .. })),
            "{finding:?}"
        );
    }
}

#[tokio::test]
async fn a_machine_that_hangs_ends_the_check() {
    let case = case(Wrong::Hangs).patience(Duration::from_millis(100));
    let finding = case.try_check().await.unwrap_err();
    assert!(matches!(finding, Finding::RunsForEver { .. }), "{finding}");
}

#[tokio::test]
async fn work_that_is_done_twice_is_counted() {
    let finding = found(Wrong::WorksTwice).await;
    assert!(
        matches!(finding, Finding::WorksTwice { needed: ITEMS, .. }),
        "{finding}"
    );
}

#[tokio::test]
async fn a_pause_must_not_end_the_work() {
    let finding = found(Wrong::StopsAtPause).await;
    assert!(
        matches!(finding, Finding::DiffersAfterPause { question: 1, .. }),
        "{finding}"
    );
}

#[tokio::test]
async fn a_full_disk_must_not_fail_the_operation() {
    let finding = found(Wrong::FailsOnFullDisk).await;
    assert!(
        matches!(
            finding,
            Finding::FailsAfterFault {
                fault: Fault::DiskFull(_),
                ..
            }
        ),
        "{finding}"
    );
}

/// In real processes: the bug shows only in one that starts from a commit.
#[tokio::test]
async fn a_bug_is_found_by_real_kills() {
    let case = case(Wrong::TrustsItsLocal).points(3);
    let finding = case.try_kill_at_commits().await;
    // A child ends before it gets here.
    assert!(
        matches!(
            &finding,
            Err(Finding::DiffersAfterCrash {
                point: Point::Commit(_, Moment::Before | Moment::After),
                cut: Cut::Kept,
                ..
            })
        ),
        "{finding:?}"
    );
}
