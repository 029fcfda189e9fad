//! Restores packs that were made from repositories of the git binary, and holds the results
//! against it.

mod crash;
pub(in crate::pack) mod fixture;
mod hostile;
mod into;
mod operation;
mod parts;
pub(in crate::pack) mod plain;
