//! Names of refs that come from outside.

use gix::bstr::{BStr, ByteSlice as _};

/// Longer names do not fit into a path.
const LONGEST: usize = 4000;
/// Longer parts between slashes do not fit into a directory, with `.lock` at their end.
const LONGEST_PART: usize = 250;

/// Whether a ref may have this full name here: below `refs/`, valid for Git, and fit for a file.
pub fn is_valid(name: &BStr) -> bool {
    name.starts_with(b"refs/")
        && name.len() <= LONGEST
        && name
            .split(|byte| *byte == b'/')
            .all(|part| part.len() <= LONGEST_PART)
        && gix::validate::reference::name(name).is_ok()
}

/// A name for people: what is not UTF-8 replaced, and nothing in it that a terminal acts on.
pub fn shown(name: &[u8]) -> String {
    let clean = |c: char| match c {
        // Marks that turn the direction of text, which hide what is written.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    name.to_str_lossy().chars().map(clean).collect()
}

/// The name as Git shows it: without `refs/heads/`, `refs/tags/` or `refs/remotes/`.
pub fn pretty(name: &BStr) -> &BStr {
    let stripped = ["refs/heads/", "refs/tags/", "refs/remotes/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix.as_bytes()));
    stripped.map_or(name, |it| it.as_bstr())
}

/// What Git tries when it is given a name that may be shortened, the best first.
pub fn expanded(name: &BStr) -> [Vec<u8>; 6] {
    [
        ("", ""),
        ("refs/", ""),
        ("refs/tags/", ""),
        ("refs/heads/", ""),
        ("refs/remotes/", ""),
        ("refs/remotes/", "/HEAD"),
    ]
    .map(|(before, after)| [before.as_bytes(), name, after.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for good in [
            "refs/heads/main",
            "refs/heads/a@b",
            "refs/x/\u{e9}",
            "refs/heads/-x",
        ] {
            assert!(is_valid(good.into()), "{good}");
        }
        assert!(is_valid(b"refs/heads/\xff".as_bstr()));
        for bad in [
            "HEAD",
            "main",
            "/refs/heads/x",
            "refs/heads/../../x",
            "refs/heads/./x",
            "refs/heads/x.lock",
            "refs/heads/x.lock/y",
            "refs/heads//x",
            "refs/heads/",
            "refs/heads/a b",
            "refs/heads/a\u{1b}[31m",
            "refs/heads/a\nb",
            "refs/heads/.git",
            "refs/tags/v1^{}",
            "refs/heads/a\\b",
            "refs/heads/@{x",
            "",
        ] {
            assert!(!is_valid(bad.into()), "{bad:?}");
        }
        let long = format!("refs/heads/{}", "x".repeat(251));
        assert!(!is_valid(long.as_str().into()));
    }

    #[test]
    fn nothing_shown_reaches_the_terminal() {
        assert_eq!(shown(b"a\x1b[2Jb\n\xff\xe2\x80\xaec"), "a?[2Jb?\u{fffd}?c");
        assert_eq!(pretty("refs/heads/a/b".into()), "a/b");
        assert_eq!(pretty("refs/notes/x".into()), "refs/notes/x");
    }
}
