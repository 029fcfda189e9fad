//! Lines that hold, lines that break, and servers that refuse.

use std::sync::atomic::Ordering;
use std::time::Duration;

use resume_runtime::Stopped;

use super::fixture::{asked, assert_cloned, clone, git, input, repository};
use crate::transfer::connection::ConnectionError;
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
