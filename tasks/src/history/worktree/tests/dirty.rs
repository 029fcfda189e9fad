//! Whatever the user has that would be lost is refused before anything is written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::fixture::{Input, run};
use crate::history::testing::{commit, files, git, init, put};

/// `main` is checked out, `side` changes and removes files and adds some.
fn repository(dir: &Path) -> std::path::PathBuf {
    let repo = init(dir);
    put(&repo, ".gitignore", "*.ignored\n");
    for name in ["changed", "gone", "untouched", "dir/gone", "into-dir"] {
        put(&repo, name, "base\n");
    }
    put(&repo, "into-file/a", "base\n");
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "changed", "side!\n");
    put(&repo, "new", "side\n");
    put(&repo, "x.ignored", "side\n");
    git(&repo, &["add", "-f", "x.ignored"]);
    put(&repo, "fresh/new", "side\n");
    for name in ["gone", "dir/gone", "into-dir", "into-file/a"] {
        fs::remove_file(repo.join(name)).unwrap();
    }
    fs::remove_dir(repo.join("into-file")).unwrap();
    put(&repo, "into-dir/a", "side\n");
    put(&repo, "into-file", "side\n");
    commit(&repo, "side");
    git(&repo, &["switch", "-q", "main"]);
    repo
}

/// What the user may have done, and the path that must be named.
type Dirt = (&'static str, fn(&Path), &'static str);
/// What loses nothing.
type Fine = (&'static str, fn(&Path));

const REFUSED: &[Dirt] = &[
    ("edited", |repo| put(repo, "changed", "mine\n"), "changed"),
    // As long as before, and with the same time of change.
    (
        "edited unseen",
        |repo| {
            let path = repo.join("changed");
            let time = path.metadata().unwrap().modified().unwrap();
            fs::write(&path, "esab\n").unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        },
        "changed",
    ),
    (
        "edited what is to go",
        |repo| put(repo, "gone", "mine\n"),
        "gone",
    ),
    (
        "staged",
        |repo| {
            put(repo, "changed", "mine\n");
            git(repo, &["add", "changed"]);
        },
        "changed",
    ),
    (
        "staged, and changed back",
        |repo| {
            put(repo, "changed", "mine\n");
            git(repo, &["add", "changed"]);
            put(repo, "changed", "base\n");
        },
        "changed",
    ),
    (
        "staged to go",
        |repo| {
            git(repo, &["rm", "-q", "--cached", "changed"]);
        },
        "changed",
    ),
    (
        "made executable",
        |repo| {
            fs::set_permissions(repo.join("changed"), fs::Permissions::from_mode(0o755)).unwrap();
        },
        "changed",
    ),
    (
        "made a link",
        |repo| {
            fs::remove_file(repo.join("changed")).unwrap();
            symlink("untouched", repo.join("changed")).unwrap();
        },
        "changed",
    ),
    (
        "made a directory",
        |repo| {
            fs::remove_file(repo.join("changed")).unwrap();
            put(repo, "changed/mine", "mine\n");
        },
        "changed",
    ),
    ("untracked", |repo| put(repo, "new", "mine\n"), "new"),
    (
        "untracked in a directory",
        |repo| put(repo, "fresh/new", "mine\n"),
        "fresh/new",
    ),
    (
        "an untracked directory",
        |repo| put(repo, "new/mine", "mine\n"),
        "new",
    ),
    (
        "a file where a directory comes",
        |repo| put(repo, "fresh", "mine\n"),
        "fresh",
    ),
    (
        "untracked where a file comes",
        |repo| put(repo, "into-file/mine", "mine\n"),
        "into-file",
    ),
    (
        "a link where a directory comes",
        |repo| symlink("dir", repo.join("fresh")).unwrap(),
        "fresh",
    ),
    (
        "intended",
        |repo| {
            put(repo, "new", "mine\n");
            git(repo, &["add", "-N", "new"]);
        },
        "new",
    ),
    (
        "a directory that became a link",
        |repo| {
            fs::rename(repo.join("dir"), repo.join("elsewhere")).unwrap();
            symlink("elsewhere", repo.join("dir")).unwrap();
        },
        "",
    ),
];

#[test]
fn every_kind_of_dirt_is_refused_before_the_first_write() {
    for (what, make, named) in REFUSED {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository(dir.path());
        make(&repo);
        let before = (files(&repo), fs::read(repo.join(".git/index")).unwrap());
        let result = run(Input::new(&repo, "main", "side"));
        if named.is_empty() {
            // The file seems to be gone, which loses nothing; what is behind the link stays.
            result.unwrap();
            assert!(repo.join("elsewhere/gone").exists(), "{what}");
            continue;
        }
        let error = result.unwrap_err();
        assert!(
            error.to_string().contains(&format!("{named:?}")),
            "{what}: {error}"
        );
        assert!(error.hint().is_some(), "{what}");
        let after = (files(&repo), fs::read(repo.join(".git/index")).unwrap());
        assert_eq!(before, after, "{what}");
        assert!(!repo.join(".git/index.lock").exists(), "{what}");
    }
}

#[test]
fn what_loses_nothing_is_no_hindrance() {
    let fine: &[Fine] = &[
        ("edited elsewhere", |repo| put(repo, "untouched", "mine\n")),
        ("untracked elsewhere", |repo| put(repo, "mine", "mine\n")),
        ("gone already", |repo| {
            fs::remove_file(repo.join("gone")).unwrap();
        }),
        ("removed by the user", |repo| {
            fs::remove_file(repo.join("changed")).unwrap();
        }),
        ("touched", |repo| {
            let file = fs::File::options()
                .write(true)
                .open(repo.join("changed"))
                .unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        }),
        ("ignored", |repo| put(repo, "x.ignored", "worthless\n")),
        ("an empty directory", |repo| {
            fs::create_dir(repo.join("new")).unwrap();
        }),
        ("staged as it is to be", |repo| {
            put(repo, "changed", "side!\n");
            git(repo, &["add", "changed"]);
        }),
    ];
    for (what, make) in fine {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository(dir.path());
        make(&repo);
        let mine: Vec<_> = ["untouched", "mine"]
            .map(|name| fs::read(repo.join(name)).ok())
            .to_vec();
        run(Input::new(&repo, "main", "side")).unwrap_or_else(|error| panic!("{what}: {error}"));
        let after: Vec<_> = ["untouched", "mine"]
            .map(|name| fs::read(repo.join(name)).ok())
            .to_vec();
        assert_eq!(mine, after, "{what}");
        assert_eq!(git(&repo, &["diff", "--cached", "side"]), "", "{what}");
        assert_eq!(
            fs::read(repo.join("changed")).unwrap(),
            b"side!\n",
            "{what}"
        );
        assert_eq!(
            fs::read(repo.join("x.ignored")).unwrap(),
            b"side\n",
            "{what}"
        );
    }
}

#[test]
fn a_locked_index_and_open_conflicts_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path());
    let before = files(&repo);
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    let error = run(Input::new(&repo, "main", "side")).unwrap_err();
    assert!(error.to_string().contains("index.lock"), "{error}");
    assert_eq!(files(&repo), before);
    fs::remove_file(repo.join(".git/index.lock")).unwrap();
    let blob = git(&repo, &["rev-parse", "HEAD:changed"]);
    let line = format!("100644 {} 1\tuntouched\n", blob.trim());
    let mut command = crate::history::testing::command(&repo, &["update-index", "--index-info"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), line.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let error = run(Input::new(&repo, "main", "side")).unwrap_err();
    assert!(error.to_string().contains("conflicts"), "{error}");
    assert_eq!(files(&repo), before);
}
