//! Every method, unknown ids, and what other processes do meanwhile.

use serde_json::{Value, json};

use super::*;
use crate::store::StoreError;

fn manager() -> OperationManager {
    OperationManager::new(Database::in_memory().unwrap())
}

fn create(manager: &OperationManager, op_type: OperationType) -> Operation {
    let metadata = HashMap::from([("source".to_owned(), "here".to_owned())]);
    manager.create(op_type, "{}".into(), metadata).unwrap()
}

/// Writes a record as another process, or another build, would.
fn put_raw(manager: &OperationManager, id: &str, bytes: impl Into<Vec<u8>>) {
    let (id, bytes) = (id.to_owned(), bytes.into());
    let put = move |txn: &mut dyn crate::store::WriteTxn| {
        txn.put(Space::Operations, id.as_bytes(), &bytes)
    };
    manager.database().write_blocking(put).unwrap();
}

fn raw(manager: &OperationManager, id: &str) -> Value {
    let bytes = manager
        .database()
        .read(|txn| txn.get(Space::Operations, id.as_bytes()));
    serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap()
}

/// Changes the stored record through `edit`, with its index entry.
fn edit(
    manager: &OperationManager,
    id: &str,
    mut edit: impl FnMut(&mut Operation) + Send + 'static,
) {
    let id = id.to_owned();
    let put = move |txn: &mut dyn crate::store::WriteTxn| {
        let mut op = records::get(txn.as_read(), &id)?.unwrap();
        edit(&mut op);
        records::put(txn, &op)
    };
    manager.database().write_blocking(put).unwrap();
}

fn dead() -> Owner {
    Owner {
        instance: "2c8ef7c0-5f0c-4a3a-9a3e-0123456789ab".into(),
        pid: 1,
    }
}

fn ids(ops: &[Operation]) -> Vec<&str> {
    ops.iter().map(|op| op.id.as_str()).collect()
}

#[test]
fn a_record_goes_through_its_life() {
    use EventKind::{Commit, Completed, Created, Failed, Paused, Resumed, Step};

    let manager = manager();
    let op = create(&manager, OperationType::Pack);
    assert_eq!(op.status, OperationStatus::Running);
    assert_eq!(op.state.current_step, "initialized");
    assert_eq!(manager.get(&op.id).unwrap().unwrap(), op);

    manager
        .update_progress(&op.id, 50, Some(100), 7, None)
        .unwrap();
    let checkpoint = r#"{"at":50}"#.to_owned();
    manager
        .update_checkpoint(&op.id, checkpoint.clone(), "compressing".into(), Some(3))
        .unwrap();
    manager
        .update_checkpoint(&op.id, checkpoint.clone(), "compressing".into(), None)
        .unwrap();
    let got = manager.get(&op.id).unwrap().unwrap();
    assert_eq!(got.progress.percentage(), Some(50.0));
    assert_eq!(got.progress.bytes_processed, 7);
    assert_eq!(got.state.checkpoint, checkpoint);
    assert_eq!(got.state.current_step, "compressing");
    assert_eq!(got.state.total_steps, Some(3));
    assert!(got.last_updated >= op.last_updated);

    manager
        .update_status(&op.id, OperationStatus::Paused)
        .unwrap();
    assert_eq!(
        manager.get(&op.id).unwrap().unwrap().status,
        OperationStatus::Paused
    );
    manager
        .update_status(&op.id, OperationStatus::Running)
        .unwrap();
    manager.fail(&op.id, "no luck").unwrap();
    let got = manager.get(&op.id).unwrap().unwrap();
    assert_eq!(got.status, OperationStatus::Failed);
    assert_eq!(got.state.error_message.as_deref(), Some("no luck"));
    manager
        .update_status(&op.id, OperationStatus::Running)
        .unwrap();
    manager.complete(&op.id).unwrap();
    let got = manager.get(&op.id).unwrap().unwrap();
    assert_eq!(got.status, OperationStatus::Completed);
    assert_eq!(got.state.error_message, None);

    let kinds: Vec<_> = manager
        .journal(&op.id)
        .unwrap()
        .iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            Created, Step, Commit, Paused, Resumed, Failed, Resumed, Completed
        ]
    );
}

