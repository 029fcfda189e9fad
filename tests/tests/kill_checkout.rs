//! A working tree that is written through dozens of kill -9: it is what git would
//! have written, and no file that was committed is touched again.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use end_to_end::{Large, Running, Scratch, Shown, assert_same};
use fastrand::Rng;

/// Kills to be reached, over as many restores as it takes.
const KILLS: usize = 30;
const FILES: usize = 1_000;

/// Which file it is, and when it was last written.
type Identity = (u64, i64, i64, i64);

struct Restoring<'a> {
    scratch: &'a Scratch,
    target: PathBuf,
    id: Option<String>,
}

/// A process that was killed.
struct Blow {
    /// The entries that were committed, in the order of the index.
    committed: usize,
    /// What there was of them.
    files: Vec<Identity>,
}

impl Restoring<'_> {
    fn start(&self, threads: usize) -> Running {
        let target = self.target.to_str().expect("a scratch path is text");
        let threads = threads.to_string();
        let mut args = vec!["pack", "restore", "out", target, "--threads", &threads];
        if let Some(id) = &self.id {
            args.extend(["--resume", id]);
        }
        let command = with_filters(self.scratch, self.scratch.mug_command(".", &args));
        Running::start(command, &self.scratch.join("tmp"))
    }

    /// Where files are staged, once they are.
    fn is_checking_out(&self) -> bool {
        let ops = std::fs::read_dir(self.target.join(".git/mug/ops"));
        let mut ops = ops.into_iter().flatten().flatten();
        ops.any(|op| op.path().join("tree/staged").exists())
    }

    fn record(&mut self) -> Option<Shown> {
        let mut records = self.scratch.operations(".", &[]);
        records.retain(|record| {
            let target = record.0.pointer("/state/metadata/target");
            target.and_then(serde_json::Value::as_str) == self.target.to_str()
        });
        let record = records.pop()?;
        self.id = Some(record.id().to_owned());
        Some(record)
    }

    /// Kills a process; `None` when all was done before.
    fn kill(&mut self, process: Running, paths: &[String]) -> Option<Blow> {
        if !process.stop() {
            process.wait().ok();
            return None;
        }
        process.kill();
        let record = self.record()?;
        if record.status() == "completed" {
            return None;
        }
        let done = record.0.pointer("/progress/processed");
        let done = done.and_then(serde_json::Value::as_u64).unwrap_or(0);
        let committed = match record.step() {
            "files" => usize::try_from(done).expect("a number of files"),
            "tree_index" | "refs" => paths.len(),
            _ => 0,
        };
        Some(Blow {
            committed,
            files: self.identities(&paths[..committed]),
        })
    }

    fn identities(&self, paths: &[String]) -> Vec<Identity> {
        let identity = |path: &String| {
            let path = self.target.join(path);
            let meta = path.symlink_metadata();
            let meta = meta.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (
                meta.ino(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime_nsec(),
            )
        };
        paths.iter().map(identity).collect()
    }
}

/// A filter that every text goes through: a process for each makes a checkout slow
/// enough to be met in the middle.
fn with_filters(scratch: &Scratch, mut command: Command) -> Command {
    command.env("GIT_CONFIG_GLOBAL", scratch.join("filters"));
    command
}

/// A repository with many files, and its pack.
fn make(scratch: &Scratch) -> PathBuf {
    let filters = "[filter \"upper\"]\n\tsmudge = tr a-z A-Z\n\tclean = tr A-Z a-z\n\
                   \trequired = true\n[init]\n\tdefaultBranch = main\n";
    std::fs::write(scratch.join("filters"), filters).expect("a configuration");
    let repository = scratch.join("source");
    std::fs::create_dir(&repository).expect("a directory");
    scratch.git(&repository, &["init", "-q", "-b", "main"]);
    let write = |name: &str, content: &str| {
        let path = repository.join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    };
    write(
        ".gitattributes",
        "*.text filter=upper\n*.bat text eol=crlf\n",
    );
    for number in 0..FILES {
        let dir = format!("d{}/e{}", number % 17, number % 5);
        match number % 8 {
            0 => {
                let name = format!("{dir}/{number}.sh");
                write(&name, "#!/bin/sh\n");
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(repository.join(name), mode).expect("its mode");
            }
            1 => {
                let name = format!("{dir}/{number}.link");
                std::fs::create_dir_all(repository.join(&dir)).expect("a directory");
                symlink("../e0", repository.join(name)).expect("a link");
            }
            2 => write(&format!("{dir}/{number}.bat"), "line\nline\n"),
            _ => write(&format!("{dir}/{number}.text"), &format!("text {number}\n")),
        }
    }
    scratch.git(&repository, &["add", "-A"]);
    scratch.git(&repository, &["commit", "-qm", "files"]);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    repository
}

