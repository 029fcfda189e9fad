//! Restores packs that were made from repositories of the git binary, and holds the results
//! against it.

mod crash;
mod fixture;
mod hostile;
mod operation;
mod plain;
mod tree;
