//! Tags that come along because they point into what is fetched.

use std::collections::{BTreeMap, HashSet};

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::map::{Destination, Entry, Merge};
use crate::transfer::RemoteRef;
use crate::transfer::refs::Local;
use crate::transfer::refs::Objects;
use crate::transfer::refs::clone::RemoteTag;
use crate::transfer::refs::name::is_valid;

const TAGS: &[u8] = b"refs/tags/";

/// The tags that a server lists and that this repository does not have, by name.
pub(super) fn foreign(listed: &[RemoteRef], local: &Local) -> Vec<RemoteTag> {
    let mut tags = BTreeMap::new();
    for it in listed {
        if let Some(oid) = it.target
            && it.name.starts_with(TAGS)
            && is_valid(it.name())
            && !local.has(it.name())
        {
            let tag = RemoteTag {
                name: it.name.clone(),
                oid,
                peeled: it.peeled,
            };
            tags.entry(it.name.clone()).or_insert(tag);
        }
    }
    tags.into_values().collect()
}

/// Those of `tags` that lead to what is there, or is among `fetched`.
pub(super) fn followed(
    tags: &[RemoteTag],
    objects: &Objects,
    fetched: &HashSet<ObjectId>,
    without: &HashSet<BString>,
) -> Vec<Entry> {
    let there = |oid: &ObjectId| fetched.contains(oid) || objects.has(oid);
    let follows = |tag: &&RemoteTag| {
        let leads = tag.peeled.is_some_and(|peeled| there(&peeled));
        (leads || there(&tag.oid)) && !without.contains(&tag.name)
    };
    let entry = |tag: &RemoteTag| Entry {
        name: tag.name.clone(),
        oid: tag.oid,
        local: Some(Destination {
            name: tag.name.as_bstr().to_owned(),
            force: false,
            old: None,
        }),
        merge: Merge::No,
    };
    tags.iter().filter(follows).map(entry).collect()
}
