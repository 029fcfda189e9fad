//! The `ident` attribute: `$Id$` becomes `$Id: <the blob's name> $`, as in Git.

use gix::bstr::ByteSlice as _;
use gix_hash::ObjectId;

/// `content` with its keywords expanded; `None` where there is none.
///
/// A keyword that is expanded already gets the new name, unless what it was expanded to has spaces
/// within: that is another system's.
pub(super) fn expand(content: &[u8], blob: &ObjectId) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = content[at..].find(b"$Id") {
        let start = at + found;
        let rest = &content[start + 3..];
        let Some(len) = keyword(rest) else {
            at = start + 1;
            continue;
        };
        let out = out.get_or_insert_default();
        out.extend_from_slice(&content[copied..start]);
        out.extend_from_slice(format!("$Id: {blob} $").as_bytes());
        at = start + 3 + len;
        copied = at;
    }
    let mut out = out?;
    out.extend_from_slice(&content[copied..]);
    Some(out)
}

/// How much of what follows `$Id` belongs to the keyword; `None` if it is none.
fn keyword(rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        b'$' => Some(1),
        b':' => {
            let end = 1 + rest[1..].find_byte(b'$')?;
            let value = &rest[1..end];
            let inner = value.get(1..).unwrap_or_default();
            let foreign = inner.find_byte(b' ').is_some_and(|at| at + 1 < inner.len());
            (!value.contains(&b'\n') && !foreign).then_some(end + 1)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_expanded_and_foreign_ones_kept() {
        let blob = ObjectId::null(gix_hash::Kind::Sha1);
        let id = format!("$Id: {blob} $");
        let expand = |text: &str| {
            expand(text.as_bytes(), &blob).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(expand("no keyword, $Idea$, $Id, $Id:"), None);
        assert_eq!(
            expand("a $Id$ b $Id$\n").unwrap(),
            format!("a {id} b {id}\n")
        );
        assert_eq!(expand("$Id: old $").unwrap(), id);
        assert_eq!(expand("$Id:old$$Id$").unwrap(), format!("{id}{id}"));
        assert_eq!(expand("$Id: file 1.2 by me $"), None);
        assert_eq!(expand("$Id: broken\n$"), None);
        assert_eq!(
            expand("$Id: broken\n$Id$").unwrap(),
            format!("$Id: broken\n{id}")
        );
        assert_eq!(expand("$$Id$$").unwrap(), format!("${id}$"));
    }
}
