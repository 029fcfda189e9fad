//! The refs that hold what was sent until the real ones are moved.
//!
//! Each names a commit that was sent and that no other commit that was sent descends from, and has
//! that commit's id for its name: what the server lists says what it has. Where a commit goes in
//! parts, the name is that commit's id and how many of its objects are there.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::parts::Sent;
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

    /// The ref that holds so many objects of `id`.
    pub(crate) fn part(self, operation: &str, id: ObjectId, objects: usize) -> BString {
        format!("{}-{objects}", self.name(operation, id)).into()
    }
}

/// What the name of a temporary ref says.
struct Name<'a> {
    operation: &'a str,
    id: &'a str,
    objects: Option<usize>,
}

impl<'a> Name<'a> {
    fn parse(name: &'a BStr) -> Option<Self> {
        let rest = [OWN, BRANCHES]
            .iter()
            .find_map(|before| name.strip_prefix(before.as_bytes()))?;
        let (operation, id) = rest.to_str().ok()?.split_once('/')?;
        let (id, objects) = match id.split_once('-') {
            Some((id, objects)) => (id, Some(objects.parse().ok()?)),
            None => (id, None),
        };
        let hex = id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        (operation.starts_with("op-") && hex).then_some(Self {
            operation,
            id,
            objects,
        })
    }
}

/// The operation that a ref is of, if it is a temporary one.
pub fn operation(name: &BStr) -> Option<&str> {
    Name::parse(name).map(|it| it.operation)
}

/// What a server has of a commit that an operation sends in parts.
pub(crate) fn sent(refs: &[RemoteRef], operation: &str, commit: ObjectId) -> Option<Sent> {
    let commit = commit.to_hex().to_string();
    let parts = of(refs, operation).filter_map(|(name, at)| {
        let name = Name::parse(name).filter(|it| it.id == commit)?;
        let objects = name.objects?;
        Some(Sent { objects, at })
    });
    parts.max_by_key(|it| it.objects)
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
            let part = place.part("op-12-34", id, 5);
            assert_eq!(operation(part.as_bstr()), Some("op-12-34"));
        }
        for other in [
            "refs/heads/main",
            "refs/mug/push/op-1",
            "refs/mug/push/x/y",
            "refs/mug/push/op-1/a-5",
        ] {
            assert_eq!(operation(other.into()), None);
        }
    }

    #[test]
    fn the_ref_of_a_part_says_how_much_is_there() {
        let id = |byte| ObjectId::from_hex(&[byte; 40]).unwrap();
        let (commit, other) = (id(b'a'), id(b'b'));
        let place = Place::Own;
        let refs: Vec<RemoteRef> = [
            (place.part("op-1", commit, 9), id(b'1')),
            (place.part("op-1", commit, 12), id(b'2')),
            (place.part("op-1", other, 15), id(b'3')),
            (place.part("op-2", commit, 18), id(b'4')),
            (place.name("op-1", commit), commit),
        ]
        .map(|(name, target)| RemoteRef::new(name, target))
        .into();
        let there = sent(&refs, "op-1", commit).unwrap();
        assert_eq!((there.objects, there.at), (12, id(b'2')));
        assert_eq!(sent(&refs, "op-2", other), None);
    }
}
