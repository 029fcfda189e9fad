//! The refs that hold what was sent until the real ones are moved.
//!
//! Each names a commit that was sent and that no other commit that was sent descends from, and has
//! that commit's id for its name: what the server lists says what it has.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use crate::transfer::RemoteRef;

/// Where temporary refs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Where nobody looks for them.
    #[default]
    Own,
    /// Among the branches, for servers that allow no others.
    Branches,
    /// Nowhere: all is sent at once.
    Nowhere,
}

const OWN: &str = "refs/mug/push/";
const BRANCHES: &str = "refs/heads/mug-push-";

impl Place {
    /// The next best place.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Own => Self::Branches,
            Self::Branches | Self::Nowhere => Self::Nowhere,
        }
    }

    /// The ref that holds `id` for an operation.
    pub(crate) fn name(self, operation: &str, id: ObjectId) -> BString {
        let before = match self {
            Self::Branches => BRANCHES,
            Self::Own | Self::Nowhere => OWN,
        };
        format!("{before}{operation}/{id}").into()
    }
}

/// The operation that a ref is of, if it is a temporary one.
pub fn operation(name: &BStr) -> Option<&str> {
    let rest = [OWN, BRANCHES]
        .iter()
        .find_map(|before| name.strip_prefix(before.as_bytes()))?;
    let (operation, id) = rest.to_str().ok()?.split_once('/')?;
    let hex = id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (operation.starts_with("op-") && hex).then_some(operation)
}

/// The temporary refs of an operation among those that a server lists.
pub(crate) fn of<'a>(
    refs: &'a [RemoteRef],
    id: &'a str,
) -> impl Iterator<Item = (&'a BStr, ObjectId)> {
    let own = refs
        .iter()
        .filter(move |it| operation(it.name()) == Some(id));
    own.filter_map(|it| Some((it.name(), it.target?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    #[test]
    fn a_temporary_ref_says_whose_it_is() {
        let id = ObjectId::from_hex(&[b'a'; 40]).unwrap();
        for place in [Place::Own, Place::Branches] {
            let name = place.name("op-12-34", id);
            assert_eq!(operation(name.as_bstr()), Some("op-12-34"));
            assert!(crate::transfer::refs::name::is_valid(name.as_bstr()));
        }
        for other in ["refs/heads/main", "refs/mug/push/op-1", "refs/mug/push/x/y"] {
            assert_eq!(operation(other.into()), None);
        }
    }
}
