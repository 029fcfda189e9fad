//! Writes a manifest of SHA-256 digests of all files below a directory, in the
//! form that `sha256sum --check` reads.
//!
//! ```text
//! cargo run -p examples --example checksum -- /usr/share/doc /tmp/doc.sha256
//! ```
//!
//! Stop it with Ctrl-C or `kill -9`; what is hashed stays hashed. It then says how
//! to continue (after a `kill -9`, the first line of its output names the id):
//!
//! ```text
//! cargo run -p examples --example checksum -- --resume op-...
//! ```
//!
//! What to look at: the two tables are committed together with the step's state,
//! so a directory leaves the one in the same commit in which its files enter the
//! other; and each loop returns its own state when a commit is due.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use examples::command::{self, Common, Error};
use resume_runtime::{
    Context, Database, RelPath, Resumable, Scheduler, Start, Step, StepError, StepResult, Table,
    Transition, path_text,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

/// Directories still to read.
const DIRS: Table<RelPath, ()> = Table::new("dirs");
/// The digest of each file, once it is known.
const FILES: Table<RelPath, Option<String>> = Table::new("files");
const MANIFEST: &str = "manifest.part";

/// What to do; stored once, when the operation is created.
#[derive(Serialize, Deserialize)]
struct Input {
    #[serde(with = "path_text")]
    root: PathBuf,
    #[serde(with = "path_text")]
    manifest: PathBuf,
}

#[derive(Resumable)]
#[resumable(kind = "checksum", version = 1, input = Input, output = u64)]
enum Checksum {
    #[step(start)]
    Walk(Walk),
    #[step]
    Hash(Hash),
    #[step]
    Write(Write),
    #[step(effect)]
    Install(Install),
}

/// Lists all files.
#[derive(Default, Serialize, Deserialize)]
struct Walk {
    seeded: bool,
    found: u64,
}

impl Step<Checksum> for Walk {
    async fn run(mut self, cx: &mut Context<'_, Checksum>) -> StepResult<Checksum> {
        if !self.seeded {
            cx.put(&DIRS, &RelPath::root(), &())?;
            self.seeded = true;
        }
        while let Some((dir, ())) = cx.next_after(&DIRS, None).await? {
            let mut list = tokio::fs::read_dir(dir.under(&cx.input().root)).await?;
            while let Some(entry) = list.next_entry().await? {
                let path = dir.join(&entry.file_name());
                let kind = entry.file_type().await?;
                if kind.is_dir() {
                    cx.put(&DIRS, &path, &())?;
                } else if kind.is_file() {
                    cx.put(&FILES, &path, &None)?;
                    self.found += 1;
                }
            }
            cx.remove(&DIRS, &dir);
            cx.report(self.found, None);
            if cx.should_yield() {
                return Transition::to(self);
            }
        }
        Transition::to(Hash {
            after: None,
            done: 0,
            files: self.found,
        })
    }
}

/// Hashes each file.
#[derive(Serialize, Deserialize)]
struct Hash {
    after: Option<RelPath>,
    done: u64,
    files: u64,
}

impl Step<Checksum> for Hash {
    async fn run(mut self, cx: &mut Context<'_, Checksum>) -> StepResult<Checksum> {
        while let Some((path, _)) = cx.next_after(&FILES, self.after.as_ref()).await? {
            let file = path.under(&cx.input().root);
            let Some(digest) = cx.or_pause(digest_of(file)).await else {
                return Transition::to(self); // paused inside a file: the others stay
            };
            let digest = digest.map_err(|e| StepError::from(e).context(&path))?;
            cx.put(&FILES, &path, &Some(digest))?;
            self.after = Some(path);
            self.done += 1;
            cx.report(self.done, Some(self.files));
            if cx.should_yield() {
                return Transition::to(self);
            }
        }
        Transition::to(Write {
            after: None,
            files: self.files,
        })
    }
}

/// Writes the manifest, in the order of the table.
#[derive(Serialize, Deserialize)]
struct Write {
    after: Option<RelPath>,
    files: u64,
}

impl Step<Checksum> for Write {
    async fn run(mut self, cx: &mut Context<'_, Checksum>) -> StepResult<Checksum> {
        // Opened in any case: of an empty directory there is an empty manifest.
        cx.append_file(MANIFEST).await?;
        while let Some((path, digest)) = cx.next_after(&FILES, self.after.as_ref()).await? {
            let digest = digest.ok_or_else(|| StepError::fatal(format!("{path} has no digest")))?;
            let mut out = cx.append_file(MANIFEST).await?;
            out.write_all(&line(&digest, path.as_bytes())).await?;
            self.after = Some(path);
            if cx.should_yield() {
                return Transition::to(self);
            }
        }
        Transition::to(Install { files: self.files })
    }
}

/// Puts the manifest in its place.
#[derive(Serialize, Deserialize)]
struct Install {
    files: u64,
}

impl Step<Checksum> for Install {
    async fn run(self, cx: &mut Context<'_, Checksum>) -> StepResult<Checksum> {
        cx.install(MANIFEST, &cx.input().manifest).await?; // safe to repeat
        Transition::done(self.files)
    }
}

async fn digest_of(file: PathBuf) -> std::io::Result<String> {
    let mut file = tokio::fs::File::open(file).await?;
    let (mut hash, mut buf) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buf).await? {
            0 => return Ok(faster_hex::hex_string(&hash.finalize())),
            n => hash.update(&buf[..n]),
        }
    }
}

