//! Git servers of the tests' own: real git behind a small HTTP server, behind a
//! port for `git://`, and behind a stand-in for ssh, which count what they send
//! and break down at places that a test names.
//!
//! - [`HttpServer`]: `git http-backend` and plain files, over TLS or not, with [`Fault`]s by rule;
//! - [`GitServer`]: `git daemon` with the same counts and faults;
//! - [`Shim`]: what `GIT_SSH_COMMAND` names instead of ssh;
//! - [`Control`]: the faults and counts of a server;
//! - [`Served`]: one request as the server saw it, [`Kind`] what it was for;
//! - [`Body`]: one that brought a pack;
//! - [`Project`]: a history to be cloned, large enough to be cut in ten places;
//! - [`PackMap`]: where the objects lie in a pack that was sent.

mod backend;
mod control;
mod daemon;
mod deliver;
mod fault;
mod http;
mod listener;
mod pack_map;
mod packets;
mod plain;
mod project;
mod question;
mod served;
mod ssh;
mod state;
mod tls;
mod web;

pub use control::Control;
pub use daemon::GitServer;
pub use fault::Fault;
pub use pack_map::PackMap;
pub use project::Project;
pub use question::Question;
pub use served::{Body, Kind, Served};
pub use ssh::Shim;
pub use web::HttpServer;
