//! The store on LMDB.
//!
//! Every transaction is fully synced: no flag that trades durability for speed is
//! set, so that neither a kill nor a power cut loses what was acknowledged. What
//! LMDB leaves to its user is done here:
//!
//! - `open`: one environment a process and directory; what must hold before and
//!   after LMDB opens its file.
//! - `check`, `freelist`: whether the file is whole, read without LMDB, which
//!   would die of a bus error on a truncated one.
//! - `place`: directories, modes, and file systems that are not safe.
//! - `lock`: a lock of our own around opening and every write transaction.
//! - `shared`: transactions, and growing the memory map under them.
//! - `failure`: what LMDB's errors mean for the caller.
//! - `txn`: reads and writes.
//!
//! Invariants: nothing in this process opens `lock.mdb` but LMDB (closing it
//! would drop LMDB's own locks); no transaction leaves the thread or the closure
//! that it began in; the map is resized only while no transaction is open.

mod check;
mod failure;
mod freelist;
mod lock;
mod open;
mod place;
mod shared;
#[cfg(test)]
mod tests;
mod txn;

pub(crate) use open::Identity;
pub use open::LmdbStore;
