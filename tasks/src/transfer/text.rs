//! Names and ids as strings, for what an operation keeps in its files: `#[serde(with = "..")]`.
//!
//! A name that is not UTF-8, or has control characters in it, is written with `%xx` for such bytes.

use std::fmt::Write as _;

use gix::bstr::{BStr, BString};

/// `name` as a string from which [`decode`] gets it back.
fn encode(name: &BStr) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_ascii_control() {
                let _ = write!(out, "%{:02x}", u32::from(c));
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// The name that [`encode`] was given; none if it wrote no such string.
fn decode(text: &str) -> Option<BString> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        out.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out.into())
}

/// A name.
pub mod name {
    use gix::bstr::{BString, ByteSlice as _};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes it.
    pub fn serialize<S: Serializer>(name: &BString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::encode(name.as_bstr()))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BString, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        super::decode(&text).ok_or_else(|| D::Error::custom("not a name"))
    }
}

/// A name that may be missing.
pub mod maybe_name {
    use gix::bstr::{BString, ByteSlice as _};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    /// Writes it.
    pub fn serialize<S: Serializer>(name: &Option<BString>, to: S) -> Result<S::Ok, S::Error> {
        let text = name.as_ref().map(|name| super::encode(name.as_bstr()));
        text.serialize(to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BString>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let decode = |text: String| super::decode(&text).ok_or_else(|| D::Error::custom("no name"));
        text.map(decode).transpose()
    }
}

/// Several names.
pub mod names {
    use gix::bstr::{BString, ByteSlice as _};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes them.
    pub fn serialize<S: Serializer>(names: &[BString], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(names.iter().map(|name| super::encode(name.as_bstr())))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<BString>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let decode = |text: &String| super::decode(text).ok_or_else(|| D::Error::custom("no name"));
        names.iter().map(decode).collect()
    }
}

/// The id of an object, as hex digits.
pub mod oid {
    use gix_hash::ObjectId;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes it.
    pub fn serialize<S: Serializer>(oid: &ObjectId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(oid)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        ObjectId::from_hex(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// The id of an object that may be missing.
pub mod maybe_oid {
    use gix_hash::ObjectId;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    /// Writes it.
    pub fn serialize<S: Serializer>(oid: &Option<ObjectId>, to: S) -> Result<S::Ok, S::Error> {
        oid.as_ref().map(ToString::to_string).serialize(to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ObjectId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let decode = |text: String| ObjectId::from_hex(text.as_bytes()).map_err(D::Error::custom);
        text.map(decode).transpose()
    }
}
