//! Servers that stall, refuse, break down and lie: a clone ends as git's own does,
//! or with a clear error and with what was received kept.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use end_to_end::server::{Fault, HttpServer, Kind, PackMap, Project};
use end_to_end::{Cloning, Output, Scratch, assert_cloned, assert_sound, printed};

/// Half a megabyte.
const PROJECT: Project = Project::LITTLE;

struct Setup {
    scratch: Scratch,
    server: HttpServer,
    url: String,
    theirs: PathBuf,
    map: PackMap,
    whole: u64,
}

fn setup() -> Setup {
    let scratch = Scratch::fast(512 << 20);
    PROJECT.make(&scratch, "project.git");
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
    fn cloning(&self) -> Cloning<'_> {
        let path = self.scratch.join("impatient");
        std::fs::write(&path, "[mug]\n\tstallTimeout = 0.5\n").expect("a configuration");
        Cloning::new(&self.scratch, &self.url, "ours", &[]).global(path)
    }

    fn share(&self) -> f64 {
        self.server.sent() as f64 / self.whole as f64
    }

    fn ours(&self) -> PathBuf {
        self.scratch.join("ours")
    }

    #[track_caller]
    fn check(&self, what: &str) {
        println!("{what}: {:.3} of a clone", self.share());
        self.server.behave();
        assert_cloned(&self.scratch, &self.ours(), &self.theirs);
        self.clear();
    }

    fn clear(&self) {
        self.server.behave();
        self.server.forget();
        if self.ours().exists() {
            std::fs::remove_dir_all(self.ours()).expect("it can be removed");
        }
    }

    /// Done in spite of a fault, by one process.
    #[track_caller]
    fn survives(&self, what: &str, kind: Kind, fault: Fault, limit: f64) {
        self.server.once(kind, 0, fault);
        let mut cloning = self.cloning();
        let output = cloning.run();
        assert_eq!(output.code(), Some(0), "{what}: {output}");
        assert!(self.share() <= limit, "{what}: {:.3}", self.share());
        self.check(what);
    }

    /// Given up with this code while the fault lasts; done by another process when
    /// it has passed. What the first one said.
    #[track_caller]
    fn gives_up(&self, what: &str, kind: Kind, fault: Fault, code: i32) -> Output {
        self.server.always(kind, fault);
        let mut cloning = self.cloning();
        let output = cloning.run();
        assert_eq!(output.code(), Some(code), "{what}: {output}");
        self.server.behave();
        if code != 1 {
            cloning.goes_on(&output);
            cloning.finish();
            self.check(what);
        }
        self.clear();
        output
    }
}

#[test]
fn what_passes_is_waited_for() {
    let setup = setup();
    let status = Fault::status;
    let cases = [
        ("500", Kind::Fetch, status(500)),
        ("503", Kind::Info, status(503)),
        ("502 for the refs", Kind::Refs, status(502)),
        ("429 with a time", Kind::Info, Fault::busy(429, 1)),
        ("503 with a time", Kind::Fetch, Fault::busy(503, 1)),
        ("hung up at first", Kind::Info, Fault::HangUp),
        ("hung up for the refs", Kind::Refs, Fault::HangUp),
        ("cut in the abilities", Kind::Info, Fault::Cut(40)),
        ("cut in the refs", Kind::Refs, Fault::Cut(100)),
    ];
    for (what, kind, fault) in cases {
        setup.survives(what, kind, fault, 1.02);
    }
}

#[test]
fn when_it_is_told_how_long_it_waits_as_long() {
    let setup = setup();
    setup.server.once(Kind::Fetch, 0, Fault::busy(429, 2));
    let start = std::time::Instant::now();
    let mut cloning = setup.cloning();
    cloning.run().ok();
    assert!(start.elapsed().as_secs_f64() >= 2.0, "it came too early");
    setup.check("429");
    // Longer than anyone waits.
    let output = setup.gives_up("503 for an hour", Kind::Fetch, Fault::busy(503, 3_600), 5);
    assert!(output.stderr.contains("503"), "{output}");
}

