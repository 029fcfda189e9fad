//! URLs in what is written about a transfer.

/// The URL without who logs in, as Git writes it into reflogs and `FETCH_HEAD`:
/// `https://user:secret@host/x` becomes `https://host/x`, `git@host:x` becomes `host:x`.
pub fn anonymous(url: &str) -> String {
    let Some((_, after)) = url.split_once('@') else {
        return url.to_owned();
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        let local = url
            .find(':')
            .is_none_or(|colon| url.find('/').is_some_and(|it| it < colon));
        let literal = local || !after.contains(':');
        return if literal { url } else { after }.to_owned();
    };
    let scheme_fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let host = rest.split('/').next().unwrap_or_default();
    match host.split_once('@') {
        Some(_) if scheme.chars().all(scheme_fits) => format!("{scheme}://{after}"),
        _ => url.to_owned(),
    }
}

/// The URL as `FETCH_HEAD` and the first line of a report have it: anonymous, and without slashes
/// or `.git` at its end.
pub fn brief(url: &str) -> String {
    let url = anonymous(url);
    let trimmed = url.trim_end_matches('/');
    // Of `.git` alone nothing would be left.
    let brief = match trimmed.strip_suffix(".git") {
        Some(stem) if !stem.is_empty() => stem,
        _ => trimmed,
    };
    brief.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_left_out() {
        for (url, expected) in [
            ("https://user:secret@host/x.git", "https://host/x.git"),
            ("https://user@host/x", "https://host/x"),
            ("https://host/a@b", "https://host/a@b"),
            ("git@host:x/y.git", "host:x/y.git"),
            ("/srv/a@b:c", "/srv/a@b:c"),
            ("./a@b:c", "./a@b:c"),
            ("file:///x@y", "file:///x@y"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(anonymous(url), expected);
        }
        assert_eq!(brief("https://u:p@h/x.git//"), "https://h/x");
        assert_eq!(brief("/srv/x/.git"), "/srv/x/");
        assert_eq!(brief(".git"), ".git");
    }
}
