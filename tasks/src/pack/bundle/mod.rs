//! The operation `pack-bundle`: a repository, or some refs of it, as a Git bundle.
//!
//! ```text
//! prepare   what to bundle: the refs, what is excluded, and the files that objects are read from
//! scan      what refers to what, over all commits, tags and trees; in slices
//! plan      what the bundle holds and what it presupposes: its header, and the order of its entries
//! entries   the pack, entry by entry
//! publish   the final name
//! ```
//!
//! A bundle is a header of text, with the refs and with the commits that its reader must have, and
//! a Git pack. The pack is made of the entries that Git's packs hold already: their compressed bytes
//! are copied as they are, once their checksum was found right, under new headers. Only what lies
//! in loose files, and deltas whose base is nowhere near, are deflated anew.
//!
//! Every byte follows from the plan, and where an entry comes to lie follows from the bytes before
//! it. So the file is cut back to what was committed, and goes on from there. The pack's trailer, a
//! hash of all of it, is kept up in memory; a process that takes the work over reads what is there
//! once to have it, which takes a second for a gigabyte.
//!
//! # What a bundle may leave out
//! With revisions excluded (`^v1.0`, `v1.0..main`), the commits that an included commit or tag refers
//! to, and that are excluded, are the *prerequisites*. A reader who has them has all that they
//! reach, since Git never keeps a commit without. Just that is left out, which may be less than
//! what the excluded revisions reach: see `contents`.

mod choice;
mod contents;
mod entries;
mod error;
mod header;
mod input;
mod large;
mod layout;
mod order;
mod plan;
mod prepare;
mod publish;
mod raw;
mod ready;
mod scan;
mod writer;

use std::{num::NonZero, time::Duration};

use resume_runtime::{Blocking, Resumable};
use serde::{Deserialize, Serialize};

pub use entries::Entries;
pub use error::BundleError;
pub use input::Input;
pub use plan::Plan;
pub use prepare::Prepare;
pub use publish::Publish;
pub use scan::Scan;

use super::gather;
use layout::Sizes;

/// The machine's name in the records of operations.
pub const KIND: &str = "pack-bundle";

#[cfg(test)]
type Hook = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

/// What each process brings along.
#[derive(Clone, Default)]
pub struct Env {
    /// How many threads to use; what the input says otherwise.
    pub threads: Option<NonZero<usize>>,
    /// Told of each step, and of each piece of the pack.
    #[cfg(test)]
    hook: Option<Hook>,
    /// Small pieces and short slices, so that a small repository has many.
    #[cfg(test)]
    small: bool,
}

impl Env {
    /// Work with so many threads.
    pub fn with_threads(threads: Option<NonZero<usize>>) -> Self {
        Self {
            threads,
            #[cfg(test)]
            hook: None,
            #[cfg(test)]
            small: false,
        }
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn sizes(&self) -> Sizes {
        #[cfg(test)]
        if self.small {
            return Sizes::SMALL;
        }
        Sizes::USUAL
    }

    /// How long the first slice of a scan is.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests differ"))]
    const fn first_slice(&self) -> Duration {
        #[cfg(test)]
        if self.small {
            return Duration::ZERO;
        }
        gather::FIRST_SLICE
    }

    /// A place where tests can interfere.
    #[cfg(test)]
    fn at(&self, place: &str) {
        if let Some(hook) = &self.hook {
            hook(place);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests listen")]
    const fn at(&self, _place: &str) {}
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of objects.
    pub objects: u64,
    /// The length of the file.
    pub bytes: u64,
    /// The number of refs, `HEAD` included.
    pub refs: u64,
    /// The number of chosen refs that are not in the bundle, since what they point to is excluded.
    pub refs_left_out: u64,
    /// The number of commits that a reader must have.
    pub prerequisites: u64,
    /// The hash at the pack's end, 40 hex digits.
    pub pack: String,
}

/// The machine.
#[derive(Resumable)]
#[resumable(kind = "pack-bundle", version = 1, input = Input, output = Summary, env = Env)]
pub enum Bundle {
    /// Refs and sources.
    #[step(start)]
    Prepare(Prepare),
    /// Who refers to what.
    #[step]
    Scan(Scan),
    /// The header, and the order of the entries.
    #[step]
    Plan(Plan),
    /// The pack.
    #[step]
    Entries(Entries),
    /// The final name.
    #[step(effect)]
    Publish(Publish),
}

/// The refs as they were when the operation began.
const REFS: &str = "refs";
/// The excluded commits and tags.
const BASIS: &str = "basis";
/// The order of the entries.
const PLAN: &str = "plan";
/// Where the entries are in the pack.
const OFFSETS: &str = "offsets";
/// The file that becomes the bundle.
const BUNDLE: &str = "bundle";

/// How many threads the operation uses in this process.
fn threads(b: &Blocking<Bundle>) -> usize {
    let chosen = b.env().threads.or(b.input().threads);
    chosen
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests;
