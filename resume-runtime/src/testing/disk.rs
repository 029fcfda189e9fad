//! The disk that a machine under test works on, and what a power cut leaves of
//! it.
//!
//! The model is the one that POSIX promises and no more: a file's content is
//! durable as of the last sync of the file, a name as of the last sync of its
//! directory. One thing is added that journalling file systems give and programs
//! rest on: a rename is in one piece, so it is durable once one of its two
//! directories is. The rest follows: what a step writes by itself and does not
//! sync is lost, and what it deletes comes back, as long as the directory was not
//! synced either.
//!
//! Files are known by their inode, as the runtime knows them. A second link in a
//! shadow directory keeps each inode alive while the model remembers it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// What a crash leaves on disk of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// All of it: the process was killed, the machine went on.
    Kept,
    /// None of it: the power went.
    Lost,
    /// Names, and a part of the bytes, some of them zero: the power went while
    /// the system was writing.
    Torn,
}

/// Device, number, and when it was made: a directory's number may be used again
/// once it is gone.
type Inode = (u64, u64, Option<SystemTime>);

#[derive(Clone)]
enum Node {
    File {
        content: Arc<[u8]>,
        mode: u32,
    },
    Dir {
        /// Where it was last seen.
        path: PathBuf,
        entries: BTreeMap<OsString, Inode>,
        mode: u32,
    },
    Link(PathBuf),
}

/// What is durable, by inode.
type Image = HashMap<Inode, Node>;

pub(super) struct Disk {
    roots: Vec<Root>,
    /// What every run starts from.
    pristine: Image,
    durable: Mutex<Image>,
}

#[derive(Clone)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    /// On the same file system, outside of the root; roots on one file system
    /// share it.
    pub(super) shadow: PathBuf,
}

impl Disk {
    /// The disk as it is now, all of it durable. Paths are canonical.
    pub(super) fn new(roots: Vec<Root>) -> io::Result<Self> {
        let mut disk = Self {
            roots,
            pristine: Image::new(),
            durable: Mutex::default(),
        };
        disk.pristine = disk.scan()?;
        disk.durable().clone_from(&disk.pristine);
        Ok(disk)
    }

    /// Back to what it was at first.
    pub(super) fn reset(&self) -> io::Result<()> {
        self.build(&self.pristine)?;
        for root in &self.roots {
            for entry in fs::read_dir(&root.shadow)? {
                let entry = entry?;
                if !self.pristine.contains_key(&inode(&entry.metadata()?)) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        let now = self.scan()?;
        *self.durable() = now;
        Ok(())
    }

    /// A crash: afterwards all that is there is durable, unless it was `Kept`.
    pub(super) fn cut(&self, cut: Cut) -> io::Result<()> {
        let durable = match cut {
            Cut::Kept => return Ok(()),
            Cut::Lost => {
                let durable = self.durable().clone();
                self.build(&durable)?;
                self.scan()?
            }
            Cut::Torn => {
                let durable = self.durable().clone();
                for root in &self.roots {
                    tear(&root.path, &durable)?;
                }
                self.scan()?
            }
        };
        *self.durable() = durable;
        Ok(())
    }

    /// Whether `path` is on it.
    pub(super) fn covers(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| self.roots.iter().any(|root| path.starts_with(&root.path)))
    }

    /// `path` was synced: a file's content, or a directory's entries.
    pub(super) fn synced(&self, path: &Path) -> io::Result<()> {
        let path = path.canonicalize()?;
        let Some(root) = self.roots.iter().find(|root| path.starts_with(&root.path)) else {
            return Ok(());
        };
        let meta = fs::metadata(&path)?;
        let mut durable = self.durable();
        if meta.is_dir() {
            self.synced_dir(&mut durable, root, path, &meta)
        } else {
            let node = Node::File {
                content: fs::read(&path)?.into(),
                mode: meta.mode(),
            };
            keep(root, &path, &meta)?;
            durable.insert(inode(&meta), node);
            Ok(())
        }
    }

    fn synced_dir(
        &self,
        durable: &mut Image,
        root: &Root,
        path: PathBuf,
        meta: &Metadata,
    ) -> io::Result<()> {
        let this = inode(meta);
        let old = match durable.get(&this) {
            Some(Node::Dir { entries, .. }) => entries.clone(),
            _ => BTreeMap::new(),
        };
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let meta = entry.path().symlink_metadata()?;
            if !(meta.is_file() || meta.is_dir() || meta.is_symlink()) {
                continue;
            }
            let child = inode(&meta);
            if old.get(&entry.file_name()) != Some(&child) {
                // It may have come from another directory: gone from there too.
                forget_old_names(durable, this, child);
            }
            if let std::collections::hash_map::Entry::Vacant(vacant) = durable.entry(child) {
                // Its name is durable, its content is not.
                vacant.insert(empty(root, &entry.path(), &meta)?);
            }
            entries.insert(entry.file_name(), child);
        }
        for child in old.values() {
            if !entries.values().any(|there| there == child) {
                // It may have gone to another directory: there it is durable too.
                self.follow(durable, *child)?;
            }
        }
        let mode = meta.mode();
        durable.insert(
            this,
            Node::Dir {
                path,
                entries,
                mode,
            },
        );
        Ok(())
    }

