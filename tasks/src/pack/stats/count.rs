//! Counting what the indexes list.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::format::{self, BaseRef, FormatError, Index, Kind, LayerManifest, PackDir};
use super::super::source::SourceError;
use super::GitSize;
use crate::core::error::CoreError;

/// Why nothing could be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The pack can't be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The repository beside it can't be opened.
    #[error(transparent)]
    Repository(#[from] CoreError),
    /// The repository beside it can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A pack in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All layers together; its refs are those of the newest.
    pub total: Layer,
    /// The layers, oldest first.
    pub layers: Vec<Layer>,
    /// The same objects in a Git repository, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSize>,
}

impl Stats {
    /// What the frames take for each byte that the same objects take in Git; none if that
    /// repository does not have all of them.
    pub fn ratio(&self) -> Option<f64> {
        let git = self.git.as_ref().filter(|git| git.missing == 0)?;
        (git.bytes > 0).then(|| self.total.stored_bytes as f64 / git.bytes as f64)
    }
}

/// A layer, or all layers together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The layer's id, 64 hex digits; none of all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The number of objects.
    pub objects: u64,
    /// The objects by kind.
    pub kinds: Kinds,
    /// The number of refs, without `HEAD`.
    pub refs: u64,
    /// The number of frames.
    pub frames: u64,
    /// The number of frame files.
    pub frame_files: u64,
    /// The length of the stream before compression in bytes.
    pub raw_bytes: u64,
    /// The length of the frame files in bytes.
    pub stored_bytes: u64,
    /// The length of the index in bytes.
    pub index_bytes: u64,
    /// The length of the list of refs in bytes.
    pub refs_bytes: u64,
}

/// Objects by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// Commits.
    pub commit: PerKind,
    /// Annotated tags.
    pub tag: PerKind,
    /// Trees.
    pub tree: PerKind,
    /// Blobs.
    pub blob: PerKind,
}

/// The objects of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerKind {
    /// How many.
    pub objects: u64,
    /// Of these, those that are stored whole.
    pub whole: u64,
    /// Those that are stored as a delta against an object of the same layer.
    pub deltas: u64,
    /// Those that are stored as a delta against an object of an older layer.
    pub deltas_across: u64,
    /// The length of their payloads in the stream in bytes.
    pub raw_bytes: u64,
}

impl Kinds {
    /// The kinds with their names, in the order of a pack.
    pub const fn each(&self) -> [(&'static str, &PerKind); 4] {
        [
            ("commits", &self.commit),
            ("tags", &self.tag),
            ("trees", &self.tree),
            ("blobs", &self.blob),
        ]
    }

    const fn of(&mut self, kind: Kind) -> &mut PerKind {
        match kind {
            Kind::Commit => &mut self.commit,
            Kind::Tag => &mut self.tag,
            Kind::Tree => &mut self.tree,
            Kind::Blob => &mut self.blob,
        }
    }
}

/// Counts the pack in the directory `path`, and looks its objects up in `repository` if one is
/// named.
pub fn read(path: &Path, repository: Option<&Path>) -> Result<Stats, StatsError> {
    let pack = PackDir::open(path)?;
    let git = repository.map(super::git::Lookup::open).transpose()?;
    let mut stats = Stats {
        git: git.as_ref().map(|_| GitSize::default()),
        ..Stats::default()
    };
    // One at a time: a pack may have more layers than fit into memory at once.
    for listed in &pack.manifest().layers {
        let open = pack.layer(listed)?;
        let layer = count(listed, &open);
        stats.total.add(&layer);
        stats.layers.push(layer);
        if let (Some(git), Some(size)) = (&git, &mut stats.git) {
            git.add(open.index(), size)?;
        }
    }
    Ok(stats)
}

fn count(listed: &LayerManifest, open: &format::Layer) -> Layer {
    let index: &Index = open.index();
    let mut layer = Layer {
        id: Some(listed.id.to_string()),
        objects: listed.objects,
        refs: open.refs().refs.len() as u64,
        frames: index.frames().len() as u64,
        frame_files: listed.files.len() as u64,
        raw_bytes: listed.raw_bytes,
        stored_bytes: index.file_lengths().iter().sum(),
        index_bytes: listed.index.bytes,
        refs_bytes: listed.refs.bytes,
        ..Layer::default()
    };
    for entry in index.groups().iter().flat_map(|group| index.entries(group)) {
        let kind = layer.kinds.of(entry.kind);
        kind.objects += 1;
        kind.raw_bytes += entry.size;
        *match entry.base {
            BaseRef::Whole => &mut kind.whole,
            BaseRef::Rank(_) => &mut kind.deltas,
            BaseRef::External(_) => &mut kind.deltas_across,
        } += 1;
    }
    layer
}

impl Layer {
    fn add(&mut self, newer: &Self) {
        let kinds = [
            (&mut self.kinds.commit, &newer.kinds.commit),
            (&mut self.kinds.tag, &newer.kinds.tag),
            (&mut self.kinds.tree, &newer.kinds.tree),
            (&mut self.kinds.blob, &newer.kinds.blob),
        ];
        for (sum, newer) in kinds {
            sum.objects += newer.objects;
            sum.whole += newer.whole;
            sum.deltas += newer.deltas;
            sum.deltas_across += newer.deltas_across;
            sum.raw_bytes += newer.raw_bytes;
        }
        // The newest layer's refs speak for the whole pack.
        self.refs = newer.refs;
        self.objects += newer.objects;
        self.frames += newer.frames;
        self.frame_files += newer.frame_files;
        self.raw_bytes += newer.raw_bytes;
        self.stored_bytes += newer.stored_bytes;
        self.index_bytes += newer.index_bytes;
        self.refs_bytes += newer.refs_bytes;
    }
}
