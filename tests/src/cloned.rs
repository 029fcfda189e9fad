//! A repository that was cloned or fetched into, held against the one that git made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Scratch;

/// All that Git's own tools tell of a repository, with what lies in its files.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Each ref, where it points, and what it is a name for.
    pub refs: String,
    /// `HEAD`, a branch or an object.
    pub head: String,
    /// The repository's own configuration, in an order of its own.
    pub config: Vec<String>,
    /// Each reflog by its name.
    pub reflogs: BTreeMap<PathBuf, String>,
    /// Where the history ends, in a shallow one.
    pub shallow: Vec<String>,
    /// What the index holds.
    pub index: String,
    /// What the working tree has that the index or `HEAD` does not, and the reverse.
    pub status: String,
    /// What was fetched last.
    pub fetch_head: Option<String>,
    /// How many objects there are, wherever they lie.
    pub objects: usize,
}

impl Told {
    /// Of the repository at `dir`, bare or not.
    ///
    /// # Panics
    ///
    /// When git does not tell.
    #[track_caller]
    pub fn of(scratch: &Scratch, dir: &Path) -> Self {
        let git_dir = git_dir(scratch, dir);
        let format = "--format=%(refname) %(objectname) %(symref)";
        let config = scratch.git(dir, &["config", "--local", "--list"]);
        let shallow = std::fs::read_to_string(git_dir.join("shallow")).unwrap_or_default();
        let bare = scratch.git(dir, &["rev-parse", "--is-bare-repository"]) == "true";
        Self {
            refs: scratch.git(dir, &["for-each-ref", format]),
            head: crate::head(scratch, dir),
            config: sorted(&config),
            reflogs: reflogs(&git_dir.join("logs")),
            shallow: sorted(&shallow),
            index: if bare {
                String::new()
            } else {
                scratch.git(dir, &["ls-files", "--stage"])
            },
            status: if bare {
                String::new()
            } else {
                scratch.git(dir, &["status", "--porcelain"])
            },
            fetch_head: std::fs::read_to_string(git_dir.join("FETCH_HEAD")).ok(),
            objects: objects(scratch, dir),
        }
    }
}

/// Asserts that what was cloned to `ours`, or fetched into it, is what git made of
/// `theirs`: all that is told of it, its working tree, and that git finds no fault with it.
///
/// # Panics
///
/// When anything differs.
#[track_caller]
pub fn assert_cloned(scratch: &Scratch, ours: &Path, theirs: &Path) {
    let [left, right] = [ours, theirs].map(|dir| Told::of(scratch, dir));
    assert_eq!(left.refs, right.refs, "other refs");
    assert_eq!(left.config, right.config, "another configuration");
    assert_eq!(left, right);
    assert_sound(scratch, ours);
    let bare = scratch.git(ours, &["rev-parse", "--is-bare-repository"]) == "true";
    if !bare {
        assert_eq!(tree(ours), tree(theirs), "another working tree");
    }
}

/// Asserts that git finds no fault with a repository, and that nothing of a transfer
/// is left in it.
///
/// # Panics
///
/// When something is.
#[track_caller]
pub fn assert_sound(scratch: &Scratch, dir: &Path) {
    // What is not reached is said, too.
    assert_eq!(scratch.git(dir, &["fsck", "--full", "--strict"]), "");
    let git_dir = git_dir(scratch, dir);
    let all = crate::files(&git_dir);
    let is_left = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = path.starts_with("mug/ops") && path.as_path() != Path::new("mug/ops");
        // A lock of the store itself stays.
        let locked = !path.starts_with("mug") && name.ends_with(".lock");
        ours || locked || name.ends_with(".keep") || name.starts_with("tmp_")
    };
    let left: Vec<_> = all.keys().filter(is_left).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// How many packs a repository has.
pub fn packs(scratch: &Scratch, dir: &Path) -> usize {
    let all = crate::files(&git_dir(scratch, dir).join("objects"));
    let is_pack = |path: &&PathBuf| path.extension().is_some_and(|it| it == "pack");
    all.keys().filter(is_pack).count()
}

/// Where the repository itself lies.
fn git_dir(scratch: &Scratch, dir: &Path) -> PathBuf {
    scratch
        .git(dir, &["rev-parse", "--absolute-git-dir"])
        .into()
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    // Git names an end of history twice where two refs lead to it.
    lines.dedup();
    lines
}

fn reflogs(logs: &Path) -> BTreeMap<PathBuf, String> {
    if !logs.exists() {
        return BTreeMap::new();
    }
    let files = crate::files(logs).into_iter();
    let read = |(name, length): (PathBuf, Option<u64>)| {
        length?;
        let text = std::fs::read_to_string(logs.join(&name)).expect("a reflog is text");
        Some((name, text))
    };
    files.filter_map(read).collect()
}

/// Each counts once, however often it is there.
fn objects(scratch: &Scratch, dir: &Path) -> usize {
    let all = [
        "cat-file",
        "--batch-all-objects",
        "--batch-check",
        "--unordered",
    ];
    scratch.git(dir, &all).lines().count()
}

/// What a working tree consists of: the content, or the target, and whether it can
/// be run.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;

    let mut all = crate::files(dir);
    all.retain(|path, _| !path.starts_with(".git"));
    let content = |path: PathBuf| {
        let at = dir.join(&path);
        let meta = at.symlink_metadata().expect("what it is");
        let bytes = if meta.is_symlink() {
            let target = std::fs::read_link(&at).expect("a link has a target");
            target.as_os_str().as_bytes().to_vec()
        } else if meta.is_dir() {
            Vec::new()
        } else {
            std::fs::read(&at).expect("a file can be read")
        };
        (path, (bytes, meta.mode()))
    };
    all.into_keys().map(content).collect()
}
