//! `mug push --clean`: temporary refs of operations that are gone.

use std::cell::Cell;
use std::sync::{Arc, atomic::AtomicBool};

use gix::bstr::{BString, ByteSlice as _};
use mug::core::database::MugDb;
use mug::core::resume::{OperationManager, OperationStatus};
use mug::transfer::{
    connection::Sink,
    push::{Input, Target, remove, started},
    refs::name::shown,
};

use super::args::Whose;
use super::run::failed;
use crate::cli::error::Error;
use crate::cli::ui::Ui;

/// Deletes those temporary refs whose operation can't go on from here: if it was begun here or
/// elsewhere.
pub(super) fn run(
    input: &Input,
    url: Option<&BString>,
    sink: &Sink,
    db: &MugDb,
    whose: Whose,
    ui: &Ui,
) -> Result<(), Error> {
    let manager = OperationManager::new(db.clone());
    let target = Target::open(input, url.map(|it| it.as_bstr()), sink).map_err(failed)?;
    let (ours, others) = (started::list(&target), Cell::new(0_u64));
    let gone = |id: &str| match manager.get(id) {
        Ok(Some(op)) => op.status == OperationStatus::Completed,
        Ok(None) if whose == Whose::All || ours.contains(id) => true,
        Ok(None) => {
            others.set(others.get() + 1);
            false
        }
        Err(_) => false,
    };
    let cleaned = remove(&target, &gone, &Arc::new(AtomicBool::new(false))).map_err(failed)?;
    for name in &cleaned.gone {
        ui.note(&format!(" - [deleted] {}", shown(name)));
    }
    if cleaned.gone.is_empty() && cleaned.left.is_empty() {
        ui.note("there is nothing to clean");
    }
    if others.get() > 0 {
        ui.note(&format!(
            "temporary refs of other repositories stay: {}; `--clean=all` deletes them, too",
            others.get()
        ));
    }
    if cleaned.left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = cleaned.left.iter().map(|it| shown(it)).collect();
    let what = format!("the server did not let go of {}", names.join(", "));
    Err(Error::failed(what).hint("its configuration forbids deletions (receive.denyDeletes)"))
}