#[test]
fn an_unknown_id_is_a_clear_error() {
    let manager = manager();
    let unknown = |result: Result<()>| {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, ManagerError::Unknown { id } if id == "op-1"),
            "{error}"
        );
    };
    assert_eq!(manager.get("op-1").unwrap(), None);
    assert_eq!(manager.get("").unwrap(), None);
    unknown(manager.update_status("op-1", OperationStatus::Paused));
    unknown(manager.update_progress("op-1", 0, None, 0, None));
    unknown(manager.update_checkpoint("op-1", String::new(), String::new(), None));
    unknown(manager.complete("op-1"));
    unknown(manager.fail("op-1", "x"));
    unknown(manager.delete("op-1"));
    unknown(manager.request_pause("op-1"));
    unknown(manager.find("op-1").map(drop));
}

#[test]
fn lists_are_newest_first_and_show_the_interrupted_as_paused() {
    let manager = manager();
    let [running, paused, waiting, interrupted, completed, failed] =
        [(); 6].map(|()| create(&manager, OperationType::Clone).id);
    manager
        .update_status(&paused, OperationStatus::Paused)
        .unwrap();
    edit(&manager, &waiting, |op| {
        op.waiting_for = Some(WaitingFor::Slot);
    });
    edit(&manager, &interrupted, |op| op.owner = Some(dead()));
    manager.complete(&completed).unwrap();
    manager.fail(&failed, "x").unwrap();

    let list = |status| manager.list(status).unwrap();
    let all = list(None);
    assert_eq!(
        ids(&all),
        [
            &failed,
            &completed,
            &interrupted,
            &waiting,
            &paused,
            &running
        ]
    );
    assert_eq!(ids(&list(Some(OperationStatus::Running))), [&running]);
    let shown = list(Some(OperationStatus::Paused));
    assert_eq!(ids(&shown), [&interrupted, &waiting, &paused]);
    assert!(shown.iter().all(|op| op.status == OperationStatus::Paused));
    assert_eq!(ids(&list(Some(OperationStatus::Completed))), [&completed]);
    assert_eq!(ids(&list(Some(OperationStatus::Failed))), [&failed]);
    assert!(manager.is_interrupted(&interrupted).unwrap());
    assert!(!manager.is_interrupted(&paused).unwrap());
    // The record itself says what it said.
    assert_eq!(raw(&manager, &interrupted)["status"], "running");
}

#[test]
fn look_ups_take_a_type_or_a_machines_name_and_give_the_last_worked_on() {
    let manager = manager();
    let [first, second, custom] = [
        OperationType::Pack,
        OperationType::Pack,
        OperationType::Custom,
    ]
    .map(|op_type| create(&manager, op_type).id);
    edit(&manager, &custom, |op| op.kind = Some("checksum".into()));
    manager.update_progress(&first, 1, None, 0, None).unwrap();
    let running = |name| manager.get_running(name).unwrap().map(|op| op.id);
    let pausable = |name| manager.get_latest_pausable(name).unwrap().map(|op| op.id);
    assert_eq!(running("pack"), Some(first.clone()));
    assert_eq!(running("checksum"), Some(custom.clone()));
    assert_eq!(running("custom"), Some(custom));
    assert_eq!(running("fetch"), None);
    assert_eq!(pausable("pack"), None);
    edit(&manager, &second, |op| op.owner = Some(dead()));
    assert_eq!(pausable("pack"), Some(second));
    manager
        .update_status(&first, OperationStatus::Paused)
        .unwrap();
    assert_eq!(pausable("pack"), Some(first));
    assert_eq!(running("pack"), None);
}

#[test]
fn fields_of_a_newer_build_are_kept_at_every_level() {
    let manager = manager();
    let op = create(&manager, OperationType::Push);
    let mut record = raw(&manager, &op.id);
    record["new"] = json!({"a": [1, 2]});
    record["state"]["new"] = json!("s");
    record["progress"]["new"] = json!(1.5);
    put_raw(&manager, &op.id, record.to_string());
    manager.update_progress(&op.id, 1, None, 2, None).unwrap();
    manager
        .update_checkpoint(&op.id, "[]".into(), "next".into(), None)
        .unwrap();
    manager.fail(&op.id, "x").unwrap();
    let record = raw(&manager, &op.id);
    assert_eq!(record["new"], json!({"a": [1, 2]}));
    assert_eq!(record["state"]["new"], json!("s"));
    assert_eq!(record["progress"]["new"], json!(1.5));
    assert_eq!(record["state"]["current_step"], "next");
}

