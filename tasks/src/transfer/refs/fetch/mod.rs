//! The refs of a fetch: from refspecs and the refs that a server lists to what moves in the repository.
//!
//! [`Remote`] is what the configuration and the command line say. [`for_fetch`] plans: which refs are
//! fetched, where each goes, what is pruned. Once all objects are there, [`apply_fetch`] moves all refs
//! in one [`Transaction`](super::Transaction) and writes `FETCH_HEAD`; [`report`] has the words for it.

mod apply;
mod decide;
pub mod fetch_head;
mod map;
mod options;
mod plan;
pub mod refspec;
mod remote;
pub mod report;
mod tags;

pub use apply::{Fetched, Writing, apply_fetch};
pub use decide::{Kind, Outcome, Refused, Told};
pub use map::{Destination, Entry, Merge};
pub use options::{FetchOptions, Tags};
pub use plan::{FetchPlan, for_fetch};
pub use refspec::Refspec;
pub use remote::{Remote, all_remotes, group, is_configured};
