//! Files on a real disk, over commits, rollbacks and crashes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::open::BUFFER;
use super::{FileRecord, Files};
use crate::error::{ErrorClass, StepError};
use crate::faults::{Faults, NoFaults};

/// A directory for the operation, one for its results, and what is committed.
struct Place {
    dir: tempfile::TempDir,
    committed: BTreeMap<String, FileRecord>,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            committed: BTreeMap::new(),
        }
    }

    fn private(&self) -> PathBuf {
        self.dir.path().join("ops/op-1")
    }

    fn results(&self) -> PathBuf {
        self.dir.path().join("results")
    }

    /// As a process has them that starts from the last commit.
    fn files(&self) -> Files {
        self.files_with(Arc::new(NoFaults))
    }

    fn files_with(&self, faults: Arc<dyn Faults>) -> Files {
        Files::new(Some(self.private()), self.committed.clone(), faults)
    }

    /// A commit; whether the process learns of it is up to the test.
    fn commit(&mut self, files: &mut Files) {
        let changed = files.sync(1).unwrap();
        self.committed.extend(changed);
    }

    /// A file `name` with `content`, committed.
    fn with(name: &str, content: &str) -> Self {
        let mut place = Self::new();
        let mut files = place.files();
        append(&mut files, name, content);
        place.commit(&mut files);
        place
    }
}

fn append(files: &mut Files, name: &str, content: &str) {
    files.open(name, None).unwrap();
    files.append(name, content.as_bytes()).unwrap();
}