#[test]
fn a_checkpoint_is_bounded() {
    let manager = manager();
    let large = "x".repeat(CHECKPOINT_LIMIT + 1);
    let refused = manager.create(OperationType::Pack, large.clone(), HashMap::new());
    assert!(matches!(refused, Err(ManagerError::CheckpointSize { .. })));
    let op = create(&manager, OperationType::Pack);
    let refused = manager.update_checkpoint(&op.id, large, "s".into(), None);
    assert!(matches!(refused, Err(ManagerError::CheckpointSize { .. })));
    let most = "x".repeat(CHECKPOINT_LIMIT);
    manager
        .update_checkpoint(&op.id, most, "s".into(), None)
        .unwrap();
}

#[test]
fn a_prefix_finds_one_or_names_the_candidates() {
    let manager = manager();
    let record = |id: &str| {
        let mut op = Operation::new(OperationType::Pack, String::new(), HashMap::new());
        op.id = id.to_owned();
        put_raw(&manager, id, serde_json::to_vec(&op).unwrap());
    };
    for id in ["op-aa11", "op-aa22", "op-aa", "op-b"] {
        record(id);
    }
    assert_eq!(manager.find("op-aa1").unwrap(), "op-aa11");
    assert_eq!(manager.find("aa2").unwrap(), "op-aa22");
    assert_eq!(manager.find("b").unwrap(), "op-b");
    // Given whole.
    assert_eq!(manager.find("op-aa").unwrap(), "op-aa");
    match manager.find("a") {
        Err(ManagerError::Ambiguous {
            candidates, total, ..
        }) => {
            assert_eq!(candidates, ["op-aa", "op-aa11", "op-aa22"]);
            assert_eq!(total, 3);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        manager.find("op-"),
        Err(ManagerError::Unknown { .. })
    ));
    assert!(matches!(
        manager.find("z"),
        Err(ManagerError::Unknown { .. })
    ));
}

#[test]
fn a_request_is_seen_until_it_is_followed() {
    let manager = manager();
    let op = create(&manager, OperationType::Merge);
    assert!(!manager.pause_requested(&op.id).unwrap());
    manager.request_pause(&op.id).unwrap();
    assert!(manager.pause_requested(&op.id).unwrap());
    // Work that goes on until a good moment does not forget it.
    manager.update_progress(&op.id, 1, None, 0, None).unwrap();
    assert!(manager.pause_requested(&op.id).unwrap());
    manager
        .update_status(&op.id, OperationStatus::Paused)
        .unwrap();
    assert!(!manager.pause_requested(&op.id).unwrap());
    let refused = manager.request_pause(&op.id);
    assert!(matches!(refused, Err(ManagerError::NotRunning { .. })));
    // Its process died before it followed: the next run does not stop at once.
    manager
        .update_status(&op.id, OperationStatus::Running)
        .unwrap();
    manager.request_pause(&op.id).unwrap();
    edit(&manager, &op.id, |op| op.owner = Some(dead()));
    manager
        .update_status(&op.id, OperationStatus::Running)
        .unwrap();
    assert!(!manager.pause_requested(&op.id).unwrap());
}

#[test]
fn a_live_process_keeps_its_operation_and_a_dead_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let manager = OperationManager::new(Database::open(dir.path()).unwrap());
    let op = create(&manager, OperationType::Rebase);
    let other = crate::Instance::create(dir.path()).unwrap();
    let owner = other.owner().clone();
    edit(&manager, &op.id, move |op| op.owner = Some(owner.clone()));
    for refused in [
        manager.update_status(&op.id, OperationStatus::Running),
        manager.complete(&op.id),
        manager.delete(&op.id),
    ] {
        assert!(matches!(refused, Err(ManagerError::Running { .. })));
    }
    assert_eq!(manager.cleanup_old(0).unwrap(), 0);
    drop(other);
    assert_eq!(
        manager.get(&op.id).unwrap().unwrap().status,
        OperationStatus::Paused
    );
    manager
        .update_status(&op.id, OperationStatus::Running)
        .unwrap();
    let own = manager.database().instance().owner();
    let got = manager.get(&op.id).unwrap().unwrap();
    assert_eq!(
        (got.owner.as_ref(), got.status),
        (Some(own), OperationStatus::Running)
    );
}

