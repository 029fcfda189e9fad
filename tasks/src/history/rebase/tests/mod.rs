//! Rebases beside git's own: the same commits, to the last byte, and the same words in the logs.

mod conflicts;
mod crash;
mod exec;
mod fixture;
mod linear;
mod refused;
mod squash;
mod stash;
