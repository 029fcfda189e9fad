//! A clone is what git makes it, whatever is asked for, with and without a cut.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::server::{Fault, HttpServer, Kind, Project};
use end_to_end::{Cloning, Scratch, Told, assert_cloned};

/// Half a megabyte.
const PROJECT: Project = Project::LITTLE;

struct Setup {
    scratch: Scratch,
    server: HttpServer,
    project: PathBuf,
}

fn setup() -> Setup {
    let scratch = Scratch::fast(512 << 20);
    let project = PROJECT.make(&scratch, "project.git");
    scratch.git(&project, &["config", "uploadpack.allowFilter", "true"]);
    let server = HttpServer::start(&scratch);
    Setup {
        scratch,
        server,
        project,
    }
}

impl Setup {
    /// Git's clone to `theirs`; whether it succeeded.
    fn git(&self, args: &[&str], url: &str) -> bool {
        let mut command = self.git_command();
        command
            .arg("clone")
            .arg("-q")
            .args(args)
            .args([url, "theirs"]);
        command.output().expect("git runs").status.success()
    }

    fn git_command(&self) -> Command {
        self.scratch.command("git", ".")
    }

    fn clear(&self) {
        self.server.behave();
        self.server.forget();
        for name in ["ours", "theirs"] {
            let path = self.scratch.join(name);
            if path.exists() {
                std::fs::remove_dir_all(path).expect("it can be removed");
            }
        }
    }

    fn both(&self) -> [PathBuf; 2] {
        ["ours", "theirs"].map(|name| self.scratch.join(name))
    }

    /// Both clones with these options, cut once or not.
    #[track_caller]
    fn alike(&self, options: &[&str], url: &str) {
        assert!(self.git(options, url), "git clone {options:?} {url}");
        for cut in [None, Some(9_000)] {
            let ours = self.scratch.join("ours");
            if ours.exists() {
                std::fs::remove_dir_all(&ours).expect("it can be removed");
            }
            if let Some(place) = cut {
                self.server.once(Kind::Fetch, 0, Fault::CutPack(place));
            }
            println!("{options:?} {url}, cut at {cut:?}");
            Cloning::new(&self.scratch, url, "ours", options).finish();
            let [ours, theirs] = self.both();
            self.server.behave();
            assert_cloned(&self.scratch, &ours, &theirs);
        }
        self.clear();
    }
}

#[test]
fn whatever_is_asked_for() {
    let setup = setup();
    let url = setup.server.url("project.git");
    let cases: [&[&str]; 14] = [
        &["--bare"],
        &["--mirror"],
        &["--branch", "side"],
        &["--branch", "v0"],
        &["-b", "side", "--single-branch"],
        &["--single-branch"],
        &["--no-tags"],
        &["--no-checkout"],
        &["-n", "-b", "side"],
        &["--depth", "3"],
        &["--depth=3", "--no-single-branch"],
        &["--depth=1", "--bare"],
        &["--origin", "upstream"],
        &["--bare", "--single-branch", "--branch", "side"],
    ];
    for options in cases {
        setup.alike(options, &url);
    }
}

#[test]
fn the_other_ways_to_name_it() {
    let setup = setup();
    let path = setup.project.to_str().expect("text").to_owned();
    setup.alike(&[], &format!("file://{path}"));
    setup.alike(&["--bare"], &format!("file://{path}"));
    // Of a path, git copies the packs as they are.
    setup.alike(&["--bare"], &path);
}

