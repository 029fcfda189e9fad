//! What can go wrong with a restore that was begun: each time a clear error with the
//! exit code that is documented, and nothing lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use end_to_end::{Large, Output, Running, Scratch, Shape};

const SHAPE: Large = Large {
    files: 30,
    commits: 100,
};

struct Setup {
    scratch: Scratch,
    source: PathBuf,
}

/// A repository, its pack `out`, and another pack `other`.
fn setup() -> Setup {
    let scratch = Scratch::fast(1 << 30);
    let source = SHAPE.make(&scratch, "source.git");
    scratch.mug(&source, &["pack", "create", "../out"]).ok();
    let other = scratch.repository("other.git", true, Shape::SMALL);
    scratch.mug(&other, &["pack", "create", "../other"]).ok();
    Setup { scratch, source }
}

impl Setup {
    fn restore(&self, target: &str, more: &[&str]) -> Output {
        let args = [&["pack", "restore", "out", target], more].concat();
        self.scratch.mug(".", &args)
    }

    /// A restore that was killed while it wrote the Git pack; its id.
    fn begun(&self, target: &str) -> String {
        let args = ["pack", "restore", "out", target, "--threads", "1"];
        loop {
            let process = self.scratch.spawn_behind(".", &args);
            while process.is_running() && self.length(target) == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            // A commit comes every tenth of a second.
            std::thread::sleep(Duration::from_millis(120));
            if process.stop() {
                process.kill();
                let id = self.id(target);
                let record = self.scratch.operation(".", &id);
                if record.step() == "entries" {
                    return id;
                }
            } else {
                process.wait().ok();
            }
            std::fs::remove_dir_all(self.scratch.join(target)).expect("it is removed");
        }
    }

    /// The length of the unfinished Git pack.
    fn length(&self, target: &str) -> u64 {
        let ops = self.scratch.join(target).join(".git/mug/ops");
        let mut ops = std::fs::read_dir(ops).into_iter().flatten().flatten();
        let length = ops.find_map(|op| op.path().join("restore.pack").metadata().ok());
        length.map_or(0, |meta| meta.len())
    }

    fn id(&self, target: &str) -> String {
        let target = self.scratch.join(target);
        let records = self.scratch.operations(".", &[]);
        let ours = records.iter().find(|record| {
            let at = record.0.pointer("/state/metadata/target");
            at.and_then(serde_json::Value::as_str) == target.to_str()
        });
        ours.expect("it has a record").id().to_owned()
    }

    fn check(&self, target: &str) {
        let target = self.scratch.join(target);
        self.scratch.git(&target, &["fsck", "--full", "--strict"]);
        let refs = |dir: &Path| self.scratch.git(dir, &["show-ref"]);
        assert_eq!(refs(&target), refs(&self.source));
        assert_eq!(self.scratch.git(&target, &["status", "--porcelain"]), "");
    }
}

#[track_caller]
fn says(output: &Output, said: &[&str]) {
    for text in said {
        assert!(output.stderr.contains(text), "no `{text}` in {output}");
    }
}

/// Runs a script in namespaces of its own, where it may mount; none where tests
/// have no such namespaces.
fn apart(scratch: &Scratch, script: &str) -> Option<Output> {
    let run = |script: &str| {
        let mut command = scratch.command("unshare", ".");
        command.args(["-Urmpf", "--mount-proc", "sh", "-euc", script]);
        command.env("MUG", end_to_end::binary());
        command
    };
    let can = run("true").output().is_ok_and(|it| it.status.success());
    can.then(|| Running::start(run(script), &scratch.join("tmp")).wait())
}

#[test]
fn targets_that_cannot_be_made() {
    let scratch = Scratch::new();
    let source = scratch.repository("source.git", true, Shape::SMALL);
    scratch.mug(&source, &["pack", "create", "../out"]).ok();
    std::fs::write(scratch.join("file"), "mine").expect("a file");
    std::fs::create_dir(scratch.join("full")).expect("a directory");
    std::fs::write(scratch.join("full/precious"), "mine").expect("a file");
    for target in ["file", "file/new", "/proc/new", "full", "source.git"] {
        for option in [&["--bare"][..], &[]] {
            let args = [&["pack", "restore", "out", target], option].concat();
            let output = scratch.mug(".", &args);
            assert!(matches!(output.code(), Some(1 | 3)), "{output}");
            says(&output, &[target.rsplit('/').next().expect("a name")]);
        }
    }
    let output = scratch.mug(".", &["pack", "restore", "out", "--into", "full"]);
    says(&output.exits(1), &["no Git repository"]);
    for kept in ["file", "full/precious"] {
        let kept = std::fs::read_to_string(scratch.join(kept));
        assert_eq!(kept.expect("a file"), "mine");
    }
    assert_eq!(end_to_end::files(&scratch.join("full")).len(), 1);
    let script = "mkdir ro; mount -t tmpfs none ro; mkdir ro/empty; mount -o remount,ro ro
         for target in ro/new ro/empty; do
           code=0; \"$MUG\" pack restore out $target 2>said || code=$?
           test $code = 1 -o $code = 3; grep -q 'ro/' said; grep -qi 'read-only' said
         done";
    if let Some(output) = apart(&scratch, script) {
        output.ok();
    }
}

