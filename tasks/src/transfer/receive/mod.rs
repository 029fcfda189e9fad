//! Receiving: from the bytes of a pack that a server sends to a pack with its index.
//!
//! ```text
//! bytes -> the operation's file     append, commit: what a kill leaves
//!       -> Incoming                 a thread takes the pack apart: entries, checksums, whole objects
//! the end of the bytes -> Parsed
//! whole  -> finish                  resolve the deltas, write the index; the file is the pack
//! cut    -> salvage                 the same for what came whole, in a pack that is written anew
//! ```
//!
//! While bytes come, each is inflated once, and whole objects are hashed; only where things lie and
//! what they are is kept, 37 bytes an object. What a pack says of itself is a claim: memory is taken
//! for what came, not for what was announced; content is inflated piece by piece, and no more of it
//! than an entry states; what follows the announced number of entries is refused.
//!
//! At the end deltas are resolved on all threads (`resolve`), each base made once. A process that
//! takes over from one that was killed has [`Incoming::again`] read the file.

mod copy;
mod error;
mod finish;
mod head;
mod incoming;
mod join;
mod parser;
mod place;
mod resolve;
mod rewrite;
mod table;

pub use error::{Fault, ReceiveError};
pub use finish::{Received, To, finish, salvage};
pub use incoming::{Incoming, Parsed, Seen};
pub use join::{Joining, discard};
pub use place::seal;

#[cfg(test)]
mod tests;
