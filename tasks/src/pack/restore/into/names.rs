//! What the refs of a pack are called under a namespace.

use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::super::super::format::{RefTarget, Refs};
use super::super::RestoreError;

const REFS: &[u8] = b"refs/";
/// Each worktree has its own of these.
const PRIVATE: [&str; 3] = ["refs/bisect/", "refs/rewritten/", "refs/worktree/"];

/// Where refs are restored to: `refs/...`, with a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(String);

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Wanted {
    /// Refs to objects, sorted by name.
    pub(in super::super) direct: Vec<(BString, ObjectId)>,
    /// Refs to other refs.
    pub(in super::super) symbolic: Vec<(BString, BString)>,
    /// Names in the pack that lead nowhere.
    pub(in super::super) left_out: Vec<BString>,
}

impl Namespace {
    /// Checks what a user gave; the slash at the end may be missing.
    pub fn parse(text: &str) -> Result<Self, RestoreError> {
        let mut name = text.to_owned();
        if !name.ends_with('/') {
            name.push('/');
        }
        let refused = |reason: String| RestoreError::Namespace {
            name: text.to_owned(),
            reason,
        };
        if !name.starts_with("refs/") {
            return Err(refused("it does not begin with refs/".to_owned()));
        }
        if PRIVATE.iter().any(|private| name.starts_with(private)) {
            return Err(refused("each worktree has its own refs there".to_owned()));
        }
        if name.starts_with("refs/heads/") {
            let reason = "branches are commits, and not every ref of a pack is one";
            return Err(refused(reason.to_owned()));
        }
        let within = format!("{name}x");
        match gix::validate::reference::name(within.as_bytes().as_bstr()) {
            Ok(_) => Ok(Self(name)),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// `refs/restored/<name>/` for the pack directory `pack`, with whatever no ref may have in its
    /// name replaced.
    pub fn for_pack(pack: &Path) -> Self {
        let name = pack.file_name().unwrap_or_default().to_string_lossy();
        let mut plain = String::new();
        for c in name.chars().take(100) {
            let fits = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let c = if fits { c } else { '-' };
            if c != '.' || !(plain.is_empty() || plain.ends_with('.')) {
                plain.push(c);
            }
        }
        let plain = plain.trim_end_matches('.');
        let plain = plain.strip_suffix(".lock").unwrap_or(plain);
        let plain = plain.trim_end_matches('.');
        let plain = if plain.is_empty() { "pack" } else { plain };
        Self(format!("refs/restored/{plain}/"))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the ref `name` goes.
    fn name(&self, name: &BStr) -> BString {
        let rest = name.strip_prefix(REFS).unwrap_or(name);
        [self.0.as_bytes(), rest].concat().into()
    }

    /// All refs of `refs`, and its `HEAD`, under their new names.
    pub(in super::super) fn wanted(&self, refs: &Refs) -> Wanted {
        let mut wanted = Wanted::default();
        let has = |name: &BString| refs.refs.binary_search_by(|(it, _)| it.cmp(name)).is_ok();
        let mut add = |name: &BStr, target: &RefTarget| match target {
            RefTarget::Object(oid) => wanted.direct.push((self.name(name), *oid)),
            RefTarget::Symbolic(to) if has(to) => {
                wanted
                    .symbolic
                    .push((self.name(name), self.name(to.as_ref())));
            }
            RefTarget::Symbolic(_) => wanted.left_out.push(name.to_owned()),
        };
        for (name, target) in &refs.refs {
            add(name.as_ref(), target);
        }
        // In `refs/` itself there is no place for it; and a ref of that name comes first.
        let taken = refs.refs.iter().any(|(name, _)| {
            let rest = name.strip_prefix(b"refs/HEAD".as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        });
        if let Some(head) = &refs.head
            && self.0.as_bytes() != REFS
            && !taken
        {
            add(b"HEAD".as_bstr(), head);
        }
        wanted.direct.sort();
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_checked() {
        for (given, name) in [
            ("refs/restored/x", "refs/restored/x/"),
            ("refs/tags/old/", "refs/tags/old/"),
            ("refs/", "refs/"),
            ("refs", "refs/"),
        ] {
            assert_eq!(Namespace::parse(given).unwrap().as_str(), name);
        }
        for given in [
            "",
            "heads/x",
            "refs/../x",
            "refs//x",
            "refs/a b",
            "refs/x.lock",
            "/refs/x",
            "refs/bisect",
            "refs/worktree/a",
            "refs/\u{1b}[m",
            "refs/x/..",
            "refs/heads",
            "refs/heads/a",
        ] {
            let error = Namespace::parse(given).unwrap_err().to_string();
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn every_directory_has_a_namespace() {
        for (dir, name) in [
            ("/a/tokio.pack", "tokio.pack"),
            ("/a/my pack", "my-pack"),
            ("/a/.hidden", "hidden"),
            ("/a/a..b", "a.b"),
            ("/a/x.lock", "x"),
            ("/a/ä:\n", "---"),
            ("/", "pack"),
            ("/a/...", "pack"),
        ] {
            let namespace = Namespace::for_pack(Path::new(dir));
            assert_eq!(namespace.as_str(), format!("refs/restored/{name}/"));
            assert!(Namespace::parse(namespace.as_str()).is_ok(), "{dir}");
        }
    }

    #[test]
    fn refs_move_below_and_keep_their_targets() {
        let oid = ObjectId::null(gix_hash::Kind::Sha1);
        let symbolic = |to: &str| RefTarget::Symbolic(to.into());
        let refs = Refs::new(
            Some(symbolic("refs/heads/main")),
            vec![
                ("refs/heads/main".into(), RefTarget::Object(oid)),
                ("refs/remotes/o/HEAD".into(), symbolic("refs/heads/main")),
                ("refs/remotes/o/gone".into(), symbolic("refs/heads/gone")),
            ],
        );
        let wanted = Namespace::parse("refs/r").unwrap().wanted(&refs);
        assert_eq!(wanted.direct, [("refs/r/heads/main".into(), oid)]);
        assert_eq!(
            wanted.symbolic,
            [
                ("refs/r/remotes/o/HEAD".into(), "refs/r/heads/main".into()),
                ("refs/r/HEAD".into(), "refs/r/heads/main".into()),
            ]
        );
        assert_eq!(wanted.left_out, ["refs/remotes/o/gone"]);
        let wanted = Namespace::parse("refs/").unwrap().wanted(&refs);
        assert_eq!(wanted.direct, [("refs/heads/main".into(), oid)]);
        assert_eq!(wanted.symbolic.len(), 1);
        let detached = Refs::new(Some(RefTarget::Object(oid)), vec![]);
        let wanted = Namespace::parse("refs/r").unwrap().wanted(&detached);
        assert_eq!(wanted.direct, [("refs/r/HEAD".into(), oid)]);
        let unborn = Refs::new(Some(symbolic("refs/heads/main")), vec![]);
        let wanted = Namespace::parse("refs/r").unwrap().wanted(&unborn);
        assert!(wanted.direct.is_empty() && wanted.symbolic.is_empty());
    }
}
