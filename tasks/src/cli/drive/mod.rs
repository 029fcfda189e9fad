//! An operation from the command line: taken up or started, shown while it
//! runs, paused by signals, and its end told.
//!
//! - [`job`]: what a command wants done;
//! - [`choose`]: the operation to continue, where there is one;
//! - [`mod@run`]: from job to result, under bars and signals;
//! - [`told`]: what is said at the beginning and at the end.

mod choose;
mod job;
mod run;
mod told;

pub(super) use job::{Done, Job};
pub(super) use run::run;
pub(super) use told::{begin, begin_at};
