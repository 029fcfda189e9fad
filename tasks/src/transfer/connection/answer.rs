//! What a server says before the pack.

use gix_hash::ObjectId;

use super::ConnectionError;
use super::advertisement::object;
use super::message::cleaned;
use super::packet::{Packet, Packets};
use super::reply::ShallowChange;

const BEFORE: &str = "before the pack";
/// No honest answer has more lines than this before its pack.
const MOST: usize = 10_000_000;

/// What was heard in one round.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What the server has as well.
    pub(super) common: Vec<ObjectId>,
    /// It knows enough.
    pub(super) ready: bool,
    /// Where the history is cut off from now on.
    pub(super) shallow: Vec<ShallowChange>,
    /// The pack is what comes next.
    pub(super) pack: bool,
}

impl Heard {
    fn change(&mut self, line: &[u8]) -> Result<(), ConnectionError> {
        let change = if let Some(oid) = line.strip_prefix(b"shallow ") {
            ShallowChange::Shallow(object(oid)?)
        } else if let Some(oid) = line.strip_prefix(b"unshallow ") {
            ShallowChange::Unshallow(object(oid)?)
        } else {
            return Err(odd(line));
        };
        self.shallow.push(change);
        Ok(())
    }
}

/// The answer of version 2, up to the pack or the end of the round.
pub(super) fn of_2(packets: &mut Packets) -> Result<Heard, ConnectionError> {
    let mut heard = Heard::default();
    let mut section = Vec::new();
    for _ in 0..MOST {
        match packets.next(BEFORE)? {
            Packet::Flush => return Ok(heard),
            Packet::Delimiter => section.clear(),
            Packet::ResponseEnd => return Err(ConnectionError::protocol("an early end")),
            packet @ Packet::Data(_) => {
                let line = packet.line().unwrap_or_default();
                match section.as_slice() {
                    b"" if line == b"packfile" => {
                        heard.pack = true;
                        return Ok(heard);
                    }
                    b"" => section = line[..line.len().min(40)].to_vec(),
                    b"acknowledgments" => match line {
                        b"NAK" => {}
                        b"ready" => heard.ready = true,
                        _ => {
                            let oid = line.strip_prefix(b"ACK ").ok_or_else(|| odd(line))?;
                            heard.common.push(object(oid)?);
                        }
                    },
                    b"shallow-info" => heard.change(line)?,
                    b"wanted-refs" | b"packfile-uris" => {}
                    other => return Err(odd(other)),
                }
            }
        }
    }
    Err(endless())
}

/// What the old protocols are to answer.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things of which each may be or not"
)]
pub(super) struct Expected {
    /// First where the history is cut off.
    pub(super) shallow: bool,
    /// The pack is to follow.
    pub(super) last: bool,
    /// It names each object that it has.
    pub(super) several: bool,
    /// It has nothing more to say before the pack.
    pub(super) silent: bool,
}

/// The answer of an old version, up to the pack or the end of the round.
pub(super) fn of_old(packets: &mut Packets, expected: Expected) -> Result<Heard, ConnectionError> {
    let mut heard = Heard::default();
    if expected.shallow {
        loop {
            match packets.next(BEFORE)? {
                Packet::Flush => break,
                packet => {
                    let line = packet.line().ok_or_else(|| odd(b"a delimiter"))?;
                    heard.change(line)?;
                }
            }
            if heard.shallow.len() > MOST {
                return Err(endless());
            }
        }
    }
    heard.pack = expected.last;
    if expected.silent {
        return Ok(heard);
    }
    for _ in 0..MOST {
        let packet = packets.next(BEFORE)?;
        let line = packet.line().ok_or_else(|| odd(b"a delimiter"))?;
        if line == b"NAK" {
            return Ok(heard);
        }
        let words = line.strip_prefix(b"ACK ").ok_or_else(|| odd(line))?;
        let mut words = words.split(|byte| *byte == b' ');
        let oid = object(words.next().unwrap_or_default())?;
        match words.next() {
            Some(b"common" | b"continue") => heard.common.push(oid),
            Some(b"ready") => {
                heard.common.push(oid);
                heard.ready = true;
            }
            Some(word) => return Err(odd(word)),
            None => {
                heard.common.push(oid);
                // Who names only one has said all.
                heard.ready |= !expected.several;
                return Ok(heard);
            }
        }
    }
    Err(endless())
}

fn odd(line: &[u8]) -> ConnectionError {
    let line = cleaned(&line[..line.len().min(80)]);
    ConnectionError::protocol(format!("'{line}' came before the pack"))
}

fn endless() -> ConnectionError {
    ConnectionError::protocol("its answer has no end")
}
