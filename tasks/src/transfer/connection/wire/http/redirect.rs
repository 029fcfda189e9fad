//! Where a redirection leads.

use super::super::super::ConnectionError;

/// The absolute URL that `location` means in an answer of `url`; none if it leaves HTTP.
pub(super) fn resolve(url: &str, location: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let server = rest.split(['/', '?']).next()?;
    let lower = location.to_ascii_lowercase();
    let next = if lower.starts_with("http://") || lower.starts_with("https://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{server}{location}")
    } else if location.is_empty() || lower.contains("://") {
        return None;
    } else {
        let path = url.split('?').next()?;
        let (directory, _) = path.rsplit_once('/')?;
        format!("{directory}/{location}")
    };
    let clean = next.bytes().all(|it| it > b' ' && it != 0x7f);
    // A login in it would be one that nobody has checked.
    let host = next.split_once("://")?.1.split('/').next()?;
    (clean && !host.contains('@')).then_some(next)
}

/// There are too many of them.
pub(super) fn endless() -> ConnectionError {
    ConnectionError::protocol("it sends from one place to the next without an end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_location_are_understood() {
        let url = "https://host.example:8443/a/b/info/refs?service=git-upload-pack";
        for (location, expected) in [
            ("http://other/x", Some("http://other/x")),
            ("//other/x", Some("https://other/x")),
            ("/x?y", Some("https://host.example:8443/x?y")),
            ("x", Some("https://host.example:8443/a/b/info/x")),
            ("file:///etc/passwd", None),
            ("https://user:secret@other/x", None),
            ("/x y", None),
            ("", None),
        ] {
            assert_eq!(resolve(url, location).as_deref(), expected, "{location}");
        }
    }
}
