//! A refspec of a push, as it is written.

use gix::bstr::{BStr, BString, ByteSlice as _};

use super::PushError;

/// A refspec of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// `:`, all branches that both sides have.
    Matching {
        /// With a `+` before it.
        force: bool,
    },
    /// `^refs/heads/x`: what is not pushed.
    Negative(BString),
    /// `<src>:<dst>`, one ref, or many with a `*` on both sides.
    Pair {
        /// The source; empty: the destination is deleted.
        src: BString,
        /// The destination; none: it follows from the source.
        dst: Option<BString>,
        /// With a `+` before it.
        force: bool,
    },
}

impl Spec {
    /// Reads one as it stands in the configuration or on the command line.
    pub fn parse(text: &BStr) -> Result<Self, PushError> {
        let bad = || PushError::Spec {
            spec: text.to_owned(),
        };
        if let Some(name) = text.strip_prefix(b"^") {
            let valid = !name.is_empty() && !name.contains(&b':');
            return valid.then(|| Self::Negative(name.into())).ok_or_else(bad);
        }
        let (force, rest) = match text.strip_prefix(b"+") {
            Some(rest) => (true, rest),
            None => (false, text.as_bytes()),
        };
        if rest == b":" {
            return Ok(Self::Matching { force });
        }
        let (src, dst) = match rest.rsplit_once_str(":") {
            Some((src, dst)) => (src, Some(dst)),
            None => (rest, None),
        };
        // `@` is a short way to write HEAD.
        let src = if src == b"@" { b"HEAD".as_slice() } else { src };
        let stars = |side: &[u8]| side.find_iter(b"*").count();
        let from = stars(src);
        let to = dst.map_or(from, stars);
        if from > 1 || from != to || (src.is_empty() && dst.is_none_or(<[u8]>::is_empty)) {
            return Err(bad());
        }
        match dst {
            // The source has a name then, which the destination can't be without.
            Some(b"") => Err(bad()),
            dst => {
                let full = |name: &[u8]| {
                    let name = name.replace("*", "x");
                    gix::validate::reference::name_partial(name.as_bstr()).is_ok()
                };
                if dst.is_some_and(|dst| !full(dst)) || (from == 1 && !full(src)) {
                    return Err(bad());
                }
                Ok(Self::Pair {
                    src: src.into(),
                    dst: dst.map(BString::from),
                    force,
                })
            }
        }
    }

    /// One of the command line's for `--delete`.
    pub fn delete(text: &BStr) -> Result<Self, PushError> {
        if text.is_empty() || text.contains(&b':') || text.starts_with(b"+") {
            let spec = text.to_owned();
            return Err(PushError::Delete { spec });
        }
        Self::parse([b":".as_slice(), text].concat().as_bstr())
    }

    /// The same, with the force of a `+` before it.
    pub fn forced(mut self) -> Self {
        match &mut self {
            Self::Matching { force } | Self::Pair { force, .. } => *force = true,
            Self::Negative(_) => {}
        }
        self
    }

    /// Whether it stands for many refs.
    pub(super) fn is_pattern(&self) -> bool {
        match self {
            Self::Pair { src, .. } => src.contains(&b'*'),
            Self::Matching { .. } => true,
            Self::Negative(_) => false,
        }
    }
}

/// What `name` becomes by a pattern with one `*`, or a plain name; none if it does not match.
pub fn mapped(from: &BStr, to: &BStr, name: &BStr) -> Option<BString> {
    let Some((before, after)) = from.split_once_str("*") else {
        return (from == name).then(|| to.to_owned());
    };
    let middle = name.strip_prefix(before)?.strip_suffix(after)?;
    let (start, end) = to.split_once_str("*")?;
    Some([start, middle, end].concat().into())
}
