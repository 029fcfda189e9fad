//! Clones whose process is killed, signalled and told to pause: each is found from
//! where it was started, goes on where it was, and ends as git's own clone does.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use end_to_end::server::{Fault, HttpServer, Kind, PackMap, Project};
use end_to_end::{Cloning, Running, Scratch, Shown, Signal, assert_cloned, id_told, wait_until};
use fastrand::Rng;

/// A megabyte in some thousand objects.
const PROJECT: Project = Project {
    commits: 400,
    files: 200,
};

/// The longest packet.
const PACKET: u64 = 65_520;

/// Kills to be reached, over as many clones as it takes.
const KILLS: usize = 25;

struct Setup {
    scratch: Scratch,
    server: HttpServer,
    url: String,
    theirs: PathBuf,
    map: PackMap,
    whole: u64,
}

fn setup() -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let path = PROJECT.make(&scratch, "project.git");
    scratch.git(&path, &["config", "uploadpack.allowFilter", "true"]);
    let server = HttpServer::start(&scratch);
    let url = server.url("project.git");
    scratch.git(".", &["clone", "-q", &url, "theirs"]);
    let theirs = scratch.join("theirs");
    let whole = server.sent();
    server.forget();
    Setup {
        map: PackMap::of(&scratch, &theirs.join(".git")),
        scratch,
        server,
        url,
        theirs,
        whole,
    }
}

impl Setup {
    fn cloning(&self, options: &[&str]) -> Cloning<'_> {
        Cloning::new(&self.scratch, &self.url, "ours", options)
    }

    /// The share of one clone that was sent so far.
    fn share(&self) -> f64 {
        self.server.sent() as f64 / self.whole as f64
    }

    /// Holds the result against git's, and makes room for the next.
    #[track_caller]
    fn check(&self) {
        self.server.behave();
        let ours = self.scratch.join("ours");
        assert_cloned(&self.scratch, &ours, &self.theirs);
        std::fs::remove_dir_all(ours).expect("it can be removed");
        self.server.forget();
    }

    /// Waits until what came of a pack before it stood still is committed, but for the
    /// packet that has not come whole.
    #[track_caller]
    fn wait_committed(&self, process: &Running, fault: &Fault) {
        let Fault::HoldPack(place) = fault else {
            return;
        };
        wait_until("what came is committed", || {
            let records = self.scratch.operations(".", &[]);
            let committed = records.first().map_or(0, Shown::bytes);
            committed + PACKET >= *place || !process.is_running()
        });
    }

    /// Kills a process; whether there is more to do. Where it was is added to `steps`.
    #[track_caller]
    fn kill(
        &self,
        cloning: &mut Cloning,
        process: Running,
        steps: &mut BTreeMap<String, usize>,
    ) -> bool {
        if !process.stop() {
            let output = process.wait();
            cloning.note(&output);
            output.ok();
            return false;
        }
        let output = process.kill();
        cloning.note(&output);
        // Seen from where it was started, whether or not it had the time to say its id.
        let mut records = self.scratch.operations(".", &[]);
        records.retain(|record| record.status() != "completed");
        assert!(records.len() <= 1, "{records:?}");
        let Some(record) = records.pop() else {
            if cloning.id.is_some() {
                // It was done, but for its end: the next command here tidies up.
                cloning.start().wait().exits(1);
                return false;
            }
            *steps.entry("before the first commit".into()).or_default() += 1;
            return true;
        };
        assert_eq!(record.status(), "paused", "{output}");
        cloning.id = Some(record.id().to_owned());
        *steps.entry(record.step().to_owned()).or_default() += 1;
        true
    }
}

#[test]
fn killed_at_random_moments() {
    let setup = setup();
    let start = Instant::now();
    setup.cloning(&[]).finish();
    let mut wall = start.elapsed().as_secs_f64();
    setup.check();
    let mut random = Rng::with_seed(5);
    let mut steps = BTreeMap::new();
    let mut kills = 0;
    for round in 1.. {
        if kills >= KILLS {
            break;
        }
        assert!(round <= KILLS, "clones are done before they can be killed");
        let mut options = vec![];
        if round % 3 == 0 {
            options.push("--staged");
        }
        // Slow enough to be met while it receives, every other time.
        if round % 2 == 0 {
            let slow = Fault::Throttle(setup.whole);
            setup.server.always(Kind::Fetch, slow);
        }
        let mut cloning = setup.cloning(&options);
        let (mut here, mut stalls) = (0, 0);
        loop {
            let process = cloning.start();
            // Longer each time on a machine that gets nowhere.
            let most = wall * 1.3_f64.powi(stalls);
            std::thread::sleep(Duration::from_secs_f64(most * random.f64()));
            if !setup.kill(&mut cloning, process, &mut steps) {
                break;
            }
            stalls = (stalls + 1).min(12);
            here += 1;
        }
        println!(
            "round {round} {options:?}: {here} kills, {:.3} of a clone",
            setup.share()
        );
        kills += here;
        // Earlier on a machine that has become quicker.
        wall *= if here > 1 { 1.0 } else { 0.7 };
        setup.check();
    }
    println!("killed in {steps:?}");
}

