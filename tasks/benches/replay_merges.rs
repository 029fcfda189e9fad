//! Real merges again: the engine of `mug merge` against `git merge-tree --write-tree`.
//!
//! ```text
//! cargo bench -p mug --bench replay_merges -- <repository> [--every N] [--only-git]
//! ```
//!
//! Takes each merge of two commits that any ref of the repository reaches (or every Nth), merges its
//! parents again and compares verdict, tree and stages with what Git makes of them. The repository
//! (bare or not) is never changed: Git writes into a directory of its own.
//!
//! Prints a line for each difference, then how many merges were decided by the engine itself, how
//! many were left to Git, and the times. Ends with 1 if there was a difference.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gix::ObjectId;
use mug::history::engine::{By, Engine, Favor, Labels};

/// Objects in memory, after which they are dropped.
const IN_MEMORY: usize = 5_000;

struct Args {
    repository: PathBuf,
    every: usize,
    only_git: bool,
}

fn args() -> Option<Args> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut args = Args {
        repository: words.next()?.into(),
        every: 1,
        only_git: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--every" => args.every = words.next()?.parse().ok().filter(|n| *n > 0)?,
            "--only-git" => args.only_git = true,
            _ => return None,
        }
    }
    Some(args)
}

/// What Git made of a merge.
struct Reference {
    clean: bool,
    tree: String,
    /// `<mode> <id> <stage>\t<path>`
    stages: Vec<Vec<u8>>,
}

fn git(repository: &Path, objects: &Path) -> Command {
    let mut command = Command::new("git");
    let dir = Command::new("git")
        .args(["rev-parse", "--absolute-git-dir"])
        .current_dir(repository)
        .output()
        .unwrap()
        .stdout;
    let dir = String::from_utf8(dir).unwrap();
    command
        .current_dir(repository)
        .env("GIT_DIR", dir.trim_end())
        .env("GIT_OBJECT_DIRECTORY", objects);
    command
}

fn merges(repository: &Path, objects: &Path, every: usize) -> Vec<[String; 2]> {
    let output = git(repository, objects)
        .args(["rev-list", "--all", "--min-parents=2", "--max-parents=2"])
        .arg("--parents")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .step_by(every)
        .map(|line| {
            let ids: Vec<_> = line.split(' ').collect();
            [ids[1].to_owned(), ids[2].to_owned()]
        })
        .collect()
}

