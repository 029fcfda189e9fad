//! Which `http.<url>.*` of the configuration are meant for a URL, and which of them most.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::url::{Scheme, Url};

/// How well a section fits: the length of its path, then whether it names the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    host: usize,
    path: usize,
    user: bool,
}

/// The values of the `http` sections for one URL.
pub(super) struct Values<'a> {
    /// The sections that are meant, in the order of the files.
    sections: Vec<(Fit, gix::config::file::SectionRef<'a>)>,
}

impl<'a> Values<'a> {
    /// Those that are meant for `url`.
    pub(super) fn of(config: &'a gix::config::File, url: &Url) -> Self {
        let sections = config.sections_by_name_and_filter("http", super::settings::trusted);
        let fitting = |section: gix::config::file::SectionRef<'a>| {
            let fit = match section.header().subsection_name() {
                None => Some(Fit::default()),
                Some(pattern) => fit(pattern, url),
            };
            fit.map(|fit| (fit, section))
        };
        Self {
            sections: sections.into_iter().flatten().filter_map(fitting).collect(),
        }
    }

    /// The value that counts: the last of those that fit best.
    pub(super) fn last(&self, key: &str) -> Option<BString> {
        self.all(key).pop()
    }

    /// All values, in order, without those that a better fitting section puts aside.
    pub(super) fn all(&self, key: &str) -> Vec<BString> {
        let mut best = Fit::default();
        let mut all = Vec::new();
        for (fit, section) in &self.sections {
            for value in section.values(key) {
                if *fit >= best {
                    best = *fit;
                    all.push(value);
                }
            }
        }
        all
    }
}

/// How well `pattern` fits `url`, if it does.
fn fit(pattern: &BStr, url: &Url) -> Option<Fit> {
    let pattern = gix::url::parse(pattern).ok()?;
    if !matches!(pattern.scheme, Scheme::Http | Scheme::Https) || pattern.scheme != url.scheme {
        return None;
    }
    let (wanted, host) = (pattern.host()?, url.host()?);
    if !host_fits(&wanted.to_lowercase(), &host.to_lowercase())
        || pattern.port_or_default() != url.port_or_default()
    {
        return None;
    }
    let user = match pattern.user() {
        Some(user) if Some(user) != url.user() => return None,
        user => user.is_some(),
    };
    let prefix = pattern.path.trim_end_with(|c| c == '/');
    let rest = url.path.strip_prefix(prefix)?;
    if !(rest.is_empty() || rest.starts_with(b"/")) {
        return None;
    }
    Some(Fit {
        // Only exact hosts are told from those with a star.
        host: if wanted.contains('*') { 0 } else { host.len() },
        path: prefix.len(),
        user,
    })
}

/// A star stands for one whole part of the host's name.
fn host_fits(pattern: &str, host: &str) -> bool {
    let (mut wanted, mut have) = (pattern.split('.'), host.split('.'));
    loop {
        match (wanted.next(), have.next()) {
            (None, None) => return true,
            (Some(wanted), Some(have)) if wanted == "*" || wanted == have => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(config: &str, url: &str, key: &str) -> Vec<String> {
        let config = gix::config::File::try_from(config).unwrap();
        let url = gix::url::parse(url.as_bytes().as_bstr()).unwrap();
        let values = Values::of(&config, &url).all(key);
        values.into_iter().map(|it| it.to_string()).collect()
    }

    #[test]
    fn the_section_that_fits_best_counts() {
        let config = "[http \"https://host.example/a/b\"]\n proxy = deep\n\
            [http]\n proxy = any\n extraHeader = all\n\
            [http \"https://host.example\"]\n proxy = host\n extraHeader = some\n\
            [http \"https://*.example/a\"]\n proxy = star\n\
            [http \"https://me@host.example/c\"]\n proxy = mine\n";
        for (url, expected) in [
            ("https://other.org/a/b", "any"),
            ("https://host.example/x", "host"),
            ("https://host.example/a/b/c", "deep"),
            ("https://host.example/a/bc", "host"),
            ("https://else.example/a/b", "star"),
            ("https://a.else.example/a/b", "any"),
            ("http://host.example/a/b", "any"),
            ("https://host.example:8443/a/b", "any"),
            ("https://host.example/c", "host"),
            ("https://me@host.example/c", "mine"),
        ] {
            assert_eq!(
                value(config, url, "proxy").last().unwrap(),
                expected,
                "{url}"
            );
        }
        let both = value(config, "https://host.example/x", "extraHeader");
        assert_eq!(both, ["all", "some"]);
    }
}