#[test]
fn a_partial_clone_is_one_that_git_goes_on_with() {
    let setup = setup();
    let url = setup.server.url("project.git");
    let options = ["--filter=blob:none", "--no-checkout"];
    assert!(setup.git(&options, &url));
    for cut in [None, Some(9_000)] {
        if let Some(place) = cut {
            setup.server.once(Kind::Fetch, 0, Fault::CutPack(place));
        }
        Cloning::new(&setup.scratch, &url, "ours", &options).finish();
        let [ours, theirs] = setup.both();
        let told = |dir: &Path| Told::of(&setup.scratch, dir);
        let (left, right) = (told(&ours), told(&theirs));
        assert_eq!(left.refs, right.refs);
        assert_eq!(left.config, right.config);
        assert_eq!(left.objects, right.objects);
        // Git fetches what it needs by itself.
        setup.scratch.git(&ours, &["checkout", "-q", "HEAD"]);
        setup.scratch.git(&ours, &["fsck", "--full"]);
        assert_eq!(setup.scratch.git(&ours, &["status", "--porcelain"]), "");
        let log = setup
            .scratch
            .git(&ours, &["log", "-p", "-3", "--format=%H"]);
        assert!(log.len() > 100);
        std::fs::remove_dir_all(ours).expect("it can be removed");
    }
    // With a working tree at once.
    Cloning::new(&setup.scratch, &url, "ours", &["--filter=blob:none"]).finish();
    let ours = setup.scratch.join("ours");
    assert_eq!(setup.scratch.git(&ours, &["status", "--porcelain"]), "");
}

#[test]
fn heads_of_all_kinds() {
    let setup = setup();
    let (scratch, project) = (&setup.scratch, &setup.project);
    let url = setup.server.url("project.git");
    // Detached at a branch's commit, and at one of nobody.
    scratch.git(project, &["update-ref", "--no-deref", "HEAD", "side"]);
    setup.alike(&[], &url);
    setup.alike(&["--bare"], &url);
    // A branch that is not there.
    std::fs::write(project.join("HEAD"), "ref: refs/heads/absent\n").expect("HEAD");
    setup.alike(&["--bare"], &url);
    setup.alike(&["--no-checkout"], &url);
    setup.alike(&["--branch", "side"], &url);
}

#[test]
fn refs_of_all_kinds() {
    let setup = setup();
    let (scratch, project) = (&setup.scratch, &setup.project);
    let url = setup.server.url("project.git");
    for name in ["refs/pull/1/head", "refs/notes/commits", "refs/heads/a/b/c"] {
        scratch.git(project, &["update-ref", name, "main~7"]);
    }
    scratch.git(
        project,
        &["symbolic-ref", "refs/heads/alias", "refs/heads/side"],
    );
    scratch.git(project, &["tag", "blob", "main:part-0/sub-0/file-0.txt"]);
    scratch.git(project, &["tag", "tree", "main^{tree}"]);
    scratch.git(project, &["tag", "-a", "-m", "nested", "nested", "v0"]);
    for options in [&[][..], &["--mirror"], &["--bare"], &["--no-tags"]] {
        setup.alike(options, &url);
    }
}

#[test]
fn what_git_refuses_is_refused() {
    let setup = setup();
    let url = setup.server.url("project.git");
    let absent = setup.server.url("absent.git");
    let other = setup.scratch.join("ours");
    std::fs::create_dir(&other).expect("a directory");
    std::fs::write(other.join("file"), "mine").expect("a file");
    let cases: [(&[&str], &str); 6] = [
        (&[], &url),
        (&["--branch", "absent"], &url),
        (&[], &absent),
        (&[], "/nowhere/at/all"),
        (&["--depth=0"], &url),
        (&[], "ext::sh -c true"),
    ];
    for (number, (options, url)) in cases.into_iter().enumerate() {
        if number == 1 {
            let mine = std::fs::read(other.join("file")).expect("the file");
            assert_eq!(mine, b"mine");
            std::fs::remove_dir_all(&other).expect("it can be removed");
        }
        let output = Cloning::new(&setup.scratch, url, "ours", options).run();
        println!("{options:?} {url}: {output}");
        assert!(matches!(output.code(), Some(1..=3)), "{output}");
        if number > 0 {
            // Git can have the place.
            assert!(setup.git(&[], &setup.server.url("project.git")));
            std::fs::remove_dir_all(setup.scratch.join("theirs")).expect("removed");
            let left = end_to_end::files(setup.scratch.path());
            let left = left.keys().filter(|path| path.starts_with("ours"));
            assert_eq!(left.count(), 0, "{options:?} {url} left something");
        }
    }
    for later in ["--recurse-submodules", "--shallow-since=2020-01-01"] {
        let output = Cloning::new(&setup.scratch, &url, "ours", &[later]).run();
        assert!(matches!(output.code(), Some(1 | 2)), "{output}");
        assert!(!setup.scratch.join("ours").exists());
    }
}
