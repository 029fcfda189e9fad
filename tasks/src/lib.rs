//! The library behind the `mug` binary.
#![forbid(unsafe_code)]

pub mod checkout;
pub mod compress;
pub mod core;
pub mod disk;
pub mod history;
pub mod pack;
pub mod transfer;

mod keep;
mod lock;
mod ordered;
mod rename;
