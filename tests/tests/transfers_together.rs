//! Two clones and a fetch at once in one process, driven by one scheduler and watched
//! together: none waits for another, and each ends as by itself.

use std::path::Path;
use std::sync::Arc;

use end_to_end::server::{Fault, HttpServer, Kind, Project};
use end_to_end::{Scratch, Told, assert_sound};
use mug::core::database::MugDb;
use mug::transfer::clone::machine::server as cloned_from;
use mug::transfer::clone::{self, Cloning};
use mug::transfer::connection::{Address, Settings};
use mug::transfer::fetch::{self, Fetching};
use mug::transfer::obtain::Server;
use mug::transfer::refs::fetch::FetchOptions;
use mug::transfer::refs::{CloneDefaults, CloneOptions};
use resume_runtime::{Progress, Scheduler, Start};

const PROJECT: Project = Project {
    commits: 250,
    files: 100,
};

fn server(url: &str) -> Server {
    let settings = Settings::outside().expect("settings");
    let address = Address::parse(url, &settings).expect("an address");
    cloned_from(address, settings, |_| ())
}

fn clone_of(url: &str, target: &Path) -> clone::Input {
    let input = clone::Input {
        options: CloneOptions::new(url, CloneDefaults::default()),
        target: target.to_owned(),
        existed: false,
        staged: false,
    };
    std::fs::create_dir_all(input.git_dir()).expect("a directory");
    input
}

#[test]
fn two_clones_and_a_fetch() {
    let scratch = Scratch::fast(1 << 30);
    let projects = ["first.git", "second.git"].map(|name| PROJECT.make(&scratch, name));
    let http = HttpServer::start(&scratch);
    let urls = ["first.git", "second.git"].map(|name| http.url(name));
    for name in ["fetched", "fetched-too"] {
        scratch.git(".", &["clone", "-q", &urls[0], name]);
    }
    PROJECT.grow(&scratch, &projects[0], 1);
    for (url, name) in urls.iter().zip(["theirs-1", "theirs-2"]) {
        scratch.git(".", &["clone", "-q", url, name]);
    }
    scratch.git("fetched-too", &["fetch", "-q"]);
    http.forget();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .expect("threads");
    let _entered = runtime.enter();
    let db = MugDb::open(&scratch.join("store")).expect("a store");
    let from = urls.clone();
    let scheduler = Scheduler::builder(db.into())
        .register::<Cloning>(|input| Ok(clone::Env::new(server(&input.options.url), 2, 5)))
        .register::<Fetching>(move |_| {
            let told = fetch::Told::default();
            Ok(fetch::Env::new(server(&from[0]), 2, 5, told))
        })
        .build();
    // Each stands in the midst of its pack until all do, and is cut later on.
    http.times(Kind::Fetch, 0, 3, Fault::HoldPack(30_000));
    let fetching = fetch::Input {
        options: FetchOptions {
            remote: Some("origin".into()),
            ..FetchOptions::default()
        },
        git_dir: scratch.join("fetched/.git"),
        url: urls[0].clone(),
        action: "fetch origin".into(),
        staged: false,
    };
    let ours = ["ours-1", "ours-2"].map(|name| scratch.join(name));
    runtime.block_on(async {
        let start = |url: &str, target: &Path| {
            scheduler.start::<Cloning>(clone_of(url, target), Start::new())
        };
        let first = start(&urls[0], &ours[0]).await.expect("it starts");
        let second = start(&urls[1], &ours[1]).await.expect("it starts");
        let third = scheduler.start::<Fetching>(fetching, Start::new());
        let third = third.await.expect("it starts");
        let watched: [Arc<Progress>; 3] = [first.watch(), second.watch(), third.watch()];
        http.wait_holding_all(3);
        // All of them are seen at work.
        end_to_end::wait_until("each has received something", || {
            let shots = watched.iter().map(|progress| progress.snapshot());
            shots.into_iter().all(|shot| shot.step == "receive")
        });
        http.cut_at(&[150_000, 250_000, 400_000]);
        http.release();
        let (first, second, third) = tokio::join!(first, second, third);
        first.expect("the first is cloned");
        second.expect("the second is cloned");
        third.expect("it is fetched");
    });
    assert_eq!(http.cuts_left(), 0);
    for (ours, theirs) in [
        ("ours-1", "theirs-1"),
        ("ours-2", "theirs-2"),
        ("fetched", "fetched-too"),
    ] {
        let [left, right] = [ours, theirs].map(|name| Told::of(&scratch, &scratch.join(name)));
        assert_eq!(left.refs, right.refs, "{ours}");
        assert_eq!(left.objects, right.objects, "{ours}");
        assert_eq!((left.index, left.status), (right.index, right.status));
        assert_sound(&scratch, &scratch.join(ours));
    }
}
