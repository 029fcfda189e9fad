//! The records of operations, for commands that keep their own.
//!
//! ```
//! use mug::core::database::MugDb;
//! use mug::core::resume::{OperationManager, OperationType};
//!
//! let manager = OperationManager::new(MugDb::in_memory()?);
//! let op = manager.create(OperationType::Pack, "{}".into(), [].into())?;
//! manager.update_progress(&op.id, 10, Some(40), 0, None)?;
//! assert_eq!(manager.get_running("pack")?.map(|op| op.id), Some(op.id.clone()));
//! manager.complete(&op.id)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use resume_runtime::{
    ManagerError, Operation, OperationManager, OperationProgress, OperationState, OperationStatus,
    OperationType, WaitingFor,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::database::MugDb;
    use resume_runtime::store::Space;
    use serde_json::{Value, json};

    fn manager() -> OperationManager {
        OperationManager::new(MugDb::in_memory().unwrap())
    }

    fn create(manager: &OperationManager, op_type: OperationType) -> Operation {
        manager
            .create(
                op_type,
                r#"{"at":0}"#.into(),
                [("source".into(), "here".into())].into(),
            )
            .unwrap()
    }

    fn status(manager: &OperationManager, id: &str) -> OperationStatus {
        manager.get(id).unwrap().unwrap().status
    }

    fn ids(operations: Vec<Operation>) -> Vec<String> {
        operations.into_iter().map(|op| op.id).collect()
    }

    fn stored(manager: &OperationManager, id: &str) -> Value {
        let bytes = manager
            .database()
            .read(|txn| txn.get(Space::Operations, id.as_bytes()))
            .unwrap();
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }

    /// Changes a stored record as another process or build would. Not its status: that is indexed.
    fn edit(manager: &OperationManager, id: &str, edit: impl FnOnce(&mut Value)) {
        let mut record = stored(manager, id);
        edit(&mut record);
        let (id, bytes) = (id.to_owned(), serde_json::to_vec(&record).unwrap());
        manager
            .database()
            .write_blocking(move |txn| txn.put(Space::Operations, id.as_bytes(), &bytes))
            .unwrap();
    }

    fn dead_owner() -> Value {
        json!({"instance": "2c8ef7c0-5f0c-4a3a-9a3e-0123456789ab", "pid": 1})
    }

    #[test]
    fn percentages_follow_items_then_bytes() {
        let progress = |processed, total, bytes_processed, total_bytes| OperationProgress {
            processed,
            total,
            bytes_processed,
            total_bytes,
            ..OperationProgress::default()
        };
        assert_eq!(progress(45, Some(100), 0, None).percentage(), Some(45.0));
        assert_eq!(
            progress(1, Some(3), 9, Some(10))
                .percentage()
                .map(f64::round),
            Some(33.0)
        );
        assert_eq!(progress(7, None, 5, Some(10)).percentage(), Some(50.0));
        assert_eq!(progress(200, Some(100), 0, None).percentage(), Some(100.0));
        assert_eq!(progress(7, None, 5, None).percentage(), None);
    }

    #[test]
    fn nothing_to_do_is_all_done() {
        let progress = OperationProgress {
            total: Some(0),
            ..OperationProgress::default()
        };
        assert_eq!(progress.percentage(), Some(100.0));
        let manager = manager();
        let op = create(&manager, OperationType::Pack);
        manager
            .update_progress(&op.id, 0, Some(0), 0, Some(0))
            .unwrap();
        assert_eq!(
            manager.get(&op.id).unwrap().unwrap().progress.percentage(),
            Some(100.0)
        );
    }

    #[test]
    fn types_and_statuses_have_these_names() {
        let types = [
            "pack", "clone", "fetch", "push", "rebase", "merge", "custom",
        ];
        assert_eq!(OperationType::ALL.map(OperationType::as_str), types);
        let statuses = ["running", "paused", "completed", "failed"];
        assert_eq!(OperationStatus::ALL.map(OperationStatus::as_str), statuses);
        for name in types {
            assert_eq!(name.parse::<OperationType>().unwrap().to_string(), name);
            assert_eq!(json!(name.parse::<OperationType>().unwrap()), json!(name));
        }
        for name in statuses {
            assert_eq!(name.parse::<OperationStatus>().unwrap().to_string(), name);
            assert_eq!(json!(name.parse::<OperationStatus>().unwrap()), json!(name));
        }
        assert!("Pack".parse::<OperationType>().is_err());
        assert!("done".parse::<OperationStatus>().is_err());
        for (kind, name) in [
            ("pack", "pack"),
            ("pack-bundle", "pack"),
            ("packing", "custom"),
            ("checksum", "custom"),
        ] {
            assert_eq!(OperationType::of_kind(kind).as_str(), name, "{kind}");
        }
    }

    #[test]
    fn a_new_record_has_the_agreed_fields() {
        let manager = manager();
        let op = create(&manager, OperationType::Clone);
        assert!(op.id.starts_with("op-") && op.id.len() == 39, "{}", op.id);
        let record = stored(&manager, &op.id);
        assert_eq!(record["op_type"], "clone");
        assert_eq!(record["status"], "running");
        assert_eq!(record["state"]["checkpoint"], r#"{"at":0}"#);
        assert_eq!(record["state"]["current_step"], "initialized");
        assert_eq!(record["state"]["metadata"], json!({"source": "here"}));
        assert_eq!(
            record["progress"],
            json!({"processed": 0, "bytes_processed": 0})
        );
        for time in ["created_at", "started_at", "last_updated"] {
            let text = record[time].as_str().unwrap();
            assert!(
                chrono::DateTime::parse_from_rfc3339(text).is_ok(),
                "{time}: {text}"
            );
        }
    }

    #[test]
    fn updates_are_stored_and_time_moves_on() {
        let manager = manager();
        let op = create(&manager, OperationType::Fetch);
        manager
            .update_progress(&op.id, 100, Some(1000), 1 << 20, Some(10 << 20))
            .unwrap();
        manager
            .update_checkpoint(&op.id, r#"{"at":100}"#.into(), "receive".into(), Some(42))
            .unwrap();
        manager
            .update_checkpoint(&op.id, r#"{"at":101}"#.into(), "receive".into(), None)
            .unwrap();
        let read = manager.get(&op.id).unwrap().unwrap();
        assert_eq!(read.progress.percentage(), Some(10.0));
        assert_eq!(
            (read.progress.bytes_processed, read.progress.total_bytes),
            (1 << 20, Some(10 << 20))
        );
        assert_eq!(
            (
                read.state.checkpoint.as_str(),
                read.state.current_step.as_str()
            ),
            (r#"{"at":101}"#, "receive")
        );
        assert_eq!(read.state.total_steps, Some(42));
        assert_eq!(read.created_at, op.created_at);
        assert!(read.last_updated >= op.last_updated);
    }

    #[test]
    fn statuses_change_and_errors_are_kept() {
        let manager = manager();
        let op = create(&manager, OperationType::Push);
        manager
            .update_status(&op.id, OperationStatus::Paused)
            .unwrap();
        assert_eq!(status(&manager, &op.id), OperationStatus::Paused);
        manager
            .fail(&op.id, "the server closed the connection")
            .unwrap();
        let failed = manager.get(&op.id).unwrap().unwrap();
        assert_eq!(failed.status, OperationStatus::Failed);
        assert_eq!(
            failed.state.error_message.as_deref(),
            Some("the server closed the connection")
        );
        manager
            .update_status(&op.id, OperationStatus::Running)
            .unwrap();
        manager.complete(&op.id).unwrap();
        let done = manager.get(&op.id).unwrap().unwrap();
        assert_eq!(
            (done.status, done.state.error_message),
            (OperationStatus::Completed, None)
        );
    }

    #[test]
    fn lists_and_look_ups_go_by_status_type_and_machine() {
        let manager = manager();
        let [pack, clone, custom] = [
            OperationType::Pack,
            OperationType::Clone,
            OperationType::Custom,
        ]
        .map(|it| create(&manager, it).id);
        edit(&manager, &custom, |record| {
            record["kind"] = json!("pack-restore");
        });
        manager
            .update_status(&clone, OperationStatus::Paused)
            .unwrap();
        assert_eq!(manager.list(None).unwrap().len(), 3);
        assert_eq!(
            ids(manager.list(Some(OperationStatus::Paused)).unwrap()),
            [clone.as_str()]
        );
        assert!(
            manager
                .list(Some(OperationStatus::Failed))
                .unwrap()
                .is_empty()
        );
        let running = |name| manager.get_running(name).unwrap().map(|op| op.id);
        assert_eq!(running("pack"), Some(pack));
        assert_eq!(running("custom"), Some(custom.clone()));
        assert_eq!(running("pack-restore"), Some(custom));
        assert_eq!(running("clone"), None);
        let pausable = |name| manager.get_latest_pausable(name).unwrap().map(|op| op.id);
        assert_eq!(pausable("clone"), Some(clone));
        assert_eq!(pausable("pack"), None);
    }

    #[test]
    fn the_latest_pausable_is_the_one_last_worked_on() {
        let manager = manager();
        let [first, second] = [1, 2].map(|_| create(&manager, OperationType::Pack).id);
        for id in [&second, &first] {
            manager.update_status(id, OperationStatus::Paused).unwrap();
        }
        edit(&manager, &second, |record| {
            record["last_updated"] = json!("2001-01-01T00:00:00Z");
        });
        assert_eq!(
            manager.get_latest_pausable("pack").unwrap().unwrap().id,
            first
        );
    }

    #[test]
    fn unknown_ids_are_none_to_look_up_and_errors_to_change() {
        let manager = manager();
        let id = "op-00000000-0000-4000-8000-000000000000";
        assert!(manager.get(id).unwrap().is_none());
        let errors = [
            manager.update_status(id, OperationStatus::Paused),
            manager.update_progress(id, 1, None, 0, None),
            manager.update_checkpoint(id, "{}".into(), "step".into(), None),
            manager.complete(id),
            manager.fail(id, "why"),
            manager.delete(id),
        ];
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(error.contains(id), "{error}");
        }
        assert!(manager.get_running("nothing").unwrap().is_none());
        assert!(manager.get_latest_pausable("nothing").unwrap().is_none());
    }

    #[test]
    fn fields_of_later_builds_survive_a_rewrite() {
        let manager = manager();
        let op = create(&manager, OperationType::Merge);
        edit(&manager, &op.id, |record| {
            record["priority"] = json!({"level": 3});
            record["state"]["hint"] = json!("later");
            record["progress"]["eta"] = json!([1, 2]);
        });
        manager
            .update_progress(&op.id, 1, Some(2), 0, None)
            .unwrap();
        manager
            .update_checkpoint(&op.id, "{}".into(), "next".into(), None)
            .unwrap();
        manager.complete(&op.id).unwrap();
        let record = stored(&manager, &op.id);
        assert_eq!(record["priority"], json!({"level": 3}));
        assert_eq!(record["state"]["hint"], "later");
        assert_eq!(record["progress"]["eta"], json!([1, 2]));
        assert_eq!(
            (&record["status"], &record["progress"]["processed"]),
            (&json!("completed"), &json!(1))
        );
    }

    #[test]
    fn an_interrupted_operation_is_shown_as_paused() {
        let manager = manager();
        let [alive, dead] = [1, 2].map(|_| create(&manager, OperationType::Pack).id);
        edit(&manager, &dead, |record| record["owner"] = dead_owner());
        assert_eq!(status(&manager, &alive), OperationStatus::Running);
        assert_eq!(status(&manager, &dead), OperationStatus::Paused);
        assert!(manager.is_interrupted(&dead).unwrap() && !manager.is_interrupted(&alive).unwrap());
        assert_eq!(
            ids(manager.list(Some(OperationStatus::Paused)).unwrap()),
            [dead.as_str()]
        );
        assert_eq!(
            ids(manager.list(Some(OperationStatus::Running)).unwrap()),
            [alive.as_str()]
        );
        assert_eq!(
            manager.get_latest_pausable("pack").unwrap().unwrap().id,
            dead
        );
        assert_eq!(manager.get_running("pack").unwrap().unwrap().id, alive);
        assert_eq!(
            stored(&manager, &dead)["status"],
            "running",
            "looking changes nothing"
        );
    }

    #[test]
    fn a_waiting_operation_is_shown_as_paused_with_what_it_waits_for() {
        let manager = manager();
        let op = create(&manager, OperationType::Rebase);
        for (waiting, expected) in [
            (
                json!({"user": "solve the conflicts"}),
                WaitingFor::User("solve the conflicts".into()),
            ),
            (
                json!({"operation": "op-1"}),
                WaitingFor::Operation("op-1".into()),
            ),
            (json!("slot"), WaitingFor::Slot),
        ] {
            edit(&manager, &op.id, |record| record["waiting_for"] = waiting);
            let read = manager.get(&op.id).unwrap().unwrap();
            assert_eq!(
                (read.status, read.waiting_for),
                (OperationStatus::Paused, Some(expected))
            );
            assert_eq!(
                ids(manager.list(Some(OperationStatus::Paused)).unwrap()),
                [op.id.as_str()]
            );
            assert!(manager.get_running("rebase").unwrap().is_none());
        }
    }

    #[test]
    fn a_pause_can_be_asked_for_and_is_seen_by_the_author() {
        let manager = manager();
        let op = create(&manager, OperationType::Pack);
        assert!(!manager.pause_requested(&op.id).unwrap());
        manager.request_pause(&op.id).unwrap();
        assert!(manager.pause_requested(&op.id).unwrap());
        manager
            .update_status(&op.id, OperationStatus::Paused)
            .unwrap();
        assert!(!manager.pause_requested(&op.id).unwrap(), "it was followed");
    }

    #[test]
    fn deleting_spares_what_runs() {
        let manager = manager();
        let op = create(&manager, OperationType::Pack);
        assert!(matches!(
            manager.delete(&op.id),
            Err(ManagerError::Running { .. })
        ));
        manager
            .update_status(&op.id, OperationStatus::Paused)
            .unwrap();
        manager.delete(&op.id).unwrap();
        assert!(manager.get(&op.id).unwrap().is_none());
    }

    #[test]
    fn cleaning_up_takes_old_finished_operations_only() {
        let manager = manager();
        let [old, new, paused, running] = [0; 4].map(|_| create(&manager, OperationType::Pack).id);
        manager.complete(&old).unwrap();
        manager.fail(&new, "why").unwrap();
        manager
            .update_status(&paused, OperationStatus::Paused)
            .unwrap();
        for id in [&old, &paused, &running] {
            edit(&manager, id, |record| {
                record["last_updated"] = json!("2001-01-01T00:00:00Z");
            });
        }
        assert_eq!(manager.cleanup_old(30).unwrap(), 1);
        assert!(manager.get(&old).unwrap().is_none());
        assert_eq!(manager.cleanup_old(30).unwrap(), 0);
        assert_eq!(manager.cleanup_old(0).unwrap(), 1);
        let mut left = ids(manager.list(None).unwrap());
        left.sort();
        let mut expected = [paused, running];
        expected.sort();
        assert_eq!(left, expected);
    }
}
