//! What `mug clone`, `mug fetch` and `mug push` are made of: the connection to a server, the packs that
//! come from it or go to it, what is missing of them, and the refs.

pub mod clone;
pub mod connection;
pub mod fetch;
pub mod missing;
pub mod obtain;
pub mod push;
pub mod receive;
pub mod refs;
pub mod remote_ref;
pub mod text;

pub use remote_ref::RemoteRef;
