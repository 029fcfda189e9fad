//! Fetches whose line is cut, whose process is killed, and whose server changes: they
//! end as git's own fetch does, and the server counts that little was sent twice.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};

use end_to_end::server::{Fault, HttpServer, Kind, Project};
use end_to_end::{Cloning, Scratch, Signal, Told, assert_cloned, wait_until};
use fastrand::Rng;

/// Half a megabyte, and as much again to be fetched.
const PROJECT: Project = Project {
    commits: 250,
    files: 100,
};

/// A server with news, and a clone that does not have them.
struct Setup {
    scratch: Scratch,
    server: HttpServer,
    /// The clone as it was before the news.
    base: PathBuf,
    /// What git fetches into a copy of it.
    theirs: PathBuf,
    /// Bytes of all answers to git's fetch.
    whole: u64,
    /// Bytes of the pack among them.
    pack: u64,
}

/// What happens at the server after the clone.
fn news(scratch: &Scratch, project: &Path) {
    PROJECT.grow(scratch, project, 1);
    scratch.git(project, &["branch", "topic", "main~3"]);
}

fn setup(filter: bool) -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let project = PROJECT.make(&scratch, "project.git");
    if filter {
        scratch.git(&project, &["config", "uploadpack.allowFilter", "true"]);
    }
    let server = HttpServer::start(&scratch);
    let url = server.url("project.git");
    scratch.git(".", &["clone", "-q", &url, "base"]);
    news(&scratch, &project);
    let mut setup = Setup {
        base: scratch.join("base"),
        theirs: scratch.join("theirs"),
        whole: 0,
        pack: 0,
        scratch,
        server,
    };
    setup.copy("theirs");
    setup.server.forget();
    setup.scratch.git(&setup.theirs, &["fetch"]);
    setup.whole = setup.server.sent();
    setup.pack = setup.server.pack_sent();
    setup
}

impl Setup {
    /// A copy of the clone, in place of whatever was there.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.scratch.join(name);
        if to.exists() {
            std::fs::remove_dir_all(&to).expect("it can be removed");
        }
        let mut command = self.scratch.command("cp", ".");
        command.arg("-a").args([&self.base, &to]);
        assert!(command.status().expect("cp runs").success());
        to
    }

    fn share(&self) -> f64 {
        self.server.sent() as f64 / self.whole as f64
    }

    /// Fetches with something in the way, and holds it against git.
    #[track_caller]
    fn fetch(&self, what: &str, disturb: impl FnOnce(&HttpServer)) -> f64 {
        let ours = self.copy("ours");
        self.server.forget();
        disturb(&self.server);
        Cloning::command(&self.scratch, &ours, &["fetch"]).finish();
        let share = self.share();
        let requests = self.server.served_as(Kind::Fetch).len();
        println!("{what}: {share:.3} in {requests} requests for objects");
        self.server.behave();
        assert_cloned(&self.scratch, &ours, &self.theirs);
        share
    }

    fn one_cut(&self, limit: f64) {
        for (what, fault) in [
            ("before the answer", Fault::HangUp),
            ("before the first byte", Fault::Cut(0)),
            ("in the pack's header", Fault::CutPack(7)),
            ("in a packet's header", Fault::CutLength(self.pack / 2)),
            ("early", Fault::CutPack(self.pack / 10)),
            ("in the middle", Fault::CutPack(self.pack / 2)),
            ("late", Fault::CutPack(self.pack * 9 / 10)),
            ("in the checksum", Fault::CutPack(self.pack - 3)),
            ("behind the pack", Fault::CutEnd(2)),
        ] {
            let share = self.fetch(what, |server| server.once(Kind::Fetch, 0, fault));
            assert!(share <= limit, "{what}: {share:.3} of a fetch was sent");
        }
    }
}

#[test]
fn uninterrupted_it_takes_what_git_takes() {
    let setup = setup(false);
    let share = setup.fetch("uninterrupted", |_| ());
    assert!(share <= 1.02, "{share:.3} of a fetch was sent");
    // Nothing is new the second time, and that costs next to nothing.
    let ours = setup.scratch.join("ours");
    setup.server.forget();
    Cloning::command(&setup.scratch, &ours, &["fetch"]).finish();
    assert_eq!(setup.server.pack_sent(), 0);
    setup.scratch.git(&setup.theirs, &["fetch"]);
    assert_cloned(&setup.scratch, &ours, &setup.theirs);
}

