//! What is rebased, onto what, and which commits.

use std::collections::HashSet;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::Kind;
use gix::prelude::Write as _;
use gix::traverse::commit::topo;
use gix_hash::ObjectId;

use super::arrange;
use super::commit::{self, Source};
use super::error::RebaseError;
use super::folder;
use super::input::Input;
use super::machine::open;
use super::patch::Patches;
use super::refs::{self, Head};
use super::todo::Item;
use crate::history::commit::message::comment_mark;
use crate::history::objects;
use crate::history::worktree::dirt;
use crate::transfer::refs::Committer;

/// What is rebased, onto what.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// What `HEAD` names.
    pub(super) head: Head,
    /// Its commit.
    pub(super) from: ObjectId,
    /// The branch that is rebased; none for a commit.
    pub(super) branch: Option<BString>,
    /// Its commit.
    pub(super) orig: ObjectId,
    /// Whose commits are left out.
    upstream: Option<ObjectId>,
    /// What hooks are told of it.
    pub(super) upstream_name: Option<String>,
    pub(super) onto: ObjectId,
    pub(super) onto_name: BString,
    /// Whether the first commit is to have no parent; the base is none of the branch's then.
    pub(super) to_root: bool,
    /// Where the branch left its upstream, by the upstream's log.
    fork_point: Option<ObjectId>,
    /// What is not committed, in words.
    pub(super) dirty: Option<&'static str>,
}

/// Refuses what can't be rebased; for a first look, before there is an operation.
pub fn look(input: &Input) -> Result<(), RebaseError> {
    let repository = objects::in_memory(&open(input)?);
    let who = Committer::of(&repository).as_bstr().to_owned();
    let choice = choose(&repository, input, &who)?;
    choice.refuse_dirty(&repository, input)
}

/// Finds out what is meant, and refuses what Git would refuse. A base that has to be made first is `who`'s,
/// and goes to the objects of `repository`.
pub(super) fn choose(
    repository: &gix::Repository,
    input: &Input,
    who: &BString,
) -> Result<Choice, RebaseError> {
    refuse_unknown(repository)?;
    refuse_commands(repository, &input.exec)?;
    refuse_busy(repository.git_dir())?;
    let head = refs::head(repository.git_dir())?;
    let from = match &head {
        Head::Commit(id) => *id,
        Head::Branch(name) => find(repository, name.as_ref())?.ok_or(RebaseError::Unborn)?,
    };
    let (branch, orig) = match &input.branch {
        None => {
            let branch = match &head {
                Head::Branch(name) => Some(name.clone()),
                Head::Commit(_) => None,
            };
            (branch, from)
        }
        Some(name) => named(repository, name)?,
    };
    let mut fork_point = None;
    let (upstream, upstream_name) = if input.root {
        (None, None)
    } else if let Some(name) = &input.upstream {
        let previous = if name == "-" { "@{-1}" } else { name };
        (Some(commit_of(repository, previous)?), Some(name.clone()))
    } else {
        let tracked = branch
            .as_ref()
            .and_then(|name| tracked(repository, name.as_ref()));
        let name = tracked.ok_or(RebaseError::NoUpstream)?;
        let id = find(repository, name.as_ref())?.ok_or(RebaseError::NoUpstream)?;
        let config = repository.config_snapshot();
        if config.boolean("rebase.forkPoint").unwrap_or(true) {
            fork_point = forked(repository, name.as_ref(), orig)?;
        }
        (Some(id), Some(name.to_string()))
    };
    let (onto, onto_name) = match (&input.onto, upstream, &upstream_name) {
        (Some(name), _, _) => (base(repository, name)?, BString::from(name.as_str())),
        (None, Some(id), Some(name)) => (id, BString::from(name.as_str())),
        _ => {
            // Git begins with a commit of nothing, too: what is picked onto it has no parent.
            let empty = repository.objects.write_buf(Kind::Tree, b"");
            let empty = empty.map_err(RebaseError::repository)?;
            let who = who.as_ref();
            let made = commit::write_plain(repository, empty, &[], who, who, "".into())?;
            (made, made.to_string().into())
        }
    };
    if let Some(branch) = &branch
        && input.branch.is_some()
        && Head::Branch(branch.clone()) != head
    {
        refuse_elsewhere(repository, branch)?;
    }
    let mut dirty = None;
    if repository.workdir().is_some() {
        let dirt = dirt(repository, commit::tree(repository, from)?)?;
        dirty = match (dirt.unstaged.is_empty(), dirt.staged.is_empty()) {
            (true, true) => None,
            (false, true) => Some("you have unstaged changes"),
            (true, false) => Some("your index contains uncommitted changes"),
            (false, false) => Some("you have unstaged and uncommitted changes"),
        };
    }
    Ok(Choice {
        head,
        from,
        branch,
        orig,
        upstream,
        upstream_name,
        onto,
        onto_name,
        to_root: input.root && input.onto.is_none(),
        fork_point,
        dirty,
    })
}

