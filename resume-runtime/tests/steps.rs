//! What a step may do, and what becomes of it.
#![allow(missing_docs, reason = "a test's machines explain themselves")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::time::Duration;

use resume_runtime::{
    Context, Database, Resumable, RetryPolicy, Scheduler, Start, Step, StepError, StepResult,
    Stopped, Transition,
};
use serde::{Deserialize, Serialize};

fn quick() -> RetryPolicy {
    RetryPolicy {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(1),
        attempts: 3,
    }
}

async fn run<M: Resumable<Input = (), Env = ()>>() -> Result<M::Output, Stopped> {
    let scheduler = Scheduler::builder(Database::in_memory().unwrap())
        .register::<M>(|()| Ok(()))
        .retry(quick())
        .build();
    let ended = scheduler.start::<M>((), Start::new()).await.unwrap().await;
    scheduler.idle().await;
    ended
}

/// Keeps a count in the state over retries, and nothing else.
#[derive(Resumable)]
#[resumable(kind = "tries", version = 1, output = u64)]
enum Tries {
    #[step(start)]
    Try(Try),
}

#[derive(Default, Serialize, Deserialize)]
struct Try {
    tries: u64,
}

impl Step<Tries> for Try {
    async fn run(mut self, _: &mut Context<'_, Tries>) -> StepResult<Tries> {
        if self.tries == 5 {
            return Transition::done(self.tries);
        }
        self.tries += 1;
        Transition::retry(self, StepError::transient("not yet"))
    }
}

#[tokio::test]
async fn a_retry_keeps_the_state_that_it_returns() {
    assert_eq!(run::<Tries>().await.unwrap(), 5);
}

/// Gives up on blocking work that takes too long.
#[derive(Resumable)]
#[resumable(kind = "hasty", version = 1, output = u64)]
enum Hasty {
    #[step(start)]
    Wait(Wait),
}

#[derive(Default, Serialize, Deserialize)]
struct Wait {}

impl Step<Hasty> for Wait {
    async fn run(self, cx: &mut Context<'_, Hasty>) -> StepResult<Hasty> {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let work = cx.blocking(move |_| {
            let _ = gone.recv();
            Ok(())
        });
        let timed_out = tokio::time::timeout(Duration::from_millis(1), work).await;
        drop(go);
        assert!(timed_out.is_err());
        Transition::done(0)
    }
}

#[tokio::test]
async fn blocking_work_that_is_abandoned_fails_the_step() {
    let stopped = run::<Hasty>().await.unwrap_err();
    assert!(
        matches!(&stopped, Stopped::Failed { error, .. } if error.to_string().contains("blocking")),
        "{stopped}"
    );
}

#[tokio::test]
async fn a_panic_of_the_authors_code_outside_of_steps_fails_the_operation() {
    let scheduler = Scheduler::builder(Database::in_memory().unwrap())
        .register::<Tries>(|()| panic!("no env"))
        .build();
    let handle = scheduler.start::<Tries>((), Start::new()).await.unwrap();
    let stopped = handle.await.unwrap_err();
    assert!(
        matches!(&stopped, Stopped::Failed { error, .. } if error.to_string().contains("no env")),
        "{stopped}"
    );
    scheduler.idle().await;
}

/// Writes a file on a thread that looks at no clock and no flag.
#[derive(Resumable)]
#[resumable(kind = "deaf", version = 1, output = String)]
enum Deaf {
    #[step(start)]
    Write(Write),
    #[step]
    Read(Read),
}

#[derive(Default, Serialize, Deserialize)]
struct Write {}

