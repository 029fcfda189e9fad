//! Restores packs that were made from repositories of the git binary, and holds the results
//! against it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod plain;
