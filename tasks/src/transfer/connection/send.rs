//! Pushing: what refs are to be, with the objects for it.

use std::io::Read;

use gix::bstr::BString;
use gix_hash::ObjectId;

use super::packet::{write, write_line};
use super::report::{self, Report};
use super::session::agent;
use super::{ConnectionError, Session};

/// What is copied at once.
const BLOCK: usize = 64 << 10;

/// What one ref of the server is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its full name.
    pub name: BString,
    /// What it is now; none when it is to be made. The server refuses when that is not so.
    pub old: Option<ObjectId>,
    /// What it is to be; none when it is to go.
    pub new: Option<ObjectId>,
}

/// All of one push but the pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// What refs are to be.
    pub commands: Vec<Command>,
    /// All of them or none.
    pub atomic: bool,
    /// What the hooks of the server are told.
    pub options: Vec<BString>,
    /// Where the history here is cut off.
    pub shallow: Vec<ObjectId>,
}

/// A pack that is to be sent.
pub struct Outgoing {
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
    /// How many these are.
    pub length: u64,
}

impl Session {
    /// Sends what refs are to be and, unless nothing but deletions is asked for, a pack. All of it
    /// is one request; the answer says of each ref what became of it.
    ///
    /// `progress` is told how many bytes of the pack have been handed to the connection; it must
    /// be quick.
    pub fn send(
        mut self,
        commands: &Commands,
        pack: Option<Outgoing>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Report, ConnectionError> {
        let banded = self.capabilities.has("side-band-64k");
        let start = self.commands(commands, banded)?;
        self.asked = true;
        let sent = match pack {
            Some(pack) => self.packets.send(start, pack, progress),
            None => self.packets.ask(start),
        };
        let sent = match sent {
            // A server that goes away in the midst may have said why.
            Err(error @ ConnectionError::Lost { .. }) => Some(error),
            other => {
                other?;
                None
            }
        };
        let heard = report::read(&mut self.packets, banded, &self.address, &self.sink);
        // What went wrong first is what counts, where there is no report.
        let report = heard.map_err(|error| sent.unwrap_or(error))?;
        self.packets.finish();
        Ok(report)
    }

    /// The list of commands, as it is written.
    fn commands(&self, wanted: &Commands, banded: bool) -> Result<Vec<u8>, ConnectionError> {
        let has = |name: &str| self.capabilities.has(name);
        let unable = |what: &str| ConnectionError::Unable {
            what: what.to_owned(),
        };
        let status = ["report-status-v2", "report-status"];
        let Some(status) = status.into_iter().find(|it| has(it)) else {
            return Err(unable("say what became of a push"));
        };
        let mut words = status.to_owned();
        let mut add = |word: &str| {
            words.push(' ');
            words.push_str(word);
        };
        if banded {
            add("side-band-64k");
        }
        if wanted.atomic {
            if !has("atomic") {
                return Err(unable("change all refs together or none"));
            }
            add("atomic");
        }
        if !wanted.options.is_empty() {
            if !has("push-options") {
                return Err(unable("take push options"));
            }
            add("push-options");
        }
        if has("object-format") {
            add("object-format=sha1");
        }
        if has("agent") {
            add(&format!("agent={}", agent()));
        }
        if wanted.commands.is_empty() {
            return Err(ConnectionError::protocol("nothing is to be changed"));
        }
        let mut out = Vec::new();
        for oid in &wanted.shallow {
            write_line(&mut out, format!("shallow {oid}"));
        }
        let null = ObjectId::null(gix_hash::Kind::Sha1);
        for (at, command) in wanted.commands.iter().enumerate() {
            let (old, new) = (command.old.unwrap_or(null), command.new.unwrap_or(null));
            if new.is_null() && !has("delete-refs") {
                return Err(unable("delete refs"));
            }
            if command.name.len() > 60_000 || command.name.iter().any(|it| *it <= b' ') {
                return Err(unable("take a ref of such a name"));
            }
            let mut line = format!("{old} {new} ").into_bytes();
            line.extend_from_slice(&command.name);
            if at == 0 {
                line.push(0);
                line.extend_from_slice(words.as_bytes());
            }
            write(&mut out, &line);
        }
        out.extend_from_slice(b"0000");
        if !wanted.options.is_empty() {
            for option in &wanted.options {
                if option.len() > 60_000 || option.contains(&b'\n') || option.contains(&0) {
                    return Err(unable("take such a push option"));
                }
                write(&mut out, option);
            }
            out.extend_from_slice(b"0000");
        }
        Ok(out)
    }
}

/// Hands `pack` to `write`, block by block.
pub(super) fn copy(
    mut pack: Outgoing,
    progress: &(dyn Fn(u64) + Send + Sync),
    mut write: impl FnMut(&[u8]) -> Result<(), ConnectionError>,
) -> Result<(), ConnectionError> {
    let mut block = vec![0; BLOCK];
    let mut sent = 0;
    loop {
        let read = pack.bytes.read(&mut block).map_err(|it| unreadable(&it))?;
        if read == 0 {
            break;
        }
        write(&block[..read])?;
        sent += read as u64;
        progress(sent);
    }
    if sent == pack.length {
        return Ok(());
    }
    Err(ConnectionError::Pack {
        reason: format!("it has {sent} bytes instead of {}", pack.length),
    })
}

/// A pack that can't be read.
pub(super) fn unreadable(error: &std::io::Error) -> ConnectionError {
    ConnectionError::Pack {
        reason: error.to_string(),
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
