//! How events are stored.
//!
//! Events of all operations stand one after the other, in the order in which they
//! were written, so that the commits of a thousand operations touch a few dozen
//! pages and not one page each: that halves the cost of a commit. Each names the
//! one before it of the same operation, and a small row an operation says where
//! its chain ends:
//!
//! - `0, number (u64)` to the number of the one before (its own if there is
//!   none), then the event as JSON;
//! - `1, id` to the numbers of its first and its last event, and how many there
//!   are.
//!
//! All numbers are big endian.

use std::ops::{Bound, ControlFlow};

use crate::event::Event;
use crate::store::{Direction, ReadTxn, Space, StoreError, WriteTxn};

/// So many of an operation's newest events are kept, and its first. Older ones go
/// when there are as many of them again.
const KEPT: usize = 1_000;

const EVENT: u8 = 0;
const CHAIN: u8 = 1;

/// An operation's chain of events.
#[derive(Clone, Copy)]
struct Chain {
    first: u64,
    last: u64,
    count: u64,
}

/// Adds an event to the journal of `id`.
pub(crate) fn append(txn: &mut dyn WriteTxn, id: &str, event: &Event) -> Result<(), StoreError> {
    let json = serde_json::to_vec(event).map_err(|e| StoreError::Record {
        id: id.to_owned(),
        reason: e.to_string(),
    })?;
    let number = newest(txn.as_read())?.map_or(0, |newest| newest + 1);
    let old = chain(txn.as_read(), id)?;
    put_event(txn, number, old.map_or(number, |old| old.last), &json)?;
    let mut chain = Chain {
        first: old.map_or(number, |old| old.first),
        last: number,
        count: old.map_or(1, |old| old.count + 1),
    };
    if chain.count > 2 * KEPT as u64 {
        shorten(txn, &mut chain)?;
    }
    let row = [chain.first, chain.last, chain.count].map(u64::to_be_bytes);
    txn.put(Space::Events, &chain_key(id), row.as_flattened())
}

/// The journal of `id`, the oldest event first. One that a newer build wrote in
/// another form is passed over.
pub(crate) fn list(txn: &dyn ReadTxn, id: &str) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    if let Some(chain) = chain(txn, id)? {
        walk(txn, chain, &mut |_, json| {
            events.extend(serde_json::from_slice::<Event>(json));
        })?;
    }
    events.reverse();
    Ok(events)
}

/// Removes the journal of `id`.
pub(crate) fn delete(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    if let Some(chain) = chain(txn.as_read(), id)? {
        for number in numbers(txn.as_read(), chain)? {
            txn.delete(Space::Events, &event_key(number))?;
        }
    }
    txn.delete(Space::Events, &chain_key(id))
}

/// Removes all events but the first and the newest.
fn shorten(txn: &mut dyn WriteTxn, chain: &mut Chain) -> Result<(), StoreError> {
    let numbers = numbers(txn.as_read(), *chain)?;
    let (kept, old) = numbers.split_at(numbers.len().min(KEPT));
    for number in old.iter().filter(|number| **number != chain.first) {
        txn.delete(Space::Events, &event_key(*number))?;
    }
    if let Some(oldest) = kept.last()
        && let Some((_, json)) = get(txn.as_read(), *oldest)?
    {
        put_event(txn, *oldest, chain.first, &json)?;
    }
    chain.count = kept.len() as u64 + 1;
    Ok(())
}

/// Visits a chain's events, the newest first, with their numbers and JSON.
fn walk(
    txn: &dyn ReadTxn,
    chain: Chain,
    visit: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), StoreError> {
    let mut number = chain.last;
    // However it is damaged, it goes backwards and ends.
    while let Some((before, json)) = get(txn, number)? {
        visit(number, &json);
        if before >= number {
            break;
        }
        number = before;
    }
    Ok(())
}

fn numbers(txn: &dyn ReadTxn, chain: Chain) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::new();
    walk(txn, chain, &mut |number, _| numbers.push(number))?;
    Ok(numbers)
}

fn get(txn: &dyn ReadTxn, number: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let row = txn.get(Space::Events, &event_key(number))?;
    Ok(row.and_then(|row| {
        let (before, json) = row.split_first_chunk()?;
        Some((u64::from_be_bytes(*before), json.to_vec()))
    }))
}

fn put_event(
    txn: &mut dyn WriteTxn,
    number: u64,
    before: u64,
    json: &[u8],
) -> Result<(), StoreError> {
    let row = [&before.to_be_bytes()[..], json].concat();
    txn.put(Space::Events, &event_key(number), &row)
}

fn chain(txn: &dyn ReadTxn, id: &str) -> Result<Option<Chain>, StoreError> {
    let row = txn.get(Space::Events, &chain_key(id))?;
    Ok(row.and_then(|row| {
        let [first, last, count] = row.as_chunks().0 else {
            return None;
        };
        let [first, last, count] = [first, last, count].map(|n| u64::from_be_bytes(*n));
        Some(Chain { first, last, count })
    }))
}

