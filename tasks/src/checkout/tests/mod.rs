//! Checkouts held against git's own, under the crash harness, and of hostile trees.

mod against_git;
mod crash;
mod fixture;
mod hostile;
mod obstacles;
