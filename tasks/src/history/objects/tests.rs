//! Packs of new objects, looked at by git.

use gix::prelude::Write as _;

use super::*;
use crate::disk::Plain;
use crate::history::testing::{git, init, try_git};

#[test]
fn what_is_in_memory_becomes_one_pack_and_nothing_is_written_twice() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let shared = gix::open(&repo).unwrap().into_sync();
    let repository = in_memory(&shared);
    let own = repo.join(".git/mug/own");
    let write = |content: String| {
        let kind = gix::objs::Kind::Blob;
        repository
            .objects
            .write_buf(kind, content.as_bytes())
            .unwrap()
    };
    let ids: Vec<_> = (0..200)
        .map(|n| write(format!("blob {n}\n").repeat(n)))
        .collect();
    assert_eq!(pending(&repository), 200);
    let name = save(&repository, &own, &Plain).unwrap().unwrap();
    assert_eq!(pending(&repository), 0);
    assert_eq!(
        repository.find_blob(ids[7]).unwrap().data,
        "blob 7\n".repeat(7).as_bytes()
    );
    let pack = format!(".git/objects/pack/pack-{name}.idx");
    assert_eq!(
        git(&repo, &["verify-pack", "-v", &pack])
            .matches(" blob ")
            .count(),
        200
    );
    assert_eq!(
        git(&repo, &["fsck", "--full", "--strict", "--no-dangling"]),
        ""
    );
    // Once more, with nothing new and with one that is.
    for id in 0..200 {
        write(format!("blob {id}\n").repeat(id));
    }
    assert_eq!(save(&repository, &own, &Plain).unwrap(), None);
    write("one more\n".into());
    let second = save(&repository, &own, &Plain).unwrap().unwrap();
    let pack = format!(".git/objects/pack/pack-{second}.idx");
    assert_eq!(
        git(&repo, &["verify-pack", "-v", &pack])
            .matches(" blob ")
            .count(),
        1
    );
    assert_eq!(fs::read_dir(&own).unwrap().count(), 0);
}

#[test]
fn what_is_kept_survives_gc_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let shared = gix::open(&repo).unwrap().into_sync();
    let own = repo.join(".git/mug/own");
    let write = |content: &str| {
        let repository = in_memory(&shared);
        let kind = gix::objs::Kind::Blob;
        let id = repository.objects.write_buf(kind, content.as_bytes());
        save_kept(&repository, &own, &Plain).unwrap();
        id.unwrap().to_string()
    };
    let ids = ["one", "two"].map(write);
    let there = || {
        git(&repo, &["gc", "-q", "--prune=now"]);
        let id = |id: &String| try_git(&repo, &["cat-file", "-e", id]).status.success();
        ids.each_ref().map(id)
    };
    assert_eq!(there(), [true, true]);
    // Others keep theirs.
    let repository = shared.to_thread_local();
    release(&repository, &repo.join("other")).unwrap();
    assert_eq!(there(), [true, true]);
    for _ in 0..2 {
        release(&repository, &own).unwrap();
    }
    assert_eq!(there(), [false, false]);
}
