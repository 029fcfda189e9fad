//! Clones whose line is cut: they end as git's own clone does, and the server counts
//! that next to nothing was sent twice.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::PathBuf;

use end_to_end::server::{Control, Fault, GitServer, HttpServer, Kind, PackMap, Project, Shim};
use end_to_end::{Cloning, Scratch, assert_cloned, packs};
use fastrand::Rng;

/// A megabyte in some thousand objects.
const PROJECT: Project = Project {
    commits: 400,
    files: 200,
};

/// A server, and what an uninterrupted clone by git took from it.
struct Setup {
    scratch: Scratch,
    server: HttpServer,
    url: String,
    /// The clone.
    theirs: PathBuf,
    map: PackMap,
    /// The bytes of all answers.
    whole: u64,
}

fn setup(project: Project, filter: bool) -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let path = project.make(&scratch, "project.git");
    if filter {
        scratch.git(&path, &["config", "uploadpack.allowFilter", "true"]);
    }
    Setup::serve(scratch, "project.git")
}

impl Setup {
    fn serve(scratch: Scratch, project: &str) -> Self {
        let server = HttpServer::start(&scratch);
        let url = server.url(project);
        scratch.git(".", &["clone", "-q", &url, "theirs"]);
        let theirs = scratch.join("theirs");
        Self {
            whole: server.sent(),
            map: PackMap::of(&scratch, &theirs.join(".git")),
            scratch,
            server,
            url,
            theirs,
        }
    }

    /// Clones with what was asked of the server in the way, and holds the result
    /// against git's; gives how much the server sent, as a share of one clone.
    #[track_caller]
    fn clone(&self, what: &str, options: &[&str], disturb: impl FnOnce(&HttpServer)) -> f64 {
        self.server.forget();
        disturb(&self.server);
        let mut cloning = Cloning::new(&self.scratch, &self.url, "ours", options);
        cloning.finish();
        let share = self.server.sent() as f64 / self.whole as f64;
        let requests = self.server.served_as(Kind::Fetch).len();
        println!("{what} {options:?}: {share:.3} in {requests} requests for objects");
        self.server.behave();
        let ours = self.scratch.join("ours");
        assert_cloned(&self.scratch, &ours, &self.theirs);
        assert_eq!(packs(&self.scratch, &ours), 1, "{what}");
        std::fs::remove_dir_all(ours).expect("it can be removed");
        share
    }

    /// One cut wherever it hurts.
    fn one_cut(&self, limit: f64) {
        let map = &self.map;
        let middle = map.behind(0.5);
        let cuts = [
            ("before the answer", Fault::HangUp),
            ("before the first byte", Fault::Cut(0)),
            ("in the pack's header", Fault::CutPack(7)),
            ("behind the pack's header", Fault::CutPack(12)),
            ("in a packet's header", Fault::CutLength(middle)),
            ("between objects", Fault::CutPack(middle)),
            ("in an object's header", Fault::CutPack(middle + 1)),
            ("in an object", Fault::CutPack(middle + 20)),
            ("in a late object", Fault::CutPack(map.behind(0.95) + 3)),
            ("before the last object", Fault::CutPack(map.at(0.9999))),
            ("before the checksum", Fault::CutPack(map.length - 20)),
            ("in the checksum", Fault::CutPack(map.length - 3)),
            ("behind the pack", Fault::CutEnd(2)),
        ];
        for (what, fault) in cuts {
            let share = self.clone(what, &[], |server| server.once(Kind::Fetch, 0, fault));
            assert!(share <= limit, "{what}: {share:.3} of a clone was sent");
        }
    }

    /// Ten cuts at random places of what is sent, with these seeds.
    fn ten_cuts(&self, options: &[&str], seeds: std::ops::Range<u64>, limit: f64) {
        for seed in seeds {
            let mut random = Rng::with_seed(seed);
            let places: Vec<u64> = (0..10).map(|_| random.u64(..self.map.length)).collect();
            let what = format!("ten cuts, seed {seed}");
            let share = self.clone(&what, options, |server| server.cut_at(&places));
            assert!(share <= limit, "{what}: {share:.3} of a clone was sent");
        }
    }
}

#[test]
fn uninterrupted_it_takes_what_git_takes() {
    let setup = setup(PROJECT, false);
    let share = setup.clone("uninterrupted", &[], |_| ());
    assert!(share <= 1.01, "{share:.3} of a clone was sent");
}

#[test]
fn one_cut_anywhere_with_filters() {
    setup(PROJECT, true).one_cut(1.20);
}

#[test]
fn one_cut_anywhere_of_a_stock_server() {
    setup(PROJECT, false).one_cut(1.10);
}

#[test]
fn one_early_cut_of_a_stock_server() {
    let setup = setup(Project::MIDDLE, false);
    // Within the commits, and within the trees: no blob is there, and not all of history.
    for part in [2, 5, 15, 25] {
        let place = setup.map.length * part / 100;
        let what = format!("one cut at {part} %");
        let share = setup.clone(&what, &[], |server| server.cut_at(&[place]));
        assert!(share <= 1.10, "{what}: {share:.3} of a clone was sent");
    }
}

#[test]
fn ten_cuts_with_filters() {
    setup(Project::MIDDLE, true).ten_cuts(&[], 1..3, 1.10);
}

#[test]
fn ten_cuts_in_the_history_with_filters() {
    let setup = setup(Project::MIDDLE, true);
    // The first within the commits; then each before all of history has come.
    let places: Vec<u64> = (1..=10).map(|n| setup.map.length * n / 50).collect();
    let share = setup.clone("ten cuts in the history", &[], |server| {
        server.cut_at(&places);
    });
    assert!(share <= 1.10, "{share:.3} of a clone was sent");
}

