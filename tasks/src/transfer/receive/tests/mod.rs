//! Packs made by git, received in pieces, cut and damaged; git's own index is the oracle.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod cut;
mod hostile;
mod join;
mod whole;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use super::{Incoming, Parsed, ReceiveError, Received, To, finish, salvage};
use crate::{
    disk::Disk,
    pack::testing::{GitRepo, git_in},
};

/// Only looks whether what is to be on disk is there.
struct Plain;

impl Disk for Plain {
    fn sync(&self, path: &Path) -> io::Result<()> {
        fs::metadata(path).map(|_| ())
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.sync(dir)
    }
}

/// What `git pack-objects --stdout --revs` says of these revisions.
fn packed(repo: &GitRepo, args: &[&str], revisions: &str) -> Vec<u8> {
    let mut git = Command::new("git")
        .current_dir(repo.path())
        .args(["pack-objects", "--stdout", "--revs", "-q"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = git.stdin.take().unwrap();
    input.write_all(revisions.as_bytes()).unwrap();
    drop(input);
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// A place to receive to.
struct Case {
    dir: tempfile::TempDir,
    objects: PathBuf,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let objects = dir.path().join("none");
        Self { dir, objects }
    }

    /// One where bases are looked up in a repository.
    fn with(repo: &GitRepo) -> Self {
        Self {
            objects: repo.git_dir().join("objects"),
            ..Self::new()
        }
    }

    fn raw(&self) -> PathBuf {
        self.dir.path().join("raw")
    }

    fn packs(&self) -> PathBuf {
        self.dir.path().join("packs")
    }

    /// Parses the bytes, which come in pieces of this size.
    fn parse(&self, bytes: &[u8], piece: usize) -> Parsed {
        fs::write(self.raw(), bytes).unwrap();
        let mut incoming = Incoming::new().unwrap();
        for piece in bytes.chunks(piece) {
            if incoming.feed(piece).is_err() {
                break;
            }
        }
        incoming.end().unwrap()
    }

    fn to<T>(&self, threads: usize, run: impl FnOnce(To<'_>) -> T) -> T {
        run(To {
            objects: &self.objects,
            packs: &self.packs(),
            threads,
            progress: &|_| {},
            stopped: &AtomicBool::new(false),
            disk: &Plain,
        })
    }

    fn finish(&self, bytes: &[u8]) -> Result<Received, ReceiveError> {
        let mut parsed = self.parse(bytes, 1000);
        self.to(2, |to| finish(&self.raw(), &mut parsed, to))
    }

    fn salvage(&self, bytes: &[u8]) -> Received {
        let mut parsed = self.parse(bytes, 1000);
        self.to(2, |to| salvage(&self.raw(), &mut parsed, to))
            .unwrap()
    }

    /// The ids in a pack that was made, once git has found the pack sound.
    fn ids(&self, received: &Received) -> BTreeSet<String> {
        let Some(pack) = &received.pack else {
            return BTreeSet::new();
        };
        git(self.dir.path(), &["verify-pack", pack.to_str().unwrap()]);
        let index = pack.with_extension("idx");
        let ids: BTreeSet<_> = ids_of(&fs::read(index).unwrap());
        assert_eq!(ids.len(), received.objects as usize);
        ids
    }
}

/// The ids in an index.
fn ids_of(index: &[u8]) -> BTreeSet<String> {
    let count = u32::from_be_bytes(index[1028..1032].try_into().unwrap()) as usize;
    let ids = index[1032..1032 + 20 * count].as_chunks::<20>().0;
    let hex = |id: &[u8; 20]| gix_hash::ObjectId::Sha1(*id).to_string();
    ids.iter().map(hex).collect()
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_in(dir, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// The index that git makes of a pack.
fn git_index(case: &Case, pack: &[u8]) -> Vec<u8> {
    let path = case.dir.path().join("git.pack");
    fs::write(&path, pack).unwrap();
    git(case.dir.path(), &["index-pack", "git.pack"]);
    fs::read(path.with_extension("idx")).unwrap()
}

/// A pack that is put together by hand: the announced number, entries, and the right trailer.
fn pack_of(announced: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    use sha1::Digest as _;
    let header = gix_pack::data::header::encode(gix_pack::data::Version::V2, announced);
    let mut pack = header.to_vec();
    pack.extend(entries.concat());
    let hash = sha1::Sha1::digest(&pack);
    pack.extend(hash);
    pack
}

/// An entry: its number among the types, the size that it states, what stands before its content,
/// and its content.
fn entry(number: u8, size: u64, base: &[u8], content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = size >> 4;
    let first = number << 4 | u8::try_from(size & 15).unwrap();
    bytes.push(if rest > 0 { first | 0x80 } else { first });
    while rest > 0 {
        let part = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        bytes.push(if rest > 0 { part | 0x80 } else { part });
    }
    bytes.extend(base);
    let mut zlib = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::fast());
    zlib.write_all(content).unwrap();
    zlib.finish().unwrap()
}
