//! What every command stands on: a repository, its store, and the records of operations.

pub mod database;
pub mod error;
pub mod registry;
pub mod repository;
pub mod resume;
pub mod user_dir;
