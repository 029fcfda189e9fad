//! Resumable commands, one file each: `checksum.rs`, `download.rs` and `record.rs`
//! beside this folder. Here is what they share and what no author of a resumable
//! command has to write: the command line, a small HTTP client, and a server that
//! is no better than the worst of lines.
#![forbid(unsafe_code)]

pub mod command;
pub mod http;
