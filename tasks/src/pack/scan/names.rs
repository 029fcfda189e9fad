//! The file name of each object: of all the names that trees give it, the smallest.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// File names, each stored once, and for each object the number of its name.
pub struct Names {
    of: Vec<AtomicU32>,
    table: Mutex<Table>,
}

/// No name yet.
const UNNAMED: u32 = 0;

/// The names themselves; numbers begin at 1.
#[derive(Default)]
struct Table {
    list: Vec<Box<[u8]>>,
    numbers: HashMap<Box<[u8]>, u32>,
}

/// Names by number, and `(object, number)` pairs.
pub(super) type Drained = (Vec<Box<[u8]>>, Vec<(u32, u32)>);

/// A thread's own memory of the numbers of names, so that it rarely needs the common table.
#[derive(Default)]
pub(super) struct NameCache(HashMap<Box<[u8]>, u32>);

impl Names {
    /// No names, for `n` objects; for none at all, none are taken.
    pub(super) fn new(n: u32) -> Self {
        Self {
            of: (0..n).map(|_| AtomicU32::new(UNNAMED)).collect(),
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of `name`.
    pub(super) fn number(&self, name: &[u8]) -> u32 {
        let mut table = self.table();
        if let Some(number) = table.numbers.get(name) {
            return *number;
        }
        table.list.push(name.into());
        let number = u32::try_from(table.list.len()).expect("fewer names than objects");
        table.numbers.insert(name.into(), number);
        number
    }

    /// Gives object `id` the name, unless it has a smaller one.
    pub(super) fn give(&self, id: u32, name: &[u8], cache: &mut NameCache) {
        if self.of.is_empty() {
            return;
        }
        let number = if let Some(number) = cache.0.get(name) {
            *number
        } else {
            let number = self.number(name);
            cache.0.insert(name.into(), number);
            number
        };
        self.give_number(id, number, name);
    }

    pub(super) fn give_number(&self, id: u32, number: u32, name: &[u8]) {
        let Some(slot) = self.of.get(id as usize) else {
            return;
        };
        let mut now = slot.load(Relaxed);
        while now != number {
            if now != UNNAMED && *self.table().list[now as usize - 1] <= *name {
                return;
            }
            match slot.compare_exchange_weak(now, number, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(changed) => now = changed,
            }
        }
    }

    /// For each name's number its place in the order of the names; place 0 is for no name.
    pub(super) fn places(&self) -> Vec<u32> {
        let table = self.table();
        let mut order: Vec<u32> = (1..).take(table.list.len()).collect();
        order.sort_unstable_by_key(|number| &table.list[*number as usize - 1]);
        let mut places = vec![0; order.len() + 1];
        for (place, number) in (1..).zip(order) {
            places[number as usize] = place;
        }
        places
    }

    /// The number of the name of object `id`, 0 for none.
    pub(super) fn number_of(&self, id: u32) -> u32 {
        self.of[id as usize].load(Relaxed)
    }

    /// The name of object `id`, empty for none.
    pub fn get(&self, id: u32) -> Box<[u8]> {
        match self.number_of(id) {
            UNNAMED => Box::default(),
            number => self.table().list[number as usize - 1].clone(),
        }
    }

    /// Takes all names away and returns them: the names by number, and `(object, number)` pairs.
    pub(super) fn drain(&self) -> Drained {
        let pairs = (0..)
            .zip(&self.of)
            .filter_map(|(id, slot)| match slot.swap(UNNAMED, Relaxed) {
                UNNAMED => None,
                number => Some((id, number)),
            })
            .collect();
        (self.table().list.clone(), pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_name_wins_in_any_order() {
        for order in [["b", "a", "c"], ["a", "c", "b"], ["c", "b", "a"]] {
            let (names, mut cache) = (Names::new(2), NameCache::default());
            for name in order {
                names.give(1, name.as_bytes(), &mut cache);
            }
            assert_eq!(&*names.get(1), b"a");
            assert!(names.get(0).is_empty());
            let places = names.places();
            assert_eq!(places[names.number_of(1) as usize], 1);
            assert_eq!(places[names.number_of(0) as usize], 0);
        }
    }
}
