//! What Git keeps its objects and refs in: whatever it is, the pack is right, or
//! there is none.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use end_to_end::{Running, Scratch, Shape, restored, round_trip};

/// Files that change often, so that there are deltas.
const SHAPE: Shape = Shape {
    commits: 40,
    files: 9,
    lines: 60,
    seed: 9,
};

fn bare(scratch: &Scratch) -> PathBuf {
    scratch.repository("r.git", true, SHAPE)
}

/// Runs a script in `dir`.
#[track_caller]
fn sh(scratch: &Scratch, dir: &Path, script: &str) -> String {
    let mut command = scratch.command("sh", dir);
    command.args(["-euc", script]);
    let output = Running::start(command, &scratch.join("tmp")).wait();
    output.ok().stdout.trim_end().to_owned()
}

#[test]
fn deltas_that_name_their_bases() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let repack = ["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq"];
    scratch.git(&repository, &repack);
    let deltas = "git verify-pack -v objects/pack/*.idx | awk 'NF == 7' | wc -l";
    let deltas: u32 = sh(&scratch, &repository, deltas).parse().expect("a number");
    assert!(deltas > 20, "{deltas} deltas");
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn indexes_of_several_packs_bitmaps_and_commit_graphs() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let script = "echo topic | git pack-objects -q --revs objects/pack/pack
         git multi-pack-index write --bitmap
         git commit-graph write --reachable
         test -e objects/pack/multi-pack-index
         test -e objects/info/commit-graph";
    sh(&scratch, &repository, script);
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn one_pack_with_a_bitmap_that_is_kept() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let script = "git repack -adbq
         ls objects/pack/*.bitmap
         for pack in objects/pack/*.pack; do echo mine > ${pack%.pack}.keep; done";
    sh(&scratch, &repository, script);
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn what_others_left_behind_is_no_source() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let script = "cd objects
         echo garbage > pack/tmp_pack_Abc123
         echo garbage > pack/tmp_idx_Abc123
         echo garbage > pack/.tmp-1-pack-0000000000000000000000000000000000000000.pack
         echo garbage > pack/pack-1111111111111111111111111111111111111111.pack
         mkdir -p ab
         echo garbage > ab/tmp_obj_Abc123
         echo garbage > ab/not-an-object
         : > ab/cdef0123456789abcdef0123456789abcdef01";
    sh(&scratch, &repository, script);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    // For git's own check of the original.
    sh(&scratch, &repository, "rm -r objects/ab");
    restored(&scratch, &repository);
}

#[test]
fn a_pack_without_its_objects_index_is_not_read() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    // An index whose pack is gone: git reports it and goes on.
    let script = "echo topic | git pack-objects -q --revs objects/pack/pack > name
         rm -f objects/pack/pack-$(cat name).pack";
    sh(&scratch, &repository, script);
    let output = scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    assert!(!output.stderr.contains("error"), "{output}");
    sh(
        &scratch,
        &repository,
        "rm -f objects/pack/pack-$(cat name).idx",
    );
    restored(&scratch, &repository);
}

#[test]
fn names_that_are_not_text() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    for name in [
        &b"refs/heads/\xff\xfe"[..],
        b"refs/tags/caf\xe9",
        b"refs/heads/\xc3\xbc",
    ] {
        let name = OsStr::from_bytes(name);
        let args = [OsStr::new("update-ref"), name, OsStr::new("main~1")];
        scratch.git(&repository, &args);
    }
    round_trip(&scratch, &repository, &repository);
    // Chosen by name, too.
    let mut command = scratch.mug_command(&repository, &["pack", "create", "../one"]);
    command.arg(OsStr::from_bytes(b"refs/tags/caf\xe9"));
    Running::start(command, &scratch.join("tmp")).wait().ok();
    let refs = sh(
        &scratch,
        scratch.path(),
        "cat one/layers/*/refs | tail -n 1 | od -An -c",
    );
    assert!(refs.contains("351"), "{refs}");
}

