//! Deleting operations, one or those that are old.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Living, ManagerError, OperationManager, Result};
use crate::faults::NoFaults;
use crate::operation::{Operation, OperationStatus, now};
use crate::store::{Direction, ReadTxn, Space, StoreError};
use crate::{files, folder, records};

/// Records that are removed in one transaction.
const TOGETHER: usize = 64;
/// A folder without a record may belong to an operation that is just being made;
/// after this long it does not.
const ORPHANED: Duration = Duration::from_secs(24 * 60 * 60);

impl OperationManager {
    /// Removes an operation: its record, its journal, and its own folder. What
    /// it did elsewhere stays. Refused while a live process drives it.
    pub fn delete(&self, op_id: &str) -> Result<()> {
        loop {
            let owner = match self.stored(op_id) {
                Ok(Some(op)) => {
                    if let Some(holder) = Living::new(&self.db).holder(&op)? {
                        return Err(ManagerError::Running {
                            id: op_id.to_owned(),
                            pid: holder.pid,
                        });
                    }
                    Some(op.owner)
                }
                Ok(None) => return Err(ManagerError::unknown(op_id)),
                // What cannot be read cannot be run either.
                Err(ManagerError::Store(StoreError::Record { .. })) => None,
                Err(e) => return Err(e),
            };
            self.discard(op_id)?;
            let id = op_id.to_owned();
            let removed = self.db.write_blocking(move |txn| {
                if let (Some(owner), Ok(Some(op))) = (&owner, records::get(txn.as_read(), &id))
                    && op.owner != *owner
                {
                    return Ok(false);
                }
                records::delete(txn, &id)?;
                Ok(true)
            })?;
            if removed {
                return Ok(folder::remove(&self.db, op_id)?);
            }
        }
    }

    /// Removes completed and failed operations that were last updated more than
    /// `days_old` days ago, all of them with 0, and records of that age that
    /// cannot be read. Returns how many were removed.
    pub fn cleanup_old(&self, days_old: i64) -> Result<usize> {
        let age = TimeDelta::try_days(days_old.max(0)).unwrap_or(TimeDelta::MAX);
        let before = now()
            .checked_sub_signed(age)
            .unwrap_or(DateTime::<Utc>::MIN_UTC);
        let old = self.db.read(|txn| old(txn, before, days_old <= 0))?;
        let mut removed = 0;
        for id in &old {
            self.discard(id)?;
        }
        for ids in old.chunks(TOGETHER) {
            let ids = ids.to_vec();
            let gone = self.db.write_blocking(move |txn| {
                let mut gone = Vec::new();
                for id in &ids {
                    // It may have been resumed, or removed, since.
                    let removable = match records::get(txn.as_read(), id) {
                        Ok(Some(op)) => is_old(&op, before),
                        Ok(None) => false,
                        Err(StoreError::Record { .. }) => true,
                        Err(e) => return Err(e),
                    };
                    if removable {
                        records::delete(txn, id)?;
                        gone.push(id.clone());
                    }
                }
                Ok(gone)
            })?;
            removed += gone.len();
            for id in &gone {
                folder::remove(&self.db, id)?;
            }
        }
        self.tidy()?;
        Ok(removed)
    }

    /// Removes what a completed operation left, because its process died before it could.
    fn discard(&self, id: &str) -> Result<()> {
        match self.stored(id) {
            Ok(Some(op)) if op.status == OperationStatus::Completed => {
                let folder = folder::path(&self.db, id)?;
                Ok(files::discard(&self.db, id, folder, Arc::new(NoFaults))?)
            }
            _ => Ok(()),
        }
    }

    /// Removes what processes left that died between the last commit of an operation and
    /// the removal of its files, and the folders of operations without a record once they
    /// are a day old. Records stay.
    ///
    /// It looks at the folders alone, of which there are few: a program does well to call
    /// it before it starts an operation.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// use resume_runtime::{Database, OperationManager};
    ///
    /// let manager = OperationManager::new(Database::open(dir.path())?);
    /// manager.tidy()?;
    /// # Ok(()) }
    /// ```
    pub fn tidy(&self) -> Result<()> {
        for (id, made) in folder::all(&self.db)? {
            let age = SystemTime::now().duration_since(made).unwrap_or_default();
            if age > ORPHANED && matches!(self.stored(&id), Ok(None)) {
                folder::remove(&self.db, &id)?;
            } else {
                self.discard(&id)?;
            }
        }
        Ok(())
    }
}

fn is_old(op: &Operation, before: DateTime<Utc>) -> bool {
    op.status.is_finished() && op.last_updated <= before
}

/// The ids of operations that a clean-up removes.
fn old(txn: &dyn ReadTxn, before: DateTime<Utc>, all: bool) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::new();
    txn.scan(
        Space::Operations,
        (Bound::Unbounded, Bound::Unbounded),
        Direction::Forward,
        &mut |key, value| {
            let id = String::from_utf8_lossy(key).into_owned();
            let old = match records::parse(&id, value) {
                Ok(op) => is_old(&op, before),
                // A newer build's may be alive and well.
                Err(_) => all || age_of(value).is_none_or(|updated| updated <= before),
            };
            if old {
                ids.push(id);
            }
            ControlFlow::Continue(())
        },
    )?;
    Ok(ids)
}

/// When a record that cannot be read as one was last updated, if it says so.
fn age_of(value: &[u8]) -> Option<DateTime<Utc>> {
    let value: serde_json::Value = serde_json::from_slice(value).ok()?;
    value.get("last_updated")?.as_str()?.parse().ok()
}
