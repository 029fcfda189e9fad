//! Which paths a sparse checkout leaves out (`core.sparseCheckout`): the patterns of
//! `info/sparse-checkout`, in the form of an ignore file; the last one that fits a path, or else the
//! directory above it, decides.

use gix::bstr::{BStr, ByteSlice as _};
use gix::glob::pattern::Case;
use gix::glob::wildmatch;

/// The patterns; none where everything is checked out.
pub(super) struct Sparse {
    patterns: Option<Vec<gix::glob::Pattern>>,
    case: Case,
}

impl Sparse {
    pub(super) fn of(repository: &gix::Repository) -> Self {
        let config = repository.config_snapshot();
        let on = |key: &str| config.boolean(key).unwrap_or(false);
        let path = repository.git_dir().join("info/sparse-checkout");
        let read = || {
            let bytes = std::fs::read(path).ok()?;
            let lines = bytes.lines().filter_map(gix::glob::Pattern::from_bytes);
            Some(lines.collect())
        };
        Self {
            patterns: on("core.sparseCheckout").then(read).flatten(),
            case: if on("core.ignoreCase") {
                Case::Fold
            } else {
                Case::Sensitive
            },
        }
    }

    /// Whether the file `path` is left out.
    pub(super) fn leaves_out(&self, path: &BStr) -> bool {
        let Some(patterns) = &self.patterns else {
            return false;
        };
        let mut path = path;
        let mut is_dir = false;
        loop {
            let name = path.rfind_byte(b'/').map(|at| at + 1);
            let fitting = patterns.iter().rev().find(|pattern| {
                pattern.matches_repo_relative_path(
                    path,
                    name,
                    Some(is_dir),
                    self.case,
                    wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
                )
            });
            if let Some(pattern) = fitting {
                return pattern.is_negative();
            }
            match name {
                Some(name) => path = path[..name - 1].as_bstr(),
                None => return true,
            }
            is_dir = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let sparse = |lines: &str| Sparse {
            patterns: Some(
                lines
                    .lines()
                    .filter_map(|l| gix::glob::Pattern::from_bytes(l.as_bytes()))
                    .collect(),
            ),
            case: Case::Sensitive,
        };
        // As `git sparse-checkout set a/b` has it.
        let cone = sparse("/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n");
        for (path, out) in [
            ("file", false),
            ("a/file", false),
            ("a/b/c/file", false),
            ("a/c/file", true),
            ("d/file", true),
        ] {
            assert_eq!(cone.leaves_out(path.into()), out, "{path}");
        }
        let by_name = sparse("*.rs\n!/old/\n");
        assert!(!by_name.leaves_out("src/a.rs".into()));
        assert!(by_name.leaves_out("src/a.c".into()));
        let none = Sparse {
            patterns: None,
            case: Case::Sensitive,
        };
        assert!(!none.leaves_out("x".into()));
    }
}
