//! Where state lies that belongs to no repository, or can't be kept in it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::CoreError;

/// The variable that names the one place for all state.
pub const OVERRIDE: &str = "MUG_STATE_DIR";

/// The user's directory for state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDir {
    /// The directory; it need not exist.
    pub path: PathBuf,
    /// Whether `MUG_STATE_DIR` names it. All state is kept there then, that of repositories too.
    pub holds_all: bool,
}

impl UserDir {
    /// `$MUG_STATE_DIR`, else `$XDG_STATE_HOME/mug`, else `~/.local/state/mug`.
    pub fn from_env() -> Result<Self, CoreError> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, CoreError> {
        // As the XDG specification has it, paths that are not absolute are ignored.
        let dir = |name| {
            var(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        if let Some(path) = dir(OVERRIDE) {
            return Ok(Self {
                path,
                holds_all: true,
            });
        }
        let state = dir("XDG_STATE_HOME").or_else(|| Some(dir("HOME")?.join(".local/state")));
        let path = state.ok_or(CoreError::NoUserDir)?.join("mug");
        Ok(Self {
            path,
            holds_all: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(vars: &[(&str, &str)]) -> Result<UserDir, CoreError> {
        UserDir::from_vars(|name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_most_particular_variable_wins() {
        let all = [
            ("HOME", "/home/a"),
            ("XDG_STATE_HOME", "/state"),
            ("MUG_STATE_DIR", "/mine"),
        ];
        assert_eq!(
            chosen(&all).unwrap(),
            UserDir {
                path: "/mine".into(),
                holds_all: true
            }
        );
        assert_eq!(
            chosen(&all[..2]).unwrap(),
            UserDir {
                path: "/state/mug".into(),
                holds_all: false
            }
        );
        assert_eq!(
            chosen(&all[..1]).unwrap().path,
            PathBuf::from("/home/a/.local/state/mug")
        );
    }

    #[test]
    fn relative_paths_are_ignored() {
        let vars = [
            ("HOME", "/home/a"),
            ("XDG_STATE_HOME", "state"),
            ("MUG_STATE_DIR", ""),
        ];
        assert_eq!(
            chosen(&vars).unwrap().path,
            PathBuf::from("/home/a/.local/state/mug")
        );
        assert!(matches!(chosen(&[("HOME", "")]), Err(CoreError::NoUserDir)));
    }
}
