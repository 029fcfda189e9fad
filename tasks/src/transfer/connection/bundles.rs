//! The bundles that a server offers beside its own answers.

use std::collections::BTreeMap;

use gix::bstr::ByteSlice as _;

use super::message::cleaned;
use super::packet::{Packet, Packets};
use super::{ConnectionError, ask};

/// A list has no more keys than this.
const MOST: usize = 10_000;

/// A list of bundles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundles {
    /// All of them are needed, and not just one.
    pub all: bool,
    /// Their tokens say in which order they were made.
    pub by_token: bool,
    /// The bundles, in the order of their names.
    pub bundles: Vec<Bundle>,
}

/// A bundle of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Its name in the list.
    pub id: String,
    /// Where it is: a URL, or a path that is relative to the list.
    pub uri: String,
    /// What was left out of it, in the words of `--filter`.
    pub filter: Option<String>,
    /// Higher ones are newer.
    pub token: Option<u64>,
}

/// Asks for the list.
pub(super) fn list(
    packets: &mut Packets,
    capabilities: &super::advertisement::Capabilities,
) -> Result<Bundles, ConnectionError> {
    let mut question = ask::command("bundle-uri", capabilities);
    question.extend_from_slice(b"0000");
    packets.ask(question)?;
    let mut lines = Vec::new();
    loop {
        let packet = packets.next("while it listed its bundles")?;
        if packet == Packet::Flush {
            break;
        }
        let line = packet.line();
        let line = line.ok_or_else(|| ConnectionError::protocol("a delimiter among bundles"))?;
        lines.push(line.to_str_lossy().into_owned());
        if lines.len() > MOST {
            return Err(ConnectionError::protocol("its bundles have no end"));
        }
    }
    if packets.wire.forgets() {
        // The end of the answer is the end of the request.
        packets.raw(&mut [0])?;
    }
    parse(&lines)
}

/// Lines such as `bundle.<id>.uri=<uri>`.
fn parse(lines: &[String]) -> Result<Bundles, ConnectionError> {
    let mut found = Bundles::default();
    let mut bundles: BTreeMap<&str, Bundle> = BTreeMap::new();
    let mut version = None;
    for line in lines {
        let odd = || {
            let line = cleaned(&line.as_bytes()[..line.len().min(80)]);
            ConnectionError::protocol(format!("'{line}' among bundles"))
        };
        let (key, value) = line.split_once('=').ok_or_else(odd)?;
        let key = key.strip_prefix("bundle.").ok_or_else(odd)?;
        match key.rsplit_once('.') {
            None => match key {
                "version" => version = Some(value),
                "mode" => {
                    found.all = match value {
                        "all" => true,
                        "any" => false,
                        _ => return Err(odd()),
                    };
                }
                "heuristic" => found.by_token = value == "creationToken",
                _ => {}
            },
            Some((id, key)) => {
                let bundle = bundles.entry(id).or_default();
                // Keys are as those of a configuration: in any case.
                match key.to_ascii_lowercase().as_str() {
                    "uri" => value.clone_into(&mut bundle.uri),
                    "filter" => bundle.filter = Some(value.to_owned()),
                    "creationtoken" => bundle.token = Some(value.parse().map_err(|_| odd())?),
                    _ => {}
                }
            }
        }
    }
    if version != Some("1") {
        let what = "offer bundles in a way that is understood".into();
        return Err(ConnectionError::Unable { what });
    }
    for (id, bundle) in bundles {
        if !bundle.uri.is_empty() && !bundle.uri.contains(|it: char| it.is_control()) {
            let id = id.to_owned();
            found.bundles.push(Bundle { id, ..bundle });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Result<Bundles, ConnectionError> {
        parse(&lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_list_is_read_key_by_key() {
        let found = list(&[
            "bundle.version=1",
            "bundle.mode=all",
            "bundle.heuristic=creationToken",
            "bundle.a.b.uri=https://host/b=1",
            "bundle.a.b.creationToken=7",
            "bundle.a.b.unknown=x",
            "bundle.z.uri=../z",
            "bundle.z.filter=blob:none",
            "bundle.nowhere.filter=tree:0",
        ]);
        let found = found.unwrap();
        assert!(found.all && found.by_token);
        let expected = Bundle {
            id: "a.b".into(),
            uri: "https://host/b=1".into(),
            filter: None,
            token: Some(7),
        };
        assert_eq!(found.bundles[0], expected);
        assert_eq!(found.bundles[1].filter.as_deref(), Some("blob:none"));
        assert_eq!(found.bundles.len(), 2);
        for bad in [
            &[][..],
            &["bundle.version=2"],
            &["version=1"],
            &["bundle.version=1", "bundle.mode=some"],
            &["bundle.version=1", "bundle.a.creationToken=soon"],
            &["bundle.version"],
        ] {
            assert!(list(bad).is_err(), "{bad:?}");
        }
    }
}
