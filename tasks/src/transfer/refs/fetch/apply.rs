//! Writes what was planned, once all objects are there: all refs together, then `FETCH_HEAD`. All of it
//! can be repeated, with the same words for it.

use std::collections::HashMap;
use std::path::Path;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::decide::{Deciding, Kind, Outcome, Refused, Told};
use super::fetch_head;
use super::map::{Entry, Merge};
use super::plan::FetchPlan;
use crate::disk::Disk;
use crate::transfer::refs::store::file::replace;
use crate::transfer::refs::{Committer, Local, Move, Objects, RefsError, Transaction, url};

/// How a fetch is written.
pub struct Writing<'a> {
    /// The repository, opened for this.
    pub repo: &'a gix::Repository,
    /// All objects, those that were received too.
    pub objects: &'a Objects,
    /// A directory of the operation on the same file system.
    pub own: &'a Path,
    /// How bytes get on disk.
    pub disk: &'a dyn Disk,
    /// Who moves refs.
    pub committer: &'a Committer,
    /// What the logs of refs begin with: `fetch origin`.
    pub action: &'a str,
    /// The remote's URL, without secrets.
    pub url: &'a str,
    /// How much of `FETCH_HEAD` stays.
    pub append_after: u64,
    /// Whether the branch may move that is checked out.
    pub update_head_ok: bool,
    /// Whether no ref moves if one can't.
    pub atomic: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// What became of the refs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The refs that are gone, each with the symbolic refs that lead nowhere now.
    pub pruned: Vec<(Told, Vec<BString>)>,
    /// The others, in Git's order.
    pub told: Vec<Told>,
}

impl Fetched {
    /// Whether a ref is not where it was to be.
    pub fn has_failures(&self) -> bool {
        self.failures() > 0
    }

    /// How many refs are not where they were to be.
    pub fn failures(&self) -> usize {
        let pruned = self.pruned.iter().map(|it| &it.0);
        let all = self.told.iter().chain(pruned);
        all.filter(|it| it.outcome.is_failure()).count()
    }

    /// How many refs have moved.
    pub fn moved(&self) -> usize {
        let moves = |it: &&Told| it.outcome.message().is_some() || it.outcome == Outcome::Deleted;
        self.told
            .iter()
            .chain(self.pruned.iter().map(|it| &it.0))
            .filter(moves)
            .count()
    }
}

/// Moves the refs, prunes those that are to go, and writes `FETCH_HEAD`. `late` are the tags that
/// follow what was received.
pub fn apply_fetch(
    plan: &FetchPlan,
    late: &[Entry],
    writing: &Writing<'_>,
) -> Result<Fetched, RefsError> {
    for oid in plan.entries.iter().chain(late).map(|it| it.oid) {
        if !writing.objects.has(&oid) {
            return Err(RefsError::Missing { oid });
        }
    }
    let local = Local::read(writing.repo)?;
    let mut moves = Vec::new();
    let mut fetched = Fetched {
        pruned: writing.pruned(plan, &local, &mut moves),
        told: Vec::new(),
    };
    let (told, lines) = writing.decided(plan, late, &local, &mut moves)?;
    fetched.told = told;
    let refused = writing.atomic && fetched.has_failures();
    if !writing.dry_run && !refused {
        writing.run(&moves, &mut fetched)?;
        if !(writing.atomic && fetched.has_failures()) {
            let git_dir = writing.repo.git_dir();
            fetch_head::write(
                git_dir,
                writing.own,
                writing.append_after,
                &lines,
                writing.disk,
            )?;
        }
    } else if refused && !writing.dry_run && writing.append_after == 0 {
        // As Git leaves it then.
        let path = writing.repo.git_dir().join("FETCH_HEAD");
        replace(&path, b"", writing.own, writing.disk)?;
    }
    Ok(fetched)
}

/// Where what was decided stands, to be corrected by what came of it.
enum Slot {
    Pruned(usize),
    Told(usize),
}

