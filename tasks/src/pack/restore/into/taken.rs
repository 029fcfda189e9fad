//! Which of the refs that are to be written exist already.

use std::collections::BTreeMap;
use std::path::Path;

use gix::bstr::{BString, ByteSlice as _};
use gix::refs::Target;

use super::super::RestoreError;
use super::names::Wanted;

/// So many names are listed in an error.
const LISTED: usize = 10;

/// The refs of a repository.
pub(in super::super) struct Existing {
    refs: BTreeMap<BString, Target>,
}

impl Existing {
    /// Reads all refs of `repository`.
    pub(in super::super) fn read(repository: &gix::Repository) -> Result<Self, RestoreError> {
        let failed = |error: &dyn std::fmt::Display| RestoreError::ExistingRefs {
            reason: error.to_string(),
        };
        let mut refs = BTreeMap::new();
        let platform = repository.references().map_err(|error| failed(&error))?;
        // One that can't be read has no value; its name is looked for below.
        for reference in platform.all().map_err(|error| failed(&error))?.flatten() {
            let reference = reference.detach();
            refs.insert(reference.name.as_bstr().to_owned(), reference.target);
        }
        Ok(Self { refs })
    }

    /// Whether `name` is there, with the value that is wanted or another one.
    pub(in super::super) fn has(&self, name: &BString) -> bool {
        self.refs.contains_key(name)
    }

    /// Refuses what is there with another value, and names that would be both a ref and a directory
    /// of refs.
    pub(in super::super) fn check(
        &self,
        wanted: &Wanted,
        common_dir: &Path,
    ) -> Result<(), RestoreError> {
        let mut taken = Vec::new();
        for (name, oid) in &wanted.direct {
            let same = |there: &Target| matches!(there, Target::Object(it) if it == oid);
            self.look(name, same, common_dir, &mut taken);
        }
        for (name, to) in &wanted.symbolic {
            let same =
                |there: &Target| matches!(there, Target::Symbolic(it) if it.as_bstr() == *to);
            self.look(name, same, common_dir, &mut taken);
        }
        if taken.is_empty() {
            return Ok(());
        }
        taken.sort();
        taken.dedup();
        let more = taken.len().saturating_sub(LISTED);
        let mut listed: Vec<String> = taken
            .iter()
            .take(LISTED)
            .map(|name| name.to_str_lossy().escape_debug().to_string())
            .collect();
        if more > 0 {
            listed.push(format!("and {more} more"));
        }
        Err(RestoreError::RefsTaken {
            listed: listed.join(", "),
        })
    }

    fn look(
        &self,
        name: &BString,
        same: impl Fn(&Target) -> bool,
        common_dir: &Path,
        taken: &mut Vec<BString>,
    ) {
        match self.refs.get(name) {
            Some(there) if same(there) => return,
            Some(_) => return taken.push(name.clone()),
            None => {}
        }
        let mut above = name.as_bstr();
        while let Some((dir, _)) = above.rsplit_once_str("/") {
            above = dir.as_bstr();
            if self.refs.contains_key(above) {
                taken.push(above.to_owned());
            }
        }
        let mut below = name.clone();
        below.push(b'/');
        let first = self.refs.range(below.clone()..).next();
        if let Some((found, _)) = first
            && found.starts_with(&below)
        {
            taken.push(found.clone());
        }
        // A file that is no ref: somebody has to look at it.
        let path = common_dir.join(gix::path::from_bstr(name.as_bstr()).unwrap_or_default());
        if path.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            taken.push(name.clone());
        }
    }
}