#[test]
fn one_cut_anywhere_with_filters() {
    setup(true).one_cut(1.20);
}

#[test]
fn one_cut_anywhere_of_a_stock_server() {
    setup(false).one_cut(1.25);
}

#[test]
fn ten_cuts() {
    for (filter, limit) in [(true, 1.25), (false, 2.1)] {
        let setup = setup(filter);
        let mut random = Rng::with_seed(3);
        let places: Vec<u64> = (0..10).map(|_| random.u64(..setup.pack)).collect();
        let share = setup.fetch("ten cuts", |server| server.cut_at(&places));
        assert!(share <= limit, "{share:.3} of a fetch was sent");
    }
}

#[test]
fn cut_while_an_old_protocol_is_spoken() {
    let setup = setup(true);
    for version in 0..=1 {
        setup.server.speak(version);
        let place = setup.pack / 2;
        setup.fetch(&format!("version {version}"), |server| {
            server.once(Kind::Fetch, 0, Fault::CutPack(place));
        });
    }
}

#[test]
fn killed_and_paused_while_it_receives() {
    let setup = setup(true);
    for (number, (kind, fault)) in [
        (Kind::Info, Fault::Hold(20)),
        (Kind::Refs, Fault::Hold(60)),
        (Kind::Fetch, Fault::Hold(0)),
        (Kind::Fetch, Fault::HoldPack(setup.pack / 2)),
        (Kind::Fetch, Fault::HoldPack(setup.pack - 3)),
    ]
    .into_iter()
    .enumerate()
    {
        for kill in [true, false] {
            let ours = setup.copy("ours");
            let before = Told::of(&setup.scratch, &ours);
            setup.server.forget();
            setup.server.once(kind, 0, fault.clone());
            let mut fetching = Cloning::command(&setup.scratch, &ours, &["fetch"]);
            let process = fetching.start();
            setup.server.wait_holding();
            if kill {
                let output = process.kill();
                fetching.note(&output);
                let records = setup.scratch.operations(&ours, &["--paused"]);
                fetching.id = records.first().map(|record| record.id().to_owned());
            } else {
                wait_until("it says its id", || {
                    end_to_end::id_told(&process.stderr()).is_some() || !process.is_running()
                });
                process.signal(Signal::INT);
                let output = process.wait().exits(130);
                fetching.goes_on(&output);
            }
            // Nothing is seen of it until all is there.
            let now = Told::of(&setup.scratch, &ours);
            assert_eq!((now.refs, now.objects), (before.refs, before.objects));
            // What is in the making is out of gc's reach.
            let never = ["-c", "gc.reflogExpire=never"];
            let gc = [&never[..], &["gc", "-q", "--prune=now"]].concat();
            setup.scratch.git(&ours, &gc);
            setup.server.behave();
            fetching.finish();
            println!("stop {number}, kill {kill}: {:.3}", setup.share());
            assert!(setup.share() <= 1.3 || kill, "{:.3}", setup.share());
            assert_fetched(&setup, &ours);
        }
    }
}

/// What git has fetched, whatever became of packs since.
#[track_caller]
fn assert_fetched(setup: &Setup, ours: &Path) {
    let [left, right] = [ours, setup.theirs.as_path()].map(|dir| Told::of(&setup.scratch, dir));
    assert_eq!(left.refs, right.refs);
    assert_eq!(left.fetch_head, right.fetch_head);
    assert_eq!(left.reflogs, right.reflogs);
    end_to_end::assert_sound(&setup.scratch, ours);
}

#[test]
fn killed_at_random_moments() {
    let setup = setup(true);
    let mut random = Rng::with_seed(17);
    let mut kills = 0;
    for round in 1..=12 {
        if kills >= 12 {
            break;
        }
        let ours = setup.copy("ours");
        setup.server.forget();
        if round % 2 == 0 {
            let slow = Fault::Throttle(setup.whole * 2);
            setup.server.always(Kind::Fetch, slow);
        }
        let mut fetching = Cloning::command(&setup.scratch, &ours, &["fetch"]);
        let mut most = 0.5;
        loop {
            let process = fetching.start();
            let delay = most * random.f64();
            std::thread::sleep(std::time::Duration::from_secs_f64(delay));
            most *= 1.3;
            if !process.stop() {
                process.wait().ok();
                break;
            }
            process.kill();
            let mut records = setup.scratch.operations(&ours, &[]);
            records.retain(|record| record.status() != "completed");
            if let Some(record) = records.first() {
                assert_eq!(record.status(), "paused");
                fetching.id = Some(record.id().to_owned());
            } else if fetching.id.is_some() {
                break;
            }
            kills += 1;
        }
        setup.server.behave();
        println!("round {round}: {kills} kills, {:.3}", setup.share());
        assert_fetched(&setup, &ours);
    }
    assert!(kills > 4, "only {kills} kills");
}

