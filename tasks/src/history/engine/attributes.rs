//! Whether attributes or configuration ask for another way to merge content than the built-in one.
//!
//! All attribute files that Git may look at are looked at: those of all trees, the working tree, the
//! repository and the user. One line that could concern a path is enough.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gix::attrs::parse::Kind;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::glob::pattern::Case;
use gix::glob::wildmatch::Mode;
use gix_hash::ObjectId;

use super::error::EngineError;

const FILE: &str = ".gitattributes";

/// The patterns of an attribute file that choose how to merge.
type Patterns = Vec<gix::glob::Pattern>;

/// What is known of attributes.
pub(super) struct Attributes {
    /// The configuration leaves nothing to us.
    none_is_ours: bool,
    case: Case,
    /// The files outside of trees that hold for all of the repository.
    everywhere: Vec<Vec<u8>>,
    /// The names of attributes that choose how to merge, macros included.
    names: Vec<BString>,
    /// Of the files that hold everywhere.
    patterns: Patterns,
    /// Whether these two are those of the trees at hand.
    is_known: bool,
    worktree: Option<PathBuf>,
    /// Of a bare repository: where Git looks, too.
    head: Option<ObjectId>,
    trees: Vec<ObjectId>,
    /// Of a directory, for the trees at hand.
    of_directory: HashMap<BString, Patterns>,
}

impl Attributes {
    pub(super) fn open(repository: &gix::Repository) -> Self {
        let config = repository.config_snapshot();
        let renormalize = config.string("merge.renormalize").is_some()
            && config.boolean("merge.renormalize") != Some(false);
        let other_diff = config.string("diff.algorithm");
        let other_diff = other_diff.is_some_and(|name| !name.eq_ignore_ascii_case(b"histogram"));
        let none_is_ours = renormalize
            || other_diff
            || config.string("merge.default").is_some()
            || config.string("attr.tree").is_some()
            || std::env::var_os("GIT_ATTR_SOURCE").is_some();
        let case = if config.boolean("core.ignoreCase") == Some(true) {
            Case::Fold
        } else {
            Case::Sensitive
        };
        let mut files = vec![repository.common_dir().join("info/attributes")];
        if let Ok(Some(path)) = config.trusted_path("core.attributesFile") {
            files.push(path);
        } else {
            let mut var = |name: &str| std::env::var_os(name);
            files.extend(gix::path::env::xdg_config("attributes", &mut var));
        }
        if std::env::var_os("GIT_ATTR_NOSYSTEM").is_none() {
            files.push("/etc/gitattributes".into());
            let prefix = gix::path::env::installation_config_prefix();
            files.extend(prefix.map(|prefix| prefix.join("gitattributes")));
        }
        let read = |file: PathBuf| std::fs::read(file).ok();
        let worktree = repository.workdir().map(Path::to_owned);
        let head = match &worktree {
            Some(_) => None,
            None => repository.head_tree_id().ok().map(gix::Id::detach),
        };
        Self {
            none_is_ours,
            case,
            everywhere: files.into_iter().filter_map(read).collect(),
            names: Vec::new(),
            patterns: Patterns::new(),
            is_known: false,
            worktree,
            head,
            trees: Vec::new(),
            of_directory: HashMap::new(),
        }
    }

    /// The trees that are merged next.
    pub(super) fn begin(&mut self, trees: [ObjectId; 3]) {
        self.of_directory.clear();
        self.is_known = false;
        self.trees = trees.into_iter().chain(self.head).collect();
    }

    /// Whether the file's content is merged as text, by all that is known.
    pub(super) fn allow_text(
        &mut self,
        repository: &gix::Repository,
        path: &BStr,
    ) -> Result<bool, EngineError> {
        if self.none_is_ours {
            return Ok(false);
        }
        if !self.is_known {
            self.know(repository)?;
        }
        if concerns(&self.patterns, path, self.case) {
            return Ok(false);
        }
        let mut start = 0;
        loop {
            let directory = path[..start].as_bstr();
            if !self.of_directory.contains_key(directory) {
                let found = self.read(repository, directory)?;
                self.of_directory.insert(directory.to_owned(), found);
            }
            let below = path[start..].as_bstr();
            if concerns(&self.of_directory[directory], below, self.case) {
                return Ok(false);
            }
            match below.find_byte(b'/') {
                Some(at) => start += at + 1,
                None => return Ok(true),
            }
        }
    }

    /// Learns the macros of the trees at hand; they may be used in any file.
    fn know(&mut self, repository: &gix::Repository) -> Result<(), EngineError> {
        let root = self.files(repository, BStr::new(""))?;
        self.names = vec!["merge".into(), "binary".into()];
        let everywhere = self.everywhere.iter().chain(&root);
        self.names.extend(everywhere.flat_map(|file| macros(file)));
        let names = &self.names;
        let patterns = self
            .everywhere
            .iter()
            .flat_map(|file| patterns(file, names));
        self.patterns = patterns.collect();
        self.is_known = true;
        Ok(())
    }

    /// The patterns of a directory's own files. Its path is empty, or ends with a slash.
    fn read(
        &self,
        repository: &gix::Repository,
        directory: &BStr,
    ) -> Result<Patterns, EngineError> {
        let files = self.files(repository, directory)?;
        let patterns = files.iter().flat_map(|file| patterns(file, &self.names));
        Ok(patterns.collect())
    }

    fn files(
        &self,
        repository: &gix::Repository,
        directory: &BStr,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let path = [directory.as_bytes(), FILE.as_bytes()].concat();
        let mut found = Vec::new();
        for tree in &self.trees {
            let tree = repository.find_tree(*tree).map_err(EngineError::object)?;
            let entry = tree
                .lookup_entry(path.split_str("/"))
                .map_err(EngineError::object)?;
            if let Some(entry) = entry
                && entry.mode().is_blob()
            {
                let mut blob = entry.object().map_err(EngineError::object)?;
                found.push(std::mem::take(&mut blob.data));
            }
        }
        if let Some(worktree) = &self.worktree
            && let Ok(path) = gix::path::from_bstr(path.as_bstr())
        {
            found.extend(std::fs::read(worktree.join(path)));
        }
        Ok(found)
    }
}

fn concerns(patterns: &Patterns, path: &BStr, case: Case) -> bool {
    let basename = path.rfind_byte(b'/').map(|at| at + 1);
    patterns.iter().any(|pattern| {
        pattern.matches_repo_relative_path(
            path,
            basename,
            Some(false),
            case,
            Mode::NO_MATCH_SLASH_LITERAL,
        )
    })
}

/// The patterns of the lines that could choose how to merge. A line that cannot be read concerns
/// nothing in Git either.
fn patterns(file: &[u8], names: &[BString]) -> Patterns {
    let mut found = Patterns::new();
    for line in gix::attrs::parse(file) {
        let Ok((Kind::Pattern(pattern), mut assignments, _)) = line else {
            continue;
        };
        let chooses = assignments.any(|assignment| {
            assignment.is_ok_and(|it| names.iter().any(|name| *name == it.name.as_str()))
        });
        if chooses {
            found.push(pattern);
        }
    }
    found
}

/// The macros of a file. What they stand for does not matter: another file may define them again.
fn macros(file: &[u8]) -> Vec<BString> {
    let lines = gix::attrs::parse(file).filter_map(Result::ok);
    let name = |(kind, _, _)| match kind {
        Kind::Macro(name) => Some(name.as_str().into()),
        Kind::Pattern(_) => None,
    };
    lines.filter_map(name).collect()
}
