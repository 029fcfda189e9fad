//! The object directories that a repository reads from: its own, and its alternates.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::SourceError;

/// More are not followed.
const MAX: usize = u16::MAX as usize;

/// Where objects are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directories {
    /// Those that exist: the repository's own first.
    pub present: Vec<PathBuf>,
    /// Alternates that are named and are no directories. Git goes on without them, too.
    pub absent: Vec<PathBuf>,
}

impl Directories {
    /// The directory `objects`, further ones `more`, and all that their alternates lead to.
    ///
    /// As for Git, a relative path is relative to the object directory whose file has it, and a
    /// directory that was met before is not followed again.
    pub fn find(objects: &Path, more: &[PathBuf]) -> Result<Self, SourceError> {
        let mut found = Self::default();
        let mut seen = Vec::new();
        let mut pending: Vec<PathBuf> = more.iter().rev().cloned().collect();
        pending.push(objects.to_owned());
        while let Some(directory) = pending.pop() {
            // The repository's own may be missing where there are no objects yet.
            let real = match fs::canonicalize(&directory) {
                Ok(real) if real.is_dir() => real,
                _ if directory == objects => directory.clone(),
                _ => {
                    found.absent.push(directory);
                    continue;
                }
            };
            if seen.contains(&real) {
                continue;
            }
            if seen.len() >= MAX {
                return Err(SourceError::TooMany {
                    what: "alternates",
                    max: MAX as u64,
                });
            }
            let named = named_in(&real)?;
            pending.extend(named.into_iter().rev().map(|path| real.join(path)));
            seen.push(real);
            found.present.push(directory);
        }
        Ok(found)
    }
}

/// The alternates that the object directory `directory` names.
fn named_in(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let path = directory.join("info/alternates");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SourceError::io(path)(error)),
    };
    gix::odb::alternate::parse(&bytes).map_err(|error| SourceError::Alternates {
        path: directory.to_owned(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    fn made(root: &Path, name: &str, alternates: &str) -> PathBuf {
        let objects = root.join(name).join("objects");
        fs::create_dir_all(objects.join("info")).unwrap();
        fs::write(objects.join("info/alternates"), alternates).unwrap();
        objects
    }

    fn names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| {
            let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            let below = real.strip_prefix(root).unwrap().parent().unwrap();
            below.display().to_string()
        };
        paths.iter().map(name).collect()
    }

    #[test]
    fn alternates_of_alternates_are_followed_from_where_they_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let deep = made(&root, "elsewhere/deep", "");
        let own = made(&root, "own", "# a comment\n\n../../elsewhere/a/objects\n");
        let quoted = format!("../../b/objects\n\"{}\"\n", deep.display());
        // Relative to elsewhere/a, not to own.
        made(&root, "elsewhere/a", &quoted);
        made(
            &root,
            "elsewhere/b",
            "../../../own/objects\n../../a/objects\n../../gone/objects\n",
        );
        let more = made(&root, "more", "");
        let found = Directories::find(&own, &[more]).unwrap();
        assert_eq!(
            names(&root, &found.present),
            [
                "own",
                "elsewhere/a",
                "elsewhere/b",
                "elsewhere/deep",
                "more"
            ]
        );
        assert_eq!(found.absent.len(), 1);
        assert!(found.absent[0].ends_with("gone/objects"));
    }
}
