//! What commits, tags and trees refer to.

use crate::pack::source::{Kind, Oid};

/// One reference: the object, and the kind that it is taken for.
pub(crate) type Link = (Oid, Kind);

/// The references of a commit: its tree and its parents.
pub(super) fn of_commit(content: &[u8], mut found: impl FnMut(Link)) -> Result<(), &'static str> {
    let (tree, mut rest) = header(content, b"tree ").ok_or("the commit names no tree")?;
    found((tree, Kind::Tree));
    while let Some((parent, after)) = header(rest, b"parent ") {
        found((parent, Kind::Commit));
        rest = after;
    }
    Ok(())
}

/// The reference of an annotated tag.
pub(super) fn of_tag(content: &[u8], mut found: impl FnMut(Link)) -> Result<(), &'static str> {
    let (target, rest) = header(content, b"object ").ok_or("the tag names no object")?;
    let kind = rest
        .strip_prefix(b"type ")
        .and_then(|rest| rest.split(|byte| *byte == b'\n').next())
        .and_then(Kind::from_name)
        .ok_or("the tag names no kind")?;
    found((target, kind));
    Ok(())
}

/// A line of `key`, 40 hex digits and a line feed; and what follows.
fn header<'a>(content: &'a [u8], key: &[u8]) -> Option<(Oid, &'a [u8])> {
    let (digits, rest) = content.strip_prefix(key)?.split_at_checked(40)?;
    match gix_hash::ObjectId::from_hex(digits).ok()? {
        gix_hash::ObjectId::Sha1(oid) => Some((oid, rest.strip_prefix(b"\n")?)),
        _ => None,
    }
}

/// An entry of a tree.
pub(crate) struct TreeEntry<'a> {
    /// The file's name.
    pub(crate) name: &'a [u8],
    /// The object, and the kind that its mode means; none for a submodule's commit.
    pub(crate) link: Option<Link>,
    /// Where the next entry begins.
    pub(crate) end: usize,
}

/// The entry of the tree `content` that begins at `at`.
pub(crate) fn tree_entry(content: &[u8], at: usize) -> Result<TreeEntry<'_>, &'static str> {
    const BAD: &str = "the tree has a malformed entry";
    let entry = content.get(at..).ok_or(BAD)?;
    let space = entry
        .iter()
        .take(8)
        .position(|byte| *byte == b' ')
        .ok_or(BAD)?;
    let nul = entry[space + 1..]
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(BAD)?
        + space
        + 1;
    let oid = entry.get(nul + 1..nul + 21).ok_or(BAD)?;
    let mut mode = 0_u32;
    for digit in &entry[..space] {
        if !(b'0'..=b'7').contains(digit) {
            return Err(BAD);
        }
        mode = mode << 3 | u32::from(digit - b'0');
    }
    let mut id = [0; 20];
    id.copy_from_slice(oid);
    // The kinds of files as stat(2) numbers them; Git treats what it does not know as a file.
    let link = match mode & 0o170_000 {
        0o160_000 => None,
        0o040_000 => Some((id, Kind::Tree)),
        _ => Some((id, Kind::Blob)),
    };
    Ok(TreeEntry {
        name: &entry[space + 1..nul],
        link,
        end: at + nul + 21,
    })
}

/// All references of an object of `kind`.
pub(crate) fn of(
    kind: Kind,
    content: &[u8],
    mut found: impl FnMut(Link),
) -> Result<(), &'static str> {
    match kind {
        Kind::Commit => of_commit(content, found),
        Kind::Tag => of_tag(content, found),
        Kind::Blob => Ok(()),
        Kind::Tree => {
            let mut at = 0;
            while at < content.len() {
                let entry = tree_entry(content, at)?;
                at = entry.end;
                entry.link.into_iter().for_each(&mut found);
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(kind: Kind, content: &[u8]) -> Result<Vec<Link>, &'static str> {
        let mut all = Vec::new();
        of(kind, content, |link| all.push(link)).map(|()| all)
    }

    #[test]
    fn a_commit_refers_to_its_tree_and_parents_only() {
        let text = format!(
            "tree {}\nparent {}\nparent {}\nauthor x\n\nparent {}\n",
            "11".repeat(20),
            "22".repeat(20),
            "33".repeat(20),
            "44".repeat(20)
        );
        let expected = vec![
            ([0x11; 20], Kind::Tree),
            ([0x22; 20], Kind::Commit),
            ([0x33; 20], Kind::Commit),
        ];
        assert_eq!(links(Kind::Commit, text.as_bytes()), Ok(expected));
        assert!(links(Kind::Commit, b"author x\n").is_err());
    }

    #[test]
    fn a_tag_refers_to_its_object_as_the_kind_it_names() {
        let text = format!("object {}\ntype tree\ntag v1\n", "ab".repeat(20));
        assert_eq!(
            links(Kind::Tag, text.as_bytes()),
            Ok(vec![([0xab; 20], Kind::Tree)])
        );
        assert!(links(Kind::Tag, b"object ab\n").is_err());
    }

    #[test]
    fn a_tree_refers_to_everything_but_submodules() {
        let mut tree = Vec::new();
        for (mode, name, byte) in [
            ("100644", "a file", 1),
            ("120000", "link", 2),
            ("160000", "sub", 3),
            ("40000", "dir", 4),
        ] {
            tree.extend(format!("{mode} {name}\0").into_bytes());
            tree.extend([byte; 20]);
        }
        let expected = vec![
            ([1; 20], Kind::Blob),
            ([2; 20], Kind::Blob),
            ([4; 20], Kind::Tree),
        ];
        assert_eq!(links(Kind::Tree, &tree), Ok(expected));
        assert!(links(Kind::Tree, &tree[..tree.len() - 1]).is_err());
    }
}
