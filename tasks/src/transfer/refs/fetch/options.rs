//! What a fetch is asked to do, beside what the configuration says.

use gix::bstr::BString;
use serde::{Deserialize, Serialize};

use crate::transfer::text;

/// Which tags are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tags {
    /// Those that point into what is fetched, if it goes into remote-tracking refs.
    #[default]
    Follow,
    /// All of them (`--tags`).
    All,
    /// None beyond what is named (`--no-tags`).
    None,
}

/// What a fetch is asked to do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FetchOptions {
    /// The remote: its name, or a URL; none for the usual one.
    pub remote: Option<String>,
    /// What to fetch, as it was given; what is configured if it is empty.
    #[serde(with = "text::names")]
    pub refspecs: Vec<BString>,
    /// Which tags; as configured if none.
    pub tags: Option<Tags>,
    /// Whether refs are removed that the remote no longer has; as configured if none.
    pub prune: Option<bool>,
    /// The same for tags.
    pub prune_tags: Option<bool>,
    /// Whether refs move that are no fast-forward.
    pub force: bool,
    /// Whether the branch may move that is checked out.
    pub update_head_ok: bool,
    /// Whether lines are added to `FETCH_HEAD`.
    pub append: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether no ref moves if one can't.
    pub atomic: bool,
    /// How many commits of each history are there in the end.
    pub depth: Option<u32>,
}
