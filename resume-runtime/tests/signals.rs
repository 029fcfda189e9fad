//! Signals sent to a real process: the first pauses, the second SIGINT leaves.
#![cfg(unix)]
#![allow(missing_docs, clippy::exit, clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, reason = "the child talks to its parent")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use resume_runtime::{
    Context, Database, PAUSED_BY_SIGNAL, PausedBy, Resumable, Scheduler, Start, Step, StepResult,
    Stopped, pause_on_signals,
};
use serde::{Deserialize, Serialize};

const CHILD: &str = "RESUME_RUNTIME_SIGNAL_TEST";

#[derive(Resumable)]
#[resumable(kind = "busy", version = 1)]
enum Busy {
    #[step(start)]
    Spin(Spin),
}

/// Deep in blocking work, deaf to everything.
#[derive(Default, Serialize, Deserialize)]
struct Spin {}

impl Step<Busy> for Spin {
    async fn run(self, cx: &mut Context<'_, Busy>) -> StepResult<Busy> {
        cx.blocking(|_| {
            println!("\nspinning");
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        })
        .await?;
        resume_runtime::Transition::to(self)
    }
}

/// Runs as a child: drives the machine, says how it ended, stays.
#[test]
fn child() {
    let Ok(mode) = std::env::var(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stopped = runtime.block_on(async {
        let scheduler = Scheduler::builder(Database::in_memory().unwrap())
            .register::<Busy>(|()| Ok(()))
            .build();
        let _signals =
            pause_on_signals(&scheduler, |signal| println!("\nsignal {signal}")).unwrap();
        scheduler
            .start::<Busy>((), Start::new())
            .await
            .unwrap()
            .await
    });
    let by_signal = matches!(
        stopped,
        Err(Stopped::Paused {
            by: PausedBy::Signal,
            ..
        })
    );
    println!("\npaused {by_signal}");
    if mode == "stay" {
        // The handlers are gone with the guard or not: the process still ends.
        std::thread::sleep(Duration::from_secs(60));
    }
    std::process::exit(7);
}

fn spawn(mode: &str) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, mode)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map_while(Result::ok))
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn await_line(lines: &mut impl Iterator<Item = String>, wanted: &str) {
    assert!(lines.any(|line| line == wanted), "no line {wanted:?}");
}

#[test]
fn each_signal_pauses_even_deep_in_blocking_work() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let (mut child, mut lines) = spawn("leave");
        await_line(&mut lines, "spinning");
        let asked = Instant::now();
        signal(&child, name);
        await_line(&mut lines, &format!("signal {number}"));
        await_line(&mut lines, "paused true");
        // The step sleeps for a minute; that it was not waited for is the point.
        assert!(asked.elapsed() < Duration::from_secs(30));
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}

#[test]
fn a_second_sigint_leaves_at_once() {
    let (mut child, mut lines) = spawn("stay");
    await_line(&mut lines, "spinning");
    signal(&child, "INT");
    await_line(&mut lines, "paused true");
    signal(&child, "INT");
    let status = child.wait().unwrap();
    assert_eq!(
        (status.code(), status.signal()),
        (Some(PAUSED_BY_SIGNAL), None)
    );
}
