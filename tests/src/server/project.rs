//! A history such as a project of some years has it: many files in nested
//! directories, each commit changing a few.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fastrand::Rng;

use crate::Scratch;

/// How much there is in it.
#[derive(Clone, Copy, Debug)]
pub struct Project {
    /// Commits, most of them on `main`.
    pub commits: u32,
    /// Files, of 20 to 200 lines.
    pub files: u32,
}

impl Project {
    /// Some megabytes in some ten thousand objects.
    pub const MIDDLE: Self = Self {
        commits: 1_500,
        files: 600,
    };

    /// Half a megabyte.
    pub const LITTLE: Self = Self {
        commits: 150,
        files: 60,
    };

    /// Makes the bare repository `name` in one pack with deltas, with the branches
    /// `main` and `side`, and tags. What is sent of it is the same each time.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn make(self, scratch: &Scratch, name: impl AsRef<Path>) -> PathBuf {
        let path = scratch.join(name);
        let text = path.to_str().expect("a scratch path is text");
        let init = ["init", "--quiet", "--bare", "--initial-branch=main", text];
        scratch.git(".", &init);
        // With one thread, a pack has the same deltas each time.
        for (name, value) in [("pack.threads", "1"), ("gc.auto", "0")] {
            scratch.git(&path, &["config", name, value]);
        }
        self.grow(scratch, &path, 0);
        scratch.git(&path, &["repack", "-adfq", "--window=5"]);
        path
    }

    /// Adds further commits to `main` and `side`, and a tag; `round` is different
    /// each time, from 0 on.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn grow(self, scratch: &Scratch, path: &Path, round: u32) {
        let mut command = scratch.command("git", path);
        for option in ["fastimport.unpackLimit=0", "pack.compression=1"] {
            command.args(["-c", option]);
        }
        command
            .args(["fast-import", "--quiet", "--done"])
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        let pipe = child.stdin.take().expect("it was asked for");
        self.stream(BufWriter::with_capacity(1 << 20, pipe), round)
            .expect("git reads its input");
        assert!(
            child.wait().expect("git ends").success(),
            "fast-import failed"
        );
        let tag = format!("v{round}");
        scratch.git(path, &["tag", "-a", "-m", "A release", &tag, "main~1"]);
        scratch.git(path, &["tag", &format!("light-{round}"), "main~2"]);
    }

    fn stream(self, mut out: impl Write, round: u32) -> std::io::Result<()> {
        let mut random = Rng::with_seed(u64::from(round) + 1);
        let words: Vec<String> = (0..2_000)
            .map(|_| {
                (0..random.usize(2..10))
                    .map(|_| random.lowercase())
                    .collect()
            })
            .collect();
        let line = |random: &mut Rng| {
            let words: Vec<&str> = (0..random.usize(3..9))
                .map(|_| words[random.usize(..words.len())].as_str())
                .collect();
            words.join(" ") + "\n"
        };
        let mut files: Vec<Vec<String>> = (0..self.files)
            .map(|_| {
                (0..random.usize(20..200))
                    .map(|_| line(&mut random))
                    .collect()
            })
            .collect();
        for commit in 0..self.commits {
            // A side branch that begins in the midst.
            let side = commit > self.commits / 2 && commit % 10 == 0;
            let first = commit == 0 || side && commit < self.commits / 2 + 11;
            writeln!(
                out,
                "commit refs/heads/{}",
                if side { "side" } else { "main" }
            )?;
            writeln!(out, "mark :{}", commit + 1)?;
            let time = 1_600_000_000 + u64::from(round * 10_000_000 + commit * 3_600);
            writeln!(out, "committer A U Thor <author@example.com> {time} +0000")?;
            let message = format!("Change {commit} of round {round}\n");
            write!(out, "data {}\n{message}", message.len())?;
            if first && side && round == 0 {
                writeln!(out, "from :{commit}")?;
            } else if first && round > 0 {
                let branch = if side { "side" } else { "main" };
                writeln!(out, "from refs/heads/{branch}^0")?;
            }
            let changed: Vec<usize> = if commit == 0 {
                (0..files.len()).collect()
            } else {
                (0..random.usize(1..4))
                    .map(|_| random.usize(..files.len()))
                    .collect()
            };
            for number in changed {
                let lines = &mut files[number];
                for _ in 0..random.usize(1..6) {
                    let at = random.usize(..lines.len());
                    lines[at] = line(&mut random);
                }
                let content = lines.concat();
                let (top, sub) = (number % 7, number % 41);
                writeln!(
                    out,
                    "M 100644 inline part-{top}/sub-{sub}/file-{number}.txt"
                )?;
                writeln!(out, "data {}\n{content}", content.len())?;
            }
        }
        writeln!(out, "done")?;
        out.flush()
    }
}
