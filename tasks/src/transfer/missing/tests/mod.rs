//! Repositories made by git, from which objects are taken away.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod each;
mod faults;
mod history;
mod order;

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use gix_hash::ObjectId;

use super::{Missing, MissingError, Start, missing};
use crate::pack::testing::GitRepo;

fn oid(hex: &str) -> ObjectId {
    ObjectId::from_hex(hex.as_bytes()).unwrap()
}

fn id(repo: &GitRepo, revision: &str) -> ObjectId {
    oid(&repo.git(&["rev-parse", "--verify", revision]))
}

fn from(tips: &[ObjectId]) -> Start {
    Start {
        tips: tips.to_vec(),
        ..Start::default()
    }
}

fn find(repo: &GitRepo, start: &Start) -> Result<Missing, MissingError> {
    let objects = repo.git_dir().join("objects");
    missing(&objects, start, 2, &|_| {}, &AtomicBool::new(false))
}

fn loose(repo: &GitRepo, id: ObjectId) -> PathBuf {
    let hex = id.to_string();
    repo.git_dir()
        .join("objects")
        .join(&hex[..2])
        .join(&hex[2..])
}

/// Takes loose objects away.
fn remove(repo: &GitRepo, ids: &[ObjectId]) {
    for id in ids {
        fs::remove_file(loose(repo, *id)).unwrap();
    }
}

/// Writes an object of whatever content.
fn write(repo: &GitRepo, kind: &str, content: &[u8]) -> ObjectId {
    let mut git = Command::new("git")
        .current_dir(repo.path())
        .args(["hash-object", "-w", "--stdin", "--literally", "-t", kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(content).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success());
    oid(String::from_utf8(output.stdout).unwrap().trim_end())
}

/// The content of a tree with these entries: mode, name, object.
fn tree(entries: &[(&str, &str, ObjectId)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend(format!("{mode} {name}\0").into_bytes());
        content.extend(id.as_slice());
    }
    content
}

/// The content of a commit, made so many seconds after the epoch.
fn commit(tree: ObjectId, parents: &[ObjectId], date: u64) -> Vec<u8> {
    let parents = parents.iter().map(|parent| format!("parent {parent}\n"));
    let parents: String = parents.collect();
    let who = format!("a <a@example.com> {date} +0000");
    let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n");
    (text + "\ntext\n").into_bytes()
}
