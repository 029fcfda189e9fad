//! A pack directory as a whole: the manifest, and its layers opened against it.

use std::path::{Path, PathBuf};

use super::frame::FrameFiles;
use super::{
    Digest, FormatError, INDEX_NAME, Index, LAYERS_NAME, LayerManifest, MANIFEST_NAME, Manifest,
    REFS_NAME, Refs, open, refs,
};

/// A pack directory whose manifest was read.
#[derive(Debug)]
pub struct PackDir {
    path: PathBuf,
    manifest: Manifest,
}

impl PackDir {
    /// Reads the manifest in `path`; no layer is opened.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        match Manifest::read(&path.join(MANIFEST_NAME)) {
            Ok(manifest) => Ok(Self {
                path: path.to_owned(),
                manifest,
            }),
            Err(error) if open::is_absent(&error) => Err(FormatError::NoManifest {
                path: path.to_owned(),
            }),
            Err(error) => Err(error),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory of the layer `id`.
    pub fn layer_path(&self, id: &Digest) -> PathBuf {
        self.path.join(LAYERS_NAME).join(id.to_string())
    }

    /// Opens a layer of the manifest and checks its index, its refs and the lengths of its files.
    pub fn layer(&self, manifest: &LayerManifest) -> Result<Layer, FormatError> {
        self.examine(manifest).sound()
    }

    /// As [`layer`](Self::layer), and tells all that is wrong.
    pub fn examine(&self, manifest: &LayerManifest) -> Examined {
        let path = self.layer_path(&manifest.id);
        let dirs = open::check_dir(&self.path.join(LAYERS_NAME));
        match dirs.and_then(|()| open::check_dir(&path)) {
            Ok(()) => Layer::examine(&path, manifest),
            Err(error) => Examined {
                layer: None,
                damages: vec![error],
            },
        }
    }

    /// Opens all layers, oldest first.
    pub fn layers(&self) -> Result<Vec<Layer>, FormatError> {
        self.manifest
            .layers
            .iter()
            .map(|layer| self.layer(layer))
            .collect()
    }
}

/// What came of opening a layer.
#[derive(Debug)]
pub struct Examined {
    /// The layer, if its index is sound. Its refs are empty where they can't be read, and a frame
    /// whose file is not as it must be may fail to be read.
    pub layer: Option<Layer>,
    /// All that is wrong.
    pub damages: Vec<FormatError>,
}

impl Examined {
    /// The layer, if nothing is wrong with it.
    pub fn sound(self) -> Result<Layer, FormatError> {
        match (self.damages.into_iter().next(), self.layer) {
            (None, Some(layer)) => Ok(layer),
            (Some(damage), _) => Err(damage),
            (None, None) => unreachable!("a layer that is not open has a damage"),
        }
    }
}

/// An open layer. The frames' bytes are checked when they are read.
#[derive(Debug)]
pub struct Layer {
    path: PathBuf,
    index: Index,
    refs: Option<Refs>,
    files: FrameFiles,
}

/// Of a layer whose refs can't be read.
static NO_REFS: Refs = Refs {
    head: None,
    refs: Vec::new(),
    shallow: Vec::new(),
    missing: Vec::new(),
};

impl Layer {
    /// Opens the layer in the directory `path`, which must be what `manifest` says.
    pub fn open(path: &Path, manifest: &LayerManifest) -> Result<Self, FormatError> {
        Self::examine(path, manifest).sound()
    }

    /// As [`open`](Self::open), and tells all that is wrong.
    pub fn examine(path: &Path, manifest: &LayerManifest) -> Examined {
        let mut damages = Vec::new();
        let mut note = |result: Result<(), FormatError>| damages.extend(result.err());
        let refs = match read_refs(&path.join(REFS_NAME), manifest) {
            Ok(refs) => Some(refs),
            Err(error) => {
                note(Err(error));
                None
            }
        };
        let index = match open_index(&path.join(INDEX_NAME), manifest) {
            Ok(index) => Some(index),
            Err(error) => {
                note(Err(error));
                None
            }
        };
        let files = FrameFiles::look(path, manifest, &mut damages);
        let layer = index.map(|index| Self {
            path: path.to_owned(),
            index,
            refs,
            files,
        });
        Examined { layer, damages }
    }

    /// The layer's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The refs.
    pub fn refs(&self) -> &Refs {
        self.refs.as_ref().unwrap_or(&NO_REFS)
    }

    /// Whether the refs could be read.
    pub fn has_refs(&self) -> bool {
        self.refs.is_some()
    }

    /// Whether the frame file `number` is there, in its whole length.
    pub fn has_file(&self, number: u32) -> bool {
        self.files.is_whole(number)
    }

    pub(super) fn frame_files(&self) -> &FrameFiles {
        &self.files
    }
}

fn open_index(path: &Path, manifest: &LayerManifest) -> Result<Index, FormatError> {
    let index = Index::open(path, Some(&manifest.index))?;
    let lengths = manifest.files.iter().map(|file| &file.bytes);
    let mismatch = if u64::from(index.objects()) != manifest.objects {
        "its objects"
    } else if index.stream_bytes() != manifest.raw_bytes {
        "its bytes"
    } else if !index.file_lengths().iter().eq(lengths) {
        "its frame files"
    } else {
        return Ok(index);
    };
    let reason = format!("{mismatch} are not what the manifest says");
    Err(FormatError::damaged(path, reason))
}

fn read_refs(path: &Path, manifest: &LayerManifest) -> Result<Refs, FormatError> {
    let expected = &manifest.refs;
    let (_, length) = open::open_file(path)?;
    if length != expected.bytes {
        return Err(FormatError::damaged(
            path,
            format!(
                "it has {length} bytes, the manifest says {}",
                expected.bytes
            ),
        ));
    }
    let bytes = open::read_file(path, refs::MAX_BYTES, "a list of refs")?;
    if Digest::of(&bytes) != expected.blake3 {
        return Err(FormatError::damaged(path, "its checksum does not match"));
    }
    Refs::parse(&bytes, path)
}
