//! The objects outside of a pack that its deltas are made from.

use std::path::Path;

use gix::odb::pack::Find as _;
use gix_hash::ObjectId;

use crate::{
    pack::source::{Kind, Oid},
    transfer::receive::ReceiveError,
};

/// An object directory with its alternates, for one thread.
pub(in crate::transfer::receive) struct Outside(Option<gix::odb::Handle>);

impl Outside {
    /// Opens it; there need not be one.
    pub(in crate::transfer::receive) fn open(objects: &Path) -> Result<Self, ReceiveError> {
        if !objects.is_dir() {
            return Ok(Self(None));
        }
        let opened = gix::odb::at(objects, gix_hash::Kind::Sha1);
        let opened = opened.map_err(ReceiveError::io(objects))?;
        Ok(Self(Some(opened)))
    }

    /// The object's content, in `out`, and its kind; `None` where it is not there.
    pub(in crate::transfer::receive) fn read(
        &self,
        oid: &Oid,
        out: &mut Vec<u8>,
    ) -> Result<Option<Kind>, ReceiveError> {
        let id = ObjectId::Sha1(*oid);
        let Some(objects) = &self.0 else {
            return Ok(None);
        };
        match objects.try_find(&id, out) {
            Ok(found) => Ok(found.map(|(data, _)| data.kind.into())),
            Err(error) => Err(ReceiveError::Base {
                id,
                why: error.to_string(),
            }),
        }
    }
}
