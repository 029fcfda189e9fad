//! Lines that hold, lines that break, and servers that refuse.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resume_runtime::Stopped;

use super::fixture::{asked, assert_cloned, bundles, clone, git, input, repository};
use crate::transfer::connection::{ConnectionError, Request};
use crate::transfer::missing::plan::ByIds;
use crate::transfer::obtain::script::{Fault, Script};
use crate::transfer::obtain::stems;

fn said() -> String {
    "no".to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_holds_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    for bare in [false, true] {
        let scratch = dir.path().join(format!("{bare}"));
        let (input, script) = (input(&scratch, bare, false), Script::new(&origin));
        let output = clone(&input, &script, 3).await.unwrap();
        assert_cloned(&origin, &input);
        assert_eq!(asked(&script), 1);
        let packs = stems(&input.git_dir().join("objects/pack")).unwrap();
        let pack = packs[0].with_extension("pack");
        let length = std::fs::metadata(pack).unwrap().len();
        assert_eq!(length, script.sent.load(Ordering::Relaxed));
        assert_eq!(output.refs, 3);
        assert_eq!(output.written.is_some(), !bare);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_a_cut_is_not_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 30);
    let whole = Script::new(&origin);
    clone(&input(&dir.path().join("whole"), true, false), &whole, 3)
        .await
        .unwrap();
    let once = whole.sent.load(Ordering::Relaxed);
    for filters in [true, false] {
        for cut in [1, 30, 60, 99] {
            let scratch = dir.path().join(format!("{filters}-{cut}"));
            let mut script = Script::new(&origin).faults([Fault::Cut(cut)]);
            (script.abilities.blob_none, script.abilities.tree_zero) = (filters, filters);
            let input = input(&scratch, false, false);
            clone(&input, &script, 3).await.unwrap();
            assert_cloned(&origin, &input);
            let sent = script.sent.load(Ordering::Relaxed);
            let asked = script.asked.lock().unwrap();
            let asked = asked.iter().map(|it| (it.wants.len(), it.haves.len()));
            let asked: Vec<_> = asked.collect();
            // In a history as small as this the newest files weigh much, which come whole where they
            // come apart from the older ones.
            let most = if filters { 17 } else { 20 };
            assert!(
                sent * 10 < once * most,
                "{filters} {cut}: {sent} of {once} for {asked:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_clone_is_joined_into_one_pack() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let faults = [Fault::Cut(50), Fault::Whole, Fault::Cut(50), Fault::Cut(70)];
    let script = Script::new(&origin).faults(faults);
    let input = input(dir.path(), false, true);
    clone(&input, &script, 3).await.unwrap();
    assert_cloned(&origin, &input);
    let asked = script.asked.lock().unwrap().clone();
    assert_eq!(asked[0].filter.as_deref(), Some("blob:none"));
    assert!(asked.len() > 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_that_was_turned_over_costs_no_more_than_a_cut() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    for at in [20, 60, 100] {
        let scratch = dir.path().join(at.to_string());
        let flip = if at == 100 {
            Fault::Cut(100)
        } else {
            Fault::Flip(at)
        };
        let script = Script::new(&origin).faults([flip]);
        let input = input(&scratch, false, false);
        clone(&input, &script, 3).await.unwrap();
        assert_cloned(&origin, &input);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_is_refused_is_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let refuse = || Fault::Error(ConnectionError::FilterRefused { said: said() });
    let script = Script::new(&origin).faults([refuse(), refuse()]);
    let input = input(dir.path(), false, true);
    clone(&input, &script, 3).await.unwrap();
    assert_cloned(&origin, &input);
    let asked = script.asked.lock().unwrap().clone();
    let filters: Vec<_> = asked.iter().map(|it| it.filter.as_deref()).collect();
    assert_eq!(filters[..3], [Some("blob:none"), Some("tree:0"), None]);
    assert!(filters[3..].iter().all(Option::is_none));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_server_is_asked_for_all_again() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let mut script = Script::new(&origin).faults([Fault::Cut(60), Fault::Cut(30)]);
    script.abilities.ids = ByIds::Refs;
    let input = input(dir.path(), false, false);
    clone(&input, &script, 3).await.unwrap();
    assert_cloned(&origin, &input);
    assert_eq!(asked(&script), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_gives_nothing_ends_the_run_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let lost = || Fault::Error(ConnectionError::Lost { reason: said() });
    let script = Script::new(&origin).faults([Fault::Cut(60), lost(), lost(), lost()]);
    let input = input(dir.path(), false, false);
    let stopped = clone(&input, &script, 2).await.unwrap_err();
    assert!(matches!(stopped, Stopped::TryLater { .. }), "{stopped}");
    let before = script.sent.load(Ordering::Relaxed);
    clone(&input, &script, 2).await.unwrap();
    assert_cloned(&origin, &input);
    let again = script.sent.load(Ordering::Relaxed) - before;
    assert!(again < before, "{again} after {before}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_long_patience_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 3);
    let busy = Fault::Error(ConnectionError::Busy {
        status: 429,
        retry_after: Some(Duration::from_secs(3_600)),
    });
    let script = Script::new(&origin).faults([busy]);
    let input = input(dir.path(), false, false);
    let stopped = clone(&input, &script, 9).await.unwrap_err();
    assert!(matches!(stopped, Stopped::TryLater { .. }), "{stopped}");
    clone(&input, &script, 9).await.unwrap();
    assert_cloned(&origin, &input);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_was_rewritten_and_pruned_meanwhile_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let lost = Fault::Error(ConnectionError::Lost { reason: said() });
    let unknown = Fault::Error(ConnectionError::UnknownWant {
        oid: None,
        said: said(),
    });
    let script = Script::new(&origin).faults([Fault::Cut(40), lost, unknown]);
    let input = input(dir.path(), false, false);
    clone(&input, &script, 1).await.unwrap_err();
    git(&origin, &["commit", "-q", "--amend", "-m", "another"]);
    git(&origin, &["reflog", "expire", "--expire=now", "--all"]);
    git(&origin, &["gc", "-q", "--prune=now"]);
    let output = clone(&input, &script, 1).await.unwrap();
    assert_cloned(&origin, &input);
    assert!(
        output.remarks.iter().any(|it| it.contains("has changed")),
        "{:?}",
        output.remarks
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_ids_is_asked_for_all_then_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 12);
    let unknown = || {
        Fault::Error(ConnectionError::UnknownWant {
            oid: None,
            said: said(),
        })
    };
    let script = Script::new(&origin).faults([Fault::Cut(40), unknown()]);
    let one = input(&dir.path().join("one"), false, false);
    clone(&one, &script, 3).await.unwrap();
    assert_cloned(&origin, &one);
    let script = Script::new(&origin).faults([unknown(), unknown()]);
    let two = input(&dir.path().join("two"), false, false);
    let stopped = clone(&two, &script, 3).await.unwrap_err();
    assert!(matches!(stopped, Stopped::Failed { .. }), "{stopped}");
}

/// Clones where bundles are offered; gives what the server was asked for, and from which bytes on
/// files were.
async fn with_bundles(change: impl FnOnce(&Path, &mut Script)) -> (Vec<Request>, Vec<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("origin");
    repository(&origin, 30);
    bundles(dir.path(), "main~20", "main~3");
    let mut script = Script::new(&origin);
    script.bundles = vec![dir.path().join("old.bundle"), dir.path().join("new.bundle")];
    change(dir.path(), &mut script);
    let input = input(&dir.path().join("scratch"), false, false);
    clone(&input, &script, 3).await.unwrap();
    assert_cloned(&origin, &input);
    let (asked, parts) = (script.asked.lock().unwrap(), script.parts.lock().unwrap());
    (asked.clone(), parts.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_come_first_and_the_rest_after_them() {
    let (asked, parts) = with_bundles(|_, _| ()).await;
    // The newer one rests on the older one.
    assert_eq!(parts, [0, 0, 0]);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].haves.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_was_cut_goes_on_at_its_byte() {
    let (asked, parts) = with_bundles(|_, script| {
        *script.cuts.lock().unwrap() = vec![90, 40, 0, 70];
    })
    .await;
    assert_eq!((parts[0], parts[1]), (0, 0));
    assert!(
        parts[2] > 0 && parts[3] == parts[2] && parts[4] > parts[3],
        "{parts:?}"
    );
    assert_eq!((asked.len(), asked[0].haves.len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_that_are_gone_or_changed_or_wrong_do_no_harm() {
    // Gone.
    let (asked, parts) = with_bundles(|_, script| script.bundles[0].push("x")).await;
    assert_eq!((parts, asked.len(), asked[0].haves.len()), (vec![0], 1, 0));
    // No bundle at all.
    let (asked, _) = with_bundles(|_, script| {
        std::fs::write(&script.bundles[1], "<html>").unwrap();
    })
    .await;
    assert_eq!((asked.len(), asked[0].haves.len()), (1, 1));
    // Damaged: what is whole of it is kept.
    let (asked, _) = with_bundles(|_, script| {
        let mut bytes = std::fs::read(&script.bundles[0]).unwrap();
        let at = bytes.len() * 2 / 3;
        bytes[at] ^= 0xff;
        std::fs::write(&script.bundles[0], bytes).unwrap();
    })
    .await;
    assert!(asked.iter().all(|it| it.haves.is_empty()), "{asked:?}");
    // It ends early, and there is no more of it.
    let (asked, _) = with_bundles(|_, script| {
        let bytes = std::fs::read(&script.bundles[0]).unwrap();
        std::fs::write(&script.bundles[0], &bytes[..bytes.len() / 2]).unwrap();
    })
    .await;
    assert!(asked.iter().all(|it| it.haves.is_empty()), "{asked:?}");
    // Another repository's, whose refs the server does not know.
    let (asked, _) = with_bundles(|dir, script| {
        let other = dir.join("other");
        repository(&other, 3);
        git(&other, &["commit", "-q", "--allow-empty", "-m", "another"]);
        git(
            &other,
            &["bundle", "create", "-q", "../other.bundle", "--all"],
        );
        script.bundles = vec![dir.join("other.bundle")];
    })
    .await;
    assert!(asked.len() <= 1, "{asked:?}");
    // All of it is there.
    let (asked, _) = with_bundles(|dir, script| {
        let origin = dir.join("origin");
        git(
            &origin,
            &["bundle", "create", "-q", "../all.bundle", "--all"],
        );
        script.bundles = vec![dir.join("all.bundle")];
    })
    .await;
    assert!(asked.is_empty(), "{asked:?}");
}
