//! The steps of packing, and how they are told from outside.

use std::path::Path;

use crate::Running;

/// The steps of packing, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The refs and the sources.
    Prepare,
    /// What the refs reach.
    Scan,
    /// The order of the entries.
    Plan,
    /// The frames.
    Frames,
    /// The index and the manifest.
    Index,
    /// The final names.
    Publish,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Prepare,
        Self::Scan,
        Self::Plan,
        Self::Frames,
        Self::Index,
        Self::Publish,
    ];

    /// The step of this name; the first one before anything is committed.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "scan" => Self::Scan,
            "plan" => Self::Plan,
            "frames" => Self::Frames,
            "index" => Self::Index,
            "publish" => Self::Publish,
            "initialized" | "prepare" => Self::Prepare,
            other => panic!("packing has no step {other}"),
        }
    }

    /// Whether a process has come to this step, by what is seen of it. What is seen
    /// of the last one is its beginning: it is over in a moment.
    pub(crate) fn reached(self, process: &Running, out: &Path) -> bool {
        match self {
            Self::Publish => process.has_open("manifest.json") || out.join("layers").exists(),
            step => Self::seen(process, out) >= step,
        }
    }

    /// The step that a process is in, by the files that it has open, and by what
    /// it has published in `out`.
    pub(crate) fn seen(process: &Running, out: &Path) -> Self {
        if out.join("layers").exists() {
            return Self::Publish;
        }
        let open = process.open_files();
        let names = || open.iter().filter_map(|path| path.file_name()?.to_str());
        let has = |name: &str| names().any(|open| open == name);
        if has("index") {
            Self::Index
        } else if has("frame-table") {
            Self::Frames
        } else if has("plan") {
            Self::Plan
        } else if has("sources") {
            Self::Scan
        } else {
            Self::Prepare
        }
    }
}