#[test]
fn deleting_removes_all_that_is_the_operations_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let manager = OperationManager::new(Database::open(&store).unwrap());
    let [op, other] = [(); 2].map(|()| create(&manager, OperationType::Fetch).id);
    let folder = |id: &str| store.join("ops").join(id);
    for id in [&op, &other] {
        std::fs::create_dir_all(folder(id).join("objects")).unwrap();
        let row = records::prefix(id);
        let put = move |txn: &mut dyn crate::store::WriteTxn| {
            txn.put(Space::Tables, &row, b"1")?;
            txn.put(Space::Files, &row, b"1")
        };
        manager.database().write_blocking(put).unwrap();
    }
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, folder(&op).join("link")).unwrap();

    assert!(matches!(
        manager.delete(&op),
        Err(ManagerError::Running { .. })
    ));
    manager.update_status(&op, OperationStatus::Paused).unwrap();
    manager.delete(&op).unwrap();
    assert_eq!(manager.get(&op).unwrap(), None);
    assert!(!folder(&op).exists());
    assert!(outside.exists() && folder(&other).exists());
    manager
        .database()
        .read(|txn| {
            for space in Space::ALL {
                for key in records::keys(txn, space, &[])? {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    assert!(!key.contains(&op), "{key:?} in {space:?}");
                }
            }
            assert_eq!(records::keys(txn, Space::Tables, &[])?.len(), 1);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_hostile_id_does_not_lead_out_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let manager = OperationManager::new(Database::open(&store).unwrap());
    let outside = dir.path().join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir_all(store.join("ops")).unwrap();
    for id in ["../../outside", "..", outside.to_str().unwrap()] {
        put_raw(&manager, id, "not a record");
        assert!(manager.delete(id).is_err());
    }
    assert!(outside.exists() && store.join("data.mdb").exists());
}

#[test]
fn a_clean_up_removes_what_is_finished_and_old() {
    let manager = manager();
    let [running, paused, fresh, old, older] =
        [(); 5].map(|()| create(&manager, OperationType::Pack).id);
    manager
        .update_status(&paused, OperationStatus::Paused)
        .unwrap();
    for id in [&fresh, &old, &older] {
        manager.complete(id).unwrap();
    }
    let aged = |id: &str, days| {
        edit(&manager, id, move |op| {
            op.last_updated -= chrono::TimeDelta::days(days);
        });
    };
    aged(&paused, 100);
    aged(&old, 31);
    aged(&older, 100);
    put_raw(&manager, "op-garbage", "{");
    let newer = format!(
        r#"{{"id":"op-new","status":"dreaming","last_updated":"{}"}}"#,
        crate::operation::now().to_rfc3339()
    );
    put_raw(&manager, "op-new", newer);
    assert_eq!(manager.unreadable().unwrap(), ["op-garbage", "op-new"]);
    let left = || {
        let mut left = manager.list(None).unwrap();
        left.reverse();
        left.into_iter().map(|op| op.id).collect::<Vec<_>>()
    };
    assert_eq!(manager.cleanup_old(90).unwrap(), 2);
    assert_eq!(manager.unreadable().unwrap(), ["op-new"]);
    assert_eq!(
        left(),
        [running.clone(), paused.clone(), fresh.clone(), old]
    );
    assert_eq!(manager.cleanup_old(30).unwrap(), 1);
    assert_eq!(left(), [running.clone(), paused.clone(), fresh]);
    assert_eq!(manager.cleanup_old(i64::MAX).unwrap(), 0);
    assert_eq!(manager.cleanup_old(0).unwrap(), 2);
    assert_eq!(left(), [running, paused]);
    assert!(manager.unreadable().unwrap().is_empty());
    assert_eq!(manager.cleanup_old(-1).unwrap(), 0);
}

#[test]
fn a_record_that_cannot_be_read_can_be_deleted() {
    let manager = manager();
    let op = create(&manager, OperationType::Pack);
    put_raw(&manager, &op.id, "{");
    let error = manager.get(&op.id).unwrap_err();
    assert!(matches!(
        error,
        ManagerError::Store(StoreError::Record { .. })
    ));
    assert!(manager.list(None).unwrap().is_empty());
    assert_eq!(manager.find(&op.id[..8]).unwrap(), op.id);
    manager.delete(&op.id).unwrap();
    let index = manager
        .database()
        .read(|txn| records::keys(txn, Space::ByStatus, &[]));
    assert!(index.unwrap().is_empty());
}

#[test]
fn what_a_dead_process_left_is_tidied() {
    let dir = tempfile::tempdir().unwrap();
    let manager = OperationManager::new(Database::open(dir.path()).unwrap());
    let [running, paused, failed, completed] =
        [(); 4].map(|()| create(&manager, OperationType::Pack).id);
    manager
        .update_status(&paused, OperationStatus::Paused)
        .unwrap();
    manager.fail(&failed, "for a reason").unwrap();
    manager.complete(&completed).unwrap();
    let days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86400);
    let all = [
        &running,
        &paused,
        &failed,
        &completed,
        "op-orphan",
        "op-new",
    ];
    for id in all {
        let folder = dir.path().join("ops").join(id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("salvage"), "much").unwrap();
        if id != "op-new" {
            std::fs::File::open(&folder)
                .unwrap()
                .set_modified(days_ago)
                .unwrap();
        }
    }
    manager.tidy().unwrap();
    let left = all.map(|id| dir.path().join("ops").join(id).exists());
    assert_eq!(left, [true, true, true, false, false, true]);
    assert_eq!(manager.list(None).unwrap().len(), 4);
}

