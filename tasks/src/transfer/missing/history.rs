//! The commits and tags from the tips on, newest first, up to what is known to be whole.

use std::{cmp::Reverse, collections::BinaryHeap};

use gix::hashtable::{HashMap, HashSet};
use gix_hash::ObjectId;

use super::{
    Missing, MissingError, Start,
    error::Referrer,
    objects::{Objects, check},
};
use crate::pack::{
    scan::links::{self, Link},
    source::Kind,
};

/// What the history leaves to look into.
#[derive(Default)]
pub(super) struct Pending {
    /// Root trees, newest first, and what refers to them.
    pub(super) trees: Vec<(ObjectId, Referrer)>,
    /// Trees that are known to be whole and share much with the first.
    pub(super) whole: Vec<ObjectId>,
    /// Tips that are not there.
    pub(super) tips: Vec<ObjectId>,
}

/// It is an ancestor of what is known to be whole.
const COMPLETE: u8 = 1;
/// It waits for its turn.
const QUEUED: u8 = 2;
/// A commit that is not known to be whole has it for a parent.
const EDGE: u8 = 4;

/// A commit that waits; later dates come first, among the same ones what is known to be whole, then
/// those that were met first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    date: i64,
    complete: bool,
    place: Reverse<u32>,
    id: ObjectId,
    tree: ObjectId,
    parents: Vec<ObjectId>,
}

struct Walk<'w, 'a> {
    objects: &'w mut Objects<'a>,
    found: &'w mut Missing,
    shallow: HashSet<ObjectId>,
    promised: bool,
    pending: Pending,
    queue: BinaryHeap<Queued>,
    /// The commits that are there.
    state: HashMap<ObjectId, u8>,
    /// How many that are not known to be whole wait.
    open: usize,
    place: u32,
    content: Vec<u8>,
}

