//! What a user may not expect of a pack of this repository.

use std::{fs, path::Path};

use gix_hash::ObjectId;

use super::{Repository, SelectError, Selection};
use crate::pack::format::RefTarget;

impl Repository {
    /// Sentences about what of the repository is not in the pack, or not as Git shows it.
    pub fn remarks(&self, selection: &Selection) -> Result<Vec<String>, SelectError> {
        let mut remarks = Vec::new();
        let found = self.found()?;
        if found
            .refs
            .keys()
            .any(|name| name.starts_with(b"refs/replace/"))
        {
            remarks.push(
                "objects are packed as they are, not as refs/replace/* shows them".to_owned(),
            );
        }
        let grafts = self.git.common_dir().join("info/grafts");
        if fs::metadata(grafts).is_ok_and(|file| file.len() > 0) {
            remarks.push(
                "history is packed as the commits have it, not as info/grafts shows it".to_owned(),
            );
        }
        let shallow = self.shallow()?.len();
        if shallow > 0 {
            remarks.push(format!(
                "the repository is shallow: history ends at {shallow} of its commits, in the pack too"
            ));
        }
        if selection.names.is_empty() {
            let targets = found.refs.values();
            let tips: Vec<&RefTarget> = targets.chain(&found.head).collect();
            let lost = self.other_heads().into_iter();
            remarks.extend(
                lost.filter(|(_, id)| !tips.contains(&&RefTarget::Object(*id)))
                    .map(|(name, id)| {
                        format!(
                            "the HEAD of {name} is detached at {id}: a pack has one HEAD, so that \
                             commit is packed only if a ref reaches it"
                        )
                    }),
            );
        }
        Ok(remarks)
    }

    /// The detached heads of the other working trees.
    fn other_heads(&self) -> Vec<(String, ObjectId)> {
        let common = self.git.common_dir();
        let mut heads = Vec::new();
        if self.git.git_dir() != common && !self.git.is_bare() {
            heads.extend(detached(common).map(|id| ("the main working tree".to_owned(), id)));
        }
        for proxy in self.git.worktrees().unwrap_or_default() {
            let git_dir = proxy.git_dir();
            if git_dir != self.git.git_dir() {
                let name = || format!("working tree {:?}", proxy.id());
                heads.extend(detached(git_dir).map(|id| (name(), id)));
            }
        }
        heads.sort();
        heads
    }
}

/// The commit that a Git directory's `HEAD` names itself.
fn detached(git_dir: &Path) -> Option<ObjectId> {
    let head = fs::read(git_dir.join("HEAD")).ok()?;
    ObjectId::from_hex(head.trim_ascii()).ok()
}
