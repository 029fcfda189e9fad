//! Names and globs of refs as they are given, which need not be text.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
};

use gix::bstr::{BStr, BString, ByteSlice as _};
use resume_runtime::path_text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A ref's full or short name, or a glob over several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(BString);

impl Pattern {
    /// The bytes that were given.
    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for Pattern {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&OsStr> for Pattern {
    fn from(text: &OsStr) -> Self {
        Self(gix::path::os_str_into_bstr(text).map_or_else(
            |_| text.to_string_lossy().into_owned().into(),
            ToOwned::to_owned,
        ))
    }
}

impl From<OsString> for Pattern {
    fn from(text: OsString) -> Self {
        Self::from(text.as_os_str())
    }
}

impl AsRef<[u8]> for Pattern {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ordinary text as itself; `%`, and what is no text, as a path is written.
impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        path_text::serialize(Path::new(&*self.0.to_os_str_lossy()), serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        path_text::deserialize(deserializer).map(|path| path.into_os_string().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    #[test]
    fn whatever_is_given_comes_back_from_its_text() {
        for bytes in [&b"refs/heads/*"[..], b"100%", b"refs/tags/caf\xe9"] {
            let pattern = Pattern(bytes.into());
            let text = serde_json::to_string(&pattern).unwrap();
            assert_eq!(serde_json::from_str::<Pattern>(&text).unwrap(), pattern);
        }
        assert_eq!(
            serde_json::to_string(&Pattern::from("v1*")).unwrap(),
            "\"v1*\""
        );
    }
}
