//! Working trees moved, with git's own checkout as the measure.

mod against_git;
mod crash;
mod dirty;
mod fixture;
