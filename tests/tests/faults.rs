//! What can go wrong with a pack that was begun: each time a clear error with the
//! exit code that is documented, and nothing lost.

use std::path::{Path, PathBuf};

use end_to_end::{
    Aim, Large, Means, Output, Running, Scratch, Shape, Signal, Trial, Undisturbed, wait_until,
};
use mug::core::resume::OperationStatus;

const SHAPE: Large = Large {
    files: 40,
    commits: 200,
};

struct Setup {
    scratch: Scratch,
    repository: PathBuf,
    undisturbed: Undisturbed,
}

fn setup() -> Setup {
    let scratch = Scratch::fast(512 << 20);
    let repository = SHAPE.make(&scratch, "r.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    Setup {
        scratch,
        repository,
        undisturbed,
    }
}

impl Setup {
    /// A pack that was killed when frames of it were committed.
    fn begun(&self, out: &str) -> Trial<'_> {
        let mut trial = Trial::new(&self.scratch, &self.repository, &self.undisturbed, out);
        let mut target = 5;
        while trial.blows.last().is_none_or(|blow| blow.committed == 0) {
            let done = trial.turn(Means::Kill, Aim::Frames(target), 1);
            assert!(!done, "it was done before it could be killed");
            target += 5;
        }
        trial
    }

    /// Continues `trial`, which must fail with this code and say all of this.
    #[track_caller]
    fn refused(&self, trial: &Trial, code: i32, said: &[&str]) -> Output {
        let out = trial.out.to_str().expect("text");
        let id = trial.id.as_deref().expect("an id");
        let args = ["pack", "create", out, "--resume", id];
        let output = self.scratch.mug(&self.repository, &args).exits(code);
        says(&output, said);
        output
    }
}

#[track_caller]
fn says(output: &Output, said: &[&str]) {
    for text in said {
        assert!(output.stderr.contains(text), "no `{text}` in {output}");
    }
}

