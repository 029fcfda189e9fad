//! The pack that a layer is added to.
//!
//! Its manifest is kept as it was when the operation looked at it: what the new layer leaves out,
//! and the bases that its deltas name, are in the layers of that manifest. It is held against the
//! one in the directory whenever it is opened, and once more, under a lock, before it is replaced.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use gix_hash::ObjectId;
use resume_runtime::{Blocking, StepError};

use super::{Create, CreateError, open};
use crate::pack::{
    format::{FormatError, LAYERS_NAME, Layer, MANIFEST_NAME, Manifest, Refs},
    scan::Set,
    source::{Catalog, Oid, Sources},
};

/// The manifest, and the layers that it lists.
pub(super) struct Base {
    pub(super) manifest: Manifest,
    layers: Vec<Layer>,
}

impl Base {
    /// Opens the layers, and checks their indexes and refs; frames are not read.
    pub(super) fn open(b: &mut Blocking<Create>) -> Result<Result<Self, CreateError>, StepError> {
        let output = b.input().output.clone();
        let kept = open::read(b, open::BASE)?;
        Ok(Self::open_in(&output, &kept))
    }

    fn open_in(output: &Path, kept: &[u8]) -> Result<Self, CreateError> {
        let path = output.join(MANIFEST_NAME);
        if read_manifest(output)? != kept {
            return Err(CreateError::Changed(output.to_owned()));
        }
        let manifest = Manifest::parse(kept, &path)?;
        let layers = output.join(LAYERS_NAME);
        let layers = manifest
            .layers
            .iter()
            .map(|layer| Layer::open(&layers.join(layer.id.to_string()), layer));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            manifest,
        })
    }

    /// The objects of the sources that the layers hold.
    pub(super) fn held(&self, sources: &Sources, catalog: &Catalog) -> Result<Set, FormatError> {
        let mut held = Set::new(catalog.len());
        for layer in &self.layers {
            for object in layer.index().objects_by_oid() {
                let mut oid = [0; 20];
                oid.copy_from_slice(object?.0.as_slice());
                if let Some(id) = catalog.find(sources, &oid) {
                    held.put(id);
                }
            }
        }
        Ok(held)
    }

    /// The refs of the newest layer, which are the pack's.
    pub(super) fn refs(&self) -> Option<&Refs> {
        self.layers.last().map(Layer::refs)
    }

    /// Whether a layer has the object.
    pub(super) fn has(&self, oid: &Oid) -> Result<bool, FormatError> {
        let oid = ObjectId::Sha1(*oid);
        for layer in &self.layers {
            if layer.index().rank_of(&oid)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The commits at which the pack's history ends.
    pub(super) fn shallow(&self) -> Vec<Oid> {
        self.refs()
            .map_or_else(Vec::new, |refs| oids(&refs.shallow))
    }

    /// The objects that were left out of the pack.
    pub(super) fn missing(&self) -> Vec<Oid> {
        self.refs()
            .map_or_else(Vec::new, |refs| oids(&refs.missing))
    }

    /// Whether held objects may refer to some that are not held.
    pub(super) fn is_cut_off(&self) -> bool {
        let cut_off = |refs: &Refs| !refs.shallow.is_empty() || !refs.missing.is_empty();
        self.refs().is_some_and(cut_off)
    }
}

fn oids(ids: &[ObjectId]) -> Vec<Oid> {
    let oid = |id: &ObjectId| {
        let mut oid = [0; 20];
        oid.copy_from_slice(id.as_slice());
        oid
    };
    ids.iter().map(oid).collect()
}

/// The bytes of the manifest in `output`; none if there is none.
pub(super) fn read_manifest(output: &Path) -> Result<Vec<u8>, CreateError> {
    let path = output.join(MANIFEST_NAME);
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(FormatError::Io { path, source }.into()),
    }
}

/// Keeps other processes from beginning or ending an operation in `output` until it is dropped.
///
/// It is held for moments only. Where the file system has no locks there is none; the manifest is
/// then still compared before it is replaced.
pub(super) fn lock(output: &Path) -> io::Result<Option<File>> {
    let directory = File::open(output)?;
    match directory.lock() {
        Ok(()) => Ok(Some(directory)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}
