//! `mug push --clean`: temporary refs of operations that are gone.

use std::sync::{Arc, atomic::AtomicBool};

use gix::bstr::{BString, ByteSlice as _};
use mug::core::database::MugDb;
use mug::core::resume::{OperationManager, OperationStatus};
use mug::transfer::{
    connection::Sink,
    push::{Input, Target, remove},
    refs::name::shown,
};

use super::run::failed;
use crate::cli::error::Error;
use crate::cli::ui::Ui;

/// Deletes those temporary refs whose operation can't go on from here.
pub(super) fn run(
    input: &Input,
    url: Option<&BString>,
    sink: &Sink,
    db: &MugDb,
    ui: &Ui,
) -> Result<(), Error> {
    let manager = OperationManager::new(db.clone());
    let gone = |id: &str| match manager.get(id) {
        Ok(Some(op)) => op.status == OperationStatus::Completed,
        Ok(None) => true,
        Err(_) => false,
    };
    let target = Target::open(input, url.map(|it| it.as_bstr()), sink).map_err(failed)?;
    let cleaned = remove(&target, &gone, &Arc::new(AtomicBool::new(false))).map_err(failed)?;
    for name in &cleaned.gone {
        ui.note(&format!(" - [deleted] {}", shown(name)));
    }
    if cleaned.gone.is_empty() && cleaned.left.is_empty() {
        ui.note("there is nothing to clean");
    }
    if cleaned.left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = cleaned.left.iter().map(|it| shown(it)).collect();
    let what = format!("the server did not let go of {}", names.join(", "));
    Err(Error::failed(what).hint("its configuration forbids deletions (receive.denyDeletes)"))
}