fn content(files: &mut Files, name: &str) -> String {
    let mut text = String::new();
    let mut file = files.read(name).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

fn names(dir: &Path) -> Vec<String> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => panic!("{e}"),
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_not_committed_is_cut_off() {
    let place = Place::with("a", "one");
    fs::write(place.private().join("b"), "never committed").unwrap();
    let mut lost = place.files();
    append(&mut lost, "a", " two");
    assert_eq!(content(&mut lost, "a"), "one two");
    drop(lost);
    let mut files = place.files();
    assert_eq!(content(&mut files, "a"), "one");
    assert!(files.is_dirty(), "the cut has to reach the disk");
    files.open("b", None).unwrap();
    assert_eq!(files.len("b"), 0);
    append(&mut files, "a", " three");
    assert_eq!(content(&mut files, "a"), "one three");
}

#[test]
fn lost_bytes_are_fatal_and_never_filled_up() {
    let place = Place::with("a", "one");
    let path = place.private().join("a");
    fs::write(&path, "on").unwrap();
    let error = place.files().open("a", None).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("3 were committed"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"on");
    fs::remove_file(&path).unwrap();
    let error = place.files().open("a", None).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("is gone"), "{error}");
    assert!(error.to_string().contains("op-1/a"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_restart_can_be_rolled_back_and_repeated() {
    let mut place = Place::with("a", "first");
    let mut lost = place.files();
    lost.open("a", None).unwrap();
    lost.restart("a").unwrap();
    append(&mut lost, "a", "lost, and longer than what follows");
    lost.sync(2).unwrap();
    drop(lost);
    let mut files = place.files();
    assert_eq!(content(&mut files, "a"), "first");
    files.restart("a").unwrap();
    assert_eq!(files.len("a"), 0);
    append(&mut files, "a", "second");
    place.commit(&mut files);
    files.committed();
    assert_eq!(content(&mut place.files(), "a"), "second");
    assert_eq!(names(&place.private()), ["a.~1"]);
}

#[test]
fn generations_that_a_crash_left_go_with_the_file() {
    let mut place = Place::new();
    let mut files = place.files();
    files.open("part", Some(&place.results())).unwrap();
    place.commit(&mut files);
    for old in ["part", "part.~1", "part.~2"] {
        // Committed, but the process dies before it removes the old one.
        let mut files = place.files();
        files.open("part", None).unwrap();
        files.restart("part").unwrap();
        append(&mut files, "part", "x");
        place.commit(&mut files);
        assert_eq!(names(&place.results()).len(), 2);
        assert!(names(&place.results()).contains(&old.to_owned()));
    }
    // One that is not committed.
    let mut files = place.files();
    files.open("part", None).unwrap();
    files.restart("part").unwrap();
    drop(files);
    assert_eq!(names(&place.results()), ["part.~3", "part.~4"]);
    fs::write(place.results().join("part.~2"), "back after a power cut").unwrap();
    place.files().discard();
    assert!(!place.results().exists());
}

/// Refuses one write.
#[derive(Default)]
struct NoRoom(AtomicBool);

impl Faults for NoRoom {
    fn write(&self, _: &Path, _: usize) -> io::Result<()> {
        if self.0.swap(true, Ordering::SeqCst) {
            Ok(())
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

#[test]
fn after_a_write_that_failed_nothing_is_committed() {
    let place = Place::with("a", "one");
    let mut files = place.files_with(Arc::<NoRoom>::default());
    append(&mut files, "a", "small");
    let big = vec![b'x'; BUFFER + 1];
    let errors: [StepError; 3] = [
        files.append("a", &big).unwrap_err(),
        // A step that goes on, and a commit, must not make a hole.
        files.append("a", b"more").unwrap_err(),
        files.sync(2).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.class(), ErrorClass::NeedsUser, "{error}");
        assert!(error.to_string().contains("op-1/a"), "{error}");
    }
    assert_eq!(content(&mut place.files(), "a"), "one");
}

#[test]
fn an_install_can_be_repeated() {
    let place = Place::with("a", "one");
    let to = place.results().join("deep/result");
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(&to, "what was there before").unwrap();
    for _ in 0..3 {
        // Each of them dies before its commit.
        place.files().install([("a", &to)]).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "one");
        assert!(!place.private().join("a").exists());
    }
    // Another file is not the one that was installed.
    fs::rename(&to, to.with_extension("moved")).unwrap();
    let error = place.files().install([("a", &to)]).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    fs::write(&to, "two").unwrap();
    let error = place.files().install([("a", &to)]).unwrap_err();
    assert!(
        error.to_string().contains("was not installed as"),
        "{error}"
    );
}

/// The directories that were synced.
#[derive(Default)]
struct Synced(Mutex<Vec<PathBuf>>);

impl Faults for Synced {
    fn sync(&self, path: &Path, sync: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        if path.is_dir() {
            self.0.lock().unwrap().push(path.to_owned());
        }
        sync()
    }
}

#[test]
fn several_are_installed_for_one_sync_a_directory() {
    let mut place = Place::with("a", "one");
    let mut files = place.files();
    append(&mut files, "b", "two");
    place.commit(&mut files);
    let to = place.results();
    let all = || [("a", to.join("a")), ("b", to.join("b"))];
    // One that died between the two.
    place.files().install([("a", to.join("a"))]).unwrap();
    let synced = Arc::<Synced>::default();
    let mut files = place.files_with(Arc::clone(&synced) as Arc<dyn Faults>);
    files.install(all()).unwrap();
    let times = |dir: &Path| {
        let dir = dir.canonicalize().unwrap();
        let synced = synced.0.lock().unwrap();
        synced
            .iter()
            .filter(|it| it.canonicalize().unwrap() == dir)
            .count()
    };
    assert_eq!((times(&to), times(&place.private())), (1, 1));
    files.install(all()).unwrap();
    place.commit(&mut files);
    assert_eq!(names(&to), ["a", "b"]);
    // None is moved where another cannot be.
    let mut files = place.files();
    append(&mut files, "c", "three");
    place.commit(&mut files);
    append(&mut files, "d", "not committed");
    let error = files.install([("c", to.join("c")), ("d", to.join("d"))]);
    assert_eq!(error.unwrap_err().class(), ErrorClass::Fatal);
    assert_eq!(names(&to), ["a", "b"]);
}

#[test]
fn an_install_takes_what_is_committed_and_nothing_else() {
    let mut place = Place::with("a", "one");
    let to = place.results().join("result");
    let mut files = place.files();
    append(&mut files, "a", " two");
    let error = files.install([("a", &to)]).unwrap_err();
    assert!(error.to_string().contains("not committed"), "{error}");
    drop(files);
    // The lost slice's bytes are still in the file.
    fs::write(place.private().join("a"), "one and more").unwrap();
    let mut files = place.files();
    files.install([("a", &to)]).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "one");
    files.install([("a", &to)]).unwrap();
    place.commit(&mut files);
    let mut files = place.files();
    assert!(files.open("a", None).is_err());
    assert!(
        files
            .install([("a", &place.results().join("other"))])
            .is_err()
    );
    files.install([("a", &to)]).unwrap();
}

/// Where there is a second file system.
#[cfg(unix)]
#[test]
fn an_install_across_file_systems_touches_no_file_of_others() {
    use std::os::unix::fs::{MetadataExt as _, symlink};
    let place = Place::with("a", "one");
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let shm = Path::new("/dev/shm");
    if device(shm).is_none() || device(shm) == device(place.dir.path()) {
        return;
    }
    let far = tempfile::tempdir_in(shm).unwrap();
    let (to, mine) = (far.path().join("result"), far.path().join("mine"));
    for path in [&mine, &far.path().join("result.part")] {
        fs::write(path, "mine").unwrap();
    }
    // What an earlier attempt left, or somebody put there.
    symlink(&mine, far.path().join(".op-1.result")).unwrap();
    for _ in 0..2 {
        place.files().install([("a", &to)]).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "one");
    }
    assert_eq!(names(far.path()), ["mine", "result", "result.part"]);
    for path in [mine, far.path().join("result.part")] {
        assert_eq!(fs::read_to_string(path).unwrap(), "mine");
    }
    assert!(fs::symlink_metadata(&to).unwrap().is_file());
}

#[cfg(unix)]
#[test]
fn a_rename_that_a_crash_left_with_both_names_is_finished() {
    let place = Place::with("a", "one");
    let to = place.dir.path().join("result");
    fs::hard_link(place.private().join("a"), &to).unwrap();
    place.files().install([("a", &to)]).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "one");
    assert!(!place.private().join("a").exists());
}

#[cfg(unix)]
#[test]
fn an_installed_file_has_the_mode_of_any_other() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = Place::with("a", "one");
    assert_eq!(mode(&place.private()), 0o700);
    assert_eq!(mode(&place.private().join("a")), 0o600);
    let to = place.dir.path().join("result");
    place.files().install([("a", &to)]).unwrap();
    let other = place.dir.path().join("other");
    fs::write(&other, "").unwrap();
    assert_eq!(mode(&to), mode(&other));
}

#[test]
fn names_cannot_lead_elsewhere() {
    let place = Place::new();
    for bad in ["", ".", "..", ".x", "a/b", "../a", "a~1", "a\n"] {
        assert!(place.files().open(bad, None).is_err(), "{bad:?}");
    }
    assert!(
        Files::new(None, BTreeMap::new(), Arc::new(NoFaults))
            .open("a", None)
            .is_err()
    );
}

#[test]
fn a_reader_sees_what_was_there_when_it_was_opened() {
    let place = Place::with("a", "0123456789");
    let mut files = place.files();
    let mut file = files.read("a").unwrap();
    append(&mut files, "a", "more");
    files.sync(2).unwrap();
    assert_eq!(file.len(), 10);
    let mut tail = String::new();
    file.seek(SeekFrom::End(-3)).unwrap();
    file.read_to_string(&mut tail).unwrap();
    assert_eq!(tail, "789");
    file.seek(SeekFrom::Start(40)).unwrap();
    assert_eq!(file.read(&mut [0; 4]).unwrap(), 0);
    assert!(file.seek(SeekFrom::Current(-41)).is_err());
    assert!(files.read("unknown").is_err());
}
