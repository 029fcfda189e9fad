//! Paths as data: relative ones that cannot escape, and a serde form for any.
//!
//! A Unix path is bytes, JSON is text. Here a path is written as its text with
//! `%` and every byte that is not UTF-8 as `%XX`, so that each path has one form
//! and comes back as it was.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below some root, that cannot leave it: no `..`, no root, no NUL.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Vec<u8>);

/// A path that would leave its root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no relative path that stays below its root")]
pub struct NotRelative(String);

impl RelPath {
    /// The root itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of an entry that a directory listing gave.
    pub fn join(&self, name: &OsStr) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(&to_bytes(name));
        Self(bytes)
    }

    /// Takes a path from outside.
    pub fn parse(path: &Path) -> Result<Self, NotRelative> {
        let refuse = || NotRelative(escape(&to_bytes(path.as_os_str())));
        let mut relative = Self::root();
        for component in path.components() {
            match component {
                Component::Normal(name) if !to_bytes(name).contains(&0) => {
                    relative = relative.join(name);
                }
                Component::CurDir => {}
                _ => return Err(refuse()),
            }
        }
        Ok(relative)
    }

    /// The path below `root`.
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.0.is_empty() {
            return root.to_owned();
        }
        root.join(from_bytes(&self.0))
    }

    /// The path's bytes, components separated by `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Result<Self, NotRelative> {
        Self::parse(Path::new(&from_bytes(bytes)))
    }
}

impl AsRef<[u8]> for RelPath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelPath({self})")
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&self.0))
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = unescape(&text).map_err(serde::de::Error::custom)?;
        Self::from_stored(&bytes).map_err(serde::de::Error::custom)
    }
}

/// Any path as text, for `#[serde(with = "resume_runtime::path_text")]`.
///
/// ```
/// # use serde::{Serialize, Deserialize};
/// #[derive(Serialize, Deserialize)]
/// struct Input {
///     #[serde(with = "resume_runtime::path_text")]
///     root: std::path::PathBuf,
/// }
/// ```
pub mod path_text {
    use super::{Cow, Deserialize, Deserializer, Path, PathBuf, Serializer};
    use super::{escape, from_bytes, to_bytes, unescape};

    /// Writes a path.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(&to_bytes(path.as_os_str())))
    }

    /// Reads one back.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = unescape(&text).map_err(serde::de::Error::custom)?;
        Ok(PathBuf::from(from_bytes(&bytes)))
    }
}

fn escape(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn unescape(text: &str) -> Result<Vec<u8>, NotRelative> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let byte = tail
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .ok_or_else(|| NotRelative(text.to_owned()))?;
        bytes.push(byte);
        rest = &tail[2..];
    }
    Ok(bytes)
}

#[cfg(unix)]
fn to_bytes(text: &OsStr) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(text.as_bytes())
}

#[cfg(not(unix))]
fn to_bytes(text: &OsStr) -> Cow<'_, [u8]> {
    Cow::Owned(text.to_string_lossy().replace('\\', "/").into_bytes())
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn from_bytes(bytes: &[u8]) -> OsString {
    OsString::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_cannot_leave_its_root() {
        for bad in ["/etc", "../x", "a/../../b", "a/.."] {
            assert!(RelPath::parse(Path::new(bad)).is_err(), "{bad}");
            let json = serde_json::to_string(bad).expect("text is JSON");
            assert!(serde_json::from_str::<RelPath>(&json).is_err(), "{bad}");
        }
        let good = RelPath::parse(Path::new("./a/b")).expect("stays below");
        assert_eq!(good.under(Path::new("/r")), Path::new("/r/a/b"));
    }

    #[test]
    fn every_path_has_one_text() {
        for bytes in [
            &b"a/b"[..],
            b"100%",
            b"\xff\xfe/x",
            "\u{fffd}%41".as_bytes(),
        ] {
            let path = RelPath(bytes.to_vec());
            let json = serde_json::to_string(&path).expect("a path is JSON");
            assert_eq!(
                serde_json::from_str::<RelPath>(&json).ok(),
                Some(path),
                "{json}"
            );
        }
    }
}
