//! Machines driven by the scheduler: to the end, paused, retried, resumed.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use resume_runtime::{
    Context, Database, PausedBy, Resumable, RetryPolicy, Scheduler, Start, Step, StepError,
    StepResult, Stopped, Table, Transition,
};
use serde::{Deserialize, Serialize};

const SQUARES: Table<u64, u64> = Table::new("squares");

/// What the test sees of all processes that drive the machine.
#[derive(Default)]
struct World {
    /// How often an item was worked on.
    worked: AtomicU64,
    /// How many of the next items fail with an error that may pass.
    failing: AtomicU64,
    /// Blocks the step for ever once it is at this item.
    stuck_at: AtomicU64,
    /// How often that happened.
    stuck: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Input {
    items: u64,
}

#[derive(Resumable)]
#[resumable(kind = "squares", version = 1, input = Input, output = u64, env = Arc<World>)]
enum Squares {
    #[step(start)]
    Fill(Fill),
    #[step]
    Sum(Sum),
}

#[derive(Default, Serialize, Deserialize)]
struct Fill {
    next: u64,
}

impl Step<Squares> for Fill {
    async fn run(mut self, cx: &mut Context<'_, Squares>) -> StepResult<Squares> {
        while self.next < cx.input().items {
            let world = cx.env();
            if world.stuck_at.load(Ordering::Relaxed) == self.next + 1 {
                world.stuck.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            let failing = world.failing.load(Ordering::Relaxed);
            if failing > 0 {
                world.failing.store(failing - 1, Ordering::Relaxed);
                return Err(StepError::transient("not now"));
            }
            world.worked.fetch_add(1, Ordering::Relaxed);
            cx.put(&SQUARES, &self.next, &(self.next * self.next))?;
            self.next += 1;
            cx.report(self.next, Some(cx.input().items));
            if cx.should_yield() {
                return Transition::to(self);
            }
            tokio::task::yield_now().await;
        }
        Transition::to(Sum::default())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Sum {
    after: Option<u64>,
    sum: u64,
}

impl Step<Squares> for Sum {
    async fn run(mut self, cx: &mut Context<'_, Squares>) -> StepResult<Squares> {
        while let Some((key, square)) = cx.next_after(&SQUARES, self.after.as_ref()).await? {
            self.sum += square;
            self.after = Some(key);
            if cx.should_yield() {
                return Transition::to(self);
            }
        }
        Transition::done(self.sum)
    }
}

fn scheduler(db: &Database, world: &Arc<World>) -> Scheduler {
    let world = Arc::clone(world);
    Scheduler::builder(db.clone())
        .register::<Squares>(move |_| Ok(Arc::clone(&world)))
        .retry(RetryPolicy {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            attempts: 5,
        })
        .build()
}

fn squares(n: u64) -> u64 {
    (0..n).map(|n| n * n).sum()
}

#[tokio::test]
async fn runs_to_the_end_and_can_be_asked_no_more() {
    let (db, world) = (Database::in_memory().unwrap(), Arc::default());
    let scheduler = scheduler(&db, &world);
    let handle = scheduler
        .start::<Squares>(Input { items: 1_000 }, Start::new().metadata("who", "me"))
        .await
        .unwrap();
    let id = handle.id().to_owned();
    assert_eq!(handle.await.unwrap(), squares(1_000));
    let again = scheduler.resume::<Squares>(&id).unwrap().await;
    assert!(matches!(again, Err(Stopped::Finished { .. })), "{again:?}");
    assert_eq!(world.worked.load(Ordering::Relaxed), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_keeps_what_was_done_and_a_resume_does_the_rest() {
    let (db, world) = (Database::in_memory().unwrap(), Arc::<World>::default());
    let scheduler = scheduler(&db, &world);
    let handle = scheduler
        .start::<Squares>(Input { items: 200_000 }, Start::new())
        .await
        .unwrap();
    let id = handle.id().to_owned();
    while world.worked.load(Ordering::Relaxed) < 1_000 {
        tokio::task::yield_now().await;
    }
    handle.pause();
    let paused = handle.await;
    assert!(
        matches!(
            paused,
            Err(Stopped::Paused {
                by: PausedBy::Caller,
                ..
            })
        ),
        "{paused:?}"
    );
    let handle = scheduler.resume::<Squares>(&id).unwrap();
    assert_eq!(handle.await.unwrap(), squares(200_000));
    assert_eq!(
        world.worked.load(Ordering::Relaxed),
        200_000,
        "nothing twice"
    );
}

#[tokio::test]
async fn a_step_that_does_not_stop_is_left_behind_within_200_ms() {
    let (db, world) = (Database::in_memory().unwrap(), Arc::<World>::default());
    world.stuck_at.store(10, Ordering::Relaxed);
    let scheduler = scheduler(&db, &world);
    let handle = scheduler
        .start::<Squares>(Input { items: 20 }, Start::new())
        .await
        .unwrap();
    let id = handle.id().to_owned();
    while world.stuck.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    db.request_pause(&id).unwrap();
    let paused = handle.await;
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    assert!(
        matches!(
            paused,
            Err(Stopped::Paused {
                by: PausedBy::Request,
                ..
            })
        ),
        "{paused:?}"
    );
    world.stuck_at.store(0, Ordering::Relaxed);
    let handle = scheduler.resume::<Squares>(&id).unwrap();
    assert_eq!(handle.await.unwrap(), squares(20));
}

#[tokio::test]
async fn errors_that_pass_are_retried_and_those_that_stay_end_the_try() {
    let (db, world) = (Database::in_memory().unwrap(), Arc::<World>::default());
    let scheduler = scheduler(&db, &world);
    world.failing.store(3, Ordering::Relaxed);
    let handle = scheduler
        .start::<Squares>(Input { items: 10 }, Start::new())
        .await
        .unwrap();
    assert_eq!(handle.await.unwrap(), squares(10));

    world.failing.store(100, Ordering::Relaxed);
    let handle = scheduler
        .start::<Squares>(Input { items: 10 }, Start::new())
        .await
        .unwrap();
    let id = handle.id().to_owned();
    let stopped = handle.await;
    assert!(
        matches!(stopped, Err(Stopped::TryLater { attempts: 5, .. })),
        "{stopped:?}"
    );
    assert_eq!(world.failing.load(Ordering::Relaxed), 95);
    world.failing.store(0, Ordering::Relaxed);
    assert_eq!(
        scheduler.resume::<Squares>(&id).unwrap().await.unwrap(),
        squares(10)
    );
}

#[tokio::test]
async fn operations_that_exclude_each_other_take_turns_and_limits_hold() {
    let (db, world) = (Database::in_memory().unwrap(), Arc::<World>::default());
    world.stuck_at.store(5, Ordering::Relaxed);
    let scheduler = scheduler(&db, &world);
    let refs = || Start::new().exclusive("refs of /a");
    let first = scheduler
        .start::<Squares>(Input { items: 10 }, refs())
        .await
        .unwrap();
    while world.stuck.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    world.stuck_at.store(0, Ordering::Relaxed);
    let second = scheduler
        .start::<Squares>(Input { items: 10 }, refs())
        .await
        .unwrap();
    let other = scheduler
        .start::<Squares>(Input { items: 10 }, Start::new().exclusive("refs of /b"))
        .await
        .unwrap();
    let late = scheduler
        .start::<Squares>(Input { items: 3 }, Start::new().after(second.id()))
        .await
        .unwrap();
    assert_eq!(other.await.unwrap(), squares(10));
    // The first is stuck, so the second has done nothing.
    assert_eq!(world.worked.load(Ordering::Relaxed), 14);
    first.pause();
    assert!(first.await.is_err());
    assert_eq!(second.await.unwrap(), squares(10));
    assert_eq!(late.await.unwrap(), squares(3));
}
