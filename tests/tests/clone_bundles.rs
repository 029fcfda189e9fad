//! Clones from servers that offer bundles: they come first, in as many parts as it
//! takes, and the rest comes from the server. Bad ones do no harm.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};

use end_to_end::server::{Fault, HttpServer, Kind, Project};
use end_to_end::{Cloning, Scratch, Shown, assert_cloned, files, packs, wait_until};

/// A megabyte in some thousand objects.
const PROJECT: Project = Project {
    commits: 400,
    files: 200,
};

/// What the URLs of bundles have in them that nobody is to see.
const SECRET: &str = "kx71-signature";

struct Setup {
    scratch: Scratch,
    server: HttpServer,
    url: String,
    theirs: PathBuf,
    /// The length of the bundle.
    length: u64,
}

/// A server that offers one bundle, of most of its history.
fn setup(project: Project) -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let path = project.make(&scratch, "project.git");
    scratch.git(&path, &["tag", "base", "main~20"]);
    std::fs::create_dir(scratch.join("files")).expect("a directory");
    let create = ["bundle", "create", "--quiet", "../files/base.bundle"];
    scratch.git(&path, &[&create[..], &["base"]].concat());
    scratch.git(&path, &["tag", "-d", "base"]);
    let server = HttpServer::start(&scratch);
    let url = server.url("project.git");
    scratch.git(".", &["clone", "-q", &url, "theirs"]);
    let bundle = scratch.join("files/base.bundle");
    let setup = Setup {
        length: bundle.metadata().expect("a bundle").len(),
        theirs: scratch.join("theirs"),
        scratch,
        server,
        url,
    };
    setup.offer("base", "files/base.bundle");
    setup.server.forget();
    setup
}

impl Setup {
    /// Has the server offer the bundle at `path`.
    fn offer(&self, id: &str, path: &str) {
        let uri = format!("{}?signature={SECRET}", self.server.url(path));
        for (key, value) in [
            ("uploadpack.advertiseBundleURIs", "true"),
            ("bundle.version", "1"),
            ("bundle.mode", "all"),
            (&format!("bundle.{id}.uri"), &uri),
        ] {
            let set = ["config", key, value];
            self.scratch.git("project.git", &set);
        }
    }

    fn cloning(&self) -> Cloning<'_> {
        Cloning::new(&self.scratch, &self.url, "ours", &["-v"])
    }

    /// Holds the result against git's, and makes room for the next.
    #[track_caller]
    fn check(&self, cloning: &Cloning) {
        self.server.behave();
        assert!(!cloning.said.contains(SECRET), "{}", cloning.said);
        let ours = self.scratch.join("ours");
        assert_cloned(&self.scratch, &ours, &self.theirs);
        assert_eq!(packs(&self.scratch, &ours), 1);
        std::fs::remove_dir_all(ours).expect("it can be removed");
    }

    /// How much of files was sent, and how often one was asked for.
    fn of_files(&self) -> (u64, usize) {
        let served = self.server.served_as(Kind::File);
        (served.iter().map(|it| it.sent).sum(), served.len())
    }

    /// What of objects was sent beside.
    fn of_objects(&self) -> u64 {
        let served = self.server.served_as(Kind::Fetch);
        served.iter().map(|it| it.sent).sum()
    }
}

/// Whether anything below `dir` has the secret in it.
fn tells(dir: &Path) -> bool {
    let has = |bytes: &[u8]| {
        bytes
            .windows(SECRET.len())
            .any(|it| it == SECRET.as_bytes())
    };
    files(dir)
        .into_iter()
        .any(|(path, _)| std::fs::read(dir.join(path)).is_ok_and(|it| has(&it)))
}

#[test]
fn a_bundle_comes_first_and_is_told_the_server() {
    let setup = setup(PROJECT);
    let mut cloning = setup.cloning();
    cloning.finish();
    assert_eq!(setup.of_files(), (setup.length, 1));
    let asked = setup.server.served_as(Kind::Fetch);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].question.haves > 0);
    assert!(setup.of_objects() < setup.length / 4);
    setup.check(&cloning);
    // As git's own switch for it says.
    setup.server.forget();
    let off = setup.scratch.join("off");
    std::fs::write(&off, "[transfer]\n\tbundleURI = false\n").expect("a configuration");
    let mut cloning = setup.cloning().global(off);
    cloning.finish();
    assert_eq!(setup.of_files(), (0, 0));
    setup.check(&cloning);
}