impl Writing<'_> {
    /// The refs that go.
    fn pruned(
        &self,
        plan: &FetchPlan,
        local: &Local,
        moves: &mut Vec<(Slot, Move)>,
    ) -> Vec<(Told, Vec<BString>)> {
        let mut pruned = Vec::with_capacity(plan.prune.len());
        for it in &plan.prune {
            let now = local.oid(it.name.as_bstr());
            let same = now.is_none_or(|now| now == it.oid);
            let outcome = if same {
                let slot = Slot::Pruned(pruned.len());
                moves.push((slot, self.change(&it.name, Some(it.oid), None, "prune")));
                Outcome::Deleted
            } else {
                Outcome::Refused(Refused::Moved)
            };
            let dangling = local.leading_to(it.name.as_bstr()).cloned();
            let dangling = dangling.filter(|_| same).collect();
            pruned.push((
                Told {
                    outcome,
                    remote: BString::default(),
                    local: it.name.clone(),
                    old: Some(it.oid),
                    new: None,
                },
                dangling,
            ));
        }
        pruned
    }

    /// What becomes of each ref, in the order in which it is told, and the lines of `FETCH_HEAD`.
    fn decided(
        &self,
        plan: &FetchPlan,
        late: &[Entry],
        local: &Local,
        moves: &mut Vec<(Slot, Move)>,
    ) -> Result<(Vec<Told>, Vec<u8>), RefsError> {
        let shallow = shallow(self.repo)?;
        let deciding = Deciding {
            local,
            objects: self.objects,
            shallow: &shallow,
            update_head_ok: self.update_head_ok,
        };
        let brief = url::brief(self.url);
        let (mut told, mut lines) = (Vec::new(), Vec::new());
        for round in [plan.entries.as_slice(), late] {
            if told.iter().any(|it: &Told| it.outcome.is_failure()) {
                // As Git has it: no tags follow then, before the next fetch.
                break;
            }
            let mut merges = HashMap::new();
            for (at, entry) in round.iter().enumerate() {
                let commit = self.objects.commit(&entry.oid)?;
                // Where no `FETCH_HEAD` is written, Git does not look.
                let merge = if self.dry_run {
                    entry.merge
                } else {
                    fetch_head::merge(entry, commit)
                };
                merges.insert(at, merge);
            }
            for turn in [Merge::Yes, Merge::No, Merge::Ignored] {
                let of_turn = |(at, _): &(usize, &Entry)| merges[at] == turn;
                for (_, entry) in round.iter().enumerate().filter(of_turn) {
                    fetch_head::line(entry, turn, brief.as_bytes().as_bstr(), &mut lines);
                    let slot = Slot::Told(told.len());
                    told.push(self.told(entry, &deciding, slot, moves)?);
                }
            }
        }
        Ok((told, lines))
    }

    fn told(
        &self,
        entry: &Entry,
        deciding: &Deciding<'_>,
        slot: Slot,
        moves: &mut Vec<(Slot, Move)>,
    ) -> Result<Told, RefsError> {
        let Some(to) = &entry.local else {
            return Ok(Told {
                outcome: Outcome::FetchHead(Kind::of(entry.name.as_bstr()).0),
                remote: entry.name.clone(),
                local: "FETCH_HEAD".into(),
                old: None,
                new: Some(entry.oid),
            });
        };
        let (outcome, old) = deciding.decide(entry, to)?;
        if let Some(message) = outcome.message() {
            let target = deciding.local.resolved(to.name.as_bstr()).to_owned();
            let through = (target != to.name).then(|| to.name.clone());
            let mut change = self.change(&target, old, Some(entry.oid), message);
            change.through = through;
            moves.push((slot, change));
        }
        Ok(Told {
            outcome,
            remote: entry.name.clone(),
            local: to.name.clone(),
            old,
            new: Some(entry.oid),
        })
    }

    fn change(
        &self,
        name: &BString,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        message: &str,
    ) -> Move {
        Move {
            name: name.clone(),
            through: None,
            old,
            new,
            message: format!("{}: {message}", self.action).into(),
        }
    }

    /// Moves the refs, and notes what could not be moved.
    fn run(&self, moves: &[(Slot, Move)], fetched: &mut Fetched) -> Result<(), RefsError> {
        let transaction = Transaction {
            repo: self.repo,
            own: self.own,
            disk: self.disk,
            committer: self.committer,
            all_or_none: self.atomic,
        };
        let all: Vec<Move> = moves.iter().map(|it| it.1.clone()).collect();
        let done = transaction.run(&all)?;
        for ((slot, _), done) in moves.iter().zip(done) {
            let Err(why) = done else { continue };
            let told = match slot {
                Slot::Pruned(at) => fetched.pruned.get_mut(*at).map(|it| &mut it.0),
                Slot::Told(at) => fetched.told.get_mut(*at),
            };
            if let Some(told) = told {
                told.outcome = Outcome::NotMoved(why);
            }
        }
        Ok(())
    }
}

/// The commits whose parents are cut off.
fn shallow(repo: &gix::Repository) -> Result<Vec<ObjectId>, RefsError> {
    let read = repo.shallow_commits();
    let read = read.map_err(|error| RefsError::Existing {
        reason: error.to_string(),
    })?;
    Ok(read
        .map(|it| it.iter().copied().collect())
        .unwrap_or_default())
}
