//! `mug resume cleanup`: removes operations that nobody needs any more.

use chrono::{TimeDelta, Utc};
use mug::core::resume::{ManagerError, OperationStatus};
use serde_json::json;

use crate::cli::error::Error;
use crate::cli::place::{Place, Store};
use crate::cli::ui::{Ui, format};

/// Arguments of `mug resume cleanup`.
#[derive(Debug, clap::Args)]
pub(super) struct CleanupArgs {
    /// Remove those last updated more than so many days ago; with 0, of any age
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        env = "MUG_CLEANUP_DAYS",
        hide_env_values = true,
        value_parser = clap::value_parser!(i64).range(0..),
    )]
    days: i64,
    /// Remove paused operations of that age too: they cannot be continued then
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &CleanupArgs, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    if args.all && place.is_everywhere() {
        return Err(Error::usage(
            "`--all` outside of a repository would remove paused operations of every repository",
        )
        .hint("run it in the repository that is meant, or name that with `-C <dir>`"));
    }
    let mut removed = 0;
    for store in place.own() {
        removed += store.manager.cleanup_old(args.days)?;
        if args.all {
            removed += remove_paused(store, args.days)?;
        }
    }
    if ui.json {
        return ui.json_document(&json!({ "removed": removed }));
    }
    ui.note(&format!(
        "removed {}",
        format::plural(removed, "operation", "operations")
    ));
    Ok(())
}

fn remove_paused(store: &Store, days: i64) -> Result<usize, Error> {
    let before = TimeDelta::try_days(days).and_then(|age| Utc::now().checked_sub_signed(age));
    let Some(before) = before else {
        return Ok(0);
    };
    let mut removed = 0;
    for op in store.manager.list(Some(OperationStatus::Paused))? {
        if op.last_updated > before {
            continue;
        }
        match store.manager.delete(&op.id) {
            Ok(()) => removed += 1,
            // Taken up again, or waiting in a process that lives; or gone.
            Err(ManagerError::Running { .. } | ManagerError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}
