//! The files that objects are read from.

use std::{path::PathBuf, sync::Arc};

use resume_runtime::{Blocking, Resumable, StepError};

use super::{Found, SOURCES, read};
use crate::pack::source::{SourceError, SourceList, Sources};

/// How often the list of sources is made when packs vanish while they are linked.
const TRIES: u32 = 10;

/// Where links to the source packs are kept.
fn links<M: Resumable>(b: &Blocking<M>) -> Result<PathBuf, StepError> {
    Ok(b.folder()?.join("sources.d"))
}

/// Has `find` find the sources, and links the packs out of reach.
pub(crate) fn hold<M: Resumable>(
    b: &mut Blocking<M>,
    find: &dyn Fn() -> Result<SourceList, SourceError>,
) -> Found<(), SourceError> {
    let links = links(b)?;
    let mut tries = 0;
    let list = loop {
        let mut list = match find() {
            Ok(list) => list,
            Err(error) => return Ok(Err(error)),
        };
        match list.hold(&links) {
            Ok(()) => break list,
            Err(error) if error.is_gone() && tries < TRIES => tries += 1,
            Err(error) => return Ok(Err(error)),
        }
    };
    // Whatever Git left unsynced must be on disk before a state relies on it.
    for link in list.links(&links) {
        b.sync(&link)?;
    }
    b.sync(&links)?;
    b.append_file(SOURCES)?.append(&list.encode())?;
    Ok(Ok(()))
}

/// The sources that [`hold`] found, opened.
pub(crate) fn sources<M: Resumable>(b: &mut Blocking<M>) -> Found<Arc<Sources>, SourceError> {
    let bytes = read(b, SOURCES)?;
    let links = links(b)?;
    let opened = SourceList::decode(&bytes).and_then(|list| Sources::open(list, Some(&links)));
    Ok(opened.map(Arc::new))
}