    /// Makes the name durable to which `child` was renamed.
    fn follow(&self, durable: &mut Image, child: Inode) -> io::Result<()> {
        let mut found = None;
        for root in &self.roots {
            walk(&root.path, &mut |path, meta| {
                if inode(meta) == child {
                    found = Some(path.to_owned());
                }
                Ok(())
            })?;
        }
        if let Some(path) = found
            && let (Some(dir), Some(name)) = (path.parent(), path.file_name())
            && let Some(Node::Dir { entries, .. }) = durable.get_mut(&inode(&fs::metadata(dir)?))
        {
            entries.insert(name.to_owned(), child);
        }
        Ok(())
    }

    /// Everything as it is on disk now.
    fn scan(&self) -> io::Result<Image> {
        let mut image = Image::new();
        for root in &self.roots {
            scan(root, &root.path, &mut image)?;
        }
        Ok(image)
    }

    /// Puts `image` on disk, and nothing else.
    fn build(&self, image: &Image) -> io::Result<()> {
        for root in &self.roots {
            let top = inode(&fs::metadata(&root.path)?);
            if let Some(Node::Dir { entries, .. }) = image.get(&top) {
                build(root, &root.path, entries, image)?;
            }
        }
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, Image> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inode(meta: &Metadata) -> Inode {
    (meta.dev(), meta.ino(), meta.created().ok())
}

/// Links a file into the shadow, so that its inode is not used again.
fn keep(root: &Root, path: &Path, meta: &Metadata) -> io::Result<PathBuf> {
    let kept = root.shadow.join(meta.ino().to_string());
    match fs::hard_link(path, &kept) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(kept),
    }
}

/// What is durable of a thing of which only the name is.
fn empty(root: &Root, path: &Path, meta: &Metadata) -> io::Result<Node> {
    Ok(if meta.is_symlink() {
        Node::Link(fs::read_link(path)?)
    } else if meta.is_dir() {
        Node::Dir {
            path: path.to_owned(),
            entries: BTreeMap::new(),
            mode: meta.mode(),
        }
    } else {
        keep(root, path, meta)?;
        Node::File {
            content: Arc::default(),
            mode: meta.mode(),
        }
    })
}

/// Removes durable names of `child` outside of the directory `here` that are no
/// longer true.
fn forget_old_names(durable: &mut Image, here: Inode, child: Inode) {
    for (inode_of_dir, node) in durable.iter_mut() {
        if let Node::Dir { path, entries, .. } = node
            && *inode_of_dir != here
        {
            entries.retain(|name, there| {
                let still = || {
                    path.join(name)
                        .symlink_metadata()
                        .is_ok_and(|meta| inode(&meta) == child)
                };
                *there != child || still()
            });
        }
    }
}

fn scan(root: &Root, dir: &Path, image: &mut Image) -> io::Result<()> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let meta = path.symlink_metadata()?;
        entries.insert(entry.file_name(), inode(&meta));
        if meta.is_dir() {
            scan(root, &path, image)?;
        } else if meta.is_file() {
            keep(root, &path, &meta)?;
            let node = Node::File {
                content: fs::read(&path)?.into(),
                mode: meta.mode(),
            };
            image.insert(inode(&meta), node);
        } else if meta.is_symlink() {
            image.insert(inode(&meta), Node::Link(fs::read_link(&path)?));
        }
    }
    let meta = fs::metadata(dir)?;
    let node = Node::Dir {
        path: dir.to_owned(),
        entries,
        mode: meta.mode(),
    };
    image.insert(inode(&meta), node);
    Ok(())
}

