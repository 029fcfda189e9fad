//! Several processes on one store. The others are this test binary, started
//! again with a role.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::sharing::increment;
use super::*;

const ROLE: &str = "RESUME_RUNTIME_STORE_ROLE";
const DIR: &str = "RESUME_RUNTIME_STORE_DIR";

/// Does nothing unless it was started by one of the tests below.
#[test]
fn other_process() {
    let (Ok(role), Some(dir)) = (std::env::var(ROLE), std::env::var_os(DIR)) else {
        return;
    };
    let dir = Path::new(&dir);
    match role.as_str() {
        "reader" => open(dir)
            .read(&mut |_| {
                wait_for_ever();
                Ok(())
            })
            .unwrap(),
        "writer" => open(dir)
            .write(&mut |txn| {
                put_rows(txn, 0..3000)?;
                wait_for_ever();
                Ok(())
            })
            .unwrap(),
        "grow" => {
            open(dir).write(&mut |txn| put_rows(txn, 0..8000)).unwrap();
            say("grown");
        }
        "count" => {
            let store = open(dir);
            say("ready");
            wait_for_input();
            (0..200).for_each(|_| increment(&store));
        }
        "acknowledge" => {
            let store = open(dir);
            for number in 0_u32.. {
                put_acknowledged(&store, number);
                say(&number.to_string());
            }
        }
        "narrow" => {
            let bytes = 3 << 30;
            let limit = Rlimit {
                current: Some(bytes),
                maximum: Some(bytes),
            };
            setrlimit(Resource::As, limit).unwrap();
            let store = open(dir);
            put(&store, b"narrow", b"1").unwrap();
            say(&map_size(&store).to_string());
        }
        "too narrow" => {
            let store = LmdbStore::open_with(dir, SMALL).unwrap();
            put(&store, b"before", b"1").unwrap();
            // The map is given up before the new one is asked for.
            let limit = Rlimit {
                current: Some(1),
                maximum: Some(1 << 40),
            };
            setrlimit(Resource::As, limit).unwrap();
            let failed =
                store.write(&mut |txn| txn.put(Space::Tables, b"large", &vec![0; 1 << 20]));
            let wide = Rlimit {
                current: Some(1 << 40),
                maximum: Some(1 << 40),
            };
            setrlimit(Resource::As, wide).unwrap();
            let message = failed.unwrap_err().to_string();
            assert!(message.contains("ulimit -v"), "{message}");
            assert!(get(&store, b"before").is_err());
            assert!(put(&store, b"after", b"1").is_err());
            say("refused");
        }
        "limited" => {
            crate::signal::survive_file_size_limit().unwrap();
            let store = open(dir);
            store.write(&mut |txn| put_rows(txn, 0..100)).unwrap();
            let length = dir.join("data.mdb").metadata().unwrap().len();
            let limit = |current| Rlimit {
                current,
                maximum: None,
            };
            setrlimit(Resource::Fsize, limit(Some(length))).unwrap();
            let failed = store.write(&mut |txn| put_rows(txn, 100..3000));
            let failed = failed.unwrap_err();
            assert!(
                matches!(failed, StoreError::FileSize { limit, .. } if limit == length),
                "{failed:?}"
            );
            // What was there is there, and nothing of what failed.
            let rows = |txn: &dyn ReadTxn, there: std::ops::Range<u32>, next: u32| {
                check_rows(txn, there)?;
                assert_eq!(txn.get(Space::Tables, &row(next).0)?, None);
                Ok(())
            };
            store.read(&mut |txn| rows(txn, 0..100, 100)).unwrap();
            setrlimit(Resource::Fsize, limit(None)).unwrap();
            store.write(&mut |txn| put_rows(txn, 100..3000)).unwrap();
            store.read(&mut |txn| rows(txn, 0..3000, 3000)).unwrap();
            say("went on");
        }
        role => panic!("{role}"),
    }
}

fn say(line: &str) {
    // Not captured, as `println` would be.
    writeln!(std::io::stdout(), "\n> {line}").unwrap();
}

fn wait_for_ever() {
    say("in");
    wait_for_input();
}

fn wait_for_input() {
    let _ = std::io::stdin().read(&mut [0]);
}

struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .arg(
                concat!(module_path!(), "::other_process")
                    .split_once("::")
                    .unwrap()
                    .1,
            )
            .env(ROLE, role)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next thing that it says; `None` when it has ended.
    fn hear(&mut self) -> Option<String> {
        let mut lines = self.output.by_ref().lines().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix("> ").map(str::to_owned))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        while self.hear().is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_reader_keeps_no_pages() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let stale = |store: &LmdbStore| store.shared().unwrap().env.clear_stale_readers().unwrap();
    for reopen in [false, true] {
        let mut other = Other::start("reader", dir.path());
        assert_eq!(other.hear().unwrap(), "in");
        other.kill();
        if reopen {
            break;
        }
        assert_eq!(stale(&store), 1);
    }
    // The second one's slot is given back by whoever opens the store next.
    drop(store);
    let store = open(dir.path());
    assert_eq!(stale(&store), 0);
}

#[test]
fn a_writer_killed_in_mid_transaction_leaves_nothing_and_blocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, b"before", b"1").unwrap();
    for _ in 0..3 {
        let mut other = Other::start("writer", dir.path());
        assert_eq!(other.hear().unwrap(), "in");
        other.kill();
        put(&store, b"after", b"1").unwrap();
        assert_eq!(get(&store, &row(0).0).unwrap(), None);
        assert!(get(&store, b"before").unwrap().is_some());
    }
}