impl Choice {
    /// Refuses what is not committed, if it is not to be kept aside.
    pub(super) fn refuse_dirty(
        &self,
        repository: &gix::Repository,
        input: &Input,
    ) -> Result<(), RebaseError> {
        let config = repository.config_snapshot();
        let configured = config.boolean("rebase.autoStash").unwrap_or(false);
        match self.dirty {
            Some(what) if !input.autostash.unwrap_or(configured) => Err(RebaseError::Dirty {
                what: what.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether the commits lie on their new base already, one after the other.
    pub(super) fn is_up_to_date(&self, repository: &gix::Repository) -> Result<bool, RebaseError> {
        let Some(upstream) = self.upstream else {
            return Ok(false);
        };
        let bases = |other| bases(repository, other, self.orig);
        if bases(self.onto)? != [self.onto]
            || self.fork_point.is_some_and(|point| point != self.onto)
            || bases(upstream)? != [self.onto]
        {
            return Ok(false);
        }
        // Without merges in between.
        let mut at = self.orig;
        while at != self.onto {
            let found = repository
                .find_commit(at)
                .map_err(RebaseError::repository)?;
            let parents: Vec<_> = found.parent_ids().map(gix::Id::detach).collect();
            match parents[..] {
                [parent] => at = parent,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The list of what is to be done, the oldest commit first, and how many commits were left out since
    /// the other side has their changes.
    pub(super) fn items(
        &self,
        repository: &gix::Repository,
        input: &Input,
    ) -> Result<(Vec<Item>, u64), RebaseError> {
        let (mut items, skipped, empty) = self.picks(repository)?;
        if input.autosquash {
            items = arrange::squash(&items, |name| {
                let name = std::str::from_utf8(name).ok()?;
                commit_of(repository, name).ok()
            });
        }
        let mark = comment_mark(repository);
        for item in &mut items {
            if let Item::Commit {
                commit, subject, ..
            } = item
                && empty.contains(commit)
            {
                subject.extend_from_slice(&[b" ", &mark[..], b" empty"].concat());
            }
        }
        Ok((arrange::commands(items, &input.exec), skipped))
    }

    /// The commits, how many were left out, and those that change nothing.
    fn picks(
        &self,
        repository: &gix::Repository,
    ) -> Result<(Vec<Item>, u64, HashSet<ObjectId>), RebaseError> {
        let other = self
            .upstream
            .or((self.onto != self.orig).then_some(self.onto));
        let root = self.upstream.is_none() && !self.shares_history(repository)?;
        let ends: Vec<ObjectId> = other
            .filter(|_| !root)
            .into_iter()
            .chain(self.fork_point)
            .collect();
        let mut mine = walk(repository, self.orig, &ends)?;
        mine.reverse();
        let mut theirs = Patches::default();
        if let Some(other) = other
            && !mine.is_empty()
        {
            let ends: Vec<ObjectId> = [self.orig].into_iter().chain(self.fork_point).collect();
            for id in walk(repository, other, &ends)? {
                theirs.add(repository, id);
            }
        }
        let (mut items, mut skipped) = (Vec::with_capacity(mine.len()), 0);
        let mut empty = HashSet::new();
        let mut last = None;
        for id in mine {
            let source = Source::read(repository, id)?;
            let before = match (source.parent(), last) {
                (Some(parent), Some((id, tree))) if parent == id => tree,
                (Some(parent), _) => commit::tree(repository, parent)?,
                (None, _) => ObjectId::empty_tree(gix_hash::Kind::Sha1),
            };
            last = Some((id, source.tree));
            if before == source.tree {
                empty.insert(id);
            } else if theirs.has(repository, before, source.tree)? {
                skipped += 1;
                continue;
            }
            let subject = commit::subject(source.message.as_ref());
            items.push(Item::pick(id, subject));
        }
        Ok((items, skipped, empty))
    }

    fn shares_history(&self, repository: &gix::Repository) -> Result<bool, RebaseError> {
        Ok(!bases(repository, self.onto, self.orig)?.is_empty())
    }
}

/// The commits that `tip` reaches and `ends` don't, merges left out, the newest first.
fn walk(
    repository: &gix::Repository,
    tip: ObjectId,
    ends: &[ObjectId],
) -> Result<Vec<ObjectId>, RebaseError> {
    if ends.contains(&tip) {
        return Ok(Vec::new());
    }
    let walk = topo::Builder::from_iters(&repository.objects, [tip], Some(ends.iter().copied()))
        .sorting(topo::Sorting::TopoOrder)
        .build()
        .map_err(RebaseError::repository)?;
    let mut found = Vec::new();
    for info in walk {
        let info = info.map_err(RebaseError::repository)?;
        if info.parent_ids.len() < 2 {
            found.push(info.id);
        }
    }
    Ok(found)
}

fn bases(
    repository: &gix::Repository,
    a: ObjectId,
    b: ObjectId,
) -> Result<Vec<ObjectId>, RebaseError> {
    let found = repository
        .merge_bases_many(a, &[b])
        .map_err(RebaseError::repository)?;
    Ok(found.into_iter().map(gix::Id::detach).collect())
}

/// Where the branch left the ref `upstream`, which may have been rewritten since.
fn forked(
    repository: &gix::Repository,
    upstream: &BStr,
    orig: ObjectId,
) -> Result<Option<ObjectId>, RebaseError> {
    let found = repository.try_find_reference(upstream);
    let Some(found) = found.map_err(RebaseError::repository)? else {
        return Ok(None);
    };
    let mut seen = Vec::new();
    let mut log = found.log_iter();
    let Some(lines) = log.all().map_err(RebaseError::repository)? else {
        return Ok(None);
    };
    for line in lines {
        let Ok(line) = line else { continue };
        if seen.is_empty() {
            seen.push(line.previous_oid());
        }
        seen.push(line.new_oid());
    }
    seen.retain(|id| !id.is_null() && repository.find_commit(*id).is_ok());
    seen.sort();
    seen.dedup();
    if seen.is_empty() {
        return Ok(None);
    }
    let found = repository
        .merge_bases_many(orig, &seen)
        .map_err(RebaseError::repository)?;
    Ok(match found[..] {
        [base] if seen.contains(&base.detach()) => Some(base.detach()),
        _ => None,
    })
}

/// A branch by its name, or else any commit.
fn named(
    repository: &gix::Repository,
    name: &str,
) -> Result<(Option<BString>, ObjectId), RebaseError> {
    let full = BString::from(format!("refs/heads/{name}"));
    match find(repository, full.as_ref()) {
        Ok(Some(id)) => Ok((Some(full), id)),
        _ => Ok((None, commit_of(repository, name)?)),
    }
}

/// A base that is given; `a...b` is the merge base of the two.
fn base(repository: &gix::Repository, name: &str) -> Result<ObjectId, RebaseError> {
    let Some((a, b)) = name.split_once("...") else {
        return commit_of(repository, name);
    };
    let side = |name: &str| commit_of(repository, if name.is_empty() { "HEAD" } else { name });
    match bases(repository, side(a)?, side(b)?)?[..] {
        [base] => Ok(base),
        _ => Err(RebaseError::NoMergeBase {
            name: name.to_owned(),
        }),
    }
}

fn commit_of(repository: &gix::Repository, name: &str) -> Result<ObjectId, RebaseError> {
    let failed = |error: gix::Error| RebaseError::NoCommit {
        name: name.to_owned(),
        reason: error.to_string(),
    };
    let id = repository.rev_parse_single(name).map_err(failed)?;
    let object = id.object().map_err(failed)?;
    Ok(object.peel_to_commit().map_err(failed)?.id)
}

fn find(repository: &gix::Repository, name: &BStr) -> Result<Option<ObjectId>, RebaseError> {
    let found = repository.try_find_reference(name);
    let Some(mut found) = found.map_err(RebaseError::repository)? else {
        return Ok(None);
    };
    let id = found.peel_to_id().map_err(RebaseError::repository)?;
    Ok(Some(id.detach()))
}

/// The ref that a branch tracks.
fn tracked(repository: &gix::Repository, branch: &BStr) -> Option<BString> {
    let short = branch.strip_prefix(b"refs/heads/")?.as_bstr();
    let config = repository.config_snapshot();
    let remote = config.string(&*format!("branch.{short}.remote"))?;
    if remote == "." {
        return config.string(&*format!("branch.{short}.merge"));
    }
    let name = gix::refs::FullName::try_from(branch.to_owned()).ok()?;
    let direction = gix::remote::Direction::Fetch;
    let found = repository.branch_remote_tracking_ref_name(name.as_ref(), direction)?;
    Some(found.ok()?.as_bstr().to_owned())
}

/// What Git's tools could be in the middle of.
fn refuse_busy(git_dir: &Path) -> Result<(), RebaseError> {
    for (name, what) in [
        (folder::NAME, "rebase"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ] {
        let path = git_dir.join(name);
        if path.exists() {
            return Err(RebaseError::Busy { path, what });
        }
    }
    Ok(())
}

/// What would make other commits than Git's.
fn refuse_unknown(repository: &gix::Repository) -> Result<(), RebaseError> {
    let config = repository.config_snapshot();
    let unknown = |what: &str| RebaseError::Unknown {
        what: what.to_owned(),
    };
    if config
        .string("extensions.refStorage")
        .is_some_and(|kind| kind != "files")
    {
        return Err(unknown("this kind of refs (extensions.refStorage)"));
    }
    if repository.object_hash() != gix_hash::Kind::Sha1 {
        return Err(unknown("this kind of object ids"));
    }
    if config.boolean("rerere.enabled").unwrap_or(false) {
        return Err(unknown("rerere"));
    }
    // `rebase.autoSquash` is for `-i` alone.
    let key = "rebase.updateRefs";
    if config.boolean(key).unwrap_or(false) {
        return Err(unknown(key));
    }
    Ok(())
}

/// Commands run in a working tree, and each is a line of the list.
fn refuse_commands(repository: &gix::Repository, commands: &[String]) -> Result<(), RebaseError> {
    if !commands.is_empty() && repository.workdir().is_none() {
        return Err(RebaseError::NoPlace);
    }
    match commands
        .iter()
        .find(|command| command.trim().is_empty() || command.contains('\n'))
    {
        Some(command) => Err(RebaseError::NoCommand {
            command: command.clone(),
        }),
        None => Ok(()),
    }
}

/// Other worktrees have their branches for themselves.
fn refuse_elsewhere(repository: &gix::Repository, branch: &BString) -> Result<(), RebaseError> {
    let common = repository.common_dir();
    let mut dirs = vec![common.to_owned()];
    if let Ok(entries) = std::fs::read_dir(common.join("worktrees")) {
        dirs.extend(entries.flatten().map(|entry| entry.path()));
    }
    let own = repository.git_dir().canonicalize().ok();
    for dir in dirs {
        if dir.canonicalize().ok() == own {
            continue;
        }
        let rebased = std::fs::read(folder::path(&dir).join("head-name"));
        let rebased = rebased.is_ok_and(|name| name.trim() == branch.as_bytes());
        let at = refs::head(&dir).is_ok_and(|head| head == Head::Branch(branch.clone()));
        if (at && !(repository.is_bare() && dir == common)) || rebased {
            return Err(RebaseError::Elsewhere {
                branch: branch.clone(),
                worktree: worktree_of(&dir),
            });
        }
    }
    Ok(())
}

fn worktree_of(git_dir: &Path) -> std::path::PathBuf {
    let named = std::fs::read_to_string(git_dir.join("gitdir"));
    let file = named.map_or_else(|_| git_dir.to_owned(), |path| path.trim().into());
    file.parent().map_or(git_dir.to_owned(), Path::to_owned)
}
