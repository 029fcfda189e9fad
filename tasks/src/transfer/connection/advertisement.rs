//! What a server says at first: what it can do, and in the old protocols its refs.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::packet::{Packet, Packets};
use super::{ConnectionError, Service};
use crate::transfer::RemoteRef;

/// All refs of a server take no more than this.
pub(super) const MOST: usize = 1 << 30;

/// What a server says of itself.
pub(super) struct Advertisement {
    /// The version of the protocol that it speaks.
    pub(super) version: u8,
    pub(super) capabilities: Capabilities,
    /// The refs, if it has told them.
    pub(super) refs: Option<Vec<RemoteRef>>,
    /// Where its own history is cut off.
    pub(super) shallow: Vec<ObjectId>,
    /// What it has beside what its refs reach: objects that it shares with other repositories.
    pub(super) extra: Vec<ObjectId>,
}

/// What a server can do: names, some with values.
#[derive(Clone, Debug, Default)]
pub(super) struct Capabilities(Vec<(BString, Option<BString>)>);

impl Capabilities {
    fn add(&mut self, word: &[u8]) {
        if word.is_empty() {
            return;
        }
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().into();
        self.0.push((name, parts.next().map(BString::from)));
    }

    /// The value of one, which is empty where it has none.
    pub(super) fn value(&self, name: &str) -> Option<&BStr> {
        let found = self.0.iter().find(|(it, _)| it == name)?;
        Some(found.1.as_ref().map_or(BStr::new(""), |it| it.as_bstr()))
    }

    /// The values of all of this name.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a BStr> {
        let named = self.0.iter().filter(move |(it, _)| it == name);
        named.filter_map(|(_, value)| value.as_ref().map(|it| it.as_bstr()))
    }

    /// Whether its objects have names that are understood.
    fn check_format(&self) -> Result<(), ConnectionError> {
        match self.value("object-format") {
            Some(format) if format != "sha1" => Err(ConnectionError::ObjectFormat {
                format: super::message::cleaned(format),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether `word` is among the words of the value of `name`.
    pub(super) fn lists(&self, name: &str, word: &str) -> bool {
        let value = self.value(name);
        value.is_some_and(|it| it.split_str(" ").any(|it| it == word.as_bytes()))
    }
}

impl Advertisement {
    /// Reads it.
    pub(super) fn read(packets: &mut Packets, service: Service) -> Result<Self, ConnectionError> {
        let mut it = Self {
            version: 0,
            capabilities: Capabilities::default(),
            refs: None,
            shallow: Vec::new(),
            extra: Vec::new(),
        };
        it.announced(packets, service)?;
        it.capabilities.check_format()?;
        Ok(it)
    }

    fn announced(
        &mut self,
        packets: &mut Packets,
        service: Service,
    ) -> Result<(), ConnectionError> {
        const AT_FIRST: &str = "before it said what it can do";
        const AMONG: &str = "while it listed its refs";
        let mut first = packets.next(AT_FIRST)?;
        if let Some(named) = first.line().and_then(|it| it.strip_prefix(b"# service=")) {
            if named != service.program().as_bytes() {
                return Err(ConnectionError::protocol("it offers another service"));
            }
            if packets.next(AT_FIRST)? != Packet::Flush {
                return Err(ConnectionError::protocol("its service does not end"));
            }
            first = packets.next(AT_FIRST)?;
        }
        match first.line() {
            Some(b"version 2") => {
                self.version = 2;
                return self.capabilities_of_2(packets);
            }
            Some(b"version 1") => {
                self.version = 1;
                first = packets.next(AT_FIRST)?;
            }
            _ => {}
        }
        let mut refs = Refs::default();
        let mut size = 0;
        let mut packet = first;
        loop {
            let data = match packet {
                Packet::Flush => break,
                Packet::Data(data) => data,
                _ => return Err(ConnectionError::protocol("a delimiter among refs")),
            };
            size += data.len();
            if size > MOST {
                return Err(ConnectionError::protocol("its refs have no end"));
            }
            let mut parts = data.splitn(2, |byte| *byte == 0);
            let line = parts.next().unwrap_or_default();
            if let Some(words) = parts.next()
                && refs.lines == 0
            {
                let words = words.strip_suffix(b"\n").unwrap_or(words);
                for word in words.split(|byte| *byte == b' ') {
                    self.capabilities.add(word);
                }
                // The names that follow would not be understood.
                self.capabilities.check_format()?;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match line.strip_prefix(b"shallow ") {
                Some(oid) => self.shallow.push(object(oid)?),
                None => refs.add(line, &mut self.extra)?,
            }
            packet = packets.next(AMONG)?;
        }
        refs.point(&self.capabilities);
        self.refs = Some(refs.found);
        Ok(())
    }

    fn capabilities_of_2(&mut self, packets: &mut Packets) -> Result<(), ConnectionError> {
        for _ in 0..1_000 {
            match packets.next("while it said what it can do")? {
                Packet::Flush => return Ok(()),
                packet => {
                    let line = packet.line();
                    let line = line.ok_or_else(|| ConnectionError::protocol("an odd delimiter"))?;
                    self.capabilities.add(line);
                }
            }
        }
        Err(ConnectionError::protocol("what it can do has no end"))
    }
}

/// The refs of the old protocols.
#[derive(Default)]
struct Refs {
    found: Vec<RemoteRef>,
    lines: usize,
}

impl Refs {
    fn add(&mut self, line: &[u8], extra: &mut Vec<ObjectId>) -> Result<(), ConnectionError> {
        self.lines += 1;
        let mut parts = line.splitn(2, |byte| *byte == b' ');
        let oid = object(parts.next().unwrap_or_default())?;
        let Some(name) = parts.next() else {
            return Err(ConnectionError::protocol("an object without a name"));
        };
        if name == b".have" {
            extra.push(oid);
        } else if name == b"capabilities^{}" && oid.is_null() {
            // There are no refs.
        } else if let Some(tag) = name.strip_suffix(b"^{}") {
            match self.found.last_mut() {
                Some(last) if last.name == tag => last.peeled = Some(oid),
                _ => return Err(ConnectionError::protocol("a tag's object without the tag")),
            }
        } else {
            self.found.push(RemoteRef::new(name, oid));
        }
        Ok(())
    }

    /// Says of each symbolic ref where it points.
    fn point(&mut self, capabilities: &Capabilities) {
        for pair in capabilities.values("symref") {
            let mut parts = pair.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(target)) = (parts.next(), parts.next()) else {
                continue;
            };
            if let Some(it) = self.found.iter_mut().find(|it| it.name == name) {
                it.symref = Some(target.into());
            }
        }
    }
}

/// An object's id.
pub(super) fn object(hex: &[u8]) -> Result<ObjectId, ConnectionError> {
    let oid = (hex.len() == 40).then(|| ObjectId::from_hex(hex).ok());
    oid.flatten().ok_or_else(|| {
        let shown = super::message::cleaned(&hex[..hex.len().min(60)]);
        ConnectionError::protocol(format!("'{shown}' where an object should be named"))
    })
}