/// How many clones are killed after their last byte has come, and how many it may take:
/// some are done before.
const LATE: (usize, usize) = (30, 150);

#[test]
fn killed_in_all_that_follows_the_last_byte() {
    let setup = setup();
    let mut random = Rng::with_seed(11);
    let mut steps = BTreeMap::new();
    let git_dir = setup.scratch.join("ours/.git");
    let has_pack = |dir: PathBuf| {
        let mut entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let is_pack = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".pack");
        entries.any(|entry| is_pack(&entry.file_name()))
    };
    let is_made = || {
        let own = std::fs::read_dir(git_dir.join("mug/ops"));
        let mut own = own.into_iter().flatten().flatten();
        own.any(|entry| has_pack(entry.path().join("objects/pack")))
    };
    let is_published = || has_pack(git_dir.join("objects/pack"));
    // What follows: the pack's index and the check; then publication, checkout, index, refs.
    let moments: [(&str, &dyn Fn() -> bool); 2] = [
        ("the pack is made", &is_made),
        ("the pack is there", &is_published),
    ];
    let mut rest = moments.map(|(what, has_come)| {
        let mut cloning = setup.cloning(&[]);
        let process = cloning.start();
        wait_until(what, || has_come() || !process.is_running());
        let began = Instant::now();
        cloning.note(&process.wait().ok());
        setup.check();
        began.elapsed().as_secs_f64()
    });
    let mut kills = 0;
    for round in 0..LATE.1 {
        if kills == LATE.0 {
            break;
        }
        let which = round % moments.len();
        let (what, has_come) = moments[which];
        let mut cloning = setup.cloning(&[]);
        let process = cloning.start();
        wait_until(what, || has_come() || !process.is_running());
        // Now and then at once: publication is over in a moment.
        if round % 4 < 2 {
            std::thread::sleep(Duration::from_secs_f64(rest[which] * random.f64()));
        }
        if setup.kill(&mut cloning, process, &mut steps) {
            kills += 1;
            // Once more, further on: nothing is left of one that was in its last step.
            let process = cloning.start();
            std::thread::sleep(Duration::from_secs_f64(rest[which] * random.f64()));
            if setup.kill(&mut cloning, process, &mut steps) {
                cloning.finish();
            }
        } else {
            rest[which] *= 0.9;
        }
        // All had come before: no byte of it comes again.
        let share = setup.share();
        assert!(share <= 1.02, "{share:.3} of a clone");
        setup.check();
    }
    println!("killed in {steps:?}");
    assert_eq!(kills, LATE.0, "clones are done before they can be killed");
}

#[test]
fn killed_and_cut_where_not_all_is_wanted() {
    let mut setup = setup();
    for options in [
        &["--depth", "30"][..],
        &["--filter=blob:none", "--no-checkout"],
        &["--depth", "40", "--filter=blob:none", "--no-checkout"],
        &["--single-branch"],
        &["--mirror"],
    ] {
        setup.theirs = setup.scratch.join("partly");
        let theirs = ["clone", "-q", &setup.url, "partly"];
        setup.scratch.git(".", &[&theirs[..], options].concat());
        setup.whole = setup.server.sent();
        setup.server.forget();
        // Behind the list of refs half of what comes, once killed, once cut.
        let place = setup.whole / 2;
        let fault = Fault::HoldPack(place);
        setup.server.once(Kind::Fetch, 0, fault.clone());
        let mut cloning = setup.cloning(options);
        let process = cloning.start();
        setup.server.wait_holding();
        setup.wait_committed(&process, &fault);
        let mut steps = BTreeMap::new();
        assert!(
            setup.kill(&mut cloning, process, &mut steps),
            "{options:?}: over before it was killed"
        );
        setup.server.behave();
        setup.server.once(Kind::Fetch, 0, Fault::CutPack(place / 3));
        cloning.finish();
        println!(
            "{options:?}: {:.3} of a clone, killed in {steps:?}",
            setup.share()
        );
        setup.check();
        std::fs::remove_dir_all(&setup.theirs).expect("it can be removed");
    }
}

/// Where the answers stand still when the process is stopped.
fn places(map: &PackMap) -> Vec<(&'static str, Kind, Fault)> {
    vec![
        (
            "before it is told of the server",
            Kind::Info,
            Fault::Hold(0),
        ),
        (
            "while it is told of the server",
            Kind::Info,
            Fault::Hold(30),
        ),
        ("before it is told the refs", Kind::Refs, Fault::Hold(0)),
        ("while it is told the refs", Kind::Refs, Fault::Hold(90)),
        ("before the answer", Kind::Fetch, Fault::Hold(0)),
        ("in the pack's header", Kind::Fetch, Fault::HoldPack(7)),
        (
            "early in the pack",
            Kind::Fetch,
            Fault::HoldPack(map.behind(0.1) + 5),
        ),
        (
            "in the pack",
            Kind::Fetch,
            Fault::HoldPack(map.behind(0.5) + 5),
        ),
        (
            "late in the pack",
            Kind::Fetch,
            Fault::HoldPack(map.behind(0.95) + 5),
        ),
        (
            "in the checksum",
            Kind::Fetch,
            Fault::HoldPack(map.length - 3),
        ),
    ]
}