/// Puts `entries` into `dir`, and nothing else. What is there already stays: to
/// remove a file costs far more than to look at it.
fn build(
    root: &Root,
    dir: &Path,
    entries: &BTreeMap<OsString, Inode>,
    image: &Image,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, meta) = (entry.path(), entry.path().symlink_metadata()?);
        let wanted = entries.get(&entry.file_name());
        let stays = match wanted.and_then(|wanted| image.get(wanted)) {
            Some(Node::Dir { .. }) => meta.is_dir(),
            Some(_) => wanted == Some(&inode(&meta)),
            None => false,
        };
        match (stays, meta.is_dir()) {
            (true, _) => {}
            (false, true) => fs::remove_dir_all(&path)?,
            (false, false) => fs::remove_file(&path)?,
        }
    }
    for (name, child) in entries {
        let path = dir.join(name);
        let there = path.symlink_metadata().is_ok();
        match image.get(child) {
            Some(Node::Dir { entries, mode, .. }) => {
                if !there {
                    fs::create_dir(&path)?;
                }
                build(root, &path, entries, image)?;
                set_mode(&path, *mode)?;
            }
            Some(Node::Link(to)) if !there => symlink(to, &path)?,
            Some(Node::File { content, mode }) => {
                if !there {
                    fs::hard_link(root.shadow.join(child.1.to_string()), &path)?;
                }
                if fs::read(&path)? != **content {
                    write(&path, content)?;
                }
                set_mode(&path, *mode)?;
            }
            // A link that is there, a socket or the like.
            Some(Node::Link(_)) | None => {}
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::metadata(path)?.mode() == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Writes over a file, whatever its mode, keeping its inode and mode.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions();
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    fs::write(path, content)?;
    fs::set_permissions(path, mode)
}

/// Leaves of every file what is durable and some of what was appended since; of
/// one that was written over, its first half.
fn tear(root: &Path, durable: &Image) -> io::Result<()> {
    walk(root, &mut |path, meta| {
        if !meta.is_file() {
            return Ok(());
        }
        let now = fs::read(path)?;
        let old: &[u8] = match durable.get(&inode(meta)) {
            Some(Node::File { content, .. }) => content,
            _ => &[],
        };
        if let Some(torn) = torn(old, &now) {
            write(path, &torn)?;
        }
        Ok(())
    })
}

/// What is left of `now` where `old` is durable; `None` where that is all.
fn torn(old: &[u8], now: &[u8]) -> Option<Vec<u8>> {
    if old == now {
        return None;
    }
    let safe = if now.starts_with(old) { old.len() } else { 0 };
    let tail = now.len() - safe;
    let mut torn = now[..safe + tail.div_ceil(2)].to_vec();
    // Of what came last there is room, but no data.
    let zero = torn.len() - (torn.len() - safe) / 2;
    torn[zero..].fill(0);
    Some(torn)
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let meta = path.symlink_metadata()?;
        visit(&path, &meta)?;
        if meta.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch {
        _dir: tempfile::TempDir,
        disk: Disk,
        root: PathBuf,
    }

    /// A disk with a file `old` that is durable.
    fn scratch() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (root, shadow) = (base.join("root"), base.join("shadow"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&shadow).unwrap();
        fs::write(root.join("old"), "old").unwrap();
        let disk = Disk::new(vec![Root {
            path: root.clone(),
            shadow,
        }])
        .unwrap();
        Scratch {
            _dir: dir,
            disk,
            root,
        }
    }

    impl Scratch {
        fn list(&self) -> Vec<(String, String)> {
            let mut found = Vec::new();
            walk(&self.root, &mut |path, meta| {
                let name = path.strip_prefix(&self.root).unwrap();
                let text = if meta.is_file() {
                    String::from_utf8(fs::read(path)?).unwrap()
                } else {
                    "/".into()
                };
                found.push((name.to_str().unwrap().to_owned(), text));
                Ok(())
            })
            .unwrap();
            found.sort();
            found
        }

        fn expect(&self, expected: &[(&str, &str)]) {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect();
            assert_eq!(self.list(), expected);
        }

        fn at(&self, name: &str) -> PathBuf {
            self.root.join(name)
        }

        fn sync(&self, name: &str) {
            self.disk.synced(&self.at(name)).unwrap();
        }
    }

    #[test]
    fn content_lives_by_its_files_sync_and_names_by_their_directorys() {
        let s = scratch();
        fs::create_dir(s.at("dir")).unwrap();
        for name in ["dir/both", "dir/name", "dir/content", "top"] {
            fs::write(s.at(name), name).unwrap();
        }
        fs::write(s.at("old"), "old, written over").unwrap();
        s.sync("dir/both");
        s.sync("dir/content");
        s.disk.cut(Cut::Kept).unwrap();
        assert_eq!(s.list().len(), 6);
        fs::remove_file(s.at("dir/content")).unwrap();
        s.sync("dir");
        fs::write(s.at("dir/content"), "another file").unwrap();
        s.sync("");
        fs::remove_file(s.at("top")).unwrap();
        s.disk.cut(Cut::Lost).unwrap();
        s.expect(&[
            ("dir", "/"),
            ("dir/both", "dir/both"),
            ("dir/name", ""),
            ("old", "old"),
            ("top", ""),
        ]);
        // It can be done again, and the first state comes back.
        fs::remove_dir_all(s.at("dir")).unwrap();
        s.disk.cut(Cut::Lost).unwrap();
        assert_eq!(s.list().len(), 5);
        s.disk.reset().unwrap();
        s.expect(&[("old", "old")]);
    }

    #[test]
    fn a_rename_is_in_one_piece_and_keeps_the_file() {
        let s = scratch();
        fs::create_dir(s.at("dir")).unwrap();
        s.sync("");
        let identity = inode(&fs::metadata(s.at("old")).unwrap());
        fs::rename(s.at("old"), s.at("dir/new")).unwrap();
        s.disk.cut(Cut::Lost).unwrap();
        s.expect(&[("dir", "/"), ("old", "old")]);
        assert_eq!(inode(&fs::metadata(s.at("old")).unwrap()), identity);
        for synced in ["dir", ""] {
            fs::rename(s.at("old"), s.at("dir/new")).unwrap();
            s.sync(synced);
            s.disk.cut(Cut::Lost).unwrap();
            s.expect(&[("dir", "/"), ("dir/new", "old")]);
            fs::rename(s.at("dir/new"), s.at("old")).unwrap();
            s.sync(synced);
            s.disk.cut(Cut::Lost).unwrap();
            s.expect(&[("dir", "/"), ("old", "old")]);
        }
    }

    #[test]
    fn a_torn_file_keeps_what_was_synced() {
        let s = scratch();
        fs::write(s.at("old"), "old and 12345678").unwrap();
        fs::write(s.at("new"), "abcd").unwrap();
        s.disk.cut(Cut::Torn).unwrap();
        s.expect(&[("new", "a\0"), ("old", "old and\0\0\0")]);
        assert_eq!(torn(b"ab", b"ab"), None);
        assert_eq!(torn(b"ab", b"xyz").unwrap(), b"x\0");
        assert_eq!(torn(b"ab", b"").unwrap(), b"");
    }
}