#[test]
fn a_hundred_thousand_refs() {
    let scratch = Scratch::fast(512 << 20);
    let repository = bare(&scratch);
    let script = "for id in $(git rev-list main | head -n 10); do
             seq 1 10000 | sed \"s,.*,create refs/many/$id/& $id,\"
         done | git update-ref --stdin
         git pack-refs --all
         git for-each-ref | wc -l";
    let refs: u32 = sh(&scratch, &repository, script).parse().expect("a number");
    assert!(refs > 100_000, "{refs} refs");
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    scratch
        .mug(".", &["pack", "restore", "out", "new.git", "--bare"])
        .ok();
    let list = |dir: &Path| scratch.git(dir, &["for-each-ref"]);
    assert!(
        list(&scratch.join("new.git")) == list(&repository),
        "other refs"
    );
}

#[test]
fn symbolic_refs_to_nothing_are_left_out() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let to = |name: &str, to: &str| {
        scratch.git(&repository, &["symbolic-ref", name, to]);
    };
    to("refs/heads/alias", "refs/heads/nowhere");
    to("refs/heads/other", "refs/heads/main");
    // As git's own clones and bundles do: a repository with one is not clean.
    round_trip(&scratch, &repository, &repository);
    let found = scratch.git("new.git", &["symbolic-ref", "refs/heads/other"]);
    assert_eq!(found, "refs/heads/main");
    assert!(!scratch.join("new.git/refs/heads/alias").exists());
}

#[test]
fn tags_of_everything() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let git = |args: &[&str]| scratch.git(&repository, args);
    git(&["tag", "-a", "-m", "t", "of-tree", "main^{tree}"]);
    git(&["tag", "-a", "-m", "t", "of-blob", "main:dir-1/file-1.txt"]);
    git(&["tag", "-a", "-m", "t", "nest-1", "of-tree"]);
    git(&["tag", "-a", "-m", "t", "nest-2", "nest-1"]);
    // Reached by nothing but its tag.
    let lost = sh(
        &scratch,
        &repository,
        "echo lost | git hash-object -w --stdin",
    );
    git(&["tag", "-a", "-m", "t", "of-lost", &lost]);
    git(&["tag", "-d", "nest-1"]);
    round_trip(&scratch, &repository, &repository);
    assert_eq!(
        scratch.git("new.git", &["cat-file", "-p", "of-lost^{}"]),
        "lost"
    );
}

#[test]
fn replaced_objects_are_packed_as_they_are() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    scratch.git(&repository, &["replace", "main~1", "main~3"]);
    scratch.git(
        &repository,
        &[
            "replace",
            "main:dir-1/file-1.txt",
            "main~30:dir-1/file-1.txt",
        ],
    );
    round_trip(&scratch, &repository, &repository);
    let whole = "GIT_NO_REPLACE_OBJECTS=1 git rev-list --objects --all --no-object-names | sort";
    let list = |name: &str| sh(&scratch, &scratch.join(name), whole);
    assert_eq!(list("new.git"), list("r.git"));
    let content = "GIT_NO_REPLACE_OBJECTS=1 git cat-file -p main:dir-1/file-1.txt";
    assert_eq!(
        sh(&scratch, &scratch.join("new.git"), content),
        sh(&scratch, &repository, content)
    );
}

#[test]
fn grafts_cut_nothing_off() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let all = "git rev-list --objects --all --no-object-names | sort";
    let expected = sh(&scratch, &repository, all);
    sh(
        &scratch,
        &repository,
        "mkdir -p info; git rev-parse main~2 > info/grafts",
    );
    assert_ne!(sh(&scratch, &repository, all), expected);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    scratch
        .mug(".", &["pack", "restore", "out", "new.git", "--bare"])
        .ok();
    scratch.git("new.git", &["fsck", "--full", "--strict"]);
    assert_eq!(sh(&scratch, &scratch.join("new.git"), all), expected);
}

#[test]
fn refs_in_tables_are_refused() {
    let scratch = Scratch::new();
    let mut command = scratch.command("git", ".");
    command.args(["init", "-q", "--bare", "--ref-format=reftable", "r.git"]);
    // This git may be too old to make one.
    if !command.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let output = scratch.mug("r.git", &["pack", "create", "../out"]).exits(1);
    assert!(output.stderr.contains("reftable"), "{output}");
    assert!(!scratch.join("out/manifest.json").exists());
}