/// What is done to a server while a fetch is away.
type Change = fn(&Scratch, &Path);

#[test]
fn the_server_changes_while_it_is_away() {
    let changes: [(&str, Change); 4] = [
        ("new commits", |scratch, project| {
            PROJECT.grow(scratch, project, 2);
        }),
        ("a branch less", |scratch, project| {
            scratch.git(project, &["branch", "-D", "topic"]);
        }),
        ("force-pushed", |scratch, project| {
            scratch.git(project, &["update-ref", "refs/heads/main", "main~30"]);
        }),
        ("force-pushed and pruned", |scratch, project| {
            scratch.git(project, &["update-ref", "refs/heads/main", "side~1"]);
            for tag in ["v1", "light-1"] {
                scratch.git(project, &["tag", "-d", tag]);
            }
            scratch.git(project, &["branch", "-D", "topic"]);
            scratch.git(project, &["gc", "-q", "--prune=now"]);
        }),
    ];
    for (what, change) in changes {
        let setup = setup(true);
        let ours = setup.copy("ours");
        let project = setup.scratch.join("project.git");
        setup.server.forget();
        let place = setup.pack / 2;
        setup.server.once(Kind::Fetch, 0, Fault::CutPack(place));
        setup
            .server
            .times(Kind::Fetch, 1, 1, Fault::busy(503, 3_600));
        setup
            .server
            .times(Kind::Info, 1, 1, Fault::busy(503, 3_600));
        let mut fetching = Cloning::command(&setup.scratch, &ours, &["fetch"]);
        let output = fetching.run().exits(5);
        fetching.goes_on(&output);
        setup.server.behave();
        change(&setup.scratch, &project);
        fetching.finish();
        println!("{what}: {:.3}\n{}", setup.share(), fetching.said);
        setup.scratch.git(&ours, &["fsck", "--full", "--strict"]);
        let after = setup.copy("after");
        setup.scratch.git(&after, &["fetch"]);
        let refs = |dir: &Path| setup.scratch.git(dir, &["for-each-ref"]);
        let (found, before, after) = (refs(&ours), refs(&setup.theirs), refs(&after));
        assert!(
            found == before || found == after,
            "{what}: neither what was nor what is:\n{found}\nbefore:\n{before}\nafter:\n{after}"
        );
    }
}

#[test]
fn as_git_does_it() {
    let setup = setup(false);
    let project = setup.scratch.join("project.git");
    // Gone, moved back, and moved elsewhere.
    setup.scratch.git(&project, &["branch", "-D", "side"]);
    setup
        .scratch
        .git(&project, &["update-ref", "refs/heads/main", "main~5"]);
    let cases: [&[&str]; 12] = [
        &["fetch"],
        &["fetch", "origin"],
        &["fetch", "--prune"],
        &["fetch", "-p", "origin"],
        &["fetch", "--tags"],
        &["fetch", "--no-tags"],
        &["fetch", "origin", "main"],
        &["fetch", "origin", "topic:refs/heads/new"],
        &["fetch", "origin", "+refs/heads/*:refs/other/*"],
        &["fetch", "origin", "tag", "v1"],
        &["fetch", "origin", "main", "topic"],
        &["fetch", "--depth=3", "origin"],
    ];
    for args in cases {
        let ours = setup.copy("ours");
        let theirs = setup.copy("theirs-too");
        setup.scratch.git(&theirs, args);
        let output = Cloning::command(&setup.scratch, &ours, args).run();
        println!("{args:?}: {output}");
        output.ok();
        let [left, right] = [&ours, &theirs].map(|dir| Told::of(&setup.scratch, dir));
        assert_eq!(left.refs, right.refs, "{args:?}");
        assert_eq!(left.fetch_head, right.fetch_head, "{args:?}");
        assert_eq!(left.reflogs, right.reflogs, "{args:?}");
        assert_eq!(left.shallow, right.shallow, "{args:?}");
        assert_eq!(left.config, right.config, "{args:?}");
        setup.scratch.git(&ours, &["fsck", "--full", "--strict"]);
    }
}
