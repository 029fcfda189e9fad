//! Whether one commit leads to another.

use std::collections::{BinaryHeap, HashMap};

use gix_hash::ObjectId;

use super::{Objects, RefsError};

/// Reached from the old one.
const OLD: u8 = 1;
/// Reached from the new one.
const NEW: u8 = 2;

/// Whether `old` is `new`, or one of the commits that it comes from. The parents of `shallow`
/// commits, and those that are not there, lead nowhere.
///
/// Both histories are walked side by side, the newest commit first, until all that is left belongs
/// to both: dates that are wrong cost time, but no wrong answer.
pub fn is_ancestor(
    objects: &Objects,
    shallow: &[ObjectId],
    old: ObjectId,
    new: ObjectId,
) -> Result<bool, RefsError> {
    if old == new {
        return Ok(true);
    }
    let mut walk = Walk::default();
    for (oid, side) in [(old, OLD), (new, NEW)] {
        if !walk.meet(objects, oid, side)? {
            return Ok(false);
        }
    }
    // Only from what the new one alone leads to can the old one still be found.
    while walk.undecided > 0
        && let Some((oid, side)) = walk.next()
    {
        if shallow.contains(&oid) {
            continue;
        }
        let commit = objects.ancestry(&oid)?;
        for parent in commit.map(|it| it.parents).unwrap_or_default() {
            if parent == old && side & NEW != 0 {
                return Ok(true);
            }
            walk.meet(objects, parent, side)?;
        }
    }
    Ok(false)
}

/// What is known of a commit.
#[derive(Clone, Copy, Default)]
struct Met {
    /// From where it is reached.
    sides: u8,
    /// How often it waits in the queue.
    waiting: usize,
}

#[derive(Default)]
struct Walk {
    met: HashMap<ObjectId, Met>,
    /// By date.
    queue: BinaryHeap<(i64, ObjectId)>,
    /// How many that wait are reached from the new one alone.
    undecided: usize,
}

impl Walk {
    /// Notes that `oid` is reached from `side`; false if it is not there, or no commit.
    fn meet(&mut self, objects: &Objects, oid: ObjectId, side: u8) -> Result<bool, RefsError> {
        let known = self.met.get(&oid).copied().unwrap_or_default();
        let sides = known.sides | side;
        if sides == known.sides {
            return Ok(true);
        }
        let Some(commit) = objects.ancestry(&oid)? else {
            return Ok(false);
        };
        if known.sides == NEW {
            self.undecided -= known.waiting;
        }
        let waiting = known.waiting + 1;
        if sides == NEW {
            self.undecided += 1;
        }
        self.met.insert(oid, Met { sides, waiting });
        self.queue.push((commit.time, oid));
        Ok(true)
    }

    /// The newest that waits, with what it is reached from.
    fn next(&mut self) -> Option<(ObjectId, u8)> {
        let (_, oid) = self.queue.pop()?;
        let met = self.met.get_mut(&oid)?;
        met.waiting -= 1;
        if met.sides == NEW {
            self.undecided -= 1;
        }
        Some((oid, met.sides))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture::{command, commit, git, git_dir, init};
    use super::*;

    #[test]
    fn it_is_what_git_says_in_any_history() {
        let dir = tempfile::tempdir().unwrap();
        let repo = init(dir.path(), "repo");
        for (at, words) in [
            "commit -q --allow-empty -m a --date=@1700000100",
            "checkout -q -b side",
            "commit -q --allow-empty -m b",
            "commit -q --allow-empty -m c",
            "checkout -q main",
            "commit -q --allow-empty -m d",
            "merge -q --no-ff -m e side",
            "checkout -q --orphan other",
            "commit -q --allow-empty -m f",
        ]
        .into_iter()
        .enumerate()
        {
            // Dates go back and forth.
            let mut run = command(&repo);
            let date = format!("{} +0000", 1_700_000_000 + (at * 7_919) % 13);
            let done = run
                .env("GIT_COMMITTER_DATE", date)
                .args(words.split(' '))
                .status();
            assert!(done.unwrap().success());
        }
        commit(&repo, "g");
        let objects = Objects::at(&git_dir(&repo).join("objects")).unwrap();
        let all: Vec<ObjectId> = git(&repo, "rev-list --all")
            .lines()
            .map(|it| ObjectId::from_hex(it.as_bytes()).unwrap())
            .collect();
        let mut yes = 0;
        for old in &all {
            for new in &all {
                let expected = command(&repo)
                    .args(["merge-base", "--is-ancestor"])
                    .args([old.to_string(), new.to_string()])
                    .status();
                let expected = expected.unwrap().success();
                let found = is_ancestor(&objects, &[], *old, *new).unwrap();
                assert_eq!(found, expected, "{old} {new}");
                yes += usize::from(found);
            }
        }
        assert!(yes > all.len() && yes < all.len() * all.len());
    }
}