/// A line as `sha256sum` writes it: where a name holds a backslash or an end of
/// line, these are escaped and the line says so.
fn line(digest: &str, path: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\\' => name.extend(b"\\\\"),
            b'\n' => name.extend(b"\\n"),
            b'\r' => name.extend(b"\\r"),
            other => name.push(*other),
        }
    }
    let escaped: &[u8] = if name.len() == path.len() { b"" } else { b"\\" };
    [escaped, digest.as_bytes(), b"  ", &name, b"\n"].concat()
}

/// Writes SHA-256 digests of all files below a directory
#[derive(clap::Parser)]
struct Args {
    /// The directory
    #[arg(required_unless_present = "resume")]
    root: Option<PathBuf>,
    /// The manifest to write
    #[arg(required_unless_present = "resume")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let common = args.common.clone();
    command::exit(run(args).await, &common)
}

async fn run(args: Args) -> Result<(), Error> {
    let scheduler = Scheduler::builder(Database::open(&args.common.state)?)
        .register::<Checksum>(|_| Ok(()))
        .build();
    let handle = match (args.common.resume, args.root, args.manifest) {
        (Some(id), ..) => scheduler.resume::<Checksum>(&id)?,
        (None, Some(root), Some(manifest)) => {
            let input = Input {
                root: root.canonicalize()?,
                manifest: std::path::absolute(manifest)?,
            };
            scheduler.start::<Checksum>(input, Start::new()).await?
        }
        (None, ..) => unreachable!("required without --resume"),
    };
    let files = command::watch(&scheduler, handle).await?;
    command::say(&format!("{files} files"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;
    use std::process::Command;

    use resume_runtime::Stopped;
    use resume_runtime::testing::Case;

    /// A tree with some files, and with names that are hard to write down.
    fn tree(root: &Path, files: usize) {
        for n in 0..files {
            let dir = root.join(format!("dir {}/{}", n % 7, n % 3));
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(format!("{n}")), vec![b'x'; n * 37]).unwrap();
        }
        for name in [&b"back\\slash"[..], b"new\nline", b"not utf-8 \xff", b" "] {
            std::fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
        }
        std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
    }

    fn scheduler(db: &Database, dir: &Path) -> Scheduler {
        Scheduler::builder(db.clone())
            .register::<Checksum>(|_| Ok(()))
            .folder(dir.join("ops"))
            .build()
    }

    fn check(root: &Path, manifest: &Path) {
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet"])
            .arg(manifest)
            .current_dir(root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[tokio::test]
    async fn sha256sum_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let (root, manifest) = (dir.path().join("root"), dir.path().join("manifest"));
        std::fs::create_dir(&root).unwrap();
        tree(&root, 60);
        let input = Input {
            root: root.clone(),
            manifest: manifest.clone(),
        };
        let db = Database::in_memory().unwrap();
        let scheduler = scheduler(&db, dir.path());
        let handle = scheduler
            .start::<Checksum>(input, Start::new())
            .await
            .unwrap();
        assert_eq!(handle.await.unwrap(), 64);
        assert_eq!(
            std::fs::read(&manifest)
                .unwrap()
                .split(|b| *b == b'\n')
                .count(),
            65
        );
        check(&root, &manifest);
    }

    fn case() -> Case<Checksum> {
        Case::new(|scratch: &Path| {
            let root = scratch.join("root");
            std::fs::create_dir(&root).unwrap();
            tree(&root, 12);
            Input {
                root,
                manifest: scratch.join("manifest"),
            }
        })
        .observe(|scratch| std::fs::read(scratch.join("manifest")).unwrap())
    }

    #[tokio::test]
    async fn whatever_happens_to_it_it_ends_in_the_same_manifest() {
        case().check().await;
    }

    #[tokio::test]
    async fn killed_at_its_commits_it_ends_in_the_same_manifest() {
        let kills = case().points(5).kill_at_commits().await;
        assert_eq!(kills, 10);
    }

    #[tokio::test]
    async fn paused_again_and_again_it_gives_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (root, manifest) = (dir.path().join("root"), dir.path().join("manifest"));
        std::fs::create_dir(&root).unwrap();
        tree(&root, 120);
        let input = Input {
            root: root.clone(),
            manifest: manifest.clone(),
        };
        let db = Database::in_memory().unwrap();
        let mut handle = scheduler(&db, dir.path())
            .start::<Checksum>(input, Start::new())
            .await
            .unwrap();
        let id = handle.id().to_owned();
        let mut pauses = 0;
        let files = loop {
            // A pause finds it wherever it is by then: let it come a bit further
            // each time.
            for _ in 0..pauses * 10 {
                tokio::task::yield_now().await;
            }
            handle.pause();
            match handle.await {
                Ok(files) => break files,
                Err(Stopped::Paused { .. }) => pauses += 1,
                Err(other) => panic!("{other}"),
            }
            handle = scheduler(&db, dir.path()).resume::<Checksum>(&id).unwrap();
        };
        assert!(pauses > 3, "{pauses}");
        assert_eq!(files, 124);
        check(&root, &manifest);
    }

    #[tokio::test]
    async fn an_empty_directory_has_an_empty_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let (root, manifest) = (dir.path().join("root"), dir.path().join("manifest"));
        std::fs::create_dir(&root).unwrap();
        let input = Input {
            root,
            manifest: manifest.clone(),
        };
        let db = Database::in_memory().unwrap();
        let scheduler = scheduler(&db, dir.path());
        let handle = scheduler
            .start::<Checksum>(input, Start::new())
            .await
            .unwrap();
        assert_eq!(handle.await.unwrap(), 0);
        assert_eq!(std::fs::read(&manifest).unwrap(), b"");
    }
}
