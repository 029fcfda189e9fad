//! A repository that takes long to pack: the same one every time, made in seconds.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::Scratch;

/// How much there is in a large repository.
#[derive(Clone, Copy, Debug)]
pub struct Large {
    /// Files of [`FILE`](Self::FILE) bytes: each makes a frame of its own, since
    /// two of them do not fit into one.
    pub files: u32,
    /// Commits that change small files: they make the scan long.
    pub commits: u32,
}

impl Large {
    /// More than half of a frame.
    pub const FILE: usize = 2_300_000;

    /// Some seconds of work in a debug build, in hundreds of frames.
    pub const SECONDS: Self = Self {
        files: 500,
        commits: 12_000,
    };

    /// Makes the bare repository `name`, with the branch `main` and one tag, in
    /// one pack.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn make(self, scratch: &Scratch, name: impl AsRef<Path>) -> PathBuf {
        let path = scratch.join(name);
        let text = path.to_str().expect("a scratch path is text");
        let init = ["init", "--quiet", "--bare", "--initial-branch=main", text];
        scratch.git(".", &init);
        // Large files are streamed into packs, without a search for deltas.
        scratch.git(&path, &["config", "core.bigFileThreshold", "1m"]);
        let mut command = scratch.command("git", &path);
        for option in ["fastimport.unpackLimit=0", "pack.compression=1"] {
            command.args(["-c", option]);
        }
        command
            .args(["fast-import", "--quiet", "--done"])
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        let pipe = child.stdin.take().expect("it was asked for");
        self.stream(std::io::BufWriter::with_capacity(1 << 20, pipe))
            .expect("git reads its input");
        assert!(
            child.wait().expect("git ends").success(),
            "fast-import failed"
        );
        scratch.git(&path, &["tag", "-a", "-m", "large", "large", "main"]);
        path
    }

    fn stream(self, mut out: impl Write) -> std::io::Result<()> {
        let mut random = fastrand::Rng::with_seed(7);
        // Phrases that repeat within the reach of Git's compression, and noise: it
        // costs time to compress, and little space.
        let phrases: Vec<[u8; 32]> = (0..256)
            .map(|_| std::array::from_fn(|_| random.alphanumeric() as u8))
            .collect();
        let each = (self.commits / self.files.max(1)).max(1);
        let mut content = Vec::with_capacity(Self::FILE);
        let mut files = 0;
        for commit in 0..self.commits {
            writeln!(out, "commit refs/heads/main")?;
            let time = 1_600_000_000 + u64::from(commit);
            writeln!(out, "committer A U Thor <author@example.com> {time} +0000")?;
            let message = format!("Change {commit}\n");
            write!(out, "data {}\n{message}", message.len())?;
            let number = random.u32(..400);
            let text = format!("{commit} {:032x}\n", random.u128(..));
            writeln!(out, "M 100644 inline small/{}/{number}.txt", number % 20)?;
            write!(out, "data {}\n{text}", text.len())?;
            if commit % each == 0 && files < self.files {
                content.clear();
                while content.len() + 40 < Self::FILE {
                    content.extend_from_slice(&phrases[random.usize(..256)]);
                    content.extend_from_slice(&random.u16(..).to_le_bytes());
                }
                writeln!(out, "M 100644 inline large/{files:04}.dat")?;
                writeln!(out, "data {}", content.len())?;
                out.write_all(&content)?;
                writeln!(out)?;
                files += 1;
            }
        }
        writeln!(out, "done")?;
        out.flush()
    }
}
