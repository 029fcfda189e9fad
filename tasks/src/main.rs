//! The `mug` binary.
#![forbid(unsafe_code)]

fn main() {}
