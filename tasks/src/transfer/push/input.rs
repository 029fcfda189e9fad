//! What to push, and where to.

use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice as _};
use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use crate::transfer::{
    refs::push::{Asked, Lease},
    text,
};

/// What to push, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "options are given or not")]
pub struct Input {
    /// The Git directory of the repository, an absolute path.
    #[serde(with = "path_text")]
    pub git_dir: PathBuf,
    /// The remote, by its name or as a URL; without a password.
    #[serde(with = "text::name")]
    pub remote: BString,
    /// The URL to push to, as it is configured; without a password.
    #[serde(with = "text::name")]
    pub url: BString,
    /// Whether it is a push URL by itself, for which `pushInsteadOf` is not meant.
    pub explicit: bool,
    /// The refspecs of the command line.
    #[serde(with = "text::names")]
    pub refspecs: Vec<BString>,
    /// They name refs to delete.
    pub delete: bool,
    /// All tags go along.
    pub tags: bool,
    /// Annotated tags of what is pushed go along.
    pub follow_tags: bool,
    /// Whatever is lost.
    pub force: bool,
    /// The values of `--force-with-lease`; an empty one is the option alone.
    #[serde(with = "text::names")]
    pub leases: Vec<BString>,
    /// All or nothing.
    pub atomic: bool,
    /// For hooks of the server.
    #[serde(with = "text::names")]
    pub options: Vec<BString>,
    /// What is pushed becomes the upstream of its branch.
    pub upstream: bool,
    /// The hook `pre-push` is not asked.
    pub no_verify: bool,
    /// No pack is longer, in bytes.
    pub max_increment: Option<u64>,
}

impl Input {
    /// What of the command line says which refs are meant.
    pub fn asked(&self) -> Asked {
        Asked {
            refspecs: self.refspecs.clone(),
            delete: self.delete,
            tags: self.tags,
        }
    }

    /// The leases.
    pub fn leases(&self) -> Vec<Lease> {
        let parse = |it: &BString| Lease::parse(Some(it.as_bstr()));
        self.leases.iter().map(parse).collect()
    }
}
