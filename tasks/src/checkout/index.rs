//! Git's index of what was placed.

use std::io::BufReader;
use std::path::Path;

use resume_runtime::{Blocking, Resumable, StepError};

use super::advance::ROWS;
use super::error::CheckoutError;
use super::plan::Plan;
use super::rows;

/// The operation's file with the index.
const INDEX: &str = "checkout.index";

/// Writes the index into a file of the operation, in the plan's scratch directory. To be called once
/// all files are placed and committed; [`install_index`] is for the step after this one.
pub fn write_index<M: Resumable>(b: &mut Blocking<M>, plan: &Plan) -> Result<(), CheckoutError> {
    let mut index = plan.list()?;
    let mut rows = BufReader::with_capacity(1 << 18, b.read_file(ROWS)?);
    for entry in index.entries_mut() {
        entry.stat = rows::read(&mut rows).map_err(|error| {
            StepError::from(error).context("the stat data of the files that were written")
        })?;
    }
    let file = gix::index::File::from_state(index, "");
    let mut bytes = Vec::new();
    file.write_to(&mut bytes, gix::index::write::Options::default())
        .map_err(|error| StepError::fatal(error.to_string()))?;
    b.append_file_in(&plan.scratch, INDEX)?.append(&bytes)?;
    Ok(())
}

/// Puts the index at `to`. Can be repeated; to be called in a step marked as an effect.
pub fn install_index<M: Resumable>(b: &mut Blocking<M>, to: &Path) -> Result<(), StepError> {
    b.install(INDEX, to)
}
