//! What a verification found.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::format::FormatError;
use super::VerifyError;

/// The most damages that a report lists; the others are counted.
pub const LISTED: usize = 500;
/// The most objects that a damage names; the others are counted.
pub const NAMED: usize = 8;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether every object was rebuilt, hashed and asked for its references.
    pub full: bool,
    /// The number of layers.
    pub layers: u64,
    /// The number of objects, as the manifest has it.
    pub objects: u64,
    /// The objects that are sound: by their frame's checksum, or fully by their own hash.
    pub sound: u64,
    /// The number of frames in the layers whose index could be read.
    pub frames: u64,
    /// The length of the stream in bytes, as the manifest has it.
    pub raw_bytes: u64,
    /// The length of the frame files, indexes and refs in bytes, as the manifest has it.
    pub stored_bytes: u64,
    /// Whether everything that objects refer to was looked for: only if fully, and if all layers
    /// could be opened.
    pub connected: bool,
    /// What is wrong, in the order of the layers and frames, up to [`LISTED`].
    pub damages: Vec<Damage>,
    /// The number of damages beyond these.
    pub unlisted: u64,
    /// What is to be known beside.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }

    /// Takes a damage in; one that only adds to another is counted there.
    pub(super) fn add(&mut self, damage: Damage) {
        if damage.kind.adds_up()
            && let Some(same) = self
                .damages
                .iter_mut()
                .find(|it| it.kind == damage.kind && it.file == damage.file)
        {
            same.objects += damage.objects;
            let room = NAMED.saturating_sub(same.names.len());
            same.names.extend(damage.names.into_iter().take(room));
        } else if self.damages.len() < LISTED {
            self.damages.push(damage);
        } else {
            self.unlisted += 1;
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// What sort of thing.
    pub kind: DamageKind,
    /// The file, relative to the pack directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The frame's number in its layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
    /// What does not hold, as a sentence without a subject or a whole one.
    pub reason: String,
    /// How many objects can't be had because of it.
    pub objects: u64,
    /// Some of these, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Sorts of damages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DamageKind {
    /// The manifest.
    Manifest,
    /// A layer's directory.
    Layer,
    /// A layer's index: without it nothing of the layer can be had.
    Index,
    /// A layer's refs.
    Refs,
    /// A frame file is missing, or not as long as it must be.
    File,
    /// Frames that are lost with their file.
    LostFrames,
    /// A frame.
    Frame,
    /// An object is not what its name says, or can't be rebuilt or understood.
    Object,
    /// Objects that are sound themselves, but whose delta bases are lost.
    Dependents,
    /// A delta's base is nowhere in the pack.
    Base,
    /// An object is in two layers.
    Duplicate,
    /// A ref's object is not in the pack, or of the wrong kind.
    Ref,
    /// An object refers to one that is not in the pack, or of another kind.
    Reference,
    /// A file that is no part of the pack.
    Stranger,
}

impl DamageKind {
    /// Whether several in one file are told as one.
    const fn adds_up(self) -> bool {
        matches!(self, Self::LostFrames | Self::Dependents)
    }
}

impl Damage {
    pub(super) fn new(kind: DamageKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            file: None,
            frame: None,
            reason: reason.into(),
            objects: 0,
            names: Vec::new(),
        }
    }

    /// What `error` says of a file below `root`; the error itself if it says nothing of the pack.
    pub(super) fn of(
        kind: DamageKind,
        root: &Path,
        error: FormatError,
    ) -> Result<Self, VerifyError> {
        let (path, reason) = match error {
            FormatError::Damaged { path, reason } => (path, reason),
            FormatError::Io { path, source } => match about_file(&source) {
                Some(reason) => (path, reason),
                None => return Err(FormatError::Io { path, source }.into()),
            },
            error => return Err(error.into()),
        };
        Ok(Self {
            file: Some(relative(root, &path)),
            ..Self::new(kind, reason)
        })
    }

    /// Says which objects can't be had because of it.
    pub(super) fn lose(
        mut self,
        objects: u64,
        names: impl Iterator<Item = gix_hash::ObjectId>,
    ) -> Self {
        self.objects = objects;
        let names = names.take(NAMED);
        self.names = names.map(|oid| oid.to_string()).collect();
        self
    }
}

/// What an I/O error says of the file that is read; none if it speaks of this process or machine.
fn about_file(error: &std::io::Error) -> Option<String> {
    use rustix::io::Errno;
    if error.kind() == ErrorKind::NotFound {
        return Some("it is missing".into());
    }
    let media = [Errno::IO, Errno::UCLEAN, Errno::BADMSG].map(Errno::raw_os_error);
    let of_file = matches!(
        error.kind(),
        ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
    );
    (of_file
        || error
            .raw_os_error()
            .is_some_and(|code| media.contains(&code)))
    .then(|| format!("it can't be read: {error}"))
}

/// The path within the pack, made harmless.
pub(super) fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().escape_debug().to_string()
}
