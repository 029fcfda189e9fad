//! Driving one operation: from its last commit, slice by slice, to its end.

mod attempt;
mod claim;
mod commit;
mod drive;
mod marks;

pub(crate) use claim::{Claim, claim};
pub(crate) use drive::{Ending, EnvFactory, Runner};
pub(crate) use marks::{Mark, mark};
