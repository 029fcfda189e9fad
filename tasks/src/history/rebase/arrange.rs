//! The list before it is begun, as Git arranges it: commits that are made to be melded into another one
//! (`--autosquash`) follow it, and commands (`--exec`) follow each commit with all that is melded into it.

use std::collections::HashMap;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::todo::{How, Item};

/// What subjects of commits that are to be melded begin with.
const MARKS: [(&str, How); 3] = [
    ("fixup! ", How::Fixup),
    ("amend! ", How::Amend),
    ("squash! ", How::Squash),
];

/// Puts commits behind those that they are to be melded into. `named` finds the commit that a subject's
/// only word names.
pub(super) fn squash(
    items: &[Item],
    mut named: impl FnMut(&BStr) -> Option<ObjectId>,
) -> Vec<Item> {
    let mut by_subject: HashMap<BString, usize> = HashMap::new();
    let mut by_commit: HashMap<ObjectId, usize> = HashMap::new();
    let mut arranged = items.to_vec();
    // What follows an item, and the last of all that were put behind it.
    let mut next: Vec<Option<usize>> = vec![None; items.len()];
    let mut tail: Vec<Option<usize>> = vec![None; items.len()];
    for (at, item) in items.iter().enumerate() {
        let Item::Commit {
            commit, subject, ..
        } = item
        else {
            continue;
        };
        let target = unmarked(subject.as_ref()).and_then(|wanted| {
            if let Some(found) = by_subject.get(wanted) {
                return Some(*found);
            }
            if !wanted.contains(&b' ')
                && let Some(found) = named(wanted).and_then(|id| by_commit.get(&id))
            {
                return Some(*found);
            }
            items[..at].iter().position(|other| {
                matches!(other, Item::Commit { subject, .. } if subject.starts_with(wanted))
            })
        });
        match target {
            Some(target) => {
                if let Item::Commit { how, .. } = &mut arranged[at] {
                    let mark = MARKS
                        .iter()
                        .find(|(mark, _)| subject.starts_with(mark.trim_end().as_bytes()));
                    *how = mark.map_or(How::Squash, |(_, how)| *how);
                }
                let after = tail[target].unwrap_or(target);
                next[at] = next[after].replace(at);
                tail[target] = Some(at);
            }
            None => {
                by_subject.entry(subject.clone()).or_insert(at);
            }
        }
        by_commit.insert(*commit, at);
    }
    let mut out = Vec::with_capacity(arranged.len());
    for first in 0..arranged.len() {
        if arranged[first].melds() {
            continue;
        }
        let mut at = Some(first);
        while let Some(this) = at {
            out.push(arranged[this].clone());
            at = next[this];
        }
    }
    out
}

/// The subject without its marks, if it has one.
fn unmarked(subject: &BStr) -> Option<&BStr> {
    let strip = |text: &'_ BStr| -> Option<usize> {
        let marks = MARKS.iter().map(|(mark, _)| *mark);
        marks
            .filter(|mark| text.starts_with(mark.as_bytes()))
            .map(str::len)
            .next()
    };
    let mut rest = subject[strip(subject)?..].trim_start().as_bstr();
    while let Some(length) = strip(rest) {
        rest = rest[length..].trim_start().as_bstr();
    }
    Some(rest)
}

/// Puts the commands behind each commit.
pub(super) fn commands(items: Vec<Item>, commands: &[String]) -> Vec<Item> {
    let mut out = Vec::with_capacity(items.len() * (1 + commands.len()));
    let mut items = items.into_iter().peekable();
    while let Some(item) = items.next() {
        let is_commit = matches!(item, Item::Commit { .. });
        out.push(item);
        if is_commit && !items.peek().is_some_and(Item::melds) {
            let commands = commands.iter().map(|it| Item::Exec(it.as_str().into()));
            out.extend(commands);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::rebase::todo::render;

    fn arranged(subjects: &[&str]) -> String {
        let mut items = Vec::new();
        for (n, subject) in (1u8..).zip(subjects) {
            items.push(Item::pick(ObjectId::Sha1([n; 20]), (*subject).into()));
        }
        let named = |name: &BStr| (name == "0101").then_some(ObjectId::Sha1([1; 20]));
        let list = commands(squash(&items, named), &["run".to_owned()]);
        let list = String::from_utf8(render(&list)).unwrap();
        let short = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let is_id = |word: &&str| word.len() == 40;
            let short: Vec<&str> = words
                .iter()
                .map(|word| if is_id(word) { &word[..2] } else { word })
                .collect();
            short.join(" ")
        };
        list.lines().map(short).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn commits_follow_those_that_they_are_melded_into() {
        assert_eq!(
            arranged(&[
                "one",
                "two words",
                "fixup! one",
                "squash! two",
                "amend! fixup! one",
                "fixup! 0101",
                "fixup! of nobody",
                "fixup! fixup! of nobody",
            ]),
            "pick 01 one\nfixup 03 fixup! one\nfixup -C 05 amend! fixup! one\nfixup 06 fixup! 0101\n\
             exec run\npick 02 two words\nsquash 04 squash! two\nexec run\n\
             pick 07 fixup! of nobody\nexec run\npick 08 fixup! fixup! of nobody\nexec run"
        );
    }
}
