//! What is in the way stays, and what can't be written is left out and said.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::super::Written;
use super::fixture::{Input, check_out, commit, git, git_fed, init};

/// A clone without files of a repository with some.
fn clone(dir: &Path, fill: impl FnOnce(&Path)) -> PathBuf {
    let repo = init(dir);
    fill(&repo);
    commit(&repo);
    let ours = dir.join("ours");
    let (from, to) = (repo.to_str().unwrap(), ours.to_str().unwrap());
    git(dir, &["clone", "-q", "--no-checkout", from, to]);
    ours
}

fn says(written: &Written, path: &str, why: &str) {
    let found = written.remarks.iter().find(|it| it.starts_with(path));
    assert!(found.is_some_and(|it| it.contains(why)), "{written:?}");
}

#[tokio::test]
async fn files_of_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ours = clone(dir.path(), |repo| {
        for name in ["same", "edited", "longer", "mode", "link", "plain", "dir"] {
            fs::write(repo.join(name), "what belongs there\n").unwrap();
        }
        fs::remove_file(repo.join("link")).unwrap();
        symlink("same", repo.join("link")).unwrap();
        fs::create_dir(repo.join("through")).unwrap();
        fs::write(repo.join("through/evil"), "evil").unwrap();
        fs::write(repo.join("through/other"), "evil").unwrap();
        fs::write(repo.join("zlast"), "last").unwrap();
    });
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["same", "mode"] {
        fs::write(ours.join(name), "what belongs there\n").unwrap();
    }
    fs::set_permissions(ours.join("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(ours.join("edited"), "what I wrote there\n").unwrap();
    fs::write(ours.join("longer"), "what belongs there\nand more\n").unwrap();
    fs::create_dir(ours.join("dir")).unwrap();
    symlink("same", ours.join("link")).unwrap();
    symlink(elsewhere.join("new"), ours.join("plain")).unwrap();
    symlink(&elsewhere, ours.join("through")).unwrap();

    let written = check_out(Input::of_head(&ours)).await.unwrap();
    assert_eq!(written.left_out, 7, "{written:?}");
    for name in ["edited", "longer", "mode", "plain", "dir"] {
        says(&written, &format!("{name:?}"), "something else is there");
    }
    says(&written, "\"through/evil\"", "no directory");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(
        fs::read(ours.join("edited")).unwrap(),
        b"what I wrote there\n"
    );
    assert!(ours.join("plain").is_symlink());
    assert_eq!(fs::read(ours.join("zlast")).unwrap(), b"last");
    let status = git(&ours, &["status", "--porcelain", "-uno"]);
    let mut names: Vec<&str> = status.lines().map(|line| &line[3..]).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "dir",
            "edited",
            "longer",
            "mode",
            "plain",
            "through/evil",
            "through/other"
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_written_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut lost = String::new();
    let ours = clone(dir.path(), |repo| {
        fs::write(
            repo.join(".gitattributes"),
            "*.lfs filter=lfs\n*.bad filter=bad\nname working-tree-encoding\n",
        )
        .unwrap();
        for name in ["a.lfs", "a.bad", "gone", "kept"] {
            fs::write(repo.join(name), format!("{name}\n")).unwrap();
        }
        fs::write(repo.join("\u{1b}[31m.lfs"), "x").unwrap();
        lost = git(repo, &["hash-object", "gone"]).trim().to_owned();
    });
    // Names that no file can have.
    let object = git_fed(&ours, &["hash-object", "-w", "--stdin"], b"x");
    let empty = git_fed(&ours, &["hash-object", "-w", "--stdin"], b"");
    let info = format!(
        "100644 {}\t{}\n120000 {}\tempty-link\n",
        object.trim(),
        "n".repeat(300),
        empty.trim()
    );
    git(&ours, &["read-tree", "HEAD"]);
    git_fed(
        &ours,
        &["update-index", "--add", "--index-info"],
        info.as_bytes(),
    );
    git(&ours, &["commit", "-qm", "names"]);
    fs::remove_file(ours.join(".git/index")).unwrap();
    git(&ours, &["config", "filter.lfs.required", "true"]);
    git(&ours, &["config", "filter.lfs.smudge", "exit 3"]);
    git(&ours, &["config", "filter.bad.required", "true"]);
    let object = ours.join(".git/objects").join(&lost[..2]).join(&lost[2..]);
    fs::remove_file(object).unwrap();

    let written = check_out(Input::of_head(&ours)).await.unwrap();
    assert_eq!((written.files, written.left_out), (2, 6), "{written:?}");
    says(&written, "\"a.lfs\"", "its filter");
    says(&written, "\"a.bad\"", "has no command");
    says(&written, "\"gone\"", &lost);
    says(&written, "\"nnnn", "can't have it");
    says(&written, "\"empty-link\"", "symbolic link");
    assert!(written.remarks.iter().all(|it| !it.contains('\x1b')));
    assert_eq!(fs::read(ours.join("kept")).unwrap(), b"kept\n");
}
