//! Which names an entry of a tree may have: Git's own rules (`core.protectNTFS`, `core.protectHFS`),
//! by gix, and what gix leaves out.

use gix::bstr::{BStr, ByteSlice as _};
use gix::validate::path::component::{self, Error, Mode, Options};

/// What is wrong with one component of a path; `link` says that it is a symbolic link.
pub(crate) fn check(name: &BStr, link: bool, protect: Options) -> Result<(), &'static str> {
    let mode = link.then_some(Mode::Symlink);
    whole(name, mode, protect)?;
    // On NTFS a backslash ends a name as a slash does.
    if protect.protect_ntfs
        && let Some((before, _)) = name.split_once_str(b"\\")
        && let Err(Error::DotGitDir) =
            gix::validate::path::component(before.as_bstr(), None, protect)
    {
        return Err(GIT_DIR);
    }
    Ok(())
}

const GIT_DIR: &str = "would lie in a Git directory";

fn whole(name: &BStr, mode: Option<Mode>, protect: Options) -> Result<(), &'static str> {
    let Err(error) = gix::validate::path::component(name, mode, protect) else {
        return Ok(());
    };
    Err(match error {
        component::Error::Empty => "has an empty name",
        component::Error::Relative => "leads elsewhere",
        component::Error::PathSeparator => "has a slash in a name",
        component::Error::DotGitDir => GIT_DIR,
        component::Error::SymlinkedGitModules => "makes .gitmodules a symbolic link",
        _ => "is no name for a file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Options = Options {
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };

    #[test]
    fn no_spelling_of_git_and_no_way_out() {
        let refused: &[&[u8]] = &[
            b"",
            b".",
            b"..",
            b"a/b",
            b"/",
            b".git",
            b".GIT",
            b".gIt",
            b"git~1",
            b"GIT~1",
            b".git.",
            b".git ",
            b".git. .",
            b".git::$INDEX_ALLOCATION",
            b".git:x",
            b".git\\config",
            b"git~1\\config",
            ".g\u{200c}it".as_bytes(),
            "\u{feff}.Git".as_bytes(),
            ".git\u{200e}".as_bytes(),
        ];
        for name in refused {
            assert!(check(name.as_bstr(), false, ALL).is_err(), "{name:?}");
        }
        let fine: &[&[u8]] = &[
            b".gitignore",
            b"git",
            b"git~2",
            b"...",
            b".git-blame",
            b"a\\b",
            b"a:b",
            b"CON",
            b"\x1b[31m",
            b"\xff",
            b".gitmodules",
        ];
        for name in fine {
            assert_eq!(check(name.as_bstr(), false, ALL), Ok(()), "{name:?}");
        }
        for name in [".gitmodules", ".GITMODULES", "gitmod~1", ".gitmodules "] {
            assert!(check(name.into(), true, ALL).is_err(), "{name}");
        }
        assert_eq!(check("link".into(), true, ALL), Ok(()));
    }
}
