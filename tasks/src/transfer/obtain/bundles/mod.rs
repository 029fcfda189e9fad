//! The bundles that a server offers: files with a pack each, at URLs that it names.
//!
//! A file can be gone on with at any byte, which no answer of a Git server can. So they come first,
//! each into the raw file, as an answer does; a line that is lost, and a process that is killed, go
//! on where they were, by `Range` and `If-Range`. What the bundles' refs lead to is then told the
//! server as what is here, and it sends the rest.
//!
//! ```text
//! bundle     which are offered? choose one, and ask for it from the byte on that is missing
//!   |   ^ \
//!   |   |  \ there are no more: ask for the rest, or look for what is missing
//!   v   |
//! receive   the text that it begins with, then its pack
//!   |    \
//!   |     \  it is damaged, or another one by now, or gone
//!   v      v
//! index   salvage
//! ```
//!
//! No bundle has to be right. What it brings is objects, each known by its hash, and what it lacks is
//! found missing in the end and asked for. A bundle that can't be had is said to be so to whoever
//! wants to know, and the rest comes from the server.
//!
//! What is kept of a bundle is a hash of its name: its URL may be a secret, and is heard anew from
//! the server in each process.

mod choose;
mod head;
mod state;
mod take;

pub(super) use choose::Offers;
pub(super) use state::Bundling;
