//! Restores packs that were made from repositories of the git binary, and holds the results
//! against it.

mod fixture;
mod operation;
mod plain;
mod tree;
