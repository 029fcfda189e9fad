//! Thousands of small merges, made at random out of all that can happen to files: the engine says the
//! same as git, or leaves it to git.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gix_hash::ObjectId;

use super::super::{By, Engine, Favor, Labels, Outcome};
use crate::history::testing::{command, git, init};

/// Random numbers, the same ones every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).unwrap()]
    }
}

/// A tree: path, mode, content.
type Files = Vec<(String, &'static str, String)>;

const PATHS: [&str; 10] = [
    "a", "b", "d/a", "d/b", "d/c", "d/e/f", "g/a", "g/h", "x", "x/y",
];

fn text(random: &mut Random) -> String {
    let first = random.below(3);
    (0..14).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "line {n} of {first}");
        text
    })
}

fn base(random: &mut Random) -> Files {
    let mut files = Files::new();
    for path in PATHS {
        let clashes = path == "x" || path == "x/y";
        if random.below(4) == 0 || (clashes && random.below(2) == 0) {
            continue;
        }
        if files
            .iter()
            .any(|(other, ..)| path.starts_with(&format!("{other}/")))
        {
            continue;
        }
        let (mode, content) = match random.below(12) {
            0 => ("100755", text(random)),
            1 => ("120000", "target".to_owned()),
            2 => ("100644", "\0binary".to_owned()),
            3 => ("160000", format!("{:040x}", 1)),
            _ => ("100644", text(random)),
        };
        files.push((path.to_owned(), mode, content));
    }
    files
}

/// What one side makes of it.
fn change(base: &Files, random: &mut Random) -> Files {
    let mut files = base.clone();
    for _ in 0..=random.below(4) {
        if files.is_empty() {
            break;
        }
        let at = usize::try_from(random.below(files.len() as u64)).unwrap();
        match random.below(12) {
            0 => drop(files.remove(at)),
            1 => {
                let to = random.pick(&["a", "new", "d/new", "g/new", "n/m", "x"]);
                to.clone_into(&mut files[at].0);
            }
            2 => {
                // A whole directory.
                let to = random.pick(&["e/", "g/", "n/"]);
                for file in &mut files {
                    if let Some(rest) = file.0.strip_prefix("d/") {
                        file.0 = format!("{to}{rest}");
                    }
                }
            }
            3 => {
                let path = random.pick(&["a", "d/new", "d/e/new", "g/new", "new", "x/y"]);
                files.push((path.to_owned(), "100644", text(random)));
            }
            4 => {
                files[at].1 = random.pick(&["100644", "100755", "100755"]);
            }
            5 => {
                let to = random.pick(&["t", "u"]).to_owned();
                files[at] = (files[at].0.clone(), "120000", to);
            }
            6 => {
                files[at].2 = format!("\0other {}", random.below(3));
            }
            _ => {
                let mut lines: Vec<_> = files[at].2.lines().map(str::to_owned).collect();
                if !lines.is_empty() {
                    let line = usize::try_from(random.below(lines.len() as u64)).unwrap();
                    match random.below(3) {
                        0 => drop(lines.remove(line)),
                        1 => lines.insert(line, format!("more {}", random.below(3))),
                        _ => lines[line] = format!("changed {}", random.below(3)),
                    }
                    files[at].2 = lines.join("\n") + "\n";
                }
            }
        }
    }
    for file in &mut files {
        if file.1 == "160000" && file.2.len() != 40 {
            file.2 = format!("{:040x}", 2 + random.below(2));
        } else if file.1 == "120000" && file.2.contains('\n') {
            file.1 = "100644";
        }
    }
    // The last one with a name has it, and no file is a directory.
    let mut kept = Files::new();
    for file in files.into_iter().rev() {
        let clash = kept.iter().any(|(path, ..)| {
            *path == file.0
                || path.starts_with(&format!("{}/", file.0))
                || file.0.starts_with(&format!("{path}/"))
        });
        if !clash {
            kept.push(file);
        }
    }
    kept
}

/// Writes commits through fast-import.
struct Import {
    script: Vec<u8>,
    marks: usize,
}

