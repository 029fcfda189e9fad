//! `mug pack create` under kill -9: the pack is the very one, and nothing that was
//! committed is done twice.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::time::{Duration, Instant};

use end_to_end::{Aim, Blow, Bound, Large, Means, Scratch, Step, Trial, Undisturbed};
use fastrand::Rng;

/// Kills to be reached, over as many packs as it takes.
const KILLS: usize = 100;
/// Of these, how many must fall between the first and the last commit.
const BETWEEN: usize = 60;
/// Each process works with one thread up to this many.
const THREADS: usize = 3;

#[test]
fn a_hundred_kills_change_no_byte() {
    let scratch = Scratch::fast(2 << 30);
    let repository = Large::SECONDS.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let frames = undisturbed.frames.len();
    assert!(frames >= 200, "{frames} frames");
    println!("{frames} frames in {:.1?} undisturbed", undisturbed.wall);

    let mut random = Rng::with_seed(0x6d75_6700);
    let mut blows: Vec<Blow> = Vec::new();
    let mut sum = Bound::default();
    for round in 1.. {
        if blows.len() >= KILLS && Step::ALL.iter().all(|step| hits(&blows, *step) > 0) {
            break;
        }
        assert!(round <= 40, "too few kills:\n{}", histogram(&blows, frames));
        let start = Instant::now();
        let name = format!("out-{round}");
        let mut trial = Trial::new(&scratch, &repository, &undisturbed, &name);
        let mut stalls = 0;
        loop {
            let aim = aim(&blows, &trial, stalls, &mut random);
            if trial.turn(Means::Kill, aim, random.usize(1..=THREADS)) {
                break;
            }
            stalls = match trial.blows.as_slice() {
                [.., before, last] if last.commits > before.commits => 0,
                _ => stalls + 1,
            };
        }
        let interval = trial.interval();
        let bound = Bound::of(&trial, THREADS);
        println!(
            "round {round}: {} kills in {:.1?}, {interval:?}, {bound:?}",
            trial.blows.len(),
            start.elapsed(),
        );
        assert_eq!(trial.repeated, 0, "committed frames were written again");
        assert!(bound.holds(), "more than the bound: {bound:?}");
        trial.check();
        sum += bound;
        blows.append(&mut trial.blows);
    }

    println!("in all: {sum:?}");
    println!("{}", histogram(&blows, frames));
    // Processes that start over would not have passed.
    assert!(sum.starting_over > sum.frames_allowed, "{sum:?}");
    let between = blows.iter().filter(|blow| blow.commits > 0 && !blow.done);
    let between = between.count();
    assert!(
        between * KILLS >= BETWEEN * blows.len(),
        "{between} of {} kills between the first and the last commit",
        blows.len()
    );
}

/// The bound is there to find a resume that is none.
#[test]
fn starting_over_is_found_out() {
    let scratch = Scratch::fast(512 << 20);
    let shape = Large {
        files: 120,
        commits: 600,
    };
    let repository = shape.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let mut trial = Trial::new(&scratch, &repository, &undisturbed, "out");
    let target = undisturbed.frames.len() * 3 / 4;
    for _ in 0..10 {
        let done = trial.turn(Means::Kill, Aim::Frames(target), 1);
        assert!(!done, "it was done before it could be killed");
        trial.forget();
    }
    trial.finish(1);
    let bound = Bound::of(&trial, 1);
    println!("{bound:?}, {} frames twice", trial.repeated);
    assert_eq!(bound.frames, bound.starting_over);
    assert!(!bound.holds(), "{bound:?}");
    assert!(trial.repeated > 0);
    trial.check();
}

/// When to kill next: at a random moment of the time that is left, mostly; now and
/// then in the step that was hit least, of those that come next.
fn aim(blows: &[Blow], trial: &Trial, stalls: i32, random: &mut Rng) -> Aim {
    let undisturbed = trial.undisturbed();
    let done = trial.blows.last().map_or(0, |blow| blow.committed);
    let left = 1.0 - done as f64 / undisturbed.frames.len() as f64;
    let all = [blows, &trial.blows].concat();
    let ends = hits(&all, Step::Index).min(hits(&all, Step::Publish));
    if random.u8(..3) == 0 || (left < 0.1 && ends < 3) {
        let next = match trial.blows.last() {
            _ if left < 0.1 => Step::Index..=Step::Publish,
            Some(blow) if blow.step >= Step::Frames => Step::Frames..=Step::Frames,
            Some(blow) => blow.step..=Step::Plan,
            None => Step::Prepare..=Step::Plan,
        };
        let next = Step::ALL.into_iter().filter(|step| next.contains(step));
        if let Some(step) = next.min_by_key(|step| hits(&all, *step)) {
            // Most steps take milliseconds.
            let delay = match step {
                Step::Frames => random.u64(..100_000),
                _ => random.u64(..3_000),
            };
            return Aim::At(step, Duration::from_micros(delay));
        }
    }
    // Where commits are far apart, a process must be given longer to reach one.
    let most = undisturbed.wall.mul_f64(left * 0.2) + Duration::from_millis(100);
    let longer = most.mul_f64(1.4_f64.powi(stalls.min(10)));
    Aim::After(longer.min(undisturbed.wall * 2).mul_f64(random.f64()))
}

fn hits(blows: &[Blow], step: Step) -> usize {
    let hits = blows.iter().filter(|blow| blow.step == step && !blow.done);
    hits.count()
}

/// Where the kills fell: steps, and in `Frames` how much was committed.
fn histogram(blows: &[Blow], frames: usize) -> String {
    let mut lines = vec![format!("{} kills", blows.len())];
    let mut line = |name: String, count: usize| {
        lines.push(format!("{name:>24} {count:>3} {}", "#".repeat(count)));
    };
    for step in Step::ALL {
        line(format!("{step:?}"), hits(blows, step));
    }
    let first = blows.iter().filter(|blow| blow.commits == 0).count();
    line("before the first commit".to_owned(), first);
    let last = blows.iter().filter(|blow| blow.done).count();
    line("after the last commit".to_owned(), last);
    for tenth in 0..10 {
        let within = |blow: &&Blow| {
            blow.step == Step::Frames && blow.committed * 10 / frames.max(1) == tenth
        };
        let count = blows.iter().filter(within).count();
        line(format!("frames, from {:>2} %", tenth * 10), count);
    }
    lines.join("\n")
}
