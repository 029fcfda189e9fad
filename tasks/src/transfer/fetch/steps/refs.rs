//! Moves the refs, and lets go of what held the packs.

use std::fs;
use std::io;
use std::path::Path;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::{Output, all_objects, objects_of, open, own_dir};
use super::super::rounds::late_tags;
use super::super::{FetchError, Fetching, listing};
use crate::keep;
use crate::transfer::obtain::Obtained;
use crate::transfer::refs::fetch::report::{self, Style};
use crate::transfer::refs::fetch::{Writing, apply_fetch};
use crate::transfer::refs::{Committer, Objects};

/// The state of moving the refs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refs {
    pub(in super::super) obtained: Obtained,
    pub(in super::super) remarks: Vec<String>,
    /// How much of `FETCH_HEAD` stays.
    pub(in super::super) append_after: u64,
}

impl Step<Fetching> for Refs {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        cx.blocking(move |b| self.write(b)).await
    }
}

impl Refs {
    fn write(self, b: &mut Blocking<Fetching>) -> StepResult<Fetching> {
        let input = std::sync::Arc::clone(b.input());
        let env = std::sync::Arc::clone(b.env());
        let repo = open(&input.git_dir)?;
        let plan = listing::read(b)?.plan;
        let own = own_dir(b, &repo);
        let objects = if input.options.dry_run {
            all_objects(b, &repo)?
        } else {
            Objects::at(&objects_of(&repo))?
        };
        let mut late = late_tags(&plan, &objects);
        // What leads there may have come in another way meanwhile.
        late.retain(|it| objects.has(&it.oid));
        let committer = env
            .committer
            .clone()
            .unwrap_or_else(|| Committer::of(&repo));
        let writing = Writing {
            repo: &repo,
            objects: &objects,
            own: &own,
            disk: b,
            committer: &committer,
            action: &input.action,
            url: &input.url,
            append_after: self.append_after,
            update_head_ok: input.options.update_head_ok,
            atomic: input.options.atomic,
            dry_run: input.options.dry_run,
        };
        let fetched = apply_fetch(&plan, &late, &writing)?;
        let columns = env.told.columns;
        let style = Style {
            verbose: env.told.verbose,
            columns: if columns == 0 { 80 } else { columns },
            dry_run: input.options.dry_run,
        };
        let short = |oid: &ObjectId| shortened(&repo, oid);
        env.told
            .set(report::lines(&fetched, &input.url, style, &short));
        // What was received for nothing goes with the operation's folder.
        if !input.options.dry_run {
            let packs = objects_of(&repo).join("pack");
            release(&packs, b)?;
            for left in ["objects", "locks"] {
                remove(&own.join(left), b)?;
            }
        }
        let obtained = env.counted(self.obtained);
        Transition::done(Output {
            objects: obtained.objects,
            bytes: obtained.bytes,
            moved: fetched.moved() as u64,
            failed: fetched.failures() as u64,
            remarks: self.remarks,
        })
    }
}

/// An id as Git shortens it.
fn shortened(repo: &gix::Repository, oid: &ObjectId) -> String {
    use gix::prelude::ObjectIdExt as _;
    let short = oid.attach(repo).shorten();
    short.map_or_else(|_| oid.to_hex_with_len(7).to_string(), |it| it.to_string())
}

/// Removes the `.keep` files of this operation: the refs lead to its packs.
fn release(packs: &Path, b: &Blocking<Fetching>) -> Result<(), StepError> {
    let entries = match fs::read_dir(packs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FetchError::io(packs))?,
    };
    for entry in entries {
        let path = entry.map_err(FetchError::io(packs))?.path();
        if path.extension().is_some_and(|it| it == "keep") {
            keep::release(&path, b.id(), b).map_err(FetchError::io(&path))?;
        }
    }
    // One that an earlier run removed may come back otherwise.
    b.sync(packs)
}

/// Removes a directory of the operation, if it is there.
fn remove(dir: &Path, b: &Blocking<Fetching>) -> Result<(), StepError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(FetchError::io(dir))?,
    }
    match dir.parent().filter(|it| it.is_dir()) {
        Some(parent) => b.sync(parent),
        None => Ok(()),
    }
}