impl Import {
    fn commit(&mut self, files: &Files, parents: &[usize]) -> usize {
        self.marks += 1;
        let mark = self.marks;
        let mut head = format!(
            "commit refs/heads/c{mark}\nmark :{mark}\ncommitter A <a@example.com> {mark} +0000\ndata 1\nm"
        );
        for (number, parent) in parents.iter().enumerate() {
            let word = if number == 0 { "from" } else { "merge" };
            let _ = write!(head, "\n{word} :{parent}");
        }
        head.push_str("\ndeleteall\n");
        self.script.extend_from_slice(head.as_bytes());
        for (path, mode, content) in files {
            let lines = if *mode == "160000" {
                format!("M 160000 {content} {path}\n")
            } else {
                format!(
                    "M {mode} inline {path}\ndata {}\n{content}\n",
                    content.len()
                )
            };
            self.script.extend_from_slice(lines.as_bytes());
        }
        mark
    }

    fn run(&self, repo: &Path) -> Vec<ObjectId> {
        let marks = repo.join("marks");
        let mut command: Command =
            command(repo, &["fast-import", "--quiet", "--export-marks=marks"]);
        let script = repo.join("script");
        fs::write(&script, &self.script).unwrap();
        command.stdin(Stdio::from(fs::File::open(&script).unwrap()));
        assert!(command.status().unwrap().success());
        let text = fs::read_to_string(marks).unwrap();
        let mut ids: Vec<(usize, ObjectId)> = text
            .lines()
            .map(|line| {
                let (mark, id) = line.split_once(' ').unwrap();
                (
                    mark[1..].parse().unwrap(),
                    ObjectId::from_hex(id.as_bytes()).unwrap(),
                )
            })
            .collect();
        ids.sort();
        ids.into_iter().map(|(_, id)| id).collect()
    }
}

fn merged(engine: &mut Engine, repository: &gix::Repository, sides: [ObjectId; 2]) -> Outcome {
    let labels = Labels {
        ours: "HEAD".into(),
        theirs: "a/topic".into(),
        base: None,
    };
    let [ours, theirs] = sides;
    engine
        .merge_commits(repository, ours, theirs, &labels, Favor::Neither, true)
        .unwrap()
}

#[test]
fn random_merges_come_out_as_gits() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let mut random = Random(7);
    let mut import = Import {
        script: Vec::new(),
        marks: 0,
    };
    let mut pairs = Vec::new();
    for number in 0..260 {
        let files = base(&mut random);
        let root = import.commit(&files, &[]);
        let (ours, theirs) = (change(&files, &mut random), change(&files, &mut random));
        let left = import.commit(&ours, &[root]);
        let right = import.commit(&theirs, &[root]);
        if number % 5 > 0 {
            pairs.push([left, right]);
            continue;
        }
        // Each side merged the other one, each in its own way.
        let (one, two) = (change(&ours, &mut random), change(&theirs, &mut random));
        let crossed = import.commit(&one, &[left, right]);
        let other = import.commit(&two, &[right, left]);
        pairs.push([crossed, other]);
    }
    let ids = import.run(&repo);
    let repository = gix::open(&repo).unwrap().with_object_memory();
    let scratch = dir.path().join("scratch");
    let mut engine = Engine::open(&repository, &scratch);
    let mut all_git = Engine::open(&repository, &scratch).only_git();
    let (mut by_mug, mut clean) = (0, 0);
    for pair in &pairs {
        let sides = pair.map(|mark| ids[mark - 1]);
        let ours = merged(&mut engine, &repository, sides);
        if ours.by == By::Git {
            continue;
        }
        by_mug += 1;
        let gits = merged(&mut all_git, &repository, sides);
        assert!(gits.clean, "a false clean: {sides:?}\n{:?}", gits.messages);
        clean += 1;
        assert_eq!(ours.tree, gits.tree, "{sides:?}");
        let texts = |outcome: &Outcome| {
            let mut texts: Vec<_> = outcome.messages.iter().map(|it| it.text.clone()).collect();
            texts.sort();
            texts
        };
        assert_eq!(texts(&ours), texts(&gits), "{sides:?}");
    }
    assert!(
        by_mug > 40 && by_mug < pairs.len(),
        "{by_mug} of {}",
        pairs.len()
    );
    assert_eq!(by_mug, clean);
    // Nothing of it is in the repository.
    assert!(!scratch.exists());
    assert_eq!(git(&repo, &["count-objects"]).split(' ').next(), Some("0"));
}
