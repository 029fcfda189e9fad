//! The library behind the `mug` binary.
#![forbid(unsafe_code)]

pub mod compress;
pub mod core;
pub mod pack;
