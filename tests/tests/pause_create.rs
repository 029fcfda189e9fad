//! `mug pack create` paused in an orderly way, again and again, and continued with
//! the very line that it printed.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use end_to_end::{Aim, Bound, Large, Means, Scratch, Signal, Trial, Undisturbed};
use fastrand::Rng;

/// Pauses to be reached, over as many packs as it takes.
const PAUSES: usize = 20;

#[test]
fn ctrl_c_pauses() {
    pauses(Means::Signal(Signal::INT));
}

#[test]
fn sigterm_pauses() {
    pauses(Means::Signal(Signal::TERM));
}

#[test]
fn another_process_pauses() {
    pauses(Means::Pause);
}

fn pauses(means: Means) {
    let scratch = Scratch::fast(1 << 30);
    let shape = Large {
        files: 200,
        commits: 3_000,
    };
    let repository = shape.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let mut random = Rng::with_seed(3);
    let (mut paused, mut lost) = (0, 0);
    for round in 1.. {
        if paused >= PAUSES {
            break;
        }
        assert!(round <= PAUSES, "packs are done before they can be paused");
        let name = format!("out-{round}");
        let mut trial = Trial::new(&scratch, &repository, &undisturbed, &name);
        // The first line that is printed has the number of threads, and keeps it.
        let threads = random.usize(1..=2);
        let mut aim = || Aim::After(undisturbed.wall.mul_f64(random.f64() * 0.3));
        while !trial.turn(means, aim(), threads) {}
        assert_eq!(trial.repeated, 0, "committed frames were written again");
        if !trial.blows.is_empty() {
            let bound = Bound::of(&trial, threads);
            assert!(bound.holds(), "more than the bound: {bound:?}");
        }
        trial.check();
        for blow in &trial.blows {
            // What is in the file and not in the commit was given up.
            lost += usize::from(blow.committed < blow.look.whole);
        }
        paused += trial.blows.len();
    }
    // A pause commits first. On a machine that is too busy for that within the time
    // allowed it leaves without, which must be rare.
    println!("{lost} of {paused} pauses lost work");
    assert!(lost * 4 <= paused, "{lost} of {paused} pauses lost work");
}
