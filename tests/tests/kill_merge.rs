//! `mug merge` under kill -9 and pauses: the commit, the index and the working tree are those that git
//! would have made, however often it was interrupted, and what the user edits meanwhile stays.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use end_to_end::{Scratch, Shown};
use fastrand::Rng;

/// Kills to be reached, over as many merges as it takes.
const KILLS: usize = 100;
const FILES: usize = 1_200;

fn content(file: usize, change: &[(usize, &str)]) -> String {
    let mut text = String::new();
    for line in 0..20 {
        let said = change.iter().find(|(at, _)| *at == line);
        let said = said.map_or("same", |(_, said)| said);
        let _ = writeln!(text, "line {line} of {file}: {said}");
    }
    text
}

/// Writes both sides through fast-import: on each of them a third of the files changes, a tenth of
/// them on both; some go, and some come.
fn repository(scratch: &Scratch, name: &str) -> PathBuf {
    let repo = scratch.join(name);
    scratch.git(".", &["init", "-q", "-b", "main", name]);
    let mut script = String::new();
    let mut commit = |branch: &str, mark: u32, from: Option<u32>, lines: &str| {
        let _ = write!(
            script,
            "commit refs/heads/{branch}\nmark :{mark}\n\
             committer A U Thor <author@example.com> 1600000000 +0000\ndata 1\nm\n"
        );
        if let Some(from) = from {
            let _ = writeln!(script, "from :{from}");
        }
        script.push_str(lines);
        script.push('\n');
    };
    let file = |number: usize, text: &str| {
        let dir = number % 17;
        format!(
            "M 100644 inline d{dir}/{number}\ndata {}\n{text}\n",
            text.len()
        )
    };
    let each = |make: &dyn Fn(usize) -> Option<String>| -> String {
        (0..FILES).filter_map(make).collect()
    };
    commit("main", 1, None, &each(&|n| Some(file(n, &content(n, &[])))));
    let theirs = each(&|n| match n % 10 {
        0..3 => Some(file(n, &content(n, &[(2, "theirs")]))),
        3 => Some(format!("D d{}/{n}\n", n % 17)),
        4 => Some(file(FILES + n, "new\n")),
        _ => None,
    });
    commit("topic", 2, Some(1), &theirs);
    let ours = each(&|n| match n % 10 {
        2 | 7 | 8 => Some(file(n, &content(n, &[(17, "ours")]))),
        _ => None,
    });
    commit("main", 3, Some(1), &ours);
    let mut command = scratch.command("git", &repo);
    command
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped());
    let mut child = command.spawn().expect("git runs");
    let mut pipe = child.stdin.take().expect("it was asked for");
    pipe.write_all(script.as_bytes()).expect("git reads");
    drop(pipe);
    assert!(child.wait().expect("git ends").success());
    scratch.git(&repo, &["reset", "-q", "--hard", "main"]);
    repo
}

/// What is compared with git's.
fn seen(scratch: &Scratch, repo: &Path) -> Vec<String> {
    let commands: [&[&str]; 4] = [
        &["rev-parse", "HEAD", "HEAD^{tree}"],
        &["ls-files", "-s"],
        &["status", "--porcelain"],
        &["reflog", "main"],
    ];
    commands.map(|args| scratch.git(repo, args)).into()
}

struct Merging<'a> {
    scratch: &'a Scratch,
    repo: PathBuf,
    id: Option<String>,
}

impl Merging<'_> {
    fn args(&self) -> Vec<&str> {
        let mut args = vec!["merge", "topic"];
        if let Some(id) = &self.id {
            args.extend(["--resume", id]);
        }
        args
    }

    fn record(&mut self) -> Option<Shown> {
        if !self.repo.join(".git/mug").exists() {
            return None;
        }
        let record = self.scratch.operations(&self.repo, &[]).pop()?;
        self.id = Some(record.id().to_owned());
        Some(record)
    }
}

#[test]
fn a_merge_survives_kills_in_every_step() {
    let scratch = Scratch::fast(1 << 30);
    let gits = repository(&scratch, "gits");
    scratch.git(&gits, &["merge", "-q", "--no-edit", "topic"]);
    let wanted = seen(&scratch, &gits);
    let mut random = Rng::with_seed(3);
    let (mut kills, mut merges) = (0, 0);
    let mut steps: BTreeMap<String, usize> = BTreeMap::new();
    let mut wall = Duration::from_millis(600);
    while kills < KILLS {
        merges += 1;
        assert!(merges < 150, "{kills} kills in {merges} merges");
        let name = format!("repo-{merges}");
        let mut merging = Merging {
            repo: repository(&scratch, &name),
            scratch: &scratch,
            id: None,
        };
        // A file that neither side touches, edited by the user.
        let edited = merging.repo.join("d6/6");
        std::fs::write(&edited, "mine\n").expect("it is written");
        let began = Instant::now();
        let mut blows = 0;
        loop {
            let process = scratch.spawn(&merging.repo, &merging.args());
            let last = blows >= 6;
            let (started, until) = (Instant::now(), wall.mul_f64(random.f64() * 0.9));
            while process.is_running() && (last || started.elapsed() < until) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let running = process.is_running();
            let output = process.kill();
            let Some(record) = merging.record() else {
                continue;
            };
            if record.status() == "completed" {
                if blows == 0 {
                    wall = began.elapsed();
                }
                break;
            }
            assert!(running, "it ended by itself: {output}");
            assert!(!last, "{output}");
            *steps.entry(record.step().to_owned()).or_default() += 1;
            (blows, kills) = (blows + 1, kills + 1);
            assert_eq!(std::fs::read(&edited).expect("it is there"), b"mine\n");
        }
        assert_eq!(std::fs::read(&edited).expect("it is there"), b"mine\n");
        scratch.git(&merging.repo, &["checkout", "-q", "d6/6"]);
        assert_eq!(seen(&scratch, &merging.repo), wanted, "{steps:?}");
        scratch.git(
            &merging.repo,
            &["fsck", "--full", "--strict", "--no-dangling"],
        );
        for left in [
            "index.lock",
            "refs/heads/main.lock",
            "MERGE_HEAD",
            "MERGE_MSG",
        ] {
            assert!(!merging.repo.join(".git").join(left).exists(), "{left}");
        }
        std::fs::remove_dir_all(&merging.repo).expect("it is removed");
    }
    println!("{kills} kills in {merges} merges, in the steps {steps:?}");
}
