//! The same on a repository of one's own, by hand:
//!
//! ```text
//! MUG_REPOSITORY=/path/to/a/copy.git cargo test --release -p end-to-end --test by_hand -- --ignored --nocapture
//! ```
//!
//! The repository gets a directory `mug` with the records of the operations, and is
//! not changed otherwise.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use end_to_end::{Aim, Bound, Means, Scratch, Trial, Undisturbed};

const KILLS: usize = 20;

#[test]
#[ignore = "needs MUG_REPOSITORY"]
fn a_repository_of_ones_own() {
    let repository = std::env::var_os("MUG_REPOSITORY").map(PathBuf::from);
    let repository = &repository.expect("MUG_REPOSITORY names a repository");
    let scratch = Scratch::new();
    let undisturbed = Undisturbed::run(&scratch, repository, "undisturbed");
    let frames = &undisturbed.frames;
    println!(
        "{} frames in {:.1?} undisturbed",
        frames.len(),
        undisturbed.wall
    );

    let mut random = fastrand::Rng::with_seed(2);
    let mut trial = Trial::new(&scratch, repository, &undisturbed, "out");
    let start = Instant::now();
    let mut done = false;
    while !done && trial.blows.len() < KILLS {
        let most = undisturbed.wall.mul_f64(0.1) + Duration::from_millis(400);
        done = trial.turn(Means::Kill, Aim::After(most.mul_f64(random.f64())), 1);
        println!("{:?}", trial.blows.last());
    }
    if !done {
        trial.finish(1);
    }
    println!("{:.1?} with {} kills", start.elapsed(), trial.blows.len());
    let interval = trial.interval();
    let bound = Bound::of(&trial, 1);
    let again = trial.ledger().written() - frames.len();
    println!("{again} frames written again; {interval:?}, {bound:?}");
    assert_eq!(trial.repeated, 0);
    assert!(bound.holds());
    trial.check();

    let pack = undisturbed.pack.to_str().expect("a scratch path is text");
    let start = Instant::now();
    let restore = ["pack", "restore", pack, "new.git", "--bare"];
    let mut kills = 0;
    let mut id: Option<String> = None;
    loop {
        let mut args = restore.to_vec();
        args.extend(id.iter().flat_map(|id| ["--resume", id]));
        let process = scratch.spawn(".", &args);
        if kills == KILLS {
            process.wait().ok();
            break;
        }
        std::thread::sleep(Duration::from_secs_f64(0.3 + random.f64() * 2.0));
        if !process.stop() {
            process.wait().ok();
            break;
        }
        process.kill();
        kills += 1;
        let left = scratch.operations("new.git/mug/..", &[]);
        // It may have been done, but for the end of its process.
        if left
            .first()
            .is_some_and(|shown| shown.status() == "completed")
        {
            break;
        }
        id = left.first().map(|shown| shown.id().to_owned());
    }
    println!("restored in {:.1?} with {kills} kills", start.elapsed());
    let start = Instant::now();
    println!("{}", scratch.git("new.git", &["fsck", "--full"]));
    println!("git fsck --full is content, in {:.1?}", start.elapsed());
    for question in [&["show-ref"][..], &["symbolic-ref", "HEAD"]] {
        assert_eq!(
            scratch.git("new.git", question),
            scratch.git(repository, question)
        );
    }
}
