//! How many objects to ask for at once.
//!
//! A large batch is a better pack: more of its objects are deltas, and each request costs the
//! server a start. A small batch is received sooner, and then nothing of it can be lost any more.
//! So batches begin small, double while the line holds, and are halved when it breaks; and none is
//! to be larger than 32 MiB, by what the objects took so far.

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::list::List;

/// The fewest objects of a batch, but for the last, and for objects so large that fewer fill one.
const FEWEST: u32 = 2_000;
/// The most objects of a batch.
const MOST: u32 = 10_000;
/// What a batch may take on the line, as far as can be told.
const BYTES: u64 = 32 << 20;

/// How far a list of objects has been asked for, and how it went: what an operation keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batches {
    /// The first object of the list that may not be there.
    next: u64,
    /// How many objects to ask for at most.
    count: u32,
    /// What an object took on the line, lately.
    each: u64,
}

/// Objects to ask for in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The objects, none of which is there.
    pub wants: Vec<ObjectId>,
    /// The position in the list after the last of them.
    end: u64,
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            next: 0,
            count: FEWEST,
            each: 0,
        }
    }
}

impl Batches {
    /// The next batch of `list`, without what is `there`; none where all of the rest is.
    ///
    /// Until [`whole`](Self::whole) is told of it, the batch is the same again, but for what is
    /// there by then.
    pub fn next<E>(
        &self,
        list: List<'_>,
        mut there: impl FnMut(&ObjectId) -> Result<bool, E>,
    ) -> Result<Option<Batch>, E> {
        let (mut wants, mut end) = (Vec::new(), self.next);
        let count = self.count();
        for id in list.from(self.next) {
            if wants.len() >= count {
                break;
            }
            end += 1;
            if !there(&id)? {
                wants.push(id);
            }
        }
        Ok((!wants.is_empty()).then_some(Batch { wants, end }))
    }

    /// The batch was received whole, in so many bytes.
    pub fn whole(&mut self, batch: &Batch, bytes: u64) {
        self.received(batch.wants.len() as u64, bytes);
        self.next = batch.end;
        self.count = self.count.saturating_mul(2).clamp(FEWEST, MOST);
    }

    /// The batch was cut off: so many of its objects were kept, of so many bytes.
    pub fn cut(&mut self, objects: u64, bytes: u64) {
        self.received(objects, bytes);
        self.count = (self.count / 2).clamp(FEWEST, MOST);
    }

    /// The position in the list up to which everything was asked for and received.
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// The last batch counts as much as all before: objects are sorted, what comes is like it.
    fn received(&mut self, objects: u64, bytes: u64) {
        if let Some(each) = bytes.checked_div(objects) {
            self.each = match self.each {
                0 => each,
                before => before.midpoint(each),
            };
        }
    }

    /// How many objects the next batch has at most.
    fn count(&self) -> usize {
        let fit = BYTES / self.each.max(1);
        usize::try_from(u64::from(self.count).min(fit).max(1)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::transfer::missing::list::to_bytes;

    fn ids(n: u32) -> Vec<ObjectId> {
        let id = |n: u32| {
            let mut id = [0; 20];
            id[..4].copy_from_slice(&n.to_be_bytes());
            ObjectId::Sha1(id)
        };
        (0..n).map(id).collect()
    }

    fn next(batches: &Batches, list: &[u8], there: &[ObjectId]) -> Option<Batch> {
        let list = List::of(list).expect("whole ids");
        let there = |id: &ObjectId| Ok::<_, Infallible>(there.contains(id));
        batches.next(list, there).expect("cannot fail")
    }

    #[test]
    fn batches_cover_the_list_once_in_order_and_grow_while_the_line_holds() {
        let all = ids(40_000);
        let list = to_bytes(&all);
        let mut batches = Batches::default();
        let (mut asked, mut sizes) = (Vec::new(), Vec::new());
        while let Some(batch) = next(&batches, &list, &[]) {
            // What an operation keeps is all that it needs.
            let kept = serde_json::to_string(&batches).expect("plain numbers");
            batches = serde_json::from_str(&kept).expect("what was written");
            assert_eq!(next(&batches, &list, &[]), Some(batch.clone()));
            batches.whole(&batch, 100 * batch.wants.len() as u64);
            sizes.push(batch.wants.len());
            asked.extend(batch.wants);
        }
        assert_eq!(asked, all);
        assert_eq!(sizes, [2_000, 4_000, 8_000, 10_000, 10_000, 6_000]);
        assert_eq!(batches.position(), 40_000);
    }

    #[test]
    fn after_a_cut_only_what_is_not_there_is_asked_for_and_less_at_once() {
        let all = ids(30_000);
        let list = to_bytes(&all);
        let mut batches = Batches::default();
        for _ in 0..2 {
            let batch = next(&batches, &list, &[]).expect("there is more");
            batches.whole(&batch, 1_000);
        }
        let batch = next(&batches, &list, &[]).expect("there is more");
        assert_eq!((batch.wants.len(), batches.position()), (8_000, 6_000));
        batches.cut(100, 10);
        let again = next(&batches, &list, &batch.wants[..100]).expect("there is more");
        assert_eq!(again.wants, batch.wants[100..4_100]);
        for _ in 0..9 {
            batches.cut(0, 0);
        }
        let again = next(&batches, &list, &[]).expect("there is more");
        assert_eq!(again.wants, batch.wants[..2_000]);
        assert_eq!(next(&batches, &list, &all), None);
    }

    #[test]
    fn large_objects_make_small_batches_until_smaller_ones_come() {
        let all = ids(60_000);
        let list = to_bytes(&all);
        let mut batches = Batches::default();
        let batch = next(&batches, &list, &[]).expect("there is more");
        batches.whole(&batch, 2_000 << 20);
        let large = next(&batches, &list, &[]).expect("there is more");
        assert_eq!(large.wants.len(), 32);
        batches.whole(&large, 32 * u64::from(u32::MAX));
        let one = next(&batches, &list, &[]).expect("there is more");
        assert_eq!(one.wants.len(), 1);
        let mut sizes = Vec::new();
        while sizes.last().is_none_or(|last| *last < 2_000) {
            let batch = next(&batches, &list, &[]).expect("there is more");
            batches.whole(&batch, batch.wants.len() as u64);
            sizes.push(batch.wants.len());
        }
        assert!(sizes.len() < 40, "batches grow too slowly: {sizes:?}");
    }

    #[test]
    fn damaged_numbers_do_no_harm() {
        let list = to_bytes(&ids(10));
        let text =
            r#"{"next":18446744073709551615,"count":4294967295,"each":18446744073709551615}"#;
        let mut batches: Batches = serde_json::from_str(text).expect("numbers");
        assert_eq!(next(&batches, &list, &[]), None);
        batches.cut(u64::MAX, u64::MAX);
        batches.next = 0;
        batches.count = 0;
        assert_eq!(next(&batches, &list, &[]).map(|it| it.wants.len()), Some(1));
    }
}
