//! Pushing to servers that take only so much at once.

use std::fs;

use end_to_end::pushing::{MAIN, SMALL, assert_pushed, noise, push, pushes, refs, target};
use end_to_end::server::{HttpServer, Project};
use end_to_end::{Scratch, wait_until};

/// Half a megabyte as one pack.
const PROJECT: Project = Project {
    commits: 600,
    files: 60,
};
const LIMIT: u64 = 100 << 10;

#[test]
fn increments_adapt_to_what_a_server_takes_and_that_is_remembered() {
    let scratch = Scratch::fast(200 << 20);
    PROJECT.make(&scratch, "local.git");
    let http = HttpServer::start(&scratch);
    let path = target(&scratch, "a.git", &[("receive.maxInputSize", "100k")]);
    let out = push(&scratch, &http.url("a.git"), &["main"]).ok();
    assert!(out.stderr.contains("exceeds maximum allowed size"), "{out}");
    assert_pushed(&scratch, "a.git", MAIN);
    let bodies = http.bodies();
    let refused = bodies.len() - pushes(&path);
    // The first ones are too long, and each of them is about half of the one before.
    assert!(refused >= 2 && pushes(&path) >= 4, "{bodies:?}");
    for (number, body) in bodies.iter().enumerate() {
        assert_eq!(body.bytes > LIMIT, number < refused, "{bodies:?}");
    }
    for pair in bodies[..refused].windows(2) {
        assert!(pair[1].bytes * 10 < pair[0].bytes * 8, "{bodies:?}");
    }
    // Another push begins with that.
    PROJECT.grow(&scratch, &scratch.join("local.git"), 1);
    http.forget();
    let before = pushes(&path);
    push(&scratch, &http.url("a.git"), &["main"]).ok();
    assert_pushed(&scratch, "a.git", MAIN);
    let bodies = http.bodies();
    assert!(bodies.len() >= 4, "{bodies:?}");
    assert!(bodies.iter().all(|it| it.bytes <= LIMIT), "{bodies:?}");
    assert_eq!(pushes(&path) - before, bodies.len());
}

const FILES: usize = 40;
/// So long is each of them.
const LONG: usize = 8_000;

/// `local.git`, in which a single commit brings all files, and another one a few.
fn one_large_commit(scratch: &Scratch) {
    scratch.git(".", &["init", "-q", "-b", "main", "work"]);
    for (file, seed) in (0..FILES).zip(0..) {
        let dir = scratch.join(format!("work/part-{}/sub-{}", file % 3, file % 5));
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join(format!("{file}")), noise(seed, LONG)).expect("a file");
    }
    scratch.git("work", &["add", "."]);
    scratch.git("work", &["commit", "-q", "-m", "all"]);
    fs::write(scratch.join("work/last"), noise(99, LONG)).expect("a file");
    scratch.git("work", &["add", "."]);
    scratch.git("work", &["commit", "-q", "-m", "last"]);
    scratch.git(".", &["clone", "-q", "--bare", "work", "local.git"]);
}

/// How often each blob is in the packs of a repository.
fn copies(scratch: &Scratch, name: &str) -> Vec<usize> {
    let blobs = scratch.git("work", &["ls-tree", "-r", "--format=%(objectname)", "main"]);
    let folder = scratch.join(name).join("objects/pack");
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("packs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "idx") {
            let path = path.to_str().expect("text");
            all += &scratch.git(name, &["verify-pack", "-v", path]);
        }
    }
    let count = |blob: &str| all.matches(&format!("{blob} blob")).count();
    blobs.lines().map(count).collect()
}