/// Walks the history; what is missing of it is put into `found`.
pub(super) fn walk(
    objects: &mut Objects<'_>,
    start: &Start,
    found: &mut Missing,
) -> Result<Pending, MissingError> {
    let mut walk = Walk {
        objects,
        found,
        shallow: start.shallow.iter().copied().collect(),
        promised: start.promised,
        pending: Pending::default(),
        queue: BinaryHeap::new(),
        state: HashMap::default(),
        open: 0,
        place: 0,
        content: Vec::new(),
    };
    for id in &start.complete {
        walk.complete(*id)?;
    }
    for id in &start.tips {
        match walk.objects.kind(id, Referrer::Tip)? {
            Some(kind) => walk.needed((*id, kind), Referrer::Tip)?,
            None => walk.pending.tips.push(*id),
        }
    }
    let tips = walk.queue.iter().filter(|commit| !commit.complete);
    walk.found.heads.extend(tips.map(|commit| commit.id));
    walk.run()?;
    Ok(walk.pending)
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<(), MissingError> {
        while self.open > 0
            && let Some(commit) = self.queue.pop()
        {
            let state = self.state.entry(commit.id).or_default();
            *state &= !QUEUED;
            if *state & COMPLETE != 0 {
                self.edge(&commit);
                for parent in commit.parents {
                    self.complete(parent)?;
                }
                continue;
            }
            self.open -= 1;
            let by = Referrer::Object(Kind::Commit, commit.id);
            self.pending.trees.push((commit.tree, by));
            let mut gap = false;
            for parent in &commit.parents {
                self.needed((*parent, Kind::Commit), by)?;
                match self.state.get_mut(parent) {
                    Some(state) => *state |= EDGE,
                    None => gap = true,
                }
            }
            if gap {
                self.found.edges.push(commit.id);
                let there = commit.parents.iter();
                let there = there.filter(|parent| self.state.contains_key(*parent));
                self.found.heads.extend(there);
            }
        }
        self.found.heads.sort_unstable();
        self.found.heads.dedup();
        for commit in std::mem::take(&mut self.queue) {
            self.edge(&commit);
        }
        Ok(())
    }

    /// Where whole commits begin, their trees have most of what the newer ones have.
    fn edge(&mut self, commit: &Queued) {
        if self.state.get(&commit.id).is_some_and(|it| it & EDGE != 0) {
            self.pending.whole.push(commit.tree);
        }
    }

    /// Takes note that an object is known to be whole.
    ///
    /// Should it be damaged or missing against what is known, it is as if nothing were known.
    fn complete(&mut self, mut id: ObjectId) -> Result<(), MissingError> {
        loop {
            if let Some(state) = self.state.get_mut(&id) {
                if *state & (COMPLETE | QUEUED) == QUEUED {
                    self.open -= 1;
                }
                *state |= COMPLETE;
                return Ok(());
            }
            let mut content = std::mem::take(&mut self.content);
            let found = self.objects.get(id, &mut content);
            self.content = content;
            match found? {
                Some(Kind::Commit) => {
                    if let Ok(mut commit) = self.parse(id) {
                        commit.complete = true;
                        self.objects.note(id, Kind::Commit);
                        self.state.insert(id, COMPLETE | QUEUED);
                        self.queue.push(commit);
                    }
                    return Ok(());
                }
                Some(Kind::Tag) => {
                    let mut target = None;
                    let parsed =
                        links::of(Kind::Tag, &self.content, |link| target = Some(oid(link).0));
                    let (Ok(()), Some(target)) = (parsed, target) else {
                        return Ok(());
                    };
                    self.objects.note(id, Kind::Tag);
                    id = target;
                }
                Some(Kind::Tree) => {
                    self.pending.whole.push(id);
                    return Ok(());
                }
                Some(Kind::Blob) => {
                    self.objects.note(id, Kind::Blob);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// Follows a reference to what must be there.
    fn needed(&mut self, link: (ObjectId, Kind), by: Referrer) -> Result<(), MissingError> {
        let ((mut id, mut kind), mut by) = (link, by);
        loop {
            if matches!(kind, Kind::Tree) {
                self.pending.trees.push((id, by));
                return Ok(());
            }
            if !self.objects.meet(id, kind, by)? {
                return Ok(());
            }
            if matches!(kind, Kind::Blob) {
                return self.blob(id, by);
            }
            let mut content = std::mem::take(&mut self.content);
            let there = self.objects.read(id, kind, by, &mut content);
            self.content = content;
            let malformed = |why| MissingError::Malformed {
                id,
                kind: kind.name(),
                by,
                why,
            };
            if !there? {
                match kind {
                    Kind::Commit => self.found.commits.push(id),
                    _ => self.found.others.push(id),
                }
                return Ok(());
            }
            if matches!(kind, Kind::Commit) {
                let commit = self.parse(id).map_err(malformed)?;
                self.queue.push(commit);
                self.state.insert(id, QUEUED);
                self.open += 1;
                return Ok(());
            }
            let mut target = None;
            links::of(kind, &self.content, |link| target = Some(oid(link))).map_err(malformed)?;
            by = Referrer::Object(kind, id);
            match target {
                Some(target) => (id, kind) = target,
                None => return Ok(()),
            }
        }
    }

    /// A blob that a tag or the transfer itself names.
    fn blob(&mut self, id: ObjectId, by: Referrer) -> Result<(), MissingError> {
        if let Some(kind) = self.objects.kind(&id, by)? {
            return check(id, kind, Kind::Blob, by);
        }
        if !self.promised {
            // It stands outside of all trees, and comes first.
            self.found.blobs.push(id);
        }
        Ok(())
    }

    /// Reads the commit `id` whose content was just read.
    fn parse(&mut self, id: ObjectId) -> Result<Queued, &'static str> {
        let cut = self.shallow.contains(&id);
        let (mut tree, mut parents) = (None, Vec::new());
        links::of(Kind::Commit, &self.content, |link| match oid(link) {
            (id, Kind::Tree) => tree = Some(id),
            (id, _) if !cut => parents.push(id),
            _ => {}
        })?;
        self.place += 1;
        Ok(Queued {
            date: date(&self.content),
            complete: false,
            place: Reverse(self.place),
            id,
            tree: tree.ok_or("the commit names no tree")?,
            parents,
        })
    }
}

fn oid((id, kind): Link) -> (ObjectId, Kind) {
    (ObjectId::Sha1(id), kind)
}

/// When a commit was made, in seconds; 0 where it does not say. It decides about the order alone.
fn date(content: &[u8]) -> i64 {
    let mut lines = content.split(|byte| *byte == b'\n');
    let line = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(b"committer "));
    let time = line.and_then(|line| line.rsplit(|byte| *byte == b'>').next());
    let digits = time.unwrap_or_default().trim_ascii_start();
    let digits = digits.split(|byte| *byte == b' ').next();
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn the_date_of_a_commit_is_the_committers_and_0_where_it_makes_no_sense() {
        let commit = |line: &str| format!("tree x\nauthor a <a> 7 +0000\n{line}\n\ntext\n");
        for (line, expected) in [
            ("committer c <c> 1700000000 +0100", 1_700_000_000),
            ("committer c > d <e> 12 -0000", 12),
            ("committer c <c> -5 +0000", -5),
            ("committer c <c>", 0),
            ("committer", 0),
            ("committer c <c> 99999999999999999999 +0000", 0),
            ("\ncommitter c <c> 3 +0000", 0),
        ] {
            assert_eq!(date(commit(line).as_bytes()), expected, "{line}");
        }
    }
}
