//! When commits were made.

use std::sync::Arc;

use gix_hash::ObjectId;

use super::CreateError;
use crate::pack::{
    scan::links,
    select::SelectError,
    source::{Catalog, Kind, Reader, SourceError, SourceList, Sources},
};

/// How many annotated tags may lead to a commit.
const TAGS: u32 = 100;

/// The objects of the repository as they are now, opened at the first question.
pub(super) struct Dates<'a> {
    find: &'a dyn Fn() -> Result<SourceList, SourceError>,
    opened: Option<(Arc<Sources>, Catalog)>,
}

impl<'a> Dates<'a> {
    pub(super) fn new(find: &'a dyn Fn() -> Result<SourceList, SourceError>) -> Self {
        Self { find, opened: None }
    }

    /// The committer's date of the commit that `id` is or leads to; none where it leads to none.
    pub(super) fn of(&mut self, id: &ObjectId) -> Result<Option<i64>, SelectError> {
        self.look(id).map_err(|error| SelectError::Date {
            id: id.to_string(),
            why: error.to_string(),
        })
    }

    fn look(&mut self, id: &ObjectId) -> Result<Option<i64>, CreateError> {
        if self.opened.is_none() {
            let sources = Arc::new(Sources::open((self.find)()?, None)?);
            let catalog = Catalog::build(&sources)?;
            self.opened = Some((sources, catalog));
        }
        let Some((sources, catalog)) = &self.opened else {
            return Ok(None);
        };
        let mut reader = Reader::new(sources, catalog);
        let mut oid = [0; 20];
        oid.copy_from_slice(id.as_slice());
        let mut content = Vec::new();
        for _ in 0..TAGS {
            let Some(object) = catalog.find(sources, &oid) else {
                let damage = sources.damage(&oid).map(CreateError::from);
                return Err(damage.unwrap_or_else(|| missing(&oid)));
            };
            match reader.kind(object)? {
                Kind::Commit => {
                    reader.object(object, &mut content)?;
                    return date(&content)
                        .map(Some)
                        .ok_or_else(|| reader.damaged(object, "its committer has no date").into());
                }
                Kind::Tag => {
                    reader.object(object, &mut content)?;
                    links::of(Kind::Tag, &content, |(target, _)| oid = target)
                        .map_err(|why| reader.damaged(object, why))?;
                }
                Kind::Tree | Kind::Blob => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn missing(oid: &[u8; 20]) -> CreateError {
    let why = format!("object {} is missing", ObjectId::Sha1(*oid));
    CreateError::Io(std::io::Error::new(std::io::ErrorKind::NotFound, why))
}

/// The date of a commit's `committer` line.
fn date(commit: &[u8]) -> Option<i64> {
    let mut headers = commit.split(|byte| *byte == b'\n');
    let line = headers
        .by_ref()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(b"committer "))?;
    let after_mail = line.rsplit(|byte| *byte == b'>').next()?;
    let text = std::str::from_utf8(after_mail).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committers_date_is_read_and_nothing_like_it() {
        let commit = |rest: &str| format!("tree 0\nauthor a <a> 1 +0000\n{rest}\n\ncommitter 9");
        let read = |rest: &str| date(commit(rest).as_bytes());
        assert_eq!(
            read("committer b <b> 1700000000 +0100"),
            Some(1_700_000_000)
        );
        assert_eq!(read("committer b <b> -5 +0100"), Some(-5));
        assert_eq!(read("committer b > c <b> 7 +0000\ngpgsig x"), Some(7));
        assert_eq!(read("committer b <b>"), None);
        assert_eq!(read("encoding x"), None);
    }
}
