//! Who makes a commit, and when.

use gix::actor::{Signature, SignatureRef};
use gix::bstr::ByteSlice as _;

use super::CommitError;

/// Who, and when.
pub type Identity = Signature;

/// The author of a new commit: of the environment (`GIT_AUTHOR_*`) or the configuration, now.
pub fn author(repository: &gix::Repository) -> Result<Identity, CommitError> {
    identity("author", repository.author())
}

/// The committer of a new commit, likewise.
pub fn committer(repository: &gix::Repository) -> Result<Identity, CommitError> {
    identity("committer", repository.committer())
}

fn identity(
    role: &'static str,
    found: Option<gix::Result<SignatureRef<'_>>>,
) -> Result<Identity, CommitError> {
    let date = |error: gix::Error| CommitError::Date {
        role,
        reason: error.to_string(),
    };
    let found = found.ok_or(CommitError::Nobody { role })?.map_err(date)?;
    let time = found.time().map_err(|error| CommitError::Date {
        role,
        reason: error.to_string(),
    })?;
    Ok(Identity {
        name: clean(found.name).into(),
        email: clean(found.email).into(),
        time,
    })
}

/// As Git has it: without what would end the name or the line, and without marks around it.
fn clean(part: &gix::bstr::BStr) -> Vec<u8> {
    let is_crud = |byte: &u8| *byte <= 32 || b".,:;<>\"\\'".contains(byte);
    let bytes = part.as_bytes();
    let start = bytes.iter().take_while(|byte| is_crud(byte)).count();
    let end = bytes.iter().rev().take_while(|byte| is_crud(byte)).count();
    let middle = bytes.get(start..bytes.len() - end).unwrap_or_default();
    middle
        .iter()
        .copied()
        .filter(|byte| !b"\n<>".contains(byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_by_git() {
        for (name, clean_name) in [
            ("A U Thor", "A U Thor"),
            (" \"A <U> Thor\". ", "A U Thor"),
            ("...", ""),
            ("J. R.", "J. R"),
        ] {
            assert_eq!(clean(name.into()), clean_name.as_bytes(), "{name}");
        }
    }
}
