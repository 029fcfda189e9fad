//! A connection to a server.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::advertisement::{Advertisement, Capabilities};
use super::message::Sink;
use super::packet::Packets;
use super::rounds::{Nothing, negotiate};
use super::wire::Wire;
use super::{
    Address, Bundles, ConnectionError, Haves, Pack, Reply, Request, Settings, bundles, refs,
};
use crate::transfer::RemoteRef;
use crate::transfer::missing::plan::{Abilities, ByIds};

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Send objects.
    UploadPack,
    /// Take objects.
    ReceivePack,
}

impl Service {
    /// The program that does it.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The same as a word for git.
    pub(super) const fn subcommand(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }

    /// What names another program for a remote.
    pub(super) const fn program_key(self) -> &'static str {
        match self {
            Self::UploadPack => "uploadpack",
            Self::ReceivePack => "receivepack",
        }
    }

    /// The version of the protocol to ask for.
    pub(super) fn version(self, settings: &Settings) -> u8 {
        match self {
            Self::UploadPack => settings.version(),
            // There is no version 2 of it.
            Self::ReceivePack => settings.version().min(1),
        }
    }
}

/// An open connection, on which the server has said what it can do.
pub struct Session {
    pub(super) packets: Packets,
    pub(super) sink: Sink,
    pub(super) address: String,
    version: u8,
    pub(super) capabilities: Capabilities,
    listed: Option<Vec<RemoteRef>>,
    shallow: Vec<ObjectId>,
    extra: Vec<ObjectId>,
    /// Something was asked for.
    pub(super) asked: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Session {
    /// Connects, and hears what the server can do. All waits end when `interrupt` is raised.
    pub fn open(
        address: &Address,
        service: Service,
        settings: &Settings,
        interrupt: &Arc<AtomicBool>,
    ) -> Result<Self, ConnectionError> {
        let wire = Wire::open(address, service, settings, interrupt)?;
        let mut packets = Packets::new(wire, address.shown().to_owned());
        let said = Advertisement::read(&mut packets, service)?;
        Ok(Self {
            packets,
            sink: Arc::clone(settings.sink()),
            address: address.shown().to_owned(),
            version: said.version,
            capabilities: said.capabilities,
            listed: said.refs,
            shallow: said.shallow,
            extra: said.extra,
            asked: false,
        })
    }

    /// The address, as it may be shown.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The version of the protocol that is spoken.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The value of what the server says it can do, which is empty where it has none; `None` when
    /// it does not say so.
    pub fn has(&self, capability: &str) -> Option<String> {
        let value = self.capabilities.value(capability)?;
        Some(value.to_str_lossy().into_owned())
    }

    /// What the server sends, and what it leaves out.
    pub fn abilities(&self) -> Abilities {
        let has = |name: &str| self.capabilities.has(name);
        let (ids, filter) = if self.version == 2 {
            (ByIds::Objects, self.capabilities.lists("fetch", "filter"))
        } else if has("allow-reachable-sha1-in-want") {
            (ByIds::Commits, has("filter"))
        } else {
            (ByIds::Refs, has("filter"))
        };
        Abilities {
            ids,
            blob_none: filter,
            tree_zero: filter,
        }
    }

    /// The refs whose names begin with one of `prefixes`, or all where there are none.
    pub fn refs(&mut self, prefixes: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError> {
        let listed = match &self.listed {
            Some(listed) => listed.clone(),
            None => refs::list(&mut self.packets, &self.capabilities, prefixes)?,
        };
        let wanted = listed.into_iter();
        Ok(wanted.filter(|it| refs::wanted(it, prefixes)).collect())
    }

    /// Whether the server offers bundles.
    pub fn offers_bundles(&self) -> bool {
        self.version >= 2 && self.capabilities.has("bundle-uri")
    }

    /// The bundles that the server offers; none if it offers none.
    pub fn bundles(&mut self) -> Result<Option<Bundles>, ConnectionError> {
        if !self.offers_bundles() {
            return Ok(None);
        }
        bundles::list(&mut self.packets, &self.capabilities).map(Some)
    }

    /// Where the server's own history is cut off, if it is; old protocols only.
    pub fn shallow(&self) -> &[ObjectId] {
        &self.shallow
    }

    /// What a server that takes objects has beside what its refs reach.
    pub fn extra(&self) -> &[ObjectId] {
        &self.extra
    }

    /// Asks for a pack at once. The session comes back with the pack's end.
    pub fn fetch(self, request: &Request) -> Result<Reply, ConnectionError> {
        self.negotiate(request, &mut Nothing)
    }

    /// Asks for a pack without what `haves` finds out to be on both sides.
    pub fn negotiate(
        mut self,
        request: &Request,
        haves: &mut dyn Haves,
    ) -> Result<Reply, ConnectionError> {
        self.asked = true;
        let (version, capabilities) = (self.version, &self.capabilities);
        let heard = negotiate(&mut self.packets, version, capabilities, request, haves)?;
        Ok(Reply {
            shallow: heard.shallow,
            common: heard.common,
            pack: Pack::new(self),
        })
    }

    /// Says that nothing more will be asked, where a server of an old version waits for that.
    fn leave(&mut self) {
        if self.version < 2 && !self.asked && !self.packets.wire.forgets() {
            // It may have gone, and nobody waits for it.
            let _ = self.packets.ask(b"0000".to_vec());
        }
    }

    /// Whether the server takes another request after one.
    pub(super) fn goes_on(&self) -> bool {
        self.version == 2 || self.packets.wire.forgets()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("address", &self.address)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What is said to servers of who asks. Some of them look for `git/` at its start.
pub(super) fn agent() -> String {
    concat!("git/mug-", env!("CARGO_PKG_VERSION")).to_owned()
}