#[test]
fn usage() {
    let scratch = Scratch::new();
    for args in [
        &["out"][..],
        &["out", "new", "--into", "old"],
        &["out", "--into", "old", "--bare"],
        &["out", "new", "--namespace", "refs/x"],
        &["out", "--into", "old", "--namespace", "heads"],
        &["out", "--into", "old", "--namespace", "refs/heads/x"],
        &["out", "--into", "old", "--namespace", "refs/../x"],
    ] {
        let args = [&["pack", "restore"], args].concat();
        scratch.mug(".", &args).exits(2);
    }
}

#[test]
fn a_pack_that_went_away_or_was_replaced() {
    let setup = setup();
    let id = setup.begun("new");
    let out = setup.scratch.join("out");
    let away = setup.scratch.join("away");
    let before = setup.length("new");
    std::fs::rename(&out, &away).expect("it is moved");
    for empty in [false, true] {
        if empty {
            // As an unplugged disk leaves it.
            std::fs::create_dir(&out).expect("a directory");
        }
        let output = setup.restore("new", &["--resume", &id]).exits(3);
        says(
            &output,
            &["is gone since this restore began", "put the pack back"],
        );
    }
    std::fs::remove_dir(&out).expect("it is removed");
    std::fs::rename(setup.scratch.join("other"), &out).expect("it is moved");
    let output = setup.restore("new", &["--resume", &id]).exits(3);
    says(&output, &["was replaced since this restore began"]);
    // A file in its place, and a pack that somebody is still copying.
    std::fs::rename(&out, setup.scratch.join("other")).expect("it is moved");
    std::fs::write(&out, "mine").expect("a file");
    assert_ne!(setup.restore("new", &["--resume", &id]).code(), Some(0));
    std::fs::remove_file(&out).expect("it is removed");
    std::fs::rename(&away, &out).expect("it is moved");
    let frames = std::fs::read_dir(out.join("layers")).expect("layers");
    let layer = frames.flatten().next().expect("a layer").path();
    let last = layer.join("frames-0000");
    let whole = std::fs::read(&last).expect("frames");
    std::fs::write(&last, &whole[..whole.len() / 2]).expect("it is cut");
    let output = setup.restore("new", &["--resume", &id]);
    assert_eq!(output.code(), Some(1), "{output}");
    says(&output, &["frames-0000"]);
    std::fs::write(&last, &whole).expect("it is whole again");
    assert!(setup.length("new") >= before, "what was done is kept");
    setup.restore("new", &["--resume", &id]).ok();
    setup.check("new");
}

#[test]
fn a_limit_on_the_size_of_files() {
    let setup = setup();
    let id = setup.begun("new");
    let blocks = setup.length("new") / 512 + 64;
    let script = format!("ulimit -f {blocks}; exec \"$MUG\" pack restore out new --resume {id}");
    let mut command = setup.scratch.command("sh", ".");
    command.args(["-c", &script]);
    command.env("MUG", end_to_end::binary());
    let output = Running::start(command, &setup.scratch.join("tmp")).wait();
    says(&output.exits(3), &["ulimit -f", "--resume"]);
    setup.restore("new", &["--resume", &id]).ok();
    setup.check("new");
}

#[test]
fn a_limit_on_the_size_of_files_in_the_working_tree() {
    let scratch = Scratch::fast(256 << 20);
    let source = scratch.repository("source", false, Shape::SMALL);
    // In the pack it is small.
    std::fs::write(source.join("large"), vec![b'x'; 24 << 20]).expect("a file");
    scratch.git(&source, &["add", "-A"]);
    scratch.git(&source, &["commit", "-qm", "large"]);
    scratch.mug(&source, &["pack", "create", "../out"]).ok();
    let script = "ulimit -f 16384; exec \"$MUG\" pack restore out new";
    let mut command = scratch.command("sh", ".");
    command.args(["-c", script]);
    command.env("MUG", end_to_end::binary());
    let output = Running::start(command, &scratch.join("tmp")).wait();
    says(&output.exits(3), &["ulimit -f", "--resume"]);
    let record = &scratch.operations(".", &[])[0];
    assert_eq!((record.status(), record.step()), ("paused", "files"));
    assert!(!scratch.join("new/large").exists());
    let id = record.id().to_owned();
    scratch
        .mug(".", &["pack", "restore", "out", "new", "--resume", &id])
        .ok();
    scratch.git("new", &["fsck", "--full", "--strict"]);
    assert_eq!(scratch.git("new", &["status", "--porcelain"]), "");
}