#[test]
fn what_does_not_pass_is_said() {
    let setup = setup();
    for kind in [Kind::Info, Kind::Fetch] {
        for code in [401, 403] {
            let output = setup.gives_up("refused", kind, Fault::status(code), 3);
            println!("{}", output.stderr);
        }
        let output = setup.gives_up("not there", kind, Fault::status(404), 1);
        println!("{}", output.stderr);
    }
    // A failed clone leaves nothing that blocks the next one by git or by mug.
    let missing = setup.url.replace("project.git", "missing.git");
    let output = Cloning::new(&setup.scratch, &missing, "ours", &[]).run();
    let output = output.exits(1);
    assert!(output.stderr.contains("missing.git"), "{output}");
}

#[test]
fn a_line_that_stalls_is_a_lost_one() {
    let setup = setup();
    let middle = setup.map.behind(0.5);
    for (what, kind, fault) in [
        ("stalled before the answer", Kind::Fetch, Fault::Hold(0)),
        ("stalled in the pack", Kind::Fetch, Fault::HoldPack(middle)),
        ("stalled at first", Kind::Info, Fault::Hold(0)),
        ("stalled in the refs", Kind::Refs, Fault::Hold(50)),
    ] {
        setup.survives(what, kind, fault, 1.6);
    }
}

#[test]
fn slowly_is_as_good() {
    let setup = setup();
    let slow = Fault::Throttle(setup.map.length / 2);
    setup.survives("throttled", Kind::Fetch, slow, 1.01);
}

#[test]
fn bytes_that_are_wrong_are_not_kept() {
    let setup = setup();
    let map = &setup.map;
    for (what, place) in [
        ("the magic", 1),
        ("the version", 7),
        ("the count", 9),
        ("a header", map.behind(0.4)),
        ("an object", map.behind(0.6) + 12),
        ("the last object", map.at(0.9999) + 8),
        ("the checksum", map.length - 5),
    ] {
        setup.survives(what, Kind::Fetch, Fault::Corrupt(place), 2.1);
    }
}

/// A pack of the objects that these arguments of `rev-list` select in `dir`.
fn pack_of(scratch: &Scratch, dir: &Path, selection: &[&str]) -> Vec<u8> {
    let objects = [&["rev-list", "--objects", "--no-object-names"], selection].concat();
    pack_with(scratch, dir, &scratch.git(dir, &objects))
}