/// The modes of everything in a working tree.
fn modes(dir: &Path) -> BTreeMap<PathBuf, u32> {
    let mut names = end_to_end::files(dir);
    names.retain(|name, _| !name.starts_with(".git"));
    let mode = |name: PathBuf| {
        let meta = dir.join(&name).symlink_metadata().expect("what it is");
        (name, meta.mode())
    };
    names.into_keys().map(mode).collect()
}

#[test]
fn a_working_tree_is_written_through_thirty_kills() {
    let scratch = Scratch::fast(256 << 20);
    let source = make(&scratch);
    let listed = scratch.git(&source, &["ls-files"]);
    let paths: Vec<String> = listed.lines().map(str::to_owned).collect();
    let mut clone = scratch.command("git", ".");
    clone.args(["clone", "-q", "source", "cloned"]);
    let cloned = with_filters(&scratch, clone).status();
    assert!(cloned.expect("git runs").success());
    let cloned = scratch.join("cloned");

    let mut random = Rng::with_seed(3);
    let (mut kills, mut between) = (0, 0);
    for round in 1.. {
        if kills >= KILLS {
            break;
        }
        assert!(
            round <= KILLS,
            "checkouts are done before they can be killed"
        );
        let mut restoring = Restoring {
            scratch: &scratch,
            target: scratch.join(format!("target-{round}")),
            id: None,
        };
        let mut blows: Vec<Blow> = Vec::new();
        let mut stalls = 0;
        loop {
            let process = restoring.start(random.usize(1..=3));
            while process.is_running() && !restoring.is_checking_out() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Longer each time on a machine that gets nowhere.
            let most = 0.4 * 1.4_f64.powi(stalls);
            std::thread::sleep(Duration::from_secs_f64(most * random.f64()));
            let Some(blow) = restoring.kill(process, &paths) else {
                break;
            };
            let further = blows.last().map_or(0, |last| last.committed) < blow.committed;
            stalls = if further { 0 } else { (stalls + 1).min(15) };
            if let Some(before) = blows.last() {
                assert!(blow.committed >= before.committed);
                assert_eq!(blow.files[..before.committed], before.files);
            }
            blows.push(blow);
        }
        let found = restoring.identities(&paths);
        let last = blows.last().map_or(0, |blow| blow.committed);
        if let Some(blow) = blows.last() {
            assert_eq!(found[..last], blow.files, "written again");
        }
        let counts: Vec<usize> = blows.iter().map(|blow| blow.committed).collect();
        println!(
            "round {round}: killed with {counts:?} of {} committed",
            paths.len()
        );
        kills += blows.len();
        between += counts
            .iter()
            .filter(|n| **n > 0 && **n < paths.len())
            .count();

        let target = &restoring.target;
        // Files of the same second as the index git looks into.
        for question in [&["diff-files"][..], &["status", "--porcelain"]] {
            let mut command = scratch.command("git", target);
            command.args(question);
            let answer = with_filters(&scratch, command).output().expect("git runs");
            assert!(answer.status.success() && answer.stdout.is_empty());
        }
        scratch.git(target, &["fsck", "--full", "--strict"]);
        assert_eq!(modes(target), modes(&cloned));
        std::fs::remove_dir_all(target.join(".git")).expect("it can be removed");
        let expected = scratch.join("expected");
        copy_tree(&scratch, &cloned, &expected);
        assert_same(target, &expected);
        for dir in [target, &expected] {
            std::fs::remove_dir_all(dir).expect("it can be removed");
        }
    }
    assert!(between * 2 >= kills, "{between} of {kills} between files");
}

