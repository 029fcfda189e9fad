//! Writes the files of a tree into a working tree, in slices, as `git checkout` into an empty
//! directory would. It knows nothing of packs; any machine can do it in a step of its own.
//!
//! ```text
//! list    all entries of the tree as an index; a hostile tree is refused here, before any file
//! stage   the files' content, through attributes and filters, under numbers in a directory of the
//!         operation; on several threads
//! place   each staged file under its name, by a rename that replaces nothing
//! index   Git's index, with the files' real stat data
//! ```
//!
//! # What holds when it is interrupted
//! A slice stages a batch, puts it on disk, places it, and puts the names on disk; then comes the
//! commit. So a file is whole from the moment on that it has its name. The next process goes on
//! behind the last committed entry: what it finds under a name is compared with what belongs there,
//! and taken over where it is the same. Anything else was put there by somebody else: it is left as
//! it is, and reported.
//!
//! # What a tree can't do
//! Nothing is written through a symbolic link, since directories are opened one by one without
//! following any; nothing outside of the working tree and nothing into a Git directory, since the
//! names are checked first (`names`). What can't be written (its name is taken, or too long for
//! the file system, its object is missing, its filter fails) is left out and reported, as Git does;
//! the index names it all the same, so that `git status` shows it.

mod advance;
pub mod borrow;
mod convert;
mod dirs;
mod encoding;
mod eol;
mod error;
mod ident;
mod index;
mod list;
mod names;
mod place;
mod plan;
mod rows;
mod stage;
#[cfg(test)]
mod tests;

pub use advance::{Advance, Checkout, Written};
pub use error::{CheckoutError, Refusal};
pub use index::{install_index, write_index};
pub use plan::Plan;

pub(crate) use convert::attribute_files;
pub(crate) use dirs::{Dirs, Trouble, split};
pub(crate) use names::check as check_name;
pub(crate) use place::Placer;
pub(crate) use plan::protect;
pub(crate) use stage::{CHUNK, Staged, Stager, What, name as staged_name};
pub(crate) mod stat {
    //! Stat data as an index has it.
    pub(crate) use super::rows::{read, stat as of, write};
}
