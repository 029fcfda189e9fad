//! New commits.

use gix::bstr::{BString, ByteSlice as _};
use gix::objs::{Write as _, WriteTo as _};
use gix_hash::ObjectId;

use super::identity::Identity;
use super::{CommitError, sign};

/// A commit that is to be made.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents.
    pub parents: Vec<ObjectId>,
    /// Who wrote it.
    pub author: Identity,
    /// Who commits it.
    pub committer: Identity,
    /// What it says.
    pub message: BString,
    /// The encoding of what it says, where that is not UTF-8: as [`encoding`] has it for new ones.
    pub encoding: Option<BString>,
    /// More headers, such as `mergetag`.
    pub headers: Vec<(BString, BString)>,
}

/// The encoding that new commits are said to be in (`i18n.commitEncoding`); none if that is UTF-8.
pub fn encoding(repository: &gix::Repository) -> Option<BString> {
    let set = repository.config_snapshot().string("i18n.commitEncoding")?;
    let is_utf8 = ["utf-8", "utf8"]
        .iter()
        .any(|name| set.eq_ignore_ascii_case(name.as_bytes()));
    (!set.is_empty() && !is_utf8).then_some(set)
}

/// Writes a commit, signed where `commit.gpgSign` asks for it. As any new object it is in the memory
/// of `repository`, if that has one.
pub fn create(repository: &gix::Repository, new: NewCommit) -> Result<ObjectId, CommitError> {
    let mut commit = gix::objs::Commit {
        tree: new.tree,
        parents: new.parents.into_iter().collect(),
        author: new.author,
        committer: new.committer,
        encoding: new.encoding,
        message: new.message,
        extra_headers: new.headers,
    };
    if repository.config_snapshot().boolean("commit.gpgSign") == Some(true) {
        let mut payload = Vec::new();
        commit
            .write_to(&mut payload)
            .map_err(CommitError::repository)?;
        let who = &commit.committer;
        let who = format!("{} <{}>", who.name.to_str_lossy(), who.email.to_str_lossy());
        let signature = sign::sign(repository, &payload, &who)?;
        // After all other headers, as Git does.
        commit.extra_headers.push(("gpgsig".into(), signature));
    }
    repository
        .objects
        .write(&commit)
        .map_err(CommitError::repository)
}
