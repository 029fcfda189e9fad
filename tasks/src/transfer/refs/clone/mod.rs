//! The refs, `HEAD` and configuration of a new repository.

mod apply;
mod config;
mod options;
mod plan;

pub use apply::{Cloned, apply_clone};
pub use options::{CloneDefaults, CloneOptions};
pub use plan::{ClonePlan, NewHead, NewRef, RemoteHead, RemoteTag, for_clone, prefixes_for_clone};