#[test]
fn a_full_disk_and_room_again() {
    let setup = setup();
    setup.restore("whole", &[]).ok();
    let size = |dir: &str| -> u64 {
        let files = end_to_end::files(&setup.scratch.join(dir));
        files.into_values().flatten().sum()
    };
    let (git, all) = (size("whole/.git"), size("whole"));
    // In the middle of the pack, and in the middle of the working tree.
    for (number, room) in [git / 2, git + (all - git) / 2].into_iter().enumerate() {
        let script = format!(
            "mkdir -p disk; mount -t tmpfs -o size={room} none disk
             code=0; \"$MUG\" --progress never pack restore out disk/new 2>first || code=$?
             test $code = 3
             grep -q 'free some' first
             mount -o remount,size=1g disk
             line=$(grep -- '--resume' first)
             eval \"$line\"
             test -z \"$(git -C disk/new status --porcelain)\"
             cp -a disk/new new-{number}"
        );
        let Some(output) = apart(&setup.scratch, &script) else {
            return;
        };
        output.ok();
        setup.check(&format!("new-{number}"));
    }
}

#[test]
fn a_full_disk_in_a_repository_that_exists() {
    let setup = setup();
    setup.restore("whole.git", &["--bare"]).ok();
    let files = end_to_end::files(&setup.scratch.join("whole.git"));
    let whole: u64 = files.into_values().flatten().sum();
    let script = format!(
        "mkdir disk; mount -t tmpfs -o size={} none disk
         git init -q disk/repo
         git -C disk/repo commit -q --allow-empty -m mine
         git -C disk/repo pack-refs --all
         cp disk/repo/.git/packed-refs before
         code=0; \"$MUG\" --progress never pack restore out --into disk/repo 2>first || code=$?
         test $code = 3
         grep -q 'free some' first
         cmp before disk/repo/.git/packed-refs
         test -z \"$(ls disk/repo/.git/objects/pack)\"
         mount -o remount,size=1g disk
         line=$(grep -- '--resume' first)
         eval \"$line\"
         git -C disk/repo fsck --full --strict
         git -C disk/repo rev-parse refs/restored/out/HEAD >head",
        whole / 2
    );
    let Some(output) = apart(&setup.scratch, &script) else {
        return;
    };
    output.ok();
    let head = std::fs::read_to_string(setup.scratch.join("head")).expect("a head");
    assert_eq!(
        head.trim(),
        setup.scratch.git(&setup.source, &["rev-parse", "HEAD"])
    );
}

#[test]
fn a_repository_that_is_made_in_its_place() {
    let setup = setup();
    // Killed when the pack is there and the repository is none yet.
    let id = loop {
        let process = setup
            .scratch
            .spawn_behind(".", &["pack", "restore", "out", "new"]);
        let pack = setup.scratch.join("new/.git/objects/pack");
        while process.is_running() && !pack.exists() {
            std::thread::sleep(Duration::from_micros(100));
        }
        if process.stop() {
            process.kill();
            if !setup.scratch.join("new/.git/HEAD").exists() {
                break setup.id("new");
            }
        } else {
            process.wait().ok();
        }
        std::fs::remove_dir_all(setup.scratch.join("new")).expect("it is removed");
    };
    setup.scratch.git(".", &["init", "-q", "-b", "mine", "new"]);
    let head = setup.scratch.join("new/.git/HEAD");
    let mine = std::fs::read(&head).expect("a head");
    let output = setup.restore("new", &["--resume", &id]).exits(3);
    says(&output, &["HEAD' appeared", "move it away"]);
    assert_eq!(std::fs::read(&head).expect("a head"), mine);
    std::fs::remove_file(&head).expect("it is removed");
    setup.restore("new", &["--resume", &id]).ok();
    setup.check("new");
}

#[test]
fn files_that_appear_in_the_working_tree_stay() {
    let scratch = Scratch::new();
    let source = scratch.repository("source", false, Shape::SMALL);
    for number in 0..40 {
        std::fs::write(source.join(format!("file-{number}")), "theirs\n").expect("a file");
    }
    std::fs::write(source.join("\u{1b}[31m"), "theirs\n").expect("a file");
    scratch.git(&source, &["add", "-A"]);
    scratch.git(&source, &["commit", "-qm", "files"]);
    scratch.mug(&source, &["pack", "create", "../out"]).ok();
    // Where a restore was begun, its directory is not empty.
    let target = scratch.join("new");
    let process = scratch.spawn_behind(".", &["pack", "restore", "out", "new"]);
    while process.is_running() && !target.join(".git/objects").exists() {
        std::thread::sleep(Duration::from_micros(50));
    }
    for name in ["file-7", "file-39", "\u{1b}[31m"] {
        std::fs::write(target.join(name), "mine\n").expect("a file");
    }
    let output = process.wait().ok();
    // Should the restore have been faster, its own files were written over.
    if output.stderr.contains("something else is there") {
        says(
            &output,
            &["3 paths of the working tree", "\"file-7\"", "\\x1b[31m"],
        );
        assert!(!output.stderr.contains('\u{1b}'), "{output}");
    }
    let mine = std::fs::read(target.join("file-7"));
    assert_eq!(mine.expect("a file"), b"mine\n");
    let status = scratch.git(&target, &["status", "--porcelain"]);
    assert_eq!(status.lines().count(), 3, "{status}");
    scratch.git(&target, &["fsck", "--full", "--strict"]);
}