#[test]
fn cuts_in_the_history_of_a_server_that_is_shallow() {
    // It says of what it is told to be cut off here that it is not, and where its own history is.
    let scratch = Scratch::fast(1 << 30);
    let all = Project::MIDDLE.make(&scratch, "all.git");
    let all = format!("file://{}", all.display());
    let part = ["clone", "-q", "--bare", "--depth", "300", &all, "part.git"];
    scratch.git(".", &part);
    let filter = ["config", "uploadpack.allowFilter", "true"];
    scratch.git("part.git", &filter);
    let setup = Setup::serve(scratch, "part.git");
    for options in [&[][..], &["--staged"]] {
        let places: Vec<u64> = (1..=5).map(|n| setup.map.length * n / 100).collect();
        let share = setup.clone("five early cuts", options, |server| server.cut_at(&places));
        assert!(share <= 1.25, "{share:.3} of a clone was sent");
    }
}

#[test]
fn ten_cuts_of_a_stock_server() {
    // What is asked for by its id comes without deltas to what is there, and that weighs much where
    // files are small and change often.
    setup(Project::MIDDLE, false).ten_cuts(&[], 1..3, 1.55);
}

#[test]
fn ten_cuts_when_staged() {
    setup(Project::MIDDLE, true).ten_cuts(&["--staged"], 1..3, 1.05);
}

#[test]
fn a_staged_clone_of_a_stock_server_is_as_whole() {
    let setup = setup(PROJECT, false);
    setup.clone("staged, stock", &["--staged"], |server| {
        server.cut_at(&[setup.map.length / 3, setup.map.length / 2]);
    });
}

#[test]
fn only_some_filters_are_allowed() {
    let setup = setup(PROJECT, true);
    let project = setup.scratch.join("project.git");
    let none = ["config", "uploadpackfilter.allow", "false"];
    setup.scratch.git(&project, &none);
    let some = ["config", "uploadpackfilter.blob:none.allow", "true"];
    setup.scratch.git(&project, &some);
    for options in [&[][..], &["--staged"]] {
        let share = setup.clone("blob:none only", options, |server| {
            server.cut_at(&[setup.map.length / 2]);
        });
        assert!(share <= 1.25, "{share:.3} of a clone was sent");
    }
}

#[test]
fn cut_while_an_old_protocol_is_spoken() {
    let setup = setup(PROJECT, true);
    for version in 0..=2 {
        setup.server.speak(version);
        let what = format!("protocol version {version}");
        let share = setup.clone(&what, &[], |server| {
            let place = setup.map.length / 2;
            server.once(Kind::Fetch, 0, Fault::CutPack(place));
        });
        // Whoever asks for all again has 1.5.
        assert!(share <= 1.55, "{what}: {share:.3} of a clone was sent");
    }
}

/// A configuration with this protocol version.
fn speaking(scratch: &Scratch, version: u8) -> PathBuf {
    let path = scratch.join(format!("speak-{version}"));
    let text = format!("[protocol]\n\tversion = {version}\n");
    std::fs::write(&path, text).expect("a configuration");
    path
}

/// Clones twice with each version of the protocol, once with a cut, and holds
/// that against git's; `sent` counts.
#[track_caller]
fn by_another_way(
    scratch: &Scratch,
    url: &str,
    shim: Option<&Shim>,
    cut: &dyn Fn(u64),
    sent: &dyn Fn() -> u64,
) {
    let git = |target: &str| {
        let mut command = scratch.command("git", ".");
        command.args(["clone", "-q", url, target]);
        if let Some(shim) = shim {
            shim.apply(&mut command);
        }
        assert!(command.status().expect("git runs").success());
    };
    let before = sent();
    git("theirs");
    let whole = sent() - before;
    let theirs = scratch.join("theirs");
    let map = PackMap::of(scratch, &theirs.join(".git"));
    for version in 0..=2 {
        for place in [None, Some(map.length / 2)] {
            let before = sent();
            if let Some(place) = place {
                cut(place);
            }
            let mut cloning = Cloning::new(scratch, url, "ours", &[]);
            cloning = cloning.global(speaking(scratch, version));
            if let Some(shim) = shim {
                cloning = cloning.shim(shim);
            }
            cloning.finish();
            let share = (sent() - before) as f64 / whole as f64;
            println!("version {version}, cut at {place:?}: {share:.3}");
            let limit = match (place, version) {
                (None, _) => 1.01,
                (_, 2) => 1.25,
                _ => 1.55,
            };
            assert!(share <= limit, "version {version}: {share:.3}");
            let ours = scratch.join("ours");
            assert_cloned(scratch, &ours, &theirs);
            std::fs::remove_dir_all(ours).expect("it can be removed");
        }
    }
}

#[test]
fn cut_by_git_daemon() {
    let scratch = Scratch::fast(1 << 30);
    PROJECT.make(&scratch, "project.git");
    let server = GitServer::start(&scratch);
    let control: &Control = &server;
    let url = server.url("project.git");
    let cut = |place| control.once(Kind::Fetch, 0, Fault::CutPack(place));
    by_another_way(&scratch, &url, None, &cut, &|| control.sent());
}

#[test]
fn cut_by_ssh() {
    let scratch = Scratch::fast(1 << 30);
    let path = PROJECT.make(&scratch, "project.git");
    let shim = Shim::new(&scratch);
    let url = format!("ssh://someone@host.example{}", path.display());
    let cut = |place| shim.cut(&[Some(place)]);
    by_another_way(&scratch, &url, Some(&shim), &cut, &|| shim.sent());
}
