//! Lines that are lost, and servers that change.

use std::sync::atomic::Ordering;

use resume_runtime::{Database, Scheduler, Start};

use super::super::{Fetching, Output};
use super::fixture::{env, git, input, observe, pair};
use crate::transfer::obtain::script::{Fault, Script};

/// Fetches to the end.
async fn fetch(scratch: &std::path::Path, script: &Script) -> (Output, Vec<String>) {
    let process = env(scratch, script, 5);
    let told = process.told.clone();
    let process = std::sync::Mutex::new(Some(process));
    // On disk, as the real one: the packs gather beside the store.
    let store = scratch.join("ours/.git/mug");
    let scheduler = Scheduler::builder(Database::open(&store).unwrap())
        .register::<Fetching>(move |_| Ok(process.lock().unwrap().take().unwrap()))
        .build();
    let handle = scheduler
        .start::<Fetching>(input(scratch), Start::new())
        .await;
    (handle.unwrap().await.unwrap(), told.take())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_costs_little_and_changes_nothing() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut sent = Vec::new();
    for (dir, faults) in dirs
        .iter()
        .zip([vec![], vec![Fault::Cut(70), Fault::Cut(50)]])
    {
        pair(dir.path());
        let script = Script::new(&dir.path().join("origin")).faults(faults);
        let (output, lines) = fetch(dir.path(), &script).await;
        assert_eq!(output.failed, 0, "{lines:#?}");
        assert!(output.objects > 0);
        let origin = git(&dir.path().join("origin"), "rev-parse main side dir/new");
        let ours = "rev-parse origin/main origin/side origin/dir/new";
        assert_eq!(git(&dir.path().join("ours"), ours), origin);
        let deleted = lines
            .iter()
            .any(|it| it.contains("[deleted]") && it.contains("origin/gone"));
        assert!(deleted, "{lines:#?}");
        observe(dir.path());
        sent.push(script.sent.load(Ordering::Relaxed));
    }
    assert!(sent[1] < sent[0] * 3 / 2, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_here_is_not_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    pair(dir.path());
    let script = Script::new(&dir.path().join("origin"));
    let (first, _) = fetch(dir.path(), &script).await;
    let asked = script.asked.lock().unwrap().len();
    assert!(first.objects > 0 && asked > 0);
    let before = observe(dir.path());
    let (second, lines) = fetch(dir.path(), &script).await;
    assert_eq!((second.objects, second.moved, second.failed), (0, 0, 0));
    assert_eq!(lines, Vec::<String>::new());
    assert_eq!(
        script.asked.lock().unwrap().len(),
        asked,
        "nothing is asked for"
    );
    let mut after = observe(dir.path());
    // It says of each line now what was said of some before.
    after.insert("FETCH_HEAD".to_owned(), before["FETCH_HEAD"].clone());
    assert_eq!(after, before);
}