/// Kills to be reached while it goes into a repository that exists.
const INTO: usize = 8;

#[test]
fn a_repository_is_restored_into_through_kills_and_collections() {
    let scratch = Scratch::fast(512 << 20);
    let shape = Large {
        files: 100,
        commits: 2_000,
    };
    let source = shape.make(&scratch, "source.git");
    scratch.mug(&source, &["pack", "create", "../out"]).ok();
    scratch.git(".", &["init", "-q", "-b", "mine", "existing"]);
    let existing = scratch.join("existing");
    let first = ["commit", "-q", "--allow-empty", "-m", "mine"];
    scratch.git(&existing, &first);
    let refs = |dir: &Path, below: &str| {
        let format = ["for-each-ref", "--format=%(objectname) %(refname)", below];
        scratch.git(dir, &format)
    };
    let packs = existing.join(".git/objects/pack");
    let kept = || {
        let names = std::fs::read_dir(&packs).expect("packs").flatten();
        let mut names = names.map(|entry| entry.path());
        names.any(|path| path.extension().is_some_and(|it| it == "keep"))
    };

    let mut random = Rng::with_seed(11);
    let (mut kills, mut published) = (0, 0);
    for round in 1.. {
        if kills >= INTO {
            break;
        }
        assert!(
            round <= 4 * INTO,
            "restores are done before they can be killed"
        );
        let namespace = format!("refs/restored/{round}");
        let threads = random.usize(1..=3).to_string();
        let mut args = vec!["pack", "restore", "out", "--into", "existing"];
        args.extend(["--namespace", &namespace, "--threads", &threads]);
        let mut id: Option<String> = None;
        let mut stalls = 0;
        loop {
            let mut args = args.clone();
            if let Some(id) = &id {
                args.extend(["--resume", id]);
            }
            let process = scratch.spawn(".", &args);
            // Every other time until the pack is there and no ref is.
            if stalls % 2 == 1 {
                while process.is_running() && !kept() {
                    std::thread::sleep(Duration::from_micros(200));
                }
            } else {
                // Short on a machine that is quick, longer each time on one that is not.
                let most = 0.06 * 1.4_f64.powi(stalls);
                std::thread::sleep(Duration::from_secs_f64(most * random.f64()));
            }
            if !process.stop() {
                process.wait().ok();
                break;
            }
            process.kill();
            stalls += 1;
            let mut records = scratch.operations("existing", &[]);
            let all = records.len();
            records.retain(|record| record.status() != "completed");
            if all - records.len() == round {
                break;
            }
            kills += 1;
            // One that died before its first commit has left no record.
            id = records.pop().map(|record| record.id().to_owned());
            published += usize::from(kept());
            // One that died with Git's lock takes it up again; until then git refuses.
            if !existing.join(".git/packed-refs.lock").exists() {
                scratch.git(&existing, &["gc", "-q", "--prune=now"]);
            }
        }
        let expected = refs(&source, "refs").replace("refs/", &format!("{namespace}/"));
        let found = refs(&existing, &namespace);
        assert!(expected.lines().all(|line| found.contains(line)), "{found}");
        assert!(!kept());
        scratch.git(&existing, &["gc", "-q", "--prune=now"]);
        scratch.git(&existing, &["fsck", "--full", "--strict"]);
        assert_eq!(refs(&existing, "refs/heads").lines().count(), 1);
        println!("round {round}: {kills} kills, {published} with a pack and no refs");
    }
    assert!(published > 0);
}

/// A copy without the repository.
fn copy_tree(scratch: &Scratch, from: &Path, to: &Path) {
    let mut command = scratch.command("cp", ".");
    command.arg("-a").args([from, to]);
    assert!(command.status().expect("cp runs").success());
    std::fs::remove_dir_all(to.join(".git")).expect("it can be removed");
}
