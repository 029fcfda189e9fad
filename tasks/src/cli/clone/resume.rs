//! The clone to continue, wherever it is.

use mug::core::database::MugDb;
use mug::core::registry::Registry;
use mug::transfer::clone::prepare::{begin, reopen};
use mug::transfer::clone::{CloneError, Input, KIND};

use crate::cli::error::Error;
use crate::cli::place::Place;
use crate::cli::ui::Ui;

/// What the clone of this id was started with. None if it is not known here.
pub(super) fn stored(id: &str, ui: &Ui) -> Result<Option<Input>, Error> {
    let place = Place::here(ui)?;
    let Some(found) = place.find_anywhere(id)? else {
        return Ok(None);
    };
    let op = found.record()?;
    if op.kind() != KIND {
        return Ok(None);
    }
    Ok(op
        .input
        .and_then(|input| serde_json::from_value(input).ok()))
}

/// The store, which lies in the repository that is made. Where another clone to it was begun, that
/// one's, and what stands against a new one.
pub(super) fn store(input: &Input, resumes: bool) -> Result<(MugDb, Option<CloneError>), Error> {
    if resumes {
        return Ok((reopen(input).map_err(refused)?, None));
    }
    match begin(input, &Registry::open()?) {
        Ok(db) => Ok((db, None)),
        Err(busy @ CloneError::Busy { .. }) => Ok((reopen(input).map_err(refused)?, Some(busy))),
        Err(error) => Err(refused(error)),
    }
}

/// A clone that can't begin.
pub(super) fn refused(error: CloneError) -> Error {
    Error::failed(error.to_string()).because(error)
}