fn pack_with(scratch: &Scratch, dir: &Path, objects: &str) -> Vec<u8> {
    use std::io::Write as _;

    let mut command = scratch.command("git", dir);
    command
        .args(["pack-objects", "--quiet", "--stdout", "--delta-base-offset"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("git runs");
    let mut stdin = child.stdin.take().expect("it was asked for");
    let list = format!("{objects}\n");
    let writing = std::thread::spawn(move || stdin.write_all(list.as_bytes()));
    let output = child.wait_with_output().expect("git ends");
    assert!(output.status.success());
    writing.join().expect("a thread").expect("git reads");
    output.stdout
}

#[test]
fn packs_that_lack_something_are_completed() {
    let setup = setup();
    let project = setup.scratch.join("project.git");
    let pack = |selection: &[&str]| pack_of(&setup.scratch, &project, selection);
    for (what, pack) in [
        ("no blobs", pack(&["--all", "--filter=blob:none"])),
        ("no trees", pack(&["--all", "--filter=tree:0"])),
        ("a part of the history", pack(&["main~40"])),
        ("one branch of two", pack(&["side"])),
    ] {
        let limit = 2.1 + pack.len() as f64 / setup.whole as f64;
        setup.survives(what, Kind::Fetch, Fault::Pack(pack), limit);
    }
}

/// Objects that nobody asked for.
fn foreign(scratch: &Scratch) -> Vec<u8> {
    let shape = end_to_end::Shape::SMALL;
    let other = scratch.repository("other.git", true, shape);
    pack_of(scratch, &other, &["--all"])
}

#[test]
fn packs_of_something_else_do_no_harm() {
    let setup = setup();
    let foreign = foreign(&setup.scratch);
    setup
        .server
        .once(Kind::Fetch, 0, Fault::Pack(foreign.clone()));
    let mut cloning = setup.cloning();
    let output = cloning.run();
    println!("once: {output}");
    if output.code() != Some(0) {
        cloning.goes_on(&output);
        cloning.finish();
    }
    // What was not asked for may be there, but nothing may be missing.
    setup.scratch.git(setup.ours(), &["fsck", "--full"]);
    let refs = |dir: &Path| setup.scratch.git(dir, &["for-each-ref"]);
    assert_eq!(refs(&setup.ours()), refs(&setup.theirs));
    setup.clear();
    // A server that goes on lying is not asked for ever.
    setup.server.always(Kind::Fetch, Fault::Pack(foreign));
    let output = setup.cloning().run();
    println!("always: {output}");
    assert!(matches!(output.code(), Some(1 | 5)), "{output}");
    let requests = setup.server.served_as(Kind::Fetch).len();
    assert!(requests < 40, "{requests} requests");
    assert_no_refs(&setup);
}

/// Nothing points to what is not there.
#[track_caller]
fn assert_no_refs(setup: &Setup) {
    if setup.ours().join(".git/HEAD").exists() {
        assert_eq!(setup.scratch.git(setup.ours(), &["for-each-ref"]), "");
    }
}

#[test]
fn a_server_that_never_gives_an_object_is_found_out() {
    let setup = setup();
    let project = setup.scratch.join("project.git");
    let all = ["rev-list", "--objects", "--no-object-names", "--all"];
    let objects = setup.scratch.git(&project, &all);
    let blob = setup
        .scratch
        .git(&project, &["rev-parse", "main:part-0/sub-0/file-0.txt"]);
    let most: Vec<&str> = objects.lines().filter(|line| *line != blob).collect();
    let pack = pack_with(&setup.scratch, &project, &most.join("\n"));
    setup.server.always(Kind::Fetch, Fault::Pack(pack));
    let output = setup.cloning().run();
    println!("{output}");
    assert!(matches!(output.code(), Some(1 | 5)), "{output}");
    assert!(
        setup.share() < 40.0,
        "{:.1} clones were sent",
        setup.share()
    );
    assert_no_refs(&setup);
    setup.clear();
}

#[test]
fn an_endless_pack_is_ended() {
    let setup = setup();
    for place in [setup.map.behind(0.5), setup.map.length] {
        let endless = Fault::Endless(place);
        // What is sent before anyone can have noticed does not count: buffers.
        setup.survives("endless", Kind::Fetch, endless, 100.0);
    }
}

#[test]
fn answers_that_are_no_answers_are_said() {
    let setup = setup();
    for (kind, body) in [
        (Kind::Info, &b""[..]),
        (Kind::Info, b"<html>Log in first</html>"),
        (Kind::Info, b"001e# service=git-upload-pack\n0000fffg"),
        (Kind::Refs, b"zzzz"),
        (Kind::Refs, b"0010no such line\n0000"),
        (Kind::Fetch, b"<html>Log in first</html>"),
        (Kind::Fetch, b"0012ERR it is late0000"),
    ] {
        let text = String::from_utf8_lossy(body).into_owned();
        setup.server.always(kind, Fault::Body(body.to_vec()));
        let process = setup.cloning().start();
        let output = process.wait();
        println!("{kind:?} {text}: {}", output.stderr);
        assert!(matches!(output.code(), Some(1 | 5)), "{text}: {output}");
        assert_no_refs(&setup);
        setup.clear();
    }
}

#[test]
fn an_answer_without_a_pack_is_a_lost_one() {
    let setup = setup();
    let body = Fault::Body(b"000dpackfile\n0000".to_vec());
    setup.survives("no pack", Kind::Fetch, body, 1.01);
    let empty = Fault::Pack(b"PACK\0\0\0\x02\0\0\0\0".to_vec());
    setup.survives("a pack of nothing, cut", Kind::Fetch, empty, 1.01);
}

#[test]
fn what_the_server_says_cannot_command_the_terminal() {
    let setup = setup();
    let evil = b"\x1b]0;owned\x07\x1b[2Jgone";
    let line = |content: &[u8]| {
        let mut packet = format!("{:04x}", content.len() + 4).into_bytes();
        packet.extend_from_slice(content);
        packet
    };
    let body = line(&[b"ERR ", &evil[..]].concat());
    setup.server.always(Kind::Fetch, Fault::Body(body));
    let output = setup.cloning().run();
    assert_ne!(output.code(), Some(0), "{output}");
    assert!(!output.stderr.contains('\x1b'), "{output}");
    assert!(!output.stdout.contains('\x1b'), "{output}");
}

#[test]
fn empty_and_shallow_servers() {
    let scratch = Scratch::fast(256 << 20);
    PROJECT.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    scratch.git(".", &["init", "-q", "--bare", "-b", "trunk", "empty.git"]);
    let depth = ["clone", "-q", "--bare", "--no-local", "--depth=20"];
    scratch.git(".", &[&depth[..], &["project.git", "shallow.git"]].concat());
    for name in ["empty.git", "shallow.git"] {
        let url = server.url(name);
        scratch.git(".", &["clone", "-q", &url, "theirs"]);
        let place = 5_000;
        server.once(Kind::Fetch, 0, Fault::CutPack(place));
        Cloning::new(&scratch, &url, "ours", &[]).finish();
        assert_cloned(&scratch, &scratch.join("ours"), &scratch.join("theirs"));
        for dir in ["ours", "theirs"] {
            std::fs::remove_dir_all(scratch.join(dir)).expect("it can be removed");
        }
        server.behave();
    }
}

/// What is done to a server while a clone is away.
type Change = fn(&Scratch, &Path);

#[test]
fn the_server_changes_while_it_is_away() {
    let changes: [(&str, Change); 5] = [
        ("new commits", |scratch, project| {
            PROJECT.grow(scratch, project, 1);
        }),
        ("another order", |scratch, project| {
            scratch.git(project, &["repack", "-adfq", "--window=2"]);
        }),
        ("a branch less", |scratch, project| {
            scratch.git(project, &["branch", "-D", "side"]);
        }),
        ("force-pushed", |scratch, project| {
            scratch.git(project, &["update-ref", "refs/heads/main", "main~30"]);
        }),
        ("force-pushed and pruned", |scratch, project| {
            scratch.git(project, &["update-ref", "refs/heads/main", "side~1"]);
            for tag in ["v0", "light-0"] {
                scratch.git(project, &["tag", "-d", tag]);
            }
            scratch.git(project, &["gc", "-q", "--prune=now"]);
        }),
    ];
    for (what, change) in changes {
        let setup = setup();
        let project = setup.scratch.join("project.git");
        let place = setup.map.behind(0.5);
        // Away for a while, in which the server changes.
        setup.server.once(Kind::Fetch, 0, Fault::CutPack(place));
        setup
            .server
            .times(Kind::Fetch, 1, 1, Fault::busy(503, 3_600));
        setup
            .server
            .times(Kind::Info, 1, 1, Fault::busy(503, 3_600));
        let mut cloning = setup.cloning();
        let output = cloning.run().exits(5);
        cloning.goes_on(&output);
        setup.server.behave();
        change(&setup.scratch, &project);
        let output = cloning.finish();
        println!("{what}: {:.3} of a clone\n{output}", setup.share());
        assert_sound_but(&setup.scratch, &setup.ours());
        let refs = |dir: &Path| setup.scratch.git(dir, &["for-each-ref", "refs/remotes"]);
        let before = refs(&setup.theirs);
        let url = &setup.url;
        setup.scratch.git(".", &["clone", "-q", url, "after"]);
        let after = refs(&setup.scratch.join("after"));
        let found = refs(&setup.ours());
        assert!(
            found == before || found == after,
            "{what}: neither what was nor what is:\n{found}\nbefore:\n{before}\nafter:\n{after}"
        );
        let said = cloning.said.to_lowercase();
        if found != before {
            assert!(
                said.contains("chang") || said.contains("moved"),
                "{what}: {said}"
            );
        }
    }
}

/// Sound, but for objects that nothing points to any more.
#[track_caller]
fn assert_sound_but(scratch: &Scratch, dir: &Path) {
    scratch.git(dir, &["fsck", "--full", "--strict"]);
    assert_eq!(scratch.git(dir, &["status", "--porcelain"]), "");
}

/// Writes an object of whatever content.
fn object(scratch: &Scratch, dir: &Path, kind: &str, content: &[u8]) -> String {
    let path = scratch.join("object");
    std::fs::write(&path, content).expect("a file");
    let path = path.to_str().expect("a scratch path is text");
    let write = ["hash-object", "-w", "-t", kind, "--literally", path];
    scratch.git(dir, &write)
}

/// A tree of these entries: mode, name, id.
fn tree(scratch: &Scratch, dir: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        let bytes = (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16));
        content.extend(bytes.map(|byte| byte.expect("an id")));
    }
    object(scratch, dir, "tree", &content)
}