impl Step<Deaf> for Write {
    async fn run(self, cx: &mut Context<'_, Deaf>) -> StepResult<Deaf> {
        cx.blocking(|b| {
            b.report(1, None);
            let slow = !b.pause_requested();
            for n in 0..40 {
                writeln!(b.append_file("lines")?, "line {n}")?;
                // Puts what is gathered into the file.
                b.read_file("lines")?;
                if slow {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Ok(())
        })
        .await?;
        Transition::to(Read {})
    }
}

#[derive(Serialize, Deserialize)]
struct Read {}

impl Step<Deaf> for Read {
    async fn run(self, cx: &mut Context<'_, Deaf>) -> StepResult<Deaf> {
        let mut text = String::new();
        cx.read_file("lines").await?.read_to_string(&mut text)?;
        Transition::done(text)
    }
}

#[tokio::test]
async fn a_file_is_not_touched_while_a_thread_that_was_left_behind_writes_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open(&dir.path().join("store")).unwrap();
    let scheduler = Scheduler::builder(db.clone())
        .register::<Deaf>(|()| Ok(()))
        .build();
    let handle = scheduler.start::<Deaf>((), Start::new()).await.unwrap();
    let id = handle.id().to_owned();
    let progress = handle.watch();
    while progress.snapshot().items == 0 {
        tokio::task::yield_now().await;
    }
    handle.pause();
    let stopped = handle.await.unwrap_err();
    assert!(matches!(stopped, Stopped::Paused { .. }), "{stopped}");
    // It still writes; the next try waits for it.
    let text = scheduler.resume::<Deaf>(&id).unwrap().await.unwrap();
    let expected: Vec<_> = (0..40).map(|n| format!("line {n}")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn two_schedulers_of_a_process_do_not_drive_one_operation() {
    let db = Database::in_memory().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let scheduler = || {
        Scheduler::builder(db.clone())
            .register::<Deaf>(|()| Ok(()))
            .folder(dir.path())
            .build()
    };
    let (first, second) = (scheduler(), scheduler());
    let handle = first.start::<Deaf>((), Start::new()).await.unwrap();
    let id = handle.id().to_owned();
    let busy = second.resume::<Deaf>(&id).map(drop);
    assert!(matches!(busy, Err(Stopped::Busy { .. })), "{busy:?}");
    // A scheduler that is gone leaves behind what listens to requests.
    drop(first);
    let progress = handle.watch();
    while progress.snapshot().items == 0 {
        tokio::task::yield_now().await;
    }
    db.request_pause(&id).unwrap();
    let stopped = handle.await.unwrap_err();
    assert!(matches!(stopped, Stopped::Paused { .. }), "{stopped}");
    let text = second.resume::<Deaf>(&id).unwrap().await.unwrap();
    assert_eq!(text.lines().count(), 40);
}

/// Keeps what it did, and tries no more in this run.
#[derive(Resumable)]
#[resumable(kind = "resigned", version = 1, output = ())]
enum Resigned {
    #[step(start)]
    Give(Give),
}

#[derive(Default, Serialize, Deserialize)]
struct Give {
    tries: u64,
}

impl Step<Resigned> for Give {
    async fn run(mut self, _: &mut Context<'_, Resigned>) -> StepResult<Resigned> {
        self.tries += 1;
        let error = StepError::transient(format!("try {}", self.tries));
        Transition::retry(self, error.give_up())
    }
}

#[tokio::test]
async fn an_error_that_gives_up_ends_the_run_at_once() {
    let stopped = run::<Resigned>().await.unwrap_err();
    assert!(
        matches!(&stopped, Stopped::TryLater { error, .. } if error.to_string() == "try 1"),
        "{stopped}"
    );
}

/// Goes on with a file that has to be committed, without an effect between.
#[derive(Resumable)]
#[resumable(kind = "wants", version = 1, output = u64)]
enum Wants {
    #[step(start)]
    Part(Part),
}

#[derive(Default, Serialize, Deserialize)]
struct Part {
    written: bool,
}

impl Step<Wants> for Part {
    async fn run(mut self, cx: &mut Context<'_, Wants>) -> StepResult<Wants> {
        let written = std::mem::replace(&mut self.written, true);
        cx.blocking(move |b| {
            if !written {
                b.append_file("part")?.append(b"all of it")?;
                b.want_commit();
                return Transition::to(self);
            }
            let path = b.file_path("part")?;
            let to = path.with_extension("installed");
            // Of what is not committed nothing is installed.
            b.install("part", &to)?;
            let len = std::fs::metadata(&to)?.len();
            std::fs::remove_file(&to)?;
            Transition::done(len)
        })
        .await
    }
}

#[tokio::test]
async fn a_commit_that_is_wanted_comes_before_the_next_slice() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = Scheduler::builder(Database::open(dir.path()).unwrap())
        .register::<Wants>(|()| Ok(()))
        .build();
    let handle = scheduler.start::<Wants>((), Start::new()).await.unwrap();
    assert_eq!(handle.await.unwrap(), 9);
}
