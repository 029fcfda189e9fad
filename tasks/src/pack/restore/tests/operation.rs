//! The operation, driven by a scheduler over a store on disk.

use std::fs;
use std::path::Path;

use resume_runtime::{Handle, Scheduler, Start, Stopped};

use super::super::{Env, Input, Output, Restore, prepare};
use super::fixture::{Order, add_layer, git, grow, repository};
use super::plain::{assert_restored, packs};
use crate::core::registry::Registry;
use crate::core::resume::{OperationManager, OperationStatus};

fn input(pack: &Path, target: &Path, bare: bool) -> Input {
    Input {
        pack: pack.to_owned(),
        target: target.to_owned(),
        bare,
        into: None,
    }
}

fn begin(input: &Input) -> Scheduler {
    let registry = Registry::in_dir(&input.target.parent().unwrap().join("state"));
    let db = prepare::begin(input, &registry).unwrap();
    assert_eq!(
        registry.stores().unwrap().last().unwrap(),
        db.dir().unwrap()
    );
    scheduler(db, 2)
}

fn reopen(input: &Input, threads: usize) -> Scheduler {
    scheduler(prepare::reopen(input).unwrap(), threads)
}

fn scheduler(db: crate::core::database::MugDb, threads: usize) -> Scheduler {
    Scheduler::builder(db.into())
        .register::<Restore>(move |_| Ok(Env::new(threads)))
        .build()
}

async fn run(input: &Input) -> Result<Output, Stopped> {
    begin(input)
        .start::<Restore>(input.clone(), Start::new())
        .await
        .unwrap()
        .await
}

fn pack_bytes(target: &Path) -> (Vec<u8>, Vec<u8>) {
    let pack = packs(target).pop().unwrap();
    (
        fs::read(&pack).unwrap(),
        fs::read(pack.with_extension("idx")).unwrap(),
    )
}

#[tokio::test]
async fn a_repository_is_restored_and_its_store_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 20);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 1000, Order::DepthFirst);
    for bare in [true, false] {
        let input = input(&out, &dir.path().join(format!("new-{bare}")), bare);
        let output = run(&input).await.unwrap();
        assert_eq!(output.no_tree, None);
        if !bare {
            assert_eq!(git(&input.target, &["status", "--porcelain"]), "");
        }
        assert_restored(&repo, &input.target);
        let (pack, _) = pack_bytes(&input.target);
        assert_eq!(output.pack_bytes, pack.len() as u64);
        let ops = input.target().git_dir().join("mug/ops");
        assert_eq!(
            fs::read_dir(ops).map_or(0, Iterator::count),
            0,
            "nothing unfinished is left"
        );
    }
}

#[tokio::test]
async fn pauses_and_other_thread_counts_change_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 40);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 400, Order::DepthFirst);
    let whole = input(&out, &dir.path().join("whole"), true);
    run(&whole).await.unwrap();

    let paused = input(&out, &dir.path().join("paused"), true);
    let scheduler = begin(&paused);
    let handle = scheduler
        .start::<Restore>(paused.clone(), Start::new())
        .await
        .unwrap();
    let id = handle.id().to_owned();
    let mut stopped = pause_soon(handle).await;
    drop(scheduler);
    let mut count = 0;
    while let Err(Stopped::Paused { .. }) = stopped {
        count += 1;
        assert!(!paused.target.join("HEAD").exists());
        let scheduler = reopen(&paused, 1 + count % 3);
        let handle = scheduler.resume::<Restore>(&id).unwrap();
        // The first ones are paused at once, so that each step is met.
        stopped = if count < 20 {
            pause_soon(handle).await
        } else {
            handle.await
        };
    }
    stopped.unwrap();
    assert!(count > 0);
    assert!(pack_bytes(&whole.target) == pack_bytes(&paused.target));
    assert_restored(&repo, &paused.target);
}

/// Pauses it when it has got on, or lets it end.
async fn pause_soon(mut handle: Handle<Output>) -> Result<Output, Stopped> {
    let progress = handle.watch();
    let before = progress.snapshot().items;
    while progress.snapshot().items == before {
        tokio::select! {
            biased;
            stopped = &mut handle => return stopped,
            () = tokio::task::yield_now() => {}
        }
    }
    handle.pause();
    handle.await
}

#[tokio::test]
async fn a_layer_that_comes_later_is_left_to_the_next_restore() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 10);
    let refs = git(&repo, &["show-ref"]);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 400, Order::DepthFirst);
    let input = input(&out, &dir.path().join("new"), true);
    let scheduler = begin(&input);
    let handle = scheduler
        .start::<Restore>(input.clone(), Start::new())
        .await
        .unwrap();
    handle.pause();
    let id = handle.id().to_owned();
    let stopped = handle.await;
    drop(scheduler);
    grow(&repo, 10..12);
    add_layer(&repo, &out, 400, Order::DepthFirst);
    if let Err(Stopped::Paused { .. }) = stopped {
        reopen(&input, 2)
            .resume::<Restore>(&id)
            .unwrap()
            .await
            .unwrap();
    }
    let restored = git(&input.target, &["show-ref"]);
    let now = git(&repo, &["show-ref"]);
    assert_ne!(refs, now);
    assert!(restored == refs || restored == now);
    git(&input.target, &["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn a_taken_target_and_a_broken_pack_leave_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 3);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 1000, Order::DepthFirst);
    let registry = Registry::in_dir(&dir.path().join("state"));
    let taken = input(&out, &repo, true);
    assert!(
        prepare::begin(&taken, &registry)
            .unwrap_err()
            .to_string()
            .contains("not empty")
    );
    let nothing = input(&dir.path().join("nowhere"), &dir.path().join("new"), true);
    assert!(
        prepare::begin(&nothing, &registry)
            .unwrap_err()
            .to_string()
            .contains("no finished pack")
    );
    assert!(!nothing.target.exists() && registry.stores().unwrap().is_empty());

    let layer = fs::read_dir(out.join("layers"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let frames = layer.join("frames-0000");
    let mut bytes = fs::read(&frames).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&frames, &bytes).unwrap();
    let input = input(&out, &dir.path().join("new"), true);
    let Err(Stopped::Failed { id, error }) = run(&input).await else {
        panic!("it must fail")
    };
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(!input.target.join("HEAD").exists() && !input.target.join("objects").exists());
    // Another one into the same target names the one that is there.
    let busy = prepare::begin(&input, &registry).unwrap_err().to_string();
    assert!(busy.contains(&id), "{busy}");
    // Once the pack is whole again, it goes on.
    bytes[last] ^= 1;
    fs::write(&frames, &bytes).unwrap();
    reopen(&input, 2)
        .resume::<Restore>(&id)
        .unwrap()
        .await
        .unwrap();
    assert_restored(&repo, &input.target);
    let manager = OperationManager::new(prepare::reopen(&input).unwrap());
    assert_eq!(
        manager.get(&id).unwrap().unwrap().status,
        OperationStatus::Completed
    );
}

#[tokio::test]
async fn an_empty_repository_comes_back_empty() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    super::fixture::add_empty_layer(&out);
    let input = input(&out, &dir.path().join("new"), false);
    let output = run(&input).await.unwrap();
    assert_eq!(
        output,
        Output {
            objects: 0,
            pack_bytes: 0,
            written: None,
            no_tree: None,
            into: None,
        }
    );
    assert_eq!(
        git(&input.target, &["symbolic-ref", "HEAD"]),
        "refs/heads/trunk\n"
    );
    assert_eq!(git(&input.target, &["status", "--porcelain"]), "");
}