fn references(repository: &Path, objects: &Path, merges: &[[String; 2]]) -> Vec<Reference> {
    let input = objects.join("input");
    let lines: Vec<_> = merges.iter().map(|sides| sides.join(" ")).collect();
    std::fs::write(&input, lines.join("\n") + "\n").unwrap();
    let output = git(repository, objects)
        .args([
            "merge-tree",
            "--write-tree",
            "--stdin",
            "--allow-unrelated-histories",
        ])
        .stdin(Stdio::from(std::fs::File::open(&input).unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut fields = output.stdout.split(|byte| *byte == 0);
    let mut references = Vec::new();
    for _ in merges {
        let clean = fields.next().unwrap() == b"1";
        let tree = String::from_utf8(fields.next().unwrap().to_vec()).unwrap();
        let stages = fields.by_ref().take_while(|field| !field.is_empty());
        let stages = stages.map(<[u8]>::to_vec).collect();
        if !clean {
            skip_messages(&mut fields);
        }
        references.push(Reference {
            clean,
            tree,
            stages,
        });
    }
    references
}

/// So many paths, a kind and a text each; an empty field at the end.
fn skip_messages<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) {
    loop {
        let count = fields.next().unwrap();
        if count.is_empty() {
            return;
        }
        let count: usize = std::str::from_utf8(count).unwrap().parse().unwrap();
        fields.nth(count + 1).unwrap();
    }
}

#[derive(Default)]
struct Count {
    same_clean: usize,
    same_conflict: usize,
    only_markers: usize,
    by_mug: usize,
    false_clean: usize,
    false_conflict: usize,
    other_tree: usize,
    other_stages: usize,
    errors: usize,
}

impl Count {
    fn wrong(&self) -> usize {
        self.false_clean
            + self.false_conflict
            + self.other_tree
            + self.other_stages
            + self.only_markers
            + self.errors
    }
}

fn main() -> ExitCode {
    let Some(args) = args() else {
        println!("give a repository, and --every N or --only-git if wanted");
        // Run by `cargo bench` as one of all.
        return ExitCode::SUCCESS;
    };
    let scratch = tempfile::tempdir().unwrap();
    let objects = scratch.path().join("objects");
    std::fs::create_dir_all(objects.join("info")).unwrap();
    let mut repository = gix::discover(&args.repository)
        .unwrap()
        .with_object_memory();
    repository.object_cache_size(64 << 20);
    let own = std::path::absolute(repository.objects.store_ref().path()).unwrap();
    std::fs::write(
        objects.join("info/alternates"),
        format!("{}\n", own.display()),
    )
    .unwrap();

    let merges = merges(&args.repository, &objects, args.every);
    let began = Instant::now();
    let references = references(&args.repository, &objects, &merges);
    let git_time = began.elapsed();

    let mut engine = Engine::open(&repository, &scratch.path().join("engine"));
    if args.only_git {
        engine = engine.only_git();
    }
    let mut count = Count::default();
    let (mut mug_time, mut left_time) = (Duration::ZERO, Duration::ZERO);
    for (sides, reference) in merges.iter().zip(&references) {
        if repository.objects.num_objects_in_memory() > IN_MEMORY {
            repository.objects.reset_object_memory();
        }
        let by = one(&mut engine, &repository, sides, reference, &mut count);
        match by {
            (Some(By::Mug), took) => mug_time += took,
            (_, took) => left_time += took,
        }
    }
    println!(
        "{} merges: {} clean and the same, {} conflicts and the same; decided by the engine {} ({:.1} %)",
        merges.len(),
        count.same_clean,
        count.same_conflict,
        count.by_mug,
        count.by_mug as f64 * 100.0 / merges.len().max(1) as f64,
    );
    println!(
        "false clean {}, false conflict {}, clean with another tree {}, other stages {}, only markers {}, errors {}",
        count.false_clean,
        count.false_conflict,
        count.other_tree,
        count.other_stages,
        count.only_markers,
        count.errors
    );
    println!(
        "git merge-tree --stdin: {git_time:.1?}; engine: {mug_time:.1?} for its own, {left_time:.1?} for what it left to git"
    );
    if count.wrong() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(
    engine: &mut Engine,
    repository: &gix::Repository,
    sides: &[String; 2],
    reference: &Reference,
    count: &mut Count,
) -> (Option<By>, Duration) {
    let [ours, theirs] = sides;
    let id = |hex: &str| ObjectId::from_hex(hex.as_bytes()).unwrap();
    // As Git was asked.
    let labels = Labels {
        ours: ours.as_str().into(),
        theirs: theirs.as_str().into(),
        base: None,
    };
    let began = Instant::now();
    let (a, b) = (id(ours), id(theirs));
    let merged = engine.merge_commits(repository, a, b, &labels, Favor::Neither, true);
    let took = began.elapsed();
    let outcome = match merged {
        Ok(outcome) => outcome,
        Err(error) => {
            count.errors += 1;
            println!("error: {ours} {theirs}: {error}");
            return (None, took);
        }
    };
    if outcome.by == By::Mug {
        count.by_mug += 1;
    }
    let stages: Vec<_> = outcome
        .stages
        .iter()
        .map(|stage| {
            let head = format!("{:06o} {} {}\t", stage.mode, stage.id, stage.stage);
            [head.as_bytes(), &stage.path].concat()
        })
        .collect();
    let sorted = |mut stages: Vec<Vec<u8>>| {
        stages.sort();
        stages
    };
    let same_tree = outcome.tree == id(&reference.tree);
    let same_stages = sorted(stages) == sorted(reference.stages.clone());
    let (counter, what) = match (outcome.clean, reference.clean) {
        (true, false) => (&mut count.false_clean, "false clean"),
        (false, true) => (&mut count.false_conflict, "false conflict"),
        (true, true) if same_tree => (&mut count.same_clean, ""),
        (true, true) => (&mut count.other_tree, "clean with another tree"),
        (false, false) if !same_stages => (&mut count.other_stages, "other stages"),
        (false, false) if same_tree => (&mut count.same_conflict, ""),
        (false, false) => (&mut count.only_markers, "only the markers differ"),
    };
    *counter += 1;
    if !what.is_empty() {
        println!("{what}: {ours} {theirs} ({:?})", outcome.by);
    }
    (Some(outcome.by), took)
}