#[test]
fn a_waiting_writer_goes_on_when_the_other_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut other = Other::start("writer", dir.path());
    assert_eq!(other.hear().unwrap(), "in");
    std::thread::scope(|threads| {
        let (began, has_begun) = std::sync::mpsc::channel();
        let store = &store;
        let waiting = threads.spawn(move || {
            began.send(()).unwrap();
            put(store, b"key", b"1")
        });
        has_begun.recv().unwrap();
        // Readers do not wait.
        assert_eq!(get(store, b"key").unwrap(), None);
        assert!(!waiting.is_finished());
        other.kill();
        waiting.join().unwrap().unwrap();
    });
    assert!(get(&store, b"key").unwrap().is_some());
}

#[test]
fn a_stopped_writer_is_named_and_not_waited_for() {
    use rustix::process::{Pid, Signal, kill_process};

    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut other = Other::start("writer", dir.path());
    assert_eq!(other.hear().unwrap(), "in");
    let pid = Pid::from_child(&other.child);
    kill_process(pid, Signal::STOP).unwrap();
    let message = match put(&store, b"key", b"1") {
        Err(e @ StoreError::Busy { .. }) => e.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(
        message.contains(&format!("process {}, which is stopped", other.child.id())),
        "{message}"
    );
    // What waited for the lock in vain does not keep it when it comes.
    other.kill();
    put(&store, b"key", b"1").unwrap();
    put(&store, b"key", b"2").unwrap();
}

#[test]
fn growth_by_another_process_is_adopted() {
    for write_first in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = LmdbStore::open_with(dir.path(), SMALL).unwrap();
        put(&store, b"before", b"1").unwrap();
        Other::start("grow", dir.path()).end();
        if write_first {
            put(&store, b"after", b"1").unwrap();
        }
        store.read(&mut |txn| check_rows(txn, 0..8000)).unwrap();
        put(&store, b"after", b"1").unwrap();
        assert!(map_size(&store) >= 8 << 20);
    }
}

#[test]
fn two_processes_that_write_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut other = Other::start("count", dir.path());
    assert_eq!(other.hear().unwrap(), "ready");
    other
        .child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"\n")
        .unwrap();
    (0..200).for_each(|_| increment(&store));
    other.end();
    assert_eq!(
        get(&store, b"counter").unwrap(),
        Some(400_u32.to_be_bytes().to_vec())
    );
}

fn put_acknowledged(store: &LmdbStore, number: u32) {
    store
        .write(&mut |txn| {
            put_rows(txn, number..number + 1)?;
            txn.put(Space::Tables, b"last", &number.to_be_bytes())
        })
        .unwrap();
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let mut wanted = 0;
    for _ in 0..10 {
        let store = open(dir.path());
        let mut other = Other::start("acknowledge", dir.path());
        let commits = random.u32(1..60);
        let mut acknowledged = 0;
        for _ in 0..commits {
            acknowledged = other.hear().unwrap().parse().unwrap();
        }
        other.kill();
        while let Some(more) = other.hear() {
            acknowledged = more.parse().unwrap();
        }
        wanted = wanted.max(acknowledged);
        store
            .read(&mut |txn| {
                let last = txn.get(Space::Tables, b"last")?.unwrap();
                let last = u32::from_be_bytes(last.try_into().unwrap());
                assert!(last >= acknowledged);
                check_rows(txn, 0..wanted + 1)
            })
            .unwrap();
    }
    assert!(wanted > 10);
}

#[test]
fn scarce_addresses_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start("narrow", dir.path());
    let size: usize = other.hear().unwrap().parse().unwrap();
    other.end();
    assert!(size.is_power_of_two() && size < 3 << 30, "{size}");
    assert!(get(&open(dir.path()), b"narrow").unwrap().is_some());
}

#[test]
fn a_map_that_cannot_grow_ends_the_use_of_the_store_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start("too narrow", dir.path());
    assert_eq!(other.hear().unwrap(), "refused");
    other.end();
    let store = open(dir.path());
    assert!(get(&store, b"before").unwrap().is_some());
    assert_eq!(get(&store, b"large").unwrap(), None);
}

/// As on a full disk, which a test cannot have for itself: the write fails, nothing
/// of it is kept, and where there is room again it goes through.
#[test]
fn what_finds_no_room_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start("limited", dir.path());
    assert_eq!(other.hear().unwrap(), "went on");
    other.end();
    open(dir.path())
        .read(&mut |txn| check_rows(txn, 0..3000))
        .unwrap();
}

/// An instance is alive as long as its process, and no longer.
#[test]
fn the_kernel_says_when_a_process_is_dead() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start("reader", dir.path());
    assert_eq!(other.hear().unwrap(), "in");
    let instances = std::fs::read_dir(dir.path().join("instances")).unwrap();
    let instance = instances.map(|e| e.unwrap().file_name()).next().unwrap();
    let owner = crate::Owner {
        instance: instance.into_string().unwrap(),
        pid: other.child.id(),
    };
    assert!(crate::owner::is_alive(dir.path(), &owner).unwrap());
    other.kill();
    assert!(!crate::owner::is_alive(dir.path(), &owner).unwrap());
}
