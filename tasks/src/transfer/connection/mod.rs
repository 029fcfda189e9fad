//! What goes over the wire.
//!
//! An [`Address`] says where the server is, [`Settings`] what the configuration says of it, and a
//! [`Session`] is a connection to it. A session lists the server's refs and asks for packs; what is
//! asked for is a [`Request`], what comes is a [`Reply`] with the raw bytes of a pack. All three
//! versions of the protocol are spoken, and whoever asks sees no difference between them.
//!
//! From the bottom up:
//! - `wire`: bytes to and from a server, by HTTP, by TCP or through a process such as ssh. It is
//!   patient up to a point: a line on which no byte moves for the stall time is a lost one, and the
//!   interrupt flag ends every wait at once. HTTP runs on a thread of its own, which may be left;
//! - `packet`: the packets in these bytes, bounded by their form;
//! - `advertisement`, `refs`, `ask`, `answer`, `rounds`: what the packets say;
//! - `send`, `report`: the same for a push;
//! - [`Session`]: all of it in order.
//!
//! Everything here can be handed to another thread and kept from slice to slice. A password is only
//! ever in an [`Address`] that was just parsed and in what the credential helpers gave: it is in no
//! error, no `Debug` output and nothing that is stored.

mod address;
mod advertisement;
mod answer;
mod ask;
mod bundles;
mod credentials;
mod error;
mod history;
mod message;
mod packet;
mod refs;
mod reply;
mod report;
mod request;
mod rounds;
mod send;
mod session;
mod settings;
mod url_match;
mod wire;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use bundles::{Bundle, Bundles};
pub use error::ConnectionError;
pub use history::History;
pub use message::{Message, Sink};
pub use reply::{Pack, Reply, ShallowChange};
pub use report::{RefReport, Report};
pub use request::Request;
pub use rounds::Haves;
pub use send::{Command, Commands, Outgoing};
pub use session::{Service, Session};
pub use settings::Settings;
pub use wire::Download;
