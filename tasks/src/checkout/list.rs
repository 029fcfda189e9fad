//! All entries of a tree, as an index without stat data.

use std::collections::HashSet;

use gix::bstr::{BStr, BString};
use gix::index::entry::{Flags, Mode, Stat};
use gix::prelude::FindExt as _;
use gix::validate::path::component::Options;
use gix_hash::ObjectId;

use super::error::Refusal;
use super::names;

/// Git's own limit (`core.maxTreeDepth`).
const DEEPEST: u32 = 2_048;
/// Some hundred times the largest repositories that are known.
const MOST: u32 = 20_000_000;
/// All paths together, in bytes.
const MOST_BYTES: usize = 2 << 30;

/// The entries of `tree` in the order of an index. Each name is looked at; a tree that could write
/// elsewhere, or one thing over another, is refused.
pub(super) fn list(
    repository: &gix::Repository,
    tree: ObjectId,
    protect: Options,
) -> Result<gix::index::State, Refusal> {
    let mut listed = Listed {
        index: gix::index::State::new(gix_hash::Kind::Sha1),
        pending: vec![Pending {
            tree,
            path: BString::default(),
            depth: 0,
        }],
        entries: 0,
        bytes: 0,
        protect,
    };
    let mut buffer = Vec::new();
    while let Some(next) = listed.pending.pop() {
        let unreadable = |reason: String| Refusal::Tree {
            oid: next.tree,
            reason,
        };
        let entries = repository
            .objects
            .find_tree_iter(&next.tree, &mut buffer)
            .map_err(|error| unreadable(error.to_string()))?;
        // Other trees of the same directory would have their files in one place with those of this.
        let mut names = HashSet::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(error.to_string()))?;
            if !names.insert(entry.filename) {
                return Err(Refusal::Twice {
                    path: next.join(entry.filename),
                });
            }
            listed.add(&next, entry.filename, entry.mode.value(), entry.oid.into())?;
        }
    }
    let mut index = listed.index;
    index.sort_entries();
    Ok(index)
}

struct Listed {
    index: gix::index::State,
    pending: Vec<Pending>,
    entries: u32,
    bytes: usize,
    protect: Options,
}

/// A tree that is to be read.
struct Pending {
    tree: ObjectId,
    /// Its path; empty for the root.
    path: BString,
    depth: u32,
}

impl Pending {
    fn join(&self, name: &BStr) -> BString {
        let mut path = self.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }
}

impl Listed {
    fn add(
        &mut self,
        parent: &Pending,
        name: &BStr,
        mode: u16,
        oid: ObjectId,
    ) -> Result<(), Refusal> {
        let path = parent.join(name);
        let link = mode & 0o170_000 == 0o120_000;
        if let Err(reason) = names::check(name, link, self.protect) {
            return Err(Refusal::Path { path, reason });
        }
        self.entries += 1;
        self.bytes += path.len();
        if self.entries > MOST || self.bytes > MOST_BYTES {
            return Err(Refusal::TooLarge { most: MOST });
        }
        let mode = match mode & 0o170_000 {
            0o040_000 => {
                if parent.depth == DEEPEST {
                    return Err(Refusal::TooDeep { most: DEEPEST });
                }
                self.pending.push(Pending {
                    tree: oid,
                    path,
                    depth: parent.depth + 1,
                });
                return Ok(());
            }
            0o100_000 if mode & 0o100 != 0 => Mode::FILE_EXECUTABLE,
            0o100_000 => Mode::FILE,
            0o120_000 => Mode::SYMLINK,
            0o160_000 => Mode::COMMIT,
            _ => return Err(Refusal::Mode { path, mode }),
        };
        self.index.dangerously_push_entry(
            Stat::default(),
            oid,
            Flags::empty(),
            mode,
            path.as_ref(),
        );
        Ok(())
    }
}
