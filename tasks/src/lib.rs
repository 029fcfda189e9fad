//! The library behind the `mug` binary.
#![forbid(unsafe_code)]

pub mod core;
pub mod pack;
