//! Ids as people type them: the beginning, with or without `op-`.

use std::ops::{Bound, ControlFlow};

use super::{ManagerError, OperationManager, Result};
use crate::records::upper;
use crate::store::{Direction, Space};

/// Ids that are named when a prefix fits several.
const SHOWN: usize = 8;

impl OperationManager {
    /// The id that begins with `prefix`, which may leave out `op-`. An id that
    /// is given whole is found even if others begin with it.
    pub fn find(&self, prefix: &str) -> Result<String> {
        if prefix.is_empty() || prefix == "op-" {
            return Err(ManagerError::unknown(prefix));
        }
        let full = if prefix.starts_with("op-") {
            prefix.to_owned()
        } else {
            format!("op-{prefix}")
        };
        let (candidates, total) = self.db.read(|txn| {
            let high = upper(full.as_bytes());
            let bounds = (
                Bound::Included(full.as_bytes()),
                high.as_ref().map(Vec::as_slice),
            );
            let mut candidates = Vec::new();
            let mut total = 0;
            txn.scan(
                Space::Operations,
                bounds,
                Direction::Forward,
                &mut |key, _| {
                    let id = String::from_utf8_lossy(key).into_owned();
                    total += 1;
                    let whole = id == full;
                    if candidates.len() < SHOWN {
                        candidates.push(id);
                    }
                    if whole {
                        total = 1;
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                },
            )?;
            Ok((candidates, total))
        })?;
        match total {
            0 => Err(ManagerError::unknown(prefix)),
            1 => candidates
                .into_iter()
                .next()
                .ok_or_else(|| ManagerError::unknown(prefix)),
            total => Err(ManagerError::Ambiguous {
                prefix: prefix.to_owned(),
                candidates,
                total,
            }),
        }
    }
}
