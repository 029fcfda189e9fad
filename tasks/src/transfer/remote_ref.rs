//! A ref as a server lists it.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::text;

/// A ref as a server lists it. Nothing of it has been checked: the name may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRef {
    /// Its full name, such as `refs/heads/main`, or `HEAD`.
    #[serde(with = "text::name")]
    pub name: BString,
    /// The object that it names; none for a `HEAD` whose branch does not exist yet.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<ObjectId>,
    /// What an annotated tag leads to.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub peeled: Option<ObjectId>,
    /// The ref that it points to, if it is a symbolic one and the server says so.
    #[serde(
        with = "text::maybe_name",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub symref: Option<BString>,
}

impl RemoteRef {
    /// A ref that names an object.
    pub fn new(name: impl Into<BString>, target: ObjectId) -> Self {
        Self {
            name: name.into(),
            target: Some(target),
            peeled: None,
            symref: None,
        }
    }

    /// The name.
    pub fn name(&self) -> &BStr {
        self.name.as_bstr()
    }

    /// Whether it is the server's `HEAD`.
    pub fn is_head(&self) -> bool {
        self.name == "HEAD"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_being_written_down() {
        let oid = ObjectId::from_hex(&[b'a'; 40]).unwrap();
        let mut tag = RemoteRef::new("refs/tags/50%\u{e9}", oid);
        tag.peeled = Some(oid);
        let mut head = RemoteRef::new("HEAD", oid);
        (head.target, head.symref) = (None, Some(b"refs/heads/\xff\xfe\n%41".into()));
        for it in [tag, head] {
            let text = serde_json::to_string(&it).unwrap();
            assert_eq!(
                serde_json::from_str::<RemoteRef>(&text).unwrap(),
                it,
                "{text}"
            );
        }
    }
}
