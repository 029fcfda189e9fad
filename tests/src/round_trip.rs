//! A repository that goes into a pack and comes out again.

use std::path::Path;

use crate::Scratch;

/// Packs what `from` is in to `out`, restores it twice, and holds it against the
/// repository at `git_dir`.
///
/// # Panics
///
/// When anything differs.
#[track_caller]
pub fn round_trip(scratch: &Scratch, from: &Path, git_dir: &Path) {
    let out = scratch.join("out");
    let out = out.to_str().expect("a scratch path is text");
    scratch.mug(from, &["pack", "create", out]).ok();
    restored(scratch, git_dir);
}

/// Restores the pack at `out` to `new` and `new.git`, and holds them against the
/// repository at `git_dir`: refs, `HEAD`, and what they reach.
///
/// # Panics
///
/// When anything differs.
#[track_caller]
pub fn restored(scratch: &Scratch, git_dir: &Path) {
    let refs = |dir: &Path| {
        let format = "--format=%(refname) %(objectname) %(objecttype) %(symref)";
        scratch.git(dir, &["for-each-ref", format])
    };
    let objects = |dir: &Path| {
        let all = ["rev-list", "--objects", "--all", "--no-object-names"];
        let mut objects: Vec<String> = scratch.git(dir, &all).lines().map(str::to_owned).collect();
        objects.sort();
        objects
    };
    for (name, option) in [("new", None), ("new.git", Some("--bare"))] {
        let mut args = vec!["pack", "restore", "out", name];
        args.extend(option);
        scratch.mug(".", &args).ok();
        let new = scratch.join(name);
        scratch.git(&new, &["fsck", "--full", "--strict"]);
        assert_eq!(refs(&new), refs(git_dir), "{name}");
        assert_eq!(head(scratch, &new), head(scratch, git_dir), "{name}");
        assert_eq!(objects(&new), objects(git_dir), "{name}");
        if option.is_none() && !refs(&new).is_empty() {
            assert_eq!(scratch.git(&new, &["status", "--porcelain"]), "");
        }
    }
}

/// What `HEAD` says: a branch, or an object.
///
/// # Panics
///
/// When there is none.
pub fn head(scratch: &Scratch, dir: &Path) -> String {
    let path = scratch.git(dir, &["rev-parse", "--git-path", "HEAD"]);
    std::fs::read_to_string(dir.join(path))
        .expect("a HEAD")
        .trim_end()
        .to_owned()
}
