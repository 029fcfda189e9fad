//! The operation, against git and under the crash harness.

mod against_git;
mod crash;
mod fixture;
mod resumed;
