//! Several processes and one operation: one has it, the others are told who, and
//! when it dies the next one can have it at once.

use std::path::PathBuf;
use std::time::Duration;

use end_to_end::{
    Large, Means, Output, Running, Scratch, Signal, Step, Trial, Undisturbed, assert_same,
    wait_until,
};
use fastrand::Rng;

/// How often two processes run for one operation.
const CONTESTS: usize = 25;

struct Setup {
    scratch: Scratch,
    repository: PathBuf,
    undisturbed: Undisturbed,
}

fn setup() -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let shape = Large {
        files: 150,
        commits: 600,
    };
    let repository = shape.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    Setup {
        scratch,
        repository,
        undisturbed,
    }
}

impl Setup {
    /// An operation whose process was killed among the frames.
    fn interrupted(&self, out: &str) -> String {
        let mut trial = Trial::new(&self.scratch, &self.repository, &self.undisturbed, out);
        let aim = end_to_end::Aim::At(Step::Frames, Duration::from_millis(5));
        assert!(!trial.turn(Means::Kill, aim, 1));
        trial.unmark();
        trial.id.expect("it has an id")
    }

    fn resume(&self, out: &str, id: &str) -> Running {
        let out = self.scratch.join(out);
        let out = out.to_str().expect("a scratch path is text");
        let args = ["pack", "create", out, "--threads", "1", "--resume", id];
        self.scratch.spawn(&self.repository, &args)
    }

    fn check(&self, out: &str) {
        let out = self.scratch.join(out);
        assert_same(&out, &self.undisturbed.pack);
        std::fs::remove_dir_all(out).expect("it can be removed");
    }
}

#[test]
fn exactly_one_of_two_gets_it() {
    let setup = setup();
    let mut random = Rng::with_seed(11);
    let mut contests = 0;
    for round in 1.. {
        if contests >= CONTESTS {
            break;
        }
        let out = format!("out-{round}");
        let id = setup.interrupted(&out);
        loop {
            let first = setup.resume(&out, &id);
            std::thread::sleep(Duration::from_millis(random.u64(..20)));
            let second = setup.resume(&out, &id);
            wait_until("one of them ends", || {
                !first.is_running() || !second.is_running()
            });
            let (loser, winner) = if first.is_running() {
                (second, first)
            } else {
                (first, second)
            };
            let pid = winner.pid();
            let loser = loser.wait();
            if loser.code() == Some(0) {
                // It was the winner, and done before the other one had begun.
                finished(&winner.wait());
                break;
            }
            let loser = loser.exits(5);
            let told = format!("{id} is driven by process {pid}");
            assert!(loser.stderr.contains(&told), "no `{told}`: {loser}");
            assert!(loser.stderr.contains("mug resume pause"), "{loser}");
            contests += 1;
            if contests < CONTESTS && winner.stop() {
                winner.kill();
            } else {
                winner.wait().ok();
                break;
            }
        }
        setup.check(&out);
    }
}

/// It came too late, and was told.
fn finished(late: &Output) {
    let late = late.clone().exits(1);
    assert!(late.stderr.contains("is completed already"), "{late}");
}

#[test]
fn whose_process_died_is_paused_and_goes_on_at_once() {
    let setup = setup();
    let (scratch, repository) = (&setup.scratch, &setup.repository);
    let out = scratch.join("out");
    let args = [
        "pack",
        "create",
        out.to_str().expect("text"),
        "--threads",
        "1",
    ];
    let process = scratch.spawn(repository, &args);
    wait_until("frames are made", || process.has_open("frame-table"));
    let statuses = |options: &[&str]| {
        let records = scratch.operations(repository, options);
        let ours = records
            .into_iter()
            .filter(|op| op.0["state"]["metadata"]["output"].as_str() == out.to_str());
        ours.map(|op| op.status().to_owned()).collect::<Vec<_>>()
    };
    assert!(process.stop_beside_store(scratch, repository));
    assert_eq!(statuses(&[]), ["running"]);
    assert_eq!(statuses(&["--running"]), ["running"]);
    process.signal(Signal::KILL);
    // Dead, and not even waited for by its parent.
    wait_until("it has died", || !process.is_running());
    assert_eq!(statuses(&[]), ["paused"]);
    assert_eq!(statuses(&["--paused"]), ["paused"]);
    assert!(statuses(&["--running"]).is_empty());
    let list = scratch.mug(repository, &["resume"]).ok();
    assert!(list.stdout.contains("paused (interrupted)"), "{list}");

    let id = scratch.operations(repository, &["--paused"])[0]
        .id()
        .to_owned();
    setup.resume("out", &id).wait().ok();
    assert_eq!(process.kill().code(), None);
    setup.check("out");
}

#[test]
fn one_that_runs_is_not_deleted() {
    let setup = setup();
    let (scratch, repository) = (&setup.scratch, &setup.repository);
    let id = setup.interrupted("out");
    let process = setup.resume("out", &id);
    wait_until("it is running", || {
        let records = scratch.operations(repository, &["--running"]);
        records.iter().any(|record| record.id() == id)
    });
    let pid = process.pid();
    let refused = scratch.mug(repository, &["resume", "delete", &id]);
    if process.is_running() {
        let refused = refused.exits(5);
        assert!(
            refused.stderr.contains(&format!("process {pid}")),
            "{refused}"
        );
    }
    process.wait().ok();
    setup.check("out");
}