#[test]
fn a_bundle_that_is_cut_goes_on_where_it_was() {
    let setup = setup(PROJECT);
    for (pass, part) in [5, 30, 55, 80].into_iter().enumerate() {
        // Counted from where each answer begins.
        let place = setup.length * part / 400;
        setup.server.once(Kind::File, pass, Fault::Cut(place));
    }
    let mut cloning = setup.cloning();
    cloning.finish();
    let (sent, requests) = setup.of_files();
    assert_eq!(requests, 5);
    assert_eq!(sent, setup.length, "not a byte comes twice");
    let served = setup.server.served_as(Kind::File);
    assert!(served[1..].iter().all(|it| it.status == 206), "{served:?}");
    setup.check(&cloning);
}

#[test]
fn a_bundle_goes_on_where_it_was_when_the_process_was_killed() {
    let setup = setup(Project::MIDDLE);
    let place = setup.length * 4 / 5;
    setup.server.once(Kind::File, 0, Fault::Hold(place));
    let mut cloning = setup.cloning();
    let process = cloning.start();
    setup.server.wait_holding();
    wait_until("what came is committed", || {
        let records = setup.scratch.operations(".", &[]);
        let committed = records.first().map_or(0, Shown::bytes);
        committed >= place || !process.is_running()
    });
    assert!(process.stop(), "it is done already");
    cloning.note(&process.kill());
    assert!(!tells(&setup.scratch.join("ours")), "its URL is stored");
    assert!(!tells(&setup.scratch.join("state")), "its URL is stored");
    let records = setup.scratch.operations(".", &[]);
    cloning.id = Some(records[0].id().to_owned());
    setup.server.behave();
    cloning.finish();
    let served = setup.server.served_as(Kind::File);
    assert_eq!(served.len(), 2);
    assert_eq!(served[1].status, 206);
    assert_eq!(served[1].sent, setup.length - place);
    setup.check(&cloning);
}

#[test]
fn a_bundle_that_changes_meanwhile_is_left_and_what_came_of_it_is_kept() {
    let setup = setup(PROJECT);
    let place = setup.length / 2;
    setup.server.once(Kind::File, 0, Fault::Hold(place));
    let mut cloning = setup.cloning();
    let process = cloning.start();
    setup.server.wait_holding();
    wait_until("what came is committed", || {
        let records = setup.scratch.operations(".", &[]);
        records.first().map_or(0, Shown::bytes) >= place || !process.is_running()
    });
    assert!(process.stop(), "it is done already");
    cloning.note(&process.kill());
    let records = setup.scratch.operations(".", &[]);
    cloning.id = Some(records[0].id().to_owned());
    let bundle = setup.scratch.join("files/base.bundle");
    let bytes = std::fs::read(&bundle).expect("a bundle");
    std::fs::remove_file(&bundle).expect("it can be removed");
    std::fs::write(&bundle, bytes).expect("a bundle");
    setup.server.behave();
    cloning.finish();
    assert!(cloning.said.contains("is not used"), "{}", cloning.said);
    assert!(cloning.said.contains("are kept"), "{}", cloning.said);
    setup.check(&cloning);
}

#[test]
fn bundles_that_are_none_or_not_there_do_no_harm() {
    let setup = setup(PROJECT);
    let bundle = setup.scratch.join("files/base.bundle");
    let good = std::fs::read(&bundle).expect("a bundle");
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let cases: [(&str, Option<&[u8]>); 5] = [
        ("no bundle", Some(b"<html>\n")),
        ("cut short", Some(&good[..good.len() / 3])),
        ("empty", Some(b"")),
        ("damaged", Some(&damaged)),
        ("not there", None),
    ];
    for (what, content) in cases {
        setup.server.forget();
        match content {
            Some(content) => std::fs::write(&bundle, content).expect("a file"),
            None => std::fs::remove_file(&bundle).expect("it can be removed"),
        }
        let mut cloning = setup.cloning();
        cloning.finish();
        let said = &cloning.said;
        assert!(
            said.contains("the bundle base is not used"),
            "{what}: {said}"
        );
        println!("{what}: {} bytes of objects", setup.of_objects());
        setup.check(&cloning);
    }
    // Whose server has no time, and one that is on none.
    setup.server.always(Kind::File, Fault::status(503));
    let mut cloning = setup.cloning();
    cloning.finish();
    setup.check(&cloning);
    let set = ["config", "bundle.base.uri", "http://127.0.0.1:1/x"];
    setup.scratch.git("project.git", &set);
    let mut cloning = setup.cloning();
    cloning.finish();
    assert!(cloning.said.contains("is not used"), "{}", cloning.said);
    setup.check(&cloning);
}
