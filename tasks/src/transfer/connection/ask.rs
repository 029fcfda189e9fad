//! Requests, as they are written.

use gix_hash::ObjectId;

use super::advertisement::Capabilities;
use super::packet::write_line;
use super::session::agent;
use super::{ConnectionError, Request};

const FLUSH: &[u8] = b"0000";
const DELIMITER: &[u8] = b"0001";

/// The start of a command of version 2.
pub(super) fn command(name: &str, capabilities: &Capabilities) -> Vec<u8> {
    let mut out = Vec::new();
    write_line(&mut out, format!("command={name}"));
    if capabilities.has("agent") {
        write_line(&mut out, format!("agent={}", agent()));
    }
    if capabilities.has("object-format") {
        write_line(&mut out, "object-format=sha1");
    }
    out.extend_from_slice(DELIMITER);
    out
}

/// The command that lists the refs with these prefixes.
pub(super) fn ls_refs(capabilities: &Capabilities, prefixes: &[gix::bstr::BString]) -> Vec<u8> {
    let mut out = command("ls-refs", capabilities);
    write_line(&mut out, "peel");
    write_line(&mut out, "symrefs");
    if capabilities.lists("ls-refs", "unborn") {
        write_line(&mut out, "unborn");
    }
    for prefix in prefixes {
        write_line(&mut out, [b"ref-prefix ".as_slice(), prefix].concat());
    }
    out.extend_from_slice(FLUSH);
    out
}

/// What is asked for, in the words of one version, without what is here and the end.
pub(super) struct Question {
    pub(super) start: Vec<u8>,
    v2: bool,
}

impl Question {
    pub(super) fn new(
        version: u8,
        capabilities: &Capabilities,
        request: &Request,
    ) -> Result<Self, ConnectionError> {
        let v2 = version == 2;
        check(v2, capabilities, request)?;
        let mut out = Vec::new();
        if v2 {
            out = command("fetch", capabilities);
            let flags = [
                ("thin-pack", request.thin),
                ("include-tag", request.include_tag),
                ("ofs-delta", true),
            ];
            for (flag, on) in flags {
                if on {
                    write_line(&mut out, flag);
                }
            }
        }
        for (at, want) in request.wants.iter().enumerate() {
            let mut line = format!("want {want}");
            if at == 0 && !v2 {
                line.push_str(&words(capabilities, request));
            }
            write_line(&mut out, line);
        }
        for oid in &request.shallow {
            write_line(&mut out, format!("shallow {oid}"));
        }
        if let Some(depth) = request.depth {
            write_line(&mut out, format!("deepen {depth}"));
        }
        if let Some(filter) = &request.filter {
            write_line(&mut out, format!("filter {filter}"));
        }
        if !v2 {
            out.extend_from_slice(FLUSH);
        }
        Ok(Self { start: out, v2 })
    }

    /// Appends what is here.
    pub(super) fn haves<'a>(out: &mut Vec<u8>, haves: impl IntoIterator<Item = &'a ObjectId>) {
        for have in haves {
            write_line(out, format!("have {have}"));
        }
    }

    /// Ends one round, after which the server says what it has of that.
    pub(super) fn round(out: &mut Vec<u8>) {
        out.extend_from_slice(FLUSH);
    }

    /// Ends it all: the pack is to come.
    pub(super) fn done(&self, out: &mut Vec<u8>) {
        write_line(out, "done");
        if self.v2 {
            out.extend_from_slice(FLUSH);
        }
    }
}

/// What the old protocols put behind the first want.
fn words(capabilities: &Capabilities, request: &Request) -> String {
    let mut words = String::new();
    let mut add = |word: &str| {
        words.push(' ');
        words.push_str(word);
    };
    for alternatives in [
        ["multi_ack_detailed", "multi_ack"],
        ["side-band-64k", "side-band"],
    ] {
        if let Some(word) = alternatives.iter().find(|it| capabilities.has(it)) {
            add(word);
        }
    }
    let wanted = [
        ("thin-pack", request.thin),
        ("include-tag", request.include_tag),
        ("ofs-delta", true),
        ("filter", request.filter.is_some()),
    ];
    for (word, on) in wanted {
        if on && capabilities.has(word) {
            add(word);
        }
    }
    if capabilities.has("object-format") {
        add("object-format=sha1");
    }
    if capabilities.has("agent") {
        add(&format!("agent={}", agent()));
    }
    words
}

/// Whether the server can do what is asked for.
fn check(v2: bool, capabilities: &Capabilities, request: &Request) -> Result<(), ConnectionError> {
    let able = |word: &str| {
        if v2 {
            capabilities.lists("fetch", word)
        } else {
            capabilities.has(word)
        }
    };
    let unable = |what: &str| ConnectionError::Unable {
        what: what.to_owned(),
    };
    if request.wants.is_empty() {
        return Err(ConnectionError::protocol("nothing was asked for"));
    }
    if v2 && !capabilities.has("fetch") {
        return Err(unable("send objects"));
    }
    if (request.depth.is_some() || !request.shallow.is_empty()) && !able("shallow") {
        return Err(unable("send a part of the history only"));
    }
    if let Some(filter) = &request.filter {
        if filter.contains(['\n', '\0']) || filter.len() > 1_000 {
            return Err(unable("follow such a filter"));
        }
        if !able("filter") {
            return Err(ConnectionError::FilterRefused {
                said: "it knows no filters".into(),
            });
        }
    }
    Ok(())
}
