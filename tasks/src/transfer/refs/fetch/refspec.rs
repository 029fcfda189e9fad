//! What is fetched, and where it goes: `+refs/heads/*:refs/remotes/origin/*`.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use crate::transfer::refs::RefsError;
use crate::transfer::refs::name::expanded;
use crate::transfer::text;

/// All tags, each to its own name.
pub(super) const ALL_TAGS: &str = "refs/tags/*:refs/tags/*";

/// What is fetched, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refspec {
    /// Whether refs move that are no fast-forward (`+`).
    pub force: bool,
    /// Whether it leaves out what it names (`^`).
    pub negative: bool,
    /// A remote's ref, which may be shortened; with a `*` in it, all that match; or an object's id.
    /// Empty means `HEAD`.
    #[serde(with = "text::name")]
    pub source: BString,
    /// Where it goes, with a `*` for what the other one stands for. Empty is the same as none.
    #[serde(
        with = "text::maybe_name",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub destination: Option<BString>,
}

impl Refspec {
    /// Reads one as it stands on a command line or in `remote.<name>.fetch`.
    pub fn parse(text: &BStr) -> Result<Self, RefsError> {
        Self::read(text).ok_or_else(|| RefsError::Refspec {
            refspec: text.to_owned(),
        })
    }

    fn read(text: &BStr) -> Option<Self> {
        let force = text.first() == Some(&b'+');
        let negative = text.first() == Some(&b'^');
        let text = &text[usize::from(force || negative)..];
        let (source, destination) = match text.rfind_byte(b':') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let source = if source == b"@" {
            b"HEAD".as_slice()
        } else {
            source
        };
        let it = Self {
            force,
            negative,
            source: source.into(),
            destination: destination.map(BString::from),
        };
        let stored = destination.filter(|it| !it.is_empty());
        let named = !source.is_empty();
        let fits = if negative {
            destination.is_none() && named && it.exact().is_none() && is_name_or_pattern(source)
        } else {
            let both = it.is_pattern() == destination.is_some_and(|it| it.contains(&b'*'));
            both && (!named || it.exact().is_some() || is_name_or_pattern(source))
                && stored.is_none_or(|it| is_name_or_pattern(it))
        };
        fits.then_some(it)
    }

    /// Whether it names all refs that match.
    pub fn is_pattern(&self) -> bool {
        self.source.contains(&b'*')
    }

    /// The object, if it names one by its id.
    pub fn exact(&self) -> Option<ObjectId> {
        let it =
            (self.source.len() == gix_hash::Kind::Sha1.len_in_hex()).then_some(&self.source)?;
        ObjectId::from_hex(it).ok()
    }

    /// What it names on the remote: `HEAD` where it says nothing.
    pub fn source(&self) -> &BStr {
        if self.source.is_empty() {
            "HEAD".into()
        } else {
            self.source.as_bstr()
        }
    }

    /// Where it goes, if anywhere.
    pub fn destination(&self) -> Option<&BStr> {
        let it = self.destination.as_ref()?;
        (!it.is_empty()).then_some(it.as_bstr())
    }

    /// Where the remote's ref `name` goes, if this is a pattern that matches it. Empty if nowhere.
    pub(super) fn expand(&self, name: &BStr) -> Option<BString> {
        let to = self
            .destination
            .as_ref()
            .map_or(b"*".as_bstr(), |it| it.as_bstr());
        replaced(self.source.as_bstr(), name, to)
    }

    /// The remote's refs that may end up in `local`.
    pub(super) fn origin_of(&self, local: &BStr) -> Option<BString> {
        let destination = self.destination()?;
        if self.is_pattern() {
            return replaced(destination, local, self.source.as_bstr());
        }
        (destination == local).then(|| self.source().to_owned())
    }

    /// Whether it, a negative one, leaves out the remote's ref `name`.
    pub(super) fn omits(&self, name: &BStr) -> bool {
        let matches = if self.is_pattern() {
            replaced(self.source.as_bstr(), name, "*".into()).is_some()
        } else {
            self.source == name
        };
        self.negative && matches
    }

    /// Adds the prefixes of the refs that a server must list for it.
    pub(super) fn prefixes(&self, to: &mut Vec<BString>) {
        if self.negative || self.exact().is_some() {
            return;
        }
        match self.source.find_byte(b'*') {
            Some(star) => to.push(self.source[..star].into()),
            None => to.extend(expanded(self.source()).map(BString::from)),
        }
    }
}

/// The full name of a ref here that a refspec names.
pub(super) fn local_name(destination: &BStr) -> BString {
    let before = if destination.starts_with(b"refs/") {
        ""
    } else if [b"heads/".as_slice(), b"tags/", b"remotes/"]
        .iter()
        .any(|it| destination.starts_with(it))
    {
        "refs/"
    } else {
        "refs/heads/"
    };
    [before.as_bytes(), destination].concat().into()
}

/// `name` with what the `*` of `pattern` stands for in the place of the `*` of `to`.
fn replaced(pattern: &BStr, name: &BStr, to: &BStr) -> Option<BString> {
    let (before, after) = pattern.split_once_str("*")?;
    let rest = name.strip_prefix(before)?.strip_suffix(after)?;
    let (left, right) = to.split_once_str("*")?;
    Some([left, rest, right].concat().into())
}

/// Whether it looks like the name of a ref, which may be shortened, with one `*` at most in it.
fn is_name_or_pattern(name: &[u8]) -> bool {
    let plain = name.replacen("*", "x", 1);
    gix::validate::reference::name_partial(plain.as_bstr()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_refuses_is_refused() {
        for good in [
            "main",
            "",
            ":",
            "+:x",
            "main:",
            "+main:x",
            "refs/heads/*:refs/remotes/o/*",
            "^refs/x/*",
            "^main",
            "tags/v1",
            "refs/*/x:refs/y/*",
            "@",
            "*:*",
            "0123456789012345678901234567890123456789:x",
        ] {
            assert!(Refspec::parse(good.into()).is_ok(), "{good}");
        }
        for bad in [
            "a..b",
            "main:x*",
            "x*:main",
            "refs/heads/*",
            "refs/*/*:refs/*",
            "^",
            "^a:b",
            "a b",
            "/x",
            "^0123456789012345678901234567890123456789",
            "x:a\\b",
            "refs/heads/x.lock",
        ] {
            assert!(Refspec::parse(bad.into()).is_err(), "{bad}");
        }
        let at = Refspec::parse("@:x".into()).unwrap();
        assert_eq!(at.source(), "HEAD");
    }

    #[test]
    fn names_go_there_and_back() {
        let spec = Refspec::parse("+refs/heads/a*z:refs/x/*/y".into()).unwrap();
        assert_eq!(spec.expand("refs/heads/abz".into()).unwrap(), "refs/x/b/y");
        assert_eq!(spec.expand("refs/heads/ab".into()), None);
        assert_eq!(spec.expand("refs/heads/a".into()), None);
        assert_eq!(
            spec.origin_of("refs/x/b/y".into()).unwrap(),
            "refs/heads/abz"
        );
        assert_eq!(spec.origin_of("refs/x/b".into()), None);
        assert_eq!(local_name("tags/x".into()), "refs/tags/x");
        assert_eq!(local_name("x/y".into()), "refs/heads/x/y");
    }
}
