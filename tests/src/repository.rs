//! Repositories with as much history as a test needs, the same ones every time.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::Scratch;

/// How much there is in a repository.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Commits on the branch `main`, each of which changes some files.
    pub commits: u32,
    /// Files in the tree.
    pub files: u32,
    /// Lines of a file, of about 40 bytes.
    pub lines: u32,
    /// What the content is made from.
    pub seed: u64,
}

impl Shape {
    /// A few commits of a few files.
    pub const SMALL: Self = Self {
        commits: 5,
        files: 4,
        lines: 20,
        seed: 1,
    };
}

impl Scratch {
    /// Makes a bare or plain repository at `name`: a branch `main` and `topic`,
    /// a light and an annotated tag, and one pack. The working tree of a plain
    /// one is checked out.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn repository(
        &self,
        name: impl AsRef<Path>,
        bare: bool,
        shape: Shape,
    ) -> std::path::PathBuf {
        let path = self.join(name);
        let kind: &[&str] = if bare { &["--bare"] } else { &[] };
        let path_text = path.to_str().expect("a scratch path is text");
        let init = [
            &["init", "--quiet", "--initial-branch=main"],
            kind,
            &[path_text],
        ]
        .concat();
        self.git(".", &init);
        self.import(&path, shape);
        self.git(&path, &["tag", "light", "main~1"]);
        self.git(
            &path,
            &["tag", "-a", "-m", "annotated", "annotated", "main"],
        );
        self.git(&path, &["branch", "topic", "main~2"]);
        if !bare {
            self.git(&path, &["reset", "--quiet", "--hard"]);
        }
        path
    }

    /// Adds a history to `main` through fast-import, in one pack of its own.
    fn import(&self, path: &Path, shape: Shape) {
        let mut command = self.command("git", path);
        command
            .args(["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"])
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        let pipe = child.stdin.take().expect("it was asked for");
        stream(std::io::BufWriter::new(pipe), shape).expect("git reads its input");
        assert!(
            child.wait().expect("git ends").success(),
            "fast-import failed"
        );
    }
}

fn stream(mut out: impl Write, shape: Shape) -> std::io::Result<()> {
    let mut random = fastrand::Rng::with_seed(shape.seed);
    let mut files: Vec<Vec<String>> = (0..shape.files)
        .map(|_| (0..shape.lines).map(|_| text(&mut random)).collect())
        .collect();
    for commit in 0..shape.commits {
        let message = format!("Change {commit}\n");
        writeln!(out, "commit refs/heads/main")?;
        let time = 1_600_000_000 + u64::from(commit) * 60;
        writeln!(out, "committer A U Thor <author@example.com> {time} +0000")?;
        write!(out, "data {}\n{message}", message.len())?;
        for (number, lines) in files.iter_mut().enumerate() {
            // All at first, then one in eight.
            if commit > 0 && random.u8(..8) > 0 {
                continue;
            }
            if commit > 0 && !lines.is_empty() {
                let at = random.usize(..lines.len());
                lines[at] = text(&mut random);
            }
            let content = lines.concat();
            writeln!(out, "M 100644 inline dir-{}/file-{number}.txt", number % 7)?;
            writeln!(out, "data {}\n{content}", content.len())?;
        }
    }
    writeln!(out, "done")?;
    out.flush()
}

fn text(random: &mut fastrand::Rng) -> String {
    let words: Vec<String> = (0..6)
        .map(|_| {
            (0..random.usize(2..10))
                .map(|_| random.lowercase())
                .collect()
        })
        .collect();
    words.join(" ") + "\n"
}
