//! As much of HTTP/1.1 as a ranged download takes.

mod client;
mod head;
mod server;

pub use client::{Body, Client, Found, HttpError};
pub use server::{Content, Server};