/// Whatever is done, the index by status says what a look at every record says.
#[test]
fn the_index_agrees_with_a_full_scan_after_random_operations() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let manager = manager();
        let mut known: Vec<String> = Vec::new();
        for _ in 0..150 {
            let pick = |random: &mut fastrand::Rng, known: &[String]| {
                known.get(random.usize(..known.len().max(1))).cloned()
            };
            match (random.u8(..8), pick(&mut random, &known)) {
                (0 | 1, _) | (_, None) => known.push(create(&manager, OperationType::Pack).id),
                (2, Some(id)) => {
                    let status = OperationStatus::ALL[random.usize(..4)];
                    let _ = manager.update_status(&id, status);
                }
                (3, Some(id)) => drop(manager.fail(&id, "x")),
                (4, Some(id)) => drop(manager.complete(&id)),
                (5, Some(id)) => drop(manager.delete(&id)),
                (6, Some(id)) if manager.stored(&id).is_ok_and(|op| op.is_some()) => {
                    let days = random.i64(0..9);
                    edit(&manager, &id, move |op| {
                        op.created_at -= chrono::TimeDelta::days(days);
                        op.last_updated -= chrono::TimeDelta::days(days);
                    });
                }
                (7, Some(id)) if random.u8(..4) == 0 => put_raw(&manager, &id, "{"),
                _ => drop(manager.cleanup_old(random.i64(4..9))),
            }
        }
        let (scanned, indexed) = manager
            .database()
            .read(|txn| {
                let mut scanned = Vec::new();
                for key in records::keys(txn, Space::Operations, &[])? {
                    let id = String::from_utf8(key).unwrap();
                    if let Ok(Some(op)) = records::get(txn, &id) {
                        scanned.push((op.status.as_str(), op.id));
                    }
                }
                let mut indexed = Vec::new();
                for status in OperationStatus::ALL {
                    let mut last = None;
                    records::by_status(txn, status, &mut |op| {
                        assert_eq!(op.status, status, "seed {seed}");
                        assert!(last.is_none_or(|last| last >= op.created_at), "seed {seed}");
                        last = Some(op.created_at);
                        indexed.push((status.as_str(), op.id));
                        ControlFlow::Continue(())
                    })?;
                }
                scanned.sort();
                indexed.sort();
                Ok((scanned, indexed))
            })
            .unwrap();
        assert!(!scanned.is_empty());
        assert_eq!(scanned, indexed, "seed {seed}");
    }
}
