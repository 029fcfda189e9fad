//! What is new on a server, received in as many attempts as it takes, and the refs that lead to it.
//!
//! ```text
//! connect     list the refs, and plan from them what is fetched and what moves: this is what was promised
//! receive  \
//! resolve   } get all objects, by [`obtain`](super::obtain), into the operation's own directory
//! check    /
//! relist      the server lacks something: list the refs again, and go on with what they are now
//! publish     packs into the repository, held by `.keep` files, and where history is cut off
//! refs        all refs together, `FETCH_HEAD`, and the `.keep` files go
//! ```
//!
//! Until all is there that the refs lead to, the repository has nothing of it: the packs gather in the
//! operation's own directory, with the repository's objects as alternates, out of reach of `git gc`.
//!
//! What the server's refs named at first is what the fetch ends with, whatever becomes of them
//! meanwhile. A ref here that another process moved in the meantime moves on only if nothing of that
//! is lost.

pub mod error;
pub mod haves;
pub mod machine;

mod listing;
mod rounds;
mod steps;

#[cfg(test)]
mod tests;

pub use error::FetchError;
pub use machine::{Env, Fetching, Input, KIND, Output, Told};