/// Turns over a byte in the midst of what is stored of an object in a pack.
fn damage(scratch: &Scratch, repository: &Path, id: &str) {
    let script = format!(
        "pack=$(ls objects/pack/*.pack); chmod u+w $pack
         set -- $(git verify-pack -v ${{pack%.pack}}.idx | grep ^{id})
         at=$(($5 + 2 + $4 / 2))
         byte=$(od -An -tu1 -j $at -N 1 $pack)
         printf \"\\\\$(printf %o $((byte ^ 255)))\" | dd of=$pack bs=1 seek=$at conv=notrunc status=none"
    );
    sh(scratch, repository, &script);
}

#[test]
fn a_damaged_object_that_is_needed_is_named() {
    for name in ["main", "main~3", "main^{tree}", "main:dir-1/file-1.txt"] {
        let scratch = Scratch::new();
        let repository = bare(&scratch);
        scratch.git(&repository, &["repack", "-adfq"]);
        let id = scratch.git(&repository, &["rev-parse", name]);
        damage(&scratch, &repository, &id);
        let output = scratch
            .mug(&repository, &["pack", "create", "../out"])
            .exits(1);
        let named = output.stderr.contains(&id) || output.stderr.contains("objects/pack");
        assert!(named, "{name}: {output}");
        assert!(!scratch.join("out/manifest.json").exists());
    }
}

#[test]
fn a_damaged_object_that_nothing_reaches_is_no_obstacle() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    let make = "id=$(git commit-tree -m lost main^{tree})
         git update-ref refs/heads/lost $id
         git repack -adfq
         git update-ref -d refs/heads/lost
         echo $id";
    let lost = sh(&scratch, &repository, make);
    damage(&scratch, &repository, &lost);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    restored(&scratch, &repository);
}

#[test]
fn an_object_larger_than_memory_is_allowed_to_be() {
    const LENGTH: u64 = 200 << 20;
    let scratch = Scratch::fast(1 << 30);
    scratch.git(
        ".",
        &["init", "-q", "--bare", "--initial-branch=main", "r.git"],
    );
    let repository = scratch.join("r.git");
    let script = format!(
        "git config core.bigFileThreshold 1m; git config core.compression 1
         {{ printf 'commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n'
           printf 'M 100644 inline large\ndata {LENGTH}\n'
           yes 'a line of a file that is larger than what is held of it at once' | head -c {LENGTH}
           printf '\ndone\n'; }} | git -c fastimport.unpackLimit=0 fast-import --quiet --done"
    );
    sh(&scratch, &repository, &script);
    let most = |args: &[&str], dir: &str| {
        let running = scratch.spawn(dir, args);
        let mut most = 0;
        while running.is_running() {
            most = most.max(running.anonymous());
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        running.wait().ok();
        most
    };
    let create = most(&["pack", "create", "../out"], "r.git");
    let restore = most(&["pack", "restore", "out", "new.git", "--bare"], ".");
    scratch.git("new.git", &["fsck", "--full"]);
    for (what, most) in [("create", create), ("restore", restore)] {
        assert!(most > 0, "{what} was not seen");
        assert!(most < LENGTH / 2, "{what} took {} MiB", most >> 20);
    }
}

#[test]
fn a_shallow_repository_is_packed_as_it_is() {
    let scratch = Scratch::new();
    let source = scratch.repository("source.git", true, SHAPE);
    let url = format!("file://{}", source.display());
    let clone = ["clone", "-q", "--bare", "--depth=2", &url, "r.git"];
    scratch.git(".", &clone);
    let output = scratch.mug("r.git", &["pack", "create", "../out"]).ok();
    assert!(output.stderr.contains("is shallow"), "{output}");
    scratch.mug(".", &["pack", "verify", "--full", "out"]).ok();
    let refs = sh(&scratch, scratch.path(), "cat out/layers/*/refs");
    let cut = sh(&scratch, &scratch.join("r.git"), "cat shallow");
    for id in cut.lines() {
        assert!(refs.contains(&format!("shallow {id}\n")), "{refs}");
    }
    restored(&scratch, &scratch.join("r.git"));
}