#[test]
fn killed_wherever_the_server_stands_still() {
    let setup = setup();
    let mut steps = BTreeMap::new();
    for (what, kind, fault) in places(&setup.map) {
        setup.server.once(kind, 0, fault.clone());
        let mut cloning = setup.cloning(&[]);
        let process = cloning.start();
        setup.server.wait_holding();
        setup.wait_committed(&process, &fault);
        assert!(setup.kill(&mut cloning, process, &mut steps), "{what}");
        setup.server.behave();
        cloning.finish();
        let share = setup.share();
        println!("{what}: {share:.3} of a clone");
        assert!(share <= 1.25, "{what}: {share:.3} of a clone");
        setup.check();
    }
    println!("killed in {steps:?}");
}

/// What pauses a clone.
#[derive(Clone, Copy, Debug)]
enum Means {
    Signal(Signal),
    Pause,
}

#[test]
fn paused_wherever_the_server_stands_still() {
    let setup = setup();
    let all = [
        Means::Signal(Signal::INT),
        Means::Pause,
        Means::Signal(Signal::TERM),
        Means::Signal(Signal::HUP),
    ];
    let mut means = all.iter().cycle();
    for (what, kind, fault) in places(&setup.map) {
        let means = *means.next().expect("a cycle has no end");
        setup.server.once(kind, 0, fault.clone());
        let mut cloning = setup.cloning(&[]);
        let process = cloning.start();
        setup.server.wait_holding();
        setup.wait_committed(&process, &fault);
        // From then on a signal pauses; before that it ends the process.
        wait_until("it says its id", || {
            id_told(&process.stderr()).is_some() || !process.is_running()
        });
        match means {
            Means::Signal(signal) => process.signal(signal),
            Means::Pause => {
                let id = id_told(&process.stderr()).expect("an id");
                setup.scratch.mug(".", &["resume", "pause", &id]).ok();
            }
        }
        // The server still stands: nothing comes that could wake it.
        let output = process.wait().exits(130);
        cloning.goes_on(&output);
        assert_eq!(cloning.record().status(), "paused", "{what}, {means:?}");
        setup.server.behave();
        cloning.finish();
        let share = setup.share();
        println!("{what}, {means:?}: {share:.3} of a clone");
        // What was received is kept; what stood on the way is lost.
        assert!(share <= 1.25, "{what}, {means:?}: {share:.3} of a clone");
        setup.check();
    }
}

#[test]
fn deleted_with_all_that_it_made() {
    let setup = setup();
    let before = end_to_end::files(setup.scratch.path());
    let place = setup.map.behind(0.5);
    setup.server.once(Kind::Fetch, 0, Fault::HoldPack(place));
    let mut cloning = setup.cloning(&[]);
    let process = cloning.start();
    setup.server.wait_holding();
    assert!(setup.kill(&mut cloning, process, &mut BTreeMap::new()));
    setup.server.behave();
    let id = cloning.id.clone().expect("it has an id");
    // A directory that is there is refused, and whose it is is said.
    let again = Cloning::new(&setup.scratch, &setup.url, "ours", &["--no-tags"]);
    let refused = again.start().wait();
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(refused.stderr.contains(&id[..10]), "{refused}");
    setup
        .scratch
        .mug(".", &["resume", "delete", "--purge", &id])
        .ok();
    assert!(setup.scratch.operations(".", &[]).is_empty());
    assert!(!setup.scratch.join("ours").exists());
    let mut after = end_to_end::files(setup.scratch.path());
    after.retain(|path, _| !path.starts_with("state"));
    let mut expected = before;
    expected.retain(|path, _| !path.starts_with("state"));
    assert_eq!(after, expected, "something is left of it");
    // Nothing stands in the way of the next.
    setup.cloning(&[]).finish();
    setup.check();
}

#[test]
fn purged_in_a_directory_that_was_there() {
    let setup = setup();
    let ours = setup.scratch.join("ours");
    std::fs::create_dir(&ours).expect("a directory");
    let place = setup.map.behind(0.5);
    setup.server.once(Kind::Fetch, 0, Fault::HoldPack(place));
    let mut cloning = setup.cloning(&[]);
    let process = cloning.start();
    setup.server.wait_holding();
    assert!(setup.kill(&mut cloning, process, &mut BTreeMap::new()));
    setup.server.behave();
    let id = cloning.id.clone().expect("it has an id");
    setup
        .scratch
        .mug(".", &["resume", "delete", "--purge", &id])
        .ok();
    // As git leaves a directory that was there before.
    assert!(ours.exists());
    assert!(end_to_end::files(&ours).is_empty());
}
