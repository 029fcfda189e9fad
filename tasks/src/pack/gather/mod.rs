//! What every operation that packs a repository begins with, whatever it writes in the end: the
//! files that objects are read from, found once and held against `git gc`; and a scan of them, in
//! slices.
//!
//! What is found is kept in files of the operation, so that nothing is found twice and nothing can
//! be found differently. The functions work in the steps of any machine. Where they give a result
//! in a result, the inner error is of the repository: should it be that a source is gone
//! ([`ScanError::is_gone`]), the operation forgets these files ([`forget`]) and begins anew.

mod scanning;
mod sources;

pub(crate) use scanning::{Cursor, FIRST_SLICE, How, Scanned, Slice, scanned, slice};
pub(crate) use sources::{hold, sources};

use std::io::Read as _;

use resume_runtime::{Blocking, Resumable, StepError};

#[cfg(doc)]
use super::scan::ScanError;

/// The list of sources.
const SOURCES: &str = "sources";
/// The exported slices of the scan.
const SCAN: &str = "scan";

/// A repository's fault within a slice whose own faults are another matter.
pub(crate) type Found<T, E> = Result<Result<T, E>, StepError>;

/// All that was appended to `name`.
pub(crate) fn read<M: Resumable>(b: &mut Blocking<M>, name: &str) -> Result<Vec<u8>, StepError> {
    let mut bytes = Vec::new();
    b.read_file(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Empties the files, for sources that are to be found anew.
pub(crate) fn forget<M: Resumable>(b: &mut Blocking<M>) -> Result<(), StepError> {
    for name in [SOURCES, SCAN] {
        b.append_file(name)?.restart()?;
    }
    Ok(())
}
