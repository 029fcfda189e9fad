//! `git gc` between two parts of a pack: what it takes away was kept.

use std::path::Path;

use end_to_end::{Aim, Large, Means, Scratch, Signal, Trial, Undisturbed, frame_file, printed};

const SHAPE: Large = Large {
    files: 120,
    commits: 600,
};

/// Attempts at something in the middle, on a machine that may be busy.
const TRIES: usize = 20;

/// Takes the newest part of the history away, and rewrites the rest.
fn collect(scratch: &Scratch, repository: &Path) {
    let tip = scratch.git(repository, &["rev-parse", "main"]);
    scratch.git(repository, &["tag", "-d", "large"]);
    scratch.git(repository, &["update-ref", "refs/heads/main", "main~300"]);
    let packs = packs(repository);
    let repack = ["repack", "-a", "-d", "-f", "-q", "--depth=3", "--window=3"];
    scratch.git(repository, &repack);
    scratch.git(repository, &["gc", "--quiet", "--prune=now"]);
    // It is really gone.
    let mut command = scratch.command("git", repository);
    let gone = command.args(["cat-file", "-e", &tip]).output();
    assert!(!gone.expect("git runs").status.success());
    assert!(packs != self::packs(repository));
}

fn packs(repository: &Path) -> Vec<std::path::PathBuf> {
    let mut packs: Vec<_> = end_to_end::files(&repository.join("objects/pack"))
        .into_keys()
        .collect();
    packs.retain(|path| path.extension().is_some_and(|kind| kind == "pack"));
    packs
}

fn survives(means: Means) {
    let scratch = Scratch::fast(512 << 20);
    let repository = SHAPE.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let caught = (0..TRIES).find_map(|_| {
        let mut trial = Trial::new(&scratch, &repository, &undisturbed, "out");
        // The sources are on record once frames are.
        let mut target = 10;
        while trial.blows.last().is_none_or(|blow| blow.committed == 0) {
            if trial.turn(means, Aim::Frames(target), 1) {
                trial.check();
                return None;
            }
            target += 10;
        }
        Some(trial)
    });
    let mut trial = caught.expect("it is done before it can be stopped");
    let last = trial.blows.last().expect("it was stopped");
    assert!(last.committed < undisturbed.frames.len(), "{last:?}");
    collect(&scratch, &repository);
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn a_killed_pack_survives_gc() {
    survives(Means::Kill);
}

#[test]
fn a_paused_pack_survives_gc() {
    survives(Means::Signal(Signal::INT));
}

#[test]
fn a_pack_of_loose_objects_survives_that_gc_packs_them() {
    let scratch = Scratch::fast(512 << 20);
    let packed = SHAPE.make(&scratch, "packed.git");
    scratch.git(
        ".",
        &[
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            "loose.git",
        ],
    );
    let repository = scratch.join("loose.git");
    let fast = ["config", "core.bigFileThreshold", "1m"];
    scratch.git(&repository, &fast);
    let script = format!(
        "for pack in '{}'/objects/pack/*.pack; do git unpack-objects -q < \"$pack\"; done",
        packed.display()
    );
    let mut command = scratch.command("sh", &repository);
    command.args(["-c", &script]);
    assert!(command.status().expect("sh runs").success());
    let tip = scratch.git(&packed, &["rev-parse", "main"]);
    scratch.git(&repository, &["update-ref", "refs/heads/main", &tip]);

    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let out = scratch.join("out");
    let text = out.to_str().expect("a scratch path is text");
    let create = ["pack", "create", text, "--threads", "1"];
    let paused = (0..TRIES).find_map(|_| {
        let process = scratch.spawn_behind(&repository, &create);
        end_to_end::wait_until("frames are written", || {
            frame_file(&out).is_some_and(|file| file.metadata().is_ok_and(|meta| meta.len() > 0))
        });
        process.signal(Signal::INT);
        let output = process.wait();
        if output.code() == Some(0) {
            std::fs::remove_dir_all(&out).expect("the pack can be removed");
            return None;
        }
        Some(output.exits(130))
    });
    let paused = paused.expect("it is done before it can be paused");
    scratch.git(&repository, &["gc", "--quiet", "--prune=now"]);
    assert!(
        scratch
            .git(&repository, &["count-objects"])
            .starts_with("0 objects")
    );

    let line = printed(&paused);
    let mut command = scratch.command("sh", &repository);
    command.args(["-c", &line]);
    end_to_end::Running::start(command, &scratch.join("tmp"))
        .wait()
        .ok();
    let mut records = scratch.operations(&repository, &[]);
    records.retain(|record| line.contains(record.id()));
    let id = records[0].id().to_owned();
    let journal = scratch.operation(&repository, &id).0["journal"].to_string();
    // The objects are found where they are now, or else all is planned for that.
    if !journal.contains("planning anew") {
        end_to_end::assert_same(&out, &undisturbed.pack);
    }

    scratch
        .mug(".", &["pack", "restore", text, "new", "--bare"])
        .ok();
    scratch.git("new", &["fsck", "--full", "--strict"]);
    assert_eq!(
        scratch.git("new", &["show-ref"]),
        scratch.git(&repository, &["show-ref"])
    );
    let objects = ["rev-list", "--objects", "--all", "--count"];
    assert_eq!(
        scratch.git("new", &objects),
        scratch.git(&repository, &objects)
    );
}
