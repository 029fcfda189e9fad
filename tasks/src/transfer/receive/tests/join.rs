//! Packs that are joined, in one go and in pieces.

use gix_hash::ObjectId;

use super::*;
use crate::transfer::receive::{Joining, discard};

/// The packs of a history that came in parts, with objects that several have, and deltas whose base
/// an earlier pack has.
fn parts(repo: &GitRepo, case: &Case) -> Vec<PathBuf> {
    let mut packs = Vec::new();
    let parts: [(&[&str], &str); 4] = [
        (&["--delta-base-offset"], "main~4\n"),
        (&["--thin", "--delta-base-offset"], "main~2\n^main~4\n"),
        (&[], "main~1\n^main~5\n"),
        (&["--thin"], "main\n^main~1\n"),
    ];
    for (args, revisions) in parts {
        let received = case.finish(&packed(repo, args, revisions)).unwrap();
        fs::remove_file(case.raw()).unwrap();
        packs.extend(received.pack);
    }
    packs
}

/// All that is written, by a process that stops behind each `step` entries.
fn joined(packs: &[PathBuf], step: usize) -> (Vec<u8>, Joining) {
    let mut written = Vec::new();
    let mut begun = 0;
    loop {
        let mut joining = Joining::resume(packs, begun, &written[..], &|| false).unwrap();
        assert_eq!(joining.begun(), begun);
        let left = std::cell::Cell::new(step);
        let enough = || {
            left.set(left.get() - 1);
            left.get() == 0
        };
        let done = joining.advance(&mut written, &enough).unwrap();
        begun = joining.begun();
        if done {
            return (written, joining);
        }
    }
}

#[test]
fn what_is_joined_is_what_there_was_and_git_finds_it_sound() {
    let repo = GitRepo::history(14);
    let case = Case::with(&repo);
    let packs = parts(&repo, &case);
    let (written, joining) = joined(&packs, usize::MAX);
    for step in [1, 7] {
        assert!(joined(&packs, step).0 == written, "in pieces of {step}");
    }
    fs::write(case.raw(), &written).unwrap();
    let received = joining.publish(&case.raw(), &case.packs(), &Plain).unwrap();
    assert_eq!(case.ids(&received), repo.reachable(&["main"]));
    assert_eq!(received.bytes, written.len() as u64);
    let pack = received.pack.unwrap();
    let index = fs::read(pack.with_extension("idx")).unwrap();
    assert!(index == git_index(&case, &written));
    // Once more.
    let again = joined(&packs, usize::MAX).1;
    let again = again.publish(&case.raw(), &case.packs(), &Plain).unwrap();
    assert_eq!(again.pack.as_ref(), Some(&pack));
    for _ in 0..2 {
        discard(&packs, &pack, &Plain).unwrap();
    }
    let names = fs::read_dir(case.packs()).unwrap();
    assert_eq!(names.count(), 2);

    // It is all that a repository needs.
    let new = case.dir.path().join("new");
    git(case.dir.path(), &["init", "-q", "--bare", "new"]);
    for extension in ["pack", "idx"] {
        let from = pack.with_extension(extension);
        let to = new.join("objects/pack").join(from.file_name().unwrap());
        fs::copy(&from, to).unwrap();
    }
    let tip = repo.git(&["rev-parse", "main"]);
    git(&new, &["update-ref", "refs/heads/main", &tip]);
    git(&new, &["fsck", "--full", "--strict"]);
    // Deltas stay deltas.
    let before = packed(&repo, &[], "main\n").len();
    assert!(written.len() < 2 * before, "{} of {before}", written.len());
}

#[test]
fn one_pack_joined_is_itself() {
    let repo = GitRepo::history(4);
    let case = Case::new();
    let bytes = packed(&repo, &["--all", "--delta-base-offset"], "");
    let pack = case.finish(&bytes).unwrap().pack.unwrap();
    let (written, joining) = joined(std::slice::from_ref(&pack), 5);
    assert!(written == bytes);
    let received = joining.publish(&case.raw(), &case.packs(), &Plain).unwrap();
    assert_eq!(received.pack, Some(pack.clone()));
    discard(std::slice::from_ref(&pack), &pack, &Plain).unwrap();
    assert_eq!(case.ids(&received), repo.reachable(&["main"]));
}

#[test]
fn damage_is_told_and_not_passed_on() {
    let repo = GitRepo::history(3);
    let case = Case::new();
    let bytes = packed(&repo, &["--all", "--delta-base-offset"], "");
    let pack = case.finish(&bytes).unwrap().pack.unwrap();
    let packs = [pack.clone()];
    let mut bad = bytes.clone();
    bad[bytes.len() / 2] ^= 4;
    fs::write(&pack, &bad).unwrap();
    let mut joining = Joining::begin(&packs).unwrap();
    let error = joining.advance(&mut Vec::new(), &|| false).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Joining::begin(&packs).is_err());
    fs::write(&pack, &bytes).unwrap();
    // What was written before is not all there.
    let stopped = |begun, written: &[u8]| Joining::resume(&packs, begun, written, &|| false);
    assert!(stopped(2, &bytes[..20]).is_err());
    assert!(stopped(10_000, &bytes).is_err());
    let hash = ObjectId::null(gix_hash::Kind::Sha1);
    assert!(!case.packs().join(format!("pack-{hash}.pack")).exists());
}
