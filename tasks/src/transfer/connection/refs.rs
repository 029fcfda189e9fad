//! The refs of a server, as version 2 of the protocol lists them.

use gix::bstr::{BString, ByteSlice as _};

use super::ConnectionError;
use super::advertisement::{Capabilities, MOST, object};
use super::ask;
use super::packet::{Packet, Packets};
use crate::transfer::RemoteRef;

const AMONG: &str = "while it listed its refs";
/// More prefixes than this are not sent: all refs are asked for.
const MOST_PREFIXES: usize = 65_536;

/// Asks for the refs with these prefixes, or for all where there are none.
pub(super) fn list(
    packets: &mut Packets,
    capabilities: &Capabilities,
    prefixes: &[BString],
) -> Result<Vec<RemoteRef>, ConnectionError> {
    let sent = if prefixes.len() > MOST_PREFIXES {
        &[]
    } else {
        prefixes
    };
    packets.ask(ask::ls_refs(capabilities, sent))?;
    let (mut refs, mut size) = (Vec::new(), 0);
    loop {
        let packet = packets.next(AMONG)?;
        if packet == Packet::Flush {
            break;
        }
        let line = packet.line();
        let line = line.ok_or_else(|| ConnectionError::protocol("a delimiter among refs"))?;
        size += line.len();
        if size > MOST {
            return Err(ConnectionError::protocol("its refs have no end"));
        }
        refs.push(one(line)?);
    }
    if packets.wire.forgets() {
        // The end of the answer is the end of the request.
        packets.raw(&mut [0])?;
    }
    Ok(refs)
}

/// A line such as `<id> <name> symref-target:<name> peeled:<id>`.
fn one(line: &[u8]) -> Result<RemoteRef, ConnectionError> {
    let mut words = line.split(|byte| *byte == b' ');
    let target = match words.next() {
        Some(b"unborn") => None,
        oid => Some(object(oid.unwrap_or_default())?),
    };
    let name = words.next().filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| ConnectionError::protocol("a ref without a name"))?;
    let mut found = RemoteRef {
        name: name.into(),
        target,
        peeled: None,
        symref: None,
    };
    for word in words {
        if let Some(name) = word.strip_prefix(b"symref-target:") {
            found.symref = Some(name.into());
        } else if let Some(oid) = word.strip_prefix(b"peeled:") {
            found.peeled = Some(object(oid)?);
        }
    }
    Ok(found)
}

/// Whether a ref is among those that were asked for.
pub(super) fn wanted(it: &RemoteRef, prefixes: &[BString]) -> bool {
    prefixes.is_empty()
        || prefixes
            .iter()
            .any(|prefix| it.name.starts_with_str(prefix))
}
