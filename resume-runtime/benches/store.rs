//! Durable commits a second, beside what the disk can do.
//!
//! A number of operations commit one after the other, each waiting until its
//! commit is durable: a record of some 940 bytes with its checkpoint, and an
//! event of 150. Beside it, in alternation: for as many tasks the same bytes are
//! appended to a file, each by a write of its own, and one fdatasync makes those of
//! all tasks durable. Nothing finds them again, and the writer is told how many
//! tasks to wait for: no store on that disk is faster.
//!
//! `cargo bench -p resume-runtime --bench store [-- <seconds> [<pairs>]]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use resume_runtime::store::{Direction, Space, StoreError, WriteTxn};
use resume_runtime::{Database, Operation, OperationType};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const EVENT: &[u8] = &[b'e'; 150];

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let time = Duration::from_secs(arguments.first().copied().unwrap_or(1));
    let pairs = arguments.get(1).copied().unwrap_or(7).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("{pairs} alternating pairs of {time:?}: median (least to most) a second");
    for operations in [1, 64, 1000] {
        let mut disk = Vec::new();
        let mut store = Vec::new();
        for _ in 0..pairs {
            let dir = tempfile::tempdir_in(".").unwrap();
            disk.push(runtime.block_on(appends(dir.path(), operations, time)));
            store.push(runtime.block_on(commits(dir.path(), operations, time)));
        }
        let ratio = store.iter().zip(&disk).map(|(s, d)| s / d).collect();
        println!(
            "{operations:>5} operations: disk {}, store {}, ratio {}",
            figures(disk, 0),
            figures(store, 0),
            figures(ratio, 2)
        );
    }
}

fn figures(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (median, least, most) = (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    );
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

async fn commits(dir: &Path, operations: usize, time: Duration) -> f64 {
    let db = Database::open(&dir.join("store")).unwrap();
    let done = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..operations {
        let (db, done, stop) = (db.clone(), Arc::clone(&done), Arc::clone(&stop));
        let mut op = record();
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let id = op.id.clone();
                let bytes = serde_json::to_vec(&op).unwrap();
                db.write(move |txn| commit(txn, &id, &bytes)).await.unwrap();
                op.commits += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(time).await;
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    rate
}

/// What a commit of an operation does in the store: its record, an event behind
/// all others, and where its events end.
fn commit(txn: &mut dyn WriteTxn, id: &str, record: &[u8]) -> Result<(), StoreError> {
    let mut number = 0;
    txn.scan(
        Space::Events,
        (Bound::Included(&[0]), Bound::Excluded(&[1])),
        Direction::Backward,
        &mut |key, _| {
            number = u64::from_be_bytes(*key.last_chunk().unwrap()) + 1;
            ControlFlow::Break(())
        },
    )?;
    let chain = [&[1], id.as_bytes()].concat();
    let mut ends = txn.get(Space::Events, &chain)?.unwrap_or(vec![0; 24]);
    ends[8..16].copy_from_slice(&number.to_be_bytes());
    let event = [&[0][..], &number.to_be_bytes()].concat();
    txn.put(Space::Operations, id.as_bytes(), record)?;
    txn.put(Space::Events, &event, EVENT)?;
    txn.put(Space::Events, &chain, &ends)
}

fn record() -> Operation {
    let metadata = HashMap::from([("source".to_owned(), "/some/where/repository.git".to_owned())]);
    let mut op = Operation::new(OperationType::Pack, String::new(), metadata);
    op.command = ["mug", "pack", "create", "out"].map(str::to_owned).to_vec();
    let size = serde_json::to_vec(&op).unwrap().len();
    op.state.checkpoint = "c".repeat(941_usize.saturating_sub(size));
    op
}

async fn appends(dir: &Path, operations: usize, time: Duration) -> f64 {
    let mut file = File::create(dir.join("appended")).unwrap();
    let (jobs, mut queue) = mpsc::unbounded_channel::<(Vec<u8>, oneshot::Sender<bool>)>();
    let writer = std::thread::spawn(move || {
        let began = Instant::now();
        let mut done = 0;
        loop {
            // It knows how many there are, which a store does not.
            let batch: Vec<_> = (0..operations)
                .map(|_| queue.blocking_recv().unwrap())
                .collect();
            for (bytes, _) in &batch {
                file.write_all(bytes).unwrap();
            }
            file.sync_data().unwrap();
            done += operations;
            let elapsed = began.elapsed();
            for (_, answer) in batch {
                answer.send(elapsed < time).unwrap();
            }
            if elapsed >= time {
                return done as f64 / elapsed.as_secs_f64();
            }
        }
    });
    let mut tasks = JoinSet::new();
    for _ in 0..operations {
        let jobs = jobs.clone();
        let op = record();
        tasks.spawn(async move {
            loop {
                let (answer, answered) = oneshot::channel();
                let mut bytes = serde_json::to_vec(&op).unwrap();
                bytes.extend_from_slice(EVENT);
                jobs.send((bytes, answer)).unwrap();
                if !answered.await.unwrap() {
                    break;
                }
            }
        });
    }
    tasks.join_all().await;
    writer.join().unwrap()
}