#[test]
fn a_large_commit_goes_in_parts_that_are_kept() {
    let scratch = Scratch::fast(200 << 20);
    one_large_commit(&scratch);
    let http = HttpServer::start(&scratch);
    let keep = ("receive.unpackLimit", "1");
    for (name, rules) in [
        ("plain.git", &[keep][..]),
        ("strict.git", &[keep, ("transfer.fsckObjects", "true")]),
        ("branches.git", &[keep, ("receive.hideRefs", "refs/mug")]),
        (
            "no-atomic.git",
            &[keep, ("receive.advertiseAtomic", "false")],
        ),
        ("small.git", &[keep, ("receive.maxInputSize", "40k")]),
    ] {
        let path = target(&scratch, name, rules);
        let small = if name == "small.git" {
            "--no-verify"
        } else {
            SMALL
        };
        http.forget();
        push(&scratch, &http.url(name), &["main", small]).ok();
        assert_pushed(&scratch, name, MAIN);
        assert!(pushes(&path) >= 8, "{name}: {}", pushes(&path));
        // Nothing that was kept came again.
        assert_eq!(copies(&scratch, name), vec![1; FILES + 1], "{name}");
        let packs = fs::read_dir(path.join("objects/pack")).expect("packs");
        let lengths = packs.map(|it| it.expect("an entry").metadata().expect("a file").len());
        let lengths: Vec<u64> = lengths.collect();
        assert!(
            lengths.iter().all(|it| *it <= 40 << 10),
            "{name}: {lengths:?}"
        );
    }
}

#[test]
fn a_large_commit_goes_on_where_it_was_killed() {
    let scratch = Scratch::fast(200 << 20);
    one_large_commit(&scratch);
    let path = target(&scratch, "a.git", &[("receive.unpackLimit", "1")]);
    let mut command = vec![
        "push".to_owned(),
        "../a.git".into(),
        "main".into(),
        SMALL.into(),
    ];
    let mut seen = 0;
    for round in 0..100 {
        let process = scratch.spawn("local.git", &command);
        wait_until("the server has taken something, or it is over", || {
            pushes(&path) > seen || !process.is_running()
        });
        let out = process.kill();
        seen = pushes(&path);
        if round == 0 {
            let id = scratch.operations("local.git", &[])[0].id().to_owned();
            command = vec!["push".into(), "--resume".into(), id];
        }
        if out.code() == Some(0) {
            break;
        }
    }
    assert_pushed(&scratch, "a.git", MAIN);
    assert_eq!(copies(&scratch, "a.git"), vec![1; FILES + 1]);
    assert!(pushes(&path) >= 8);
}

#[test]
fn a_blob_above_the_limit_is_named_with_its_commit() {
    let scratch = Scratch::fast(200 << 20);
    scratch.git(".", &["init", "-q", "-b", "main", "work"]);
    fs::write(scratch.join("work/small"), noise(1, 5_000)).expect("a file");
    fs::create_dir(scratch.join("work/dir")).expect("a directory");
    fs::write(scratch.join("work/dir/large"), noise(2, 90_000)).expect("a file");
    scratch.git("work", &["add", "."]);
    scratch.git("work", &["commit", "-q", "-m", "large"]);
    let (commit, blob) = (
        scratch.git("work", &["rev-parse", "HEAD"]),
        scratch.git("work", &["rev-parse", "HEAD:dir/large"]),
    );
    for (name, rules, option, who) in [
        ("a.git", &[][..], SMALL, "go into one increment"),
        (
            "b.git",
            &[("receive.maxInputSize", "40k")],
            "--no-verify",
            "the server takes at once",
        ),
    ] {
        target(&scratch, name, rules);
        let url = format!("../{name}");
        let out = scratch
            .mug("work", &["push", &url, "main", option])
            .exits(1);
        for word in [&commit, &blob, "'dir/large'", who] {
            assert!(out.stderr.contains(word), "{word}: {out}");
        }
        assert_eq!(refs(&scratch, name).matches("refs/heads").count(), 0);
    }
    // What is there already has no limit, wherever it is moved to.
    target(&scratch, "c.git", &[]);
    scratch.git("work", &["push", "-q", "../c.git", "main"]);
    scratch.git("work", &["mv", "dir", "other"]);
    fs::write(scratch.join("work/other/more"), noise(3, 2_000)).expect("a file");
    scratch.git("work", &["add", "."]);
    scratch.git("work", &["commit", "-q", "-m", "moved"]);
    scratch
        .mug("work", &["push", "../c.git", "main", SMALL])
        .ok();
    scratch.git("c.git", &["fsck", "--full"]);
}
