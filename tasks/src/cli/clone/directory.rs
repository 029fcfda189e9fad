//! Where a new repository goes, if nobody says so: it is named after the URL, as git does it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice as _};

/// The directory for a clone of `url`; none where nothing can be made of it.
pub(super) fn guess(url: &[u8], bare: bool) -> Option<PathBuf> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let mut rest = &url[start..];
    // Who logs in, which may have slashes in it, comes before the last `@` of the host.
    let host_end = rest.find_byte(b'/').unwrap_or(rest.len());
    if let Some(at) = rest[..host_end].rfind_byte(b'@') {
        rest = &rest[at + 1..];
    }
    rest = trimmed(rest);
    if rest.len() > 5 && rest.ends_with(b"/.git") {
        rest = trimmed(&rest[..rest.len() - 5]);
    }
    // A host by itself gives its name, without the port.
    if !rest.contains(&b'/')
        && let Some(colon) = rest.rfind_byte(b':')
        && colon + 1 < rest.len()
        && rest[colon + 1..].iter().all(u8::is_ascii_digit)
    {
        rest = &rest[..colon];
    }
    let name = match rest.rfind_byteset(b"/:") {
        Some(at) => &rest[at + 1..],
        None => rest,
    };
    let name = name.strip_suffix(b".git").unwrap_or(name);
    let name = plain(name);
    if name.is_empty() || name == "." || name == ".." || name == "/" {
        return None;
    }
    let mut name = name;
    if bare {
        name.extend_from_slice(b".git");
    }
    Some(OsString::from_vec(name.into()).into())
}

fn trimmed(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|byte| !matches!(byte, b'/' | b' ' | b'\t' | b'\n' | b'\r'));
    end.map_or(&[], |end| &path[..=end])
}

/// The name without control characters, and with one space where there are many.
fn plain(name: &[u8]) -> BString {
    let mut out = BString::default();
    for byte in name {
        let blank = *byte <= b' ' || *byte == 0x7f;
        match out.last() {
            None | Some(b' ') if blank => {}
            _ => out.push(if blank { b' ' } else { *byte }),
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_named_as_git_names_them() {
        for (url, bare, expected) in [
            ("https://host/a/b.git", false, Some("b")),
            ("https://host/a/b.git/", false, Some("b")),
            ("https://host/a/b", true, Some("b.git")),
            ("https://u:p/q@host/b", false, Some("b")),
            ("https://host:8080/", false, Some("host")),
            ("ssh://host:22/x.git", false, Some("x")),
            ("git@host:a/b.git", false, Some("b")),
            ("git@host:b", false, Some("b")),
            ("/srv/x/.git", false, Some("x")),
            ("../a", false, Some("a")),
            ("/srv/with  space\t.git", false, Some("with space")),
            ("https://", false, None),
            ("..", false, None),
        ] {
            let guessed = guess(url.as_bytes(), bare);
            assert_eq!(guessed, expected.map(PathBuf::from), "{url}");
        }
    }
}