/// Whether this machine lets a test have namespaces of its own; they are turned
/// off in some containers.
fn namespaces(scratch: &Scratch) -> bool {
    let mut command = scratch.command("unshare", ".");
    command.args(["-Urmpf", "--mount-proc", "true"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a script in namespaces of its own, where it may mount.
fn apart(scratch: &Scratch, script: &str) -> Output {
    let mut command = scratch.command("unshare", ".");
    command.args(["-Urmpf", "--mount-proc", "sh", "-euc", script]);
    command.env("MUG", end_to_end::binary());
    Running::start(command, &scratch.join("tmp")).wait()
}

#[test]
fn ids_that_are_none() {
    let scratch = Scratch::new();
    let repository = scratch.repository("r.git", true, Shape::SMALL);
    let long = "op-".repeat(100_000 / 3);
    let ids = [
        "",
        "op-",
        "op-zzzz",
        "../../../etc",
        "op-\u{1b}[2J",
        "%s%n",
        &long,
    ];
    for id in ids {
        for command in [
            &["resume", "show"][..],
            &["resume", "delete"],
            &["resume", "pause"],
            &["resume", "continue"],
            &["pack", "create", "../out", "--resume"],
        ] {
            let output = scratch.mug(&repository, &[command, &[id]].concat());
            assert!(matches!(output.code(), Some(1 | 2)), "{output}");
            assert!(output.stderr.contains("error: "), "{output}");
            assert!(!output.stderr.contains('\u{1b}'), "{output}");
        }
    }
    assert!(!scratch.join("out").exists());
}

#[test]
fn an_operation_of_a_newer_build() {
    let setup = setup();
    let mut trial = setup.begun("out");
    let id = trial.id.clone().expect("an id");
    {
        let records = setup.scratch.records(&setup.repository);
        let op = records.get(&id);
        let mut checkpoint: serde_json::Value =
            serde_json::from_str(&op.state.checkpoint).expect("json");
        checkpoint["version"] = 99.into();
        let change = |checkpoint: String| {
            let step = op.state.current_step.clone();
            let manager = records.manager();
            let changed = manager.update_checkpoint(&id, checkpoint, step, op.state.total_steps);
            changed.expect("it is changed");
            // Whoever changes it has it; nobody is to have it.
            let put_down = manager.update_status(&id, OperationStatus::Paused);
            put_down.expect("it is put down");
        };
        change(checkpoint.to_string());
        setup.refused(&trial, 1, &["version 99", "build"]);
        // Nothing of it was touched: the newer build goes on.
        change(op.state.checkpoint.clone());
    }
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn refs_that_go_away_are_packed_as_they_were() {
    let setup = setup();
    let mut trial = setup.begun("out");
    let git = |args: &[&str]| setup.scratch.git(&setup.repository, args);
    git(&["tag", "-d", "large"]);
    git(&["update-ref", "refs/heads/main", "main~100"]);
    git(&["branch", "other", "main"]);
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn a_repository_that_went_away_or_was_replaced() {
    let setup = setup();
    let trial = setup.begun("out");
    let away = setup.scratch.join("away.git");
    std::fs::rename(&setup.repository, &away).expect("it is moved");
    let id = trial.id.as_deref().expect("an id");
    let out = trial.out.to_str().expect("text");
    let args = ["pack", "create", out, "--resume", id];
    let output = setup.scratch.mug(".", &args).exits(1);
    says(&output, &["no Git repository"]);
    // From outside the list does not break over it.
    setup.scratch.mug(".", &["resume"]).ok();

    // Another one in its place knows nothing of the operation, and leaves what it
    // has written alone.
    let init = [
        "init",
        "-q",
        "--bare",
        setup.repository.to_str().expect("text"),
    ];
    setup.scratch.git(".", &init);
    setup.refused(&trial, 1, &["there is no operation", id]);
    std::fs::remove_dir_all(&setup.repository).expect("it is removed");

    // Back again, it goes on.
    std::fs::rename(&away, &setup.repository).expect("it is moved");
    let mut trial = trial;
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn an_output_directory_that_went_away() {
    let setup = setup();
    let trial = setup.begun("out");
    let away = setup.scratch.join("away");
    std::fs::rename(&trial.out, &away).expect("it is moved");
    setup.refused(&trial, 1, &["frames-0000"]);
    // A file in its place.
    let _ = std::fs::remove_dir_all(&trial.out);
    std::fs::write(&trial.out, "mine").expect("a file");
    setup.refused(&trial, 1, &["out"]);
    assert_eq!(std::fs::read(&trial.out).expect("a file"), b"mine");
    std::fs::remove_file(&trial.out).expect("it is removed");
    // A directory of somebody else's.
    std::fs::create_dir(&trial.out).expect("a directory");
    std::fs::write(trial.out.join("precious"), "mine").expect("a file");
    setup.refused(&trial, 1, &["frames-0000"]);
    let precious = std::fs::read(trial.out.join("precious"));
    assert_eq!(precious.expect("a file"), b"mine");
    std::fs::remove_dir_all(&trial.out).expect("it is removed");

    // Back again, it goes on: a failed operation can be continued.
    std::fs::rename(&away, &trial.out).expect("it is moved");
    let mut trial = trial;
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn an_output_that_cannot_be_written() {
    let scratch = Scratch::new();
    let repository = scratch.repository("r.git", true, Shape::SMALL);
    std::fs::write(scratch.join("file"), "mine").expect("a file");
    for out in ["../file", "../file/out", "/proc/out"] {
        let output = scratch.mug(&repository, &["pack", "create", out]);
        assert!(matches!(output.code(), Some(1 | 3)), "{output}");
        says(&output, &[out.trim_start_matches("../")]);
        // Nothing waits to be continued that could not begin.
        assert!(scratch.operations(&repository, &["--running"]).is_empty());
    }
    assert_eq!(
        std::fs::read(scratch.join("file")).expect("a file"),
        b"mine"
    );
}

#[test]
fn a_limit_on_the_size_of_files() {
    let setup = setup();
    let mut trial = setup.begun("out");
    let id = trial.id.clone().expect("an id");
    let out = trial.out.to_str().expect("text");
    let frames = end_to_end::frame_file(&trial.out).expect("frames");
    let blocks = frames.metadata().expect("its length").len() / 512 + 64;
    let script = format!("ulimit -f {blocks}; exec \"$MUG\" pack create '{out}' --resume {id}");
    let mut command = setup.scratch.command("sh", &setup.repository);
    command.args(["-c", &script]);
    command.env("MUG", end_to_end::binary());
    let output = Running::start(command, &setup.scratch.join("tmp")).wait();
    says(&output.exits(3), &["ulimit -f", "--resume"]);
    let record = setup.scratch.operation(&setup.repository, &id);
    assert_eq!(record.status(), "paused");
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn a_full_disk_and_room_again() {
    let setup = setup();
    if !namespaces(&setup.scratch) {
        return;
    }
    let frames = setup.undisturbed.frames.len();
    let half = setup.undisturbed.frames.bytes_before(frames / 2);
    let script = format!(
        "mkdir disk; mount -t tmpfs -o size={half} none disk
         code=0; \"$MUG\" -C r.git pack create ../disk/out 2>first || code=$?
         test $code = 3
         grep -q 'free some space' first
         \"$MUG\" -C r.git --json resume list >list
         grep -q '\"status\": *\"paused\"' list
         mount -o remount,size=1g disk
         line=$(grep -- '--resume' first)
         eval \"$line\"
         cp -r disk/out out",
    );
    apart(
        &setup.scratch,
        &script.replace("$MUG\" -C", "$MUG\" --progress never -C"),
    )
    .ok();
    end_to_end::assert_same(&setup.scratch.join("out"), &setup.undisturbed.pack);
}

#[test]
fn a_store_that_is_damaged_is_left_as_it_is() {
    let setup = setup();
    let mut trial = setup.begun("out");
    let data = setup.repository.join("mug/data.mdb");
    let whole = std::fs::read(&data).expect("the store");
    let damages: [(&str, Vec<u8>); 4] = [
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("emptied", Vec::new()),
        ("garbage", vec![0x5a; whole.len()]),
        ("zeroes", vec![0; whole.len()]),
    ];
    for (name, damaged) in damages {
        std::fs::write(&data, &damaged).expect("it is damaged");
        for args in [&["resume"][..], &["pack", "create", "../other"]] {
            let output = setup.scratch.mug(&setup.repository, args);
            assert_eq!(output.code(), Some(1), "{name}: {output}");
            says(&output, &["data.mdb", "mug"]);
        }
        setup.refused(&trial, 1, &["data.mdb"]);
        let left = std::fs::read(&data).expect("the store");
        assert!(left == damaged, "{name}: it was changed");
    }
    std::fs::write(&data, &whole).expect("it is mended");
    trial.finish(2);
    assert_eq!(trial.repeated, 0);
    trial.check();
}

#[test]
fn a_repository_that_is_read_only_keeps_its_state_elsewhere() {
    let setup = setup();
    if !namespaces(&setup.scratch) {
        return;
    }
    let script = "mount --bind r.git r.git; mount -o remount,bind,ro r.git
         if touch r.git/x 2>/dev/null; then exit 9; fi
         \"$MUG\" -C r.git pack create ../out
         \"$MUG\" -C r.git --json resume list | grep -q '\"status\": *\"completed\"'";
    apart(&setup.scratch, script).ok();
    assert!(setup.scratch.join("state/mug").exists());
    end_to_end::assert_same(&setup.scratch.join("out"), &setup.undisturbed.pack);
}

#[test]
fn two_processes_that_cannot_see_each_other() {
    let setup = setup();
    if !namespaces(&setup.scratch) {
        return;
    }
    let out = setup.scratch.join("out");
    let create = ["pack", "create", out.to_str().expect("text")];
    let running = setup.scratch.spawn_behind(&setup.repository, &create);
    wait_until("it has begun", || {
        running.stderr().contains("this is op-") || !running.is_running()
    });
    assert!(
        running.stop_beside_store(&setup.scratch, &setup.repository),
        "over before it was caught"
    );
    // Its locks are not seen from there: nothing can be said, so nothing is done.
    let list = "\"$MUG\" -C r.git resume list";
    let output = apart(&setup.scratch, list).exits(5);
    says(&output, &["another PID namespace"]);
    running.signal(Signal::CONT);
    running.wait().ok();
    // When it has ended, the other one has the store for itself.
    apart(&setup.scratch, list).ok();
    end_to_end::assert_same(&out, &setup.undisturbed.pack);
}

#[test]
fn what_is_no_repository() {
    let scratch = Scratch::new();
    for (name, head) in [("empty", None), ("broken", Some("garbage"))] {
        let dir = scratch.join(name);
        std::fs::create_dir_all(dir.join(".git/objects")).expect("a directory");
        std::fs::create_dir_all(dir.join(".git/refs")).expect("a directory");
        if let Some(head) = head {
            std::fs::write(dir.join(".git/HEAD"), head).expect("a file");
        }
        let output = scratch.mug(name, &["pack", "create", "../out"]).exits(1);
        assert!(output.stderr.contains("error: "), "{output}");
    }
    assert!(!Path::exists(&scratch.join("out")));
}
