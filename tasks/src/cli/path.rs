//! Paths that are given, as they are stored.

use std::path::{Path, PathBuf};

use crate::cli::error::Error;

/// The path from the root of the file system, without links and `..` as far as
/// it exists.
pub(in crate::cli) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path)
        .map_err(|e| Error::usage(format!("no path: `{}`", path.display())).because(e))?;
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            // An empty rest would leave a slash behind.
            return Ok(real.components().chain(rest.components()).collect());
        }
    }
    Ok(path)
}

/// The path as a word that is taken for no option; none when it is not text.
pub(in crate::cli) fn word(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    Some(if text.starts_with('-') {
        format!("./{text}")
    } else {
        text.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink(root.join("a"), root.join("link")).unwrap();
        for (given, real) in [
            ("a", "a"),
            ("a/", "a"),
            ("link/new/", "a/new"),
            ("a/../a/new/deep", "a/new/deep"),
        ] {
            assert_eq!(absolute(&root.join(given)).unwrap(), root.join(real));
        }
    }

    #[test]
    fn a_path_is_never_an_option() {
        assert_eq!(word(Path::new("out")).as_deref(), Some("out"));
        assert_eq!(word(Path::new("-q")).as_deref(), Some("./-q"));
    }
}
