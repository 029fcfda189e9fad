//! Repositories made by git, and what a server would say of them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use crate::disk::Disk;
use crate::transfer::RemoteRef;

pub(in super::super) struct Plain;

impl Disk for Plain {
    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path).map(drop)
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.sync(dir)
    }
}

/// git with nothing of this machine's configuration.
pub(in crate::transfer) fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env_clear();
    for keep in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(keep) {
            command.env(keep, value);
        }
    }
    for (key, value) in [
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@x"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@x"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ("LC_ALL", "C"),
    ] {
        command.env(key, value);
    }
    command
}

/// Runs git with these words, separated by spaces.
pub(in crate::transfer) fn git(dir: &Path, words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let out = command(dir).args(&words).output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "git {words:?}: {error}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub(in crate::transfer) fn init(dir: &Path, name: &str) -> PathBuf {
    git(dir, &format!("init -q -b main {name}"));
    dir.join(name)
}

/// A new commit on what `HEAD` is.
pub(in crate::transfer) fn commit(repo: &Path, message: &str) {
    git(repo, &format!("commit -q --allow-empty -m {message}"));
}

/// What a server with protocol v2 lists of `repo`.
pub(in super::super) fn listed(repo: &Path) -> Vec<RemoteRef> {
    let git_dir = git_dir(repo);
    let head = fs::read(git_dir.join("HEAD")).unwrap();
    let symref = head
        .strip_prefix(b"ref: ")
        .map(|it| BString::from(it.trim_ascii()));
    let out = command(repo)
        .args(["show-ref", "--head", "-d"])
        .output()
        .unwrap();
    let mut refs: Vec<RemoteRef> = Vec::new();
    for line in out.stdout.lines() {
        let oid = ObjectId::from_hex(&line[..40]).unwrap();
        let name = &line[41..];
        match name.strip_suffix(b"^{}") {
            Some(of) => {
                let of = refs.iter_mut().find(|it| it.name == of.as_bstr()).unwrap();
                of.peeled = Some(oid);
            }
            None => refs.push(RemoteRef::new(name, oid)),
        }
    }
    if refs.iter().all(|it| !it.is_head()) {
        let mut unborn = RemoteRef::new("HEAD", ObjectId::null(gix_hash::Kind::Sha1));
        unborn.target = None;
        refs.insert(0, unborn);
    }
    refs[0].symref = symref;
    refs
}

pub(in super::super) fn git_dir(repo: &Path) -> PathBuf {
    let below = repo.join(".git");
    if below.exists() {
        below
    } else {
        repo.to_owned()
    }
}

/// All that Git keeps of refs: each file with its bytes, and what git makes of them.
pub(in super::super) fn state(repo: &Path) -> String {
    let git_dir = git_dir(repo);
    let mut out = String::new();
    for name in ["config", "HEAD"] {
        let bytes = fs::read(git_dir.join(name)).unwrap();
        let _ = write!(out, "-- {name}\n{}", bytes.as_bstr());
    }
    out += "-- refs\n";
    out += &git(
        repo,
        "for-each-ref --format=%(objectname)%20%(refname)%20%(symref)",
    );
    out += "-- peeled\n";
    let peeled = command(repo).args(["show-ref", "-d"]).output().unwrap();
    out += &peeled.stdout.to_str_lossy();
    out += "-- logs\n";
    let mut logs = Vec::new();
    files(&git_dir.join("logs"), &mut logs);
    for log in logs {
        let name = log.strip_prefix(&git_dir).unwrap().display().to_string();
        let _ = write!(out, "{name}:\n{}", fs::read(&log).unwrap().as_bstr());
    }
    out
}

fn files(dir: &Path, to: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut entries: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, to);
        } else {
            to.push(path);
        }
    }
}

/// Brings all objects of one repository into another one.
pub(in super::super) fn bring_objects(from: &Path, to: &Path) {
    let to = git_dir(to).join("objects/info");
    fs::create_dir_all(&to).unwrap();
    let from = git_dir(from).join("objects");
    fs::write(to.join("alternates"), format!("{}\n", from.display())).unwrap();
}