/// The number of the newest event of all.
fn newest(txn: &dyn ReadTxn) -> Result<Option<u64>, StoreError> {
    let mut newest = None;
    txn.scan(
        Space::Events,
        (Bound::Included(&[EVENT]), Bound::Excluded(&[CHAIN])),
        Direction::Backward,
        &mut |key, _| {
            newest = key.last_chunk().map(|number| u64::from_be_bytes(*number));
            ControlFlow::Break(())
        },
    )?;
    Ok(newest)
}

fn event_key(number: u64) -> Vec<u8> {
    [&[EVENT][..], &number.to_be_bytes()].concat()
}

fn chain_key(id: &str) -> Vec<u8> {
    [&[CHAIN], id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::database::Database;
    use crate::event::EventKind;
    use crate::operation::{Operation, OperationType};
    use crate::records::keys;

    fn operation() -> Operation {
        Operation::new(OperationType::Pack, String::new(), HashMap::new())
    }

    /// Adds an event with this number of commits.
    fn add(txn: &mut dyn WriteTxn, op: &mut Operation, commits: u64) {
        op.commits = commits;
        append(txn, &op.id, &Event::of(EventKind::Commit, op)).unwrap();
    }

    fn commits(db: &Database, id: &str) -> Vec<u64> {
        let events = db.read(|txn| list(txn, id)).unwrap();
        events.iter().map(|event| event.commit).collect()
    }

    #[test]
    fn the_first_and_the_newest_are_kept_whatever_happens_between_them() {
        let db = Database::in_memory().unwrap();
        let (mut long, mut short) = (operation(), operation());
        let ids = [long.id.clone(), short.id.clone()];
        for round in 0..50_u64 {
            let [mut a, mut b] = [long.clone(), short.clone()];
            db.write_blocking(move |txn| {
                for number in 0..100 {
                    add(txn, &mut a, round * 100 + number);
                    if number == 50 {
                        add(txn, &mut b, round);
                    }
                }
                Ok(())
            })
            .unwrap();
        }
        long.commits = 5000;
        short.commits = 50;
        let kept = commits(&db, &ids[0]);
        assert_eq!(kept[0], 0);
        let newest = &kept[1..];
        assert!((1000..=2000).contains(&newest.len()), "{}", newest.len());
        assert!(
            newest
                .iter()
                .rev()
                .copied()
                .eq((0..5000).rev().take(newest.len()))
        );
        assert_eq!(commits(&db, &ids[1]), (0..50).collect::<Vec<_>>());
        let rows = db
            .read(|txn| Ok(keys(txn, Space::Events, &[])?.len()))
            .unwrap();
        assert_eq!(rows, kept.len() + 50 + 2);

        let id = ids[0].clone();
        db.write_blocking(move |txn| delete(txn, &id)).unwrap();
        assert!(commits(&db, &ids[0]).is_empty());
        assert_eq!(commits(&db, &ids[1]).len(), 50);
        let rows = db
            .read(|txn| Ok(keys(txn, Space::Events, &[])?.len()))
            .unwrap();
        assert_eq!(rows, 50 + 1);
    }

    #[test]
    fn numbers_that_are_used_again_mix_nothing_up() {
        let db = Database::in_memory().unwrap();
        let (a, b, c) = (operation(), operation(), operation());
        let ids = [&a, &b, &c].map(|op| op.id.clone());
        db.write_blocking(move |txn| {
            let [mut a, mut b, mut c] = [&a, &b, &c].map(Operation::clone);
            add(txn, &mut a, 1);
            add(txn, &mut b, 2);
            add(txn, &mut b, 3);
            delete(txn, &b.id)?;
            add(txn, &mut c, 4);
            add(txn, &mut a, 5);
            Ok(())
        })
        .unwrap();
        assert_eq!(commits(&db, &ids[0]), [1, 5]);
        assert!(commits(&db, &ids[1]).is_empty());
        assert_eq!(commits(&db, &ids[2]), [4]);
    }

    #[test]
    fn a_damaged_chain_ends() {
        let db = Database::in_memory().unwrap();
        let mut op = operation();
        let id = op.id.clone();
        db.write_blocking(move |txn| {
            for number in 0..5 {
                add(txn, &mut op, number);
            }
            // Points at itself, ahead, and at nothing.
            txn.put(
                Space::Events,
                &event_key(2),
                &[&9_u64.to_be_bytes()[..], b"{"].concat(),
            )
        })
        .unwrap();
        assert_eq!(commits(&db, &id), [3, 4]);
        db.write_blocking(|txn| txn.put(Space::Events, &event_key(3), b"short"))
            .unwrap();
        assert_eq!(commits(&db, &id), [4]);
        let gone = id.clone();
        db.write_blocking(move |txn| delete(txn, &gone)).unwrap();
        assert!(commits(&db, &id).is_empty());
    }
}