#[test]
fn hostile_trees_reach_nothing_outside() {
    let scratch = Scratch::fast(256 << 20);
    let server = HttpServer::start(&scratch);
    scratch.git(".", &["init", "-q", "--bare", "-b", "main", "evil.git"]);
    let evil = scratch.join("evil.git");
    let blob = object(&scratch, &evil, "blob", b"owned\n");
    let outside = object(&scratch, &evil, "blob", b"../outside");
    let inner = tree(&scratch, &evil, &[("100644", "config", &blob)]);
    let file = |name| vec![("100644", name, blob.as_str())];
    let dir = |name| vec![("40000", name, inner.as_str())];
    std::fs::create_dir(scratch.join("outside")).expect("a directory");
    let cases = [
        dir(".git"),
        dir(".GIT"),
        dir(".Git"),
        dir("git~1"),
        dir(".git "),
        dir(".git::$INDEX_ALLOCATION"),
        dir(".g\u{200c}it"),
        dir(".."),
        dir("."),
        file(".git"),
        file("../config"),
        file("a/../../config"),
        file("/config"),
        // A link, and what would be written through it.
        vec![
            ("120000", "link", outside.as_str()),
            ("40000", "link", inner.as_str()),
        ],
        vec![
            ("120000", "LINK", outside.as_str()),
            ("40000", "link", inner.as_str()),
        ],
        vec![("100644", "same", &blob), ("100644", "SAME", &outside)],
        vec![("120000", ".gitmodules", outside.as_str())],
    ];
    for entries in cases {
        let root = tree(&scratch, &evil, &entries);
        let commit = scratch.git(&evil, &["commit-tree", "-m", "evil", &root]);
        scratch.git(&evil, &["update-ref", "refs/heads/main", &commit]);
        let before = end_to_end::files(&scratch.join("outside"));
        let url = server.url("evil.git");
        let mut clone = scratch.command("git", ".");
        clone.args(["clone", "-q", &url, "theirs"]);
        let theirs = clone.output().expect("git runs");
        let output = Cloning::new(&scratch, &url, "ours", &[]).start().wait();
        println!("{entries:?}: git {}, mug {}", theirs.status, output.status);
        println!("{}", output.stderr);
        assert!(matches!(output.code(), Some(0 | 1 | 3)), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
        assert_eq!(end_to_end::files(&scratch.join("outside")), before);
        assert!(!scratch.join("config").exists(), "{entries:?} got out");
        let config = scratch.join("ours/.git/config");
        if let Ok(text) = std::fs::read_to_string(config) {
            assert!(!text.contains("owned"), "{entries:?} is the configuration");
        }
        if theirs.status.success() {
            // What git takes is taken, but for what would be `.git` on another system, and for one
            // name twice.
            let left = output.stderr.contains("the working tree was not written");
            assert!(left || output.code() == Some(0), "{entries:?}: {output}");
            let refs = |dir: &str| scratch.git(dir, &["for-each-ref"]);
            assert_eq!(refs("ours"), refs("theirs"));
        } else {
            let told = !output.stderr.is_empty();
            assert!(told, "nothing is said of {entries:?}");
            assert_eq!(output.code(), Some(1), "{entries:?}: {output}");
        }
        for name in ["ours", "theirs"] {
            let _ = std::fs::remove_dir_all(scratch.join(name));
        }
    }
}

/// The files that hold these bytes, below these places.
fn holding(secret: &str, places: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        for (path, length) in end_to_end::files(place) {
            let path = place.join(path);
            let told = path.to_string_lossy().contains(secret);
            let bytes = length.and_then(|_| std::fs::read(&path).ok());
            let bytes = bytes.unwrap_or_default();
            let mut windows = bytes.windows(secret.len());
            if told || windows.any(|window| window == secret.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

const SECRET: &str = "hunter2secret";

#[test]
fn a_password_in_the_address_is_kept_nowhere() {
    let setup = setup();
    setup.server.require("someone", SECRET);
    let url = setup.server.url_as("someone", SECRET, "project.git");
    let place = setup.map.behind(0.5);
    let places = [setup.ours(), setup.scratch.join("state")];
    for options in [&[][..], &["-v"], &["--json"]] {
        setup.server.once(Kind::Fetch, 0, Fault::CutPack(place));
        setup
            .server
            .times(Kind::Info, 3, usize::MAX, Fault::busy(503, 3_600));
        setup
            .server
            .times(Kind::Fetch, 1, usize::MAX, Fault::busy(503, 3_600));
        let process = Cloning::new(&setup.scratch, &url, "ours", options).start();
        let output = process.wait().exits(5);
        let said = output.stdout.clone() + &output.stderr;
        assert!(!said.contains(SECRET), "{output}");
        assert_eq!(holding(SECRET, &places), Vec::<PathBuf>::new());
        let list = setup.scratch.mug(".", &["resume", "list", "--json"]).ok();
        assert!(!list.stdout.contains(SECRET), "{list}");
        setup.clear();
    }
}

#[test]
fn a_helper_is_asked_for_the_password_each_time() {
    let setup = setup();
    setup.server.require("someone", SECRET);
    let helper = setup.scratch.join("home/helper");
    let script = format!(
        "#!/bin/sh\necho \"$1\" >> {}/asked\n[ \"$1\" = get ] && \
         printf 'username=someone\\npassword={SECRET}\\n'\nexit 0\n",
        setup.scratch.join("home").display()
    );
    std::fs::write(&helper, script).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&helper, mode).expect("it can be run");
    let global = setup.scratch.join("home/config");
    let text = format!("[credential]\n\thelper = {}\n", helper.display());
    std::fs::write(&global, text).expect("a configuration");
    setup
        .server
        .once(Kind::Fetch, 0, Fault::CutPack(setup.map.behind(0.5)));
    setup
        .server
        .times(Kind::Fetch, 1, 1, Fault::busy(503, 3_600));
    let mut cloning = Cloning::new(&setup.scratch, &setup.url, "ours", &["-v"]).global(global);
    let output = cloning.run().exits(5);
    let places = [setup.ours(), setup.scratch.join("state")];
    assert_eq!(holding(SECRET, &places), Vec::<PathBuf>::new());
    cloning.goes_on(&output);
    printed(&output);
    cloning.finish();
    assert!(!cloning.said.contains(SECRET), "{}", cloning.said);
    assert_eq!(holding(SECRET, &places), Vec::<PathBuf>::new());
    let asked = std::fs::read_to_string(setup.scratch.join("home/asked"));
    let asked = asked.expect("it was asked");
    assert!(asked.contains("get") && asked.contains("store"), "{asked}");
    assert!(!asked.contains("erase"), "{asked}");
    assert_sound(&setup.scratch, &setup.ours());
    setup.check("with a helper");
}
