//! A pack directory as a whole: the manifest, and its layers opened against it.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::frame::FrameFiles;
use super::{
    Digest, FormatError, INDEX_NAME, Index, LAYERS_NAME, LayerManifest, MANIFEST_NAME, Manifest,
    REFS_NAME, Refs, refs,
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
            Err(FormatError::Io { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory
                ) =>
            {
                Err(FormatError::NoManifest {
                    path: path.to_owned(),
                })
            }
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
        Layer::open(&self.layer_path(&manifest.id), manifest)
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

/// An open layer. The frames' bytes are checked when they are read.
#[derive(Debug)]
pub struct Layer {
    path: PathBuf,
    index: Index,
    refs: Refs,
    files: FrameFiles,
}

impl Layer {
    /// Opens the layer in the directory `path`, which must be what `manifest` says.
    pub fn open(path: &Path, manifest: &LayerManifest) -> Result<Self, FormatError> {
        let refs_path = path.join(REFS_NAME);
        let refs = Refs::parse(&read_refs(&refs_path, manifest)?, &refs_path)?;
        let index_path = path.join(INDEX_NAME);
        let index = Index::open(&index_path, Some(&manifest.index))?;
        let mismatch = |what: &str| {
            FormatError::damaged(
                &index_path,
                format!("{what} are not what the manifest says"),
            )
        };
        if u64::from(index.objects()) != manifest.objects {
            return Err(mismatch("its objects"));
        }
        if index.stream_bytes() != manifest.raw_bytes {
            return Err(mismatch("its bytes"));
        }
        if !index
            .file_lengths()
            .iter()
            .eq(manifest.files.iter().map(|file| &file.bytes))
        {
            return Err(mismatch("its frame files"));
        }
        let files = FrameFiles::open(path, manifest)?;
        Ok(Self {
            path: path.to_owned(),
            index,
            refs,
            files,
        })
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
        &self.refs
    }

    pub(super) fn frame_files(&self) -> &FrameFiles {
        &self.files
    }
}

fn read_refs(path: &Path, manifest: &LayerManifest) -> Result<Vec<u8>, FormatError> {
    let expected = &manifest.refs;
    let length = std::fs::metadata(path)
        .map_err(FormatError::io(path))?
        .len();
    if length != expected.bytes || length > refs::MAX_BYTES {
        return Err(FormatError::damaged(
            path,
            format!(
                "it has {length} bytes, the manifest says {}",
                expected.bytes
            ),
        ));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(FormatError::io(path))?;
    file.take(length + 1)
        .read_to_end(&mut bytes)
        .map_err(FormatError::io(path))?;
    if Digest::of(&bytes) != expected.blake3 {
        return Err(FormatError::damaged(path, "its checksum does not match"));
    }
    Ok(bytes)
}
