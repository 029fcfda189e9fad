//! What the user expects the server to have, for `--force-with-lease`.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::PushError;
use crate::transfer::{refs::name::expanded, text};

/// One `--force-with-lease`, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Of all refs, what their remote-tracking refs say.
    All,
    /// Of this ref, what its remote-tracking ref says.
    Tracked(BString),
    /// Of this ref, this; nothing: it must not exist.
    Exact(BString, Option<BString>),
}

/// What a ref of the server must be for it to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The ref.
    #[serde(with = "text::name")]
    pub to: BString,
    /// The object; none: there must be no such ref.
    #[serde(with = "text::maybe_oid", default)]
    pub old: Option<ObjectId>,
}

impl Lease {
    /// Reads the value of the option; none where it has no value.
    pub fn parse(value: Option<&BStr>) -> Self {
        let Some(value) = value.filter(|it| !it.is_empty()) else {
            return Self::All;
        };
        match value.split_once_str(":") {
            None => Self::Tracked(value.into()),
            Some((name, b"")) => Self::Exact(name.into(), None),
            Some((name, expected)) => Self::Exact(name.into(), Some(expected.into())),
        }
    }
}

/// What these refs must be. `tracked` gives the value of a ref's remote-tracking ref, `object` looks a
/// revision up.
pub fn expected<'a>(
    leases: &[Lease],
    refs: impl Iterator<Item = &'a BString>,
    tracked: &dyn Fn(&BStr) -> Option<ObjectId>,
    object: &dyn Fn(&BStr) -> Option<ObjectId>,
) -> Result<Vec<Expected>, PushError> {
    let mut all = Vec::new();
    for to in refs {
        let named = |name: &BString| {
            expanded(name.as_bstr())
                .iter()
                .any(|it| it == to.as_slice())
        };
        let own = leases.iter().find(|lease| match lease {
            Lease::All => false,
            Lease::Tracked(name) | Lease::Exact(name, _) => named(name),
        });
        let lease = own.or_else(|| leases.iter().find(|lease| **lease == Lease::All));
        let old = match lease {
            None => continue,
            Some(Lease::All | Lease::Tracked(_)) => tracked(to.as_bstr()),
            Some(Lease::Exact(_, None)) => None,
            Some(Lease::Exact(_, Some(name))) => {
                let found = object(name.as_bstr());
                Some(found.ok_or_else(|| PushError::Expected { name: name.clone() })?)
            }
        };
        // All zeros say that there must be no such ref.
        all.push(Expected {
            to: to.clone(),
            old: old.filter(|id| !id.is_null()),
        });
    }
    Ok(all)
}
