//! The delta trees, from bases to deltas.

use std::cmp::Reverse;

use super::{Catalog, Shape};

/// For each object the deltas against it, in the order that packs list them in: eight bytes an object.
pub struct Children {
    start: Vec<u32>,
    list: Vec<u32>,
}

impl Children {
    /// Turns the bases around. The largest delta comes first, then the smallest id.
    pub fn of(catalog: &Catalog, shape: &Shape) -> Self {
        let n = catalog.len();
        let mut start = vec![0_u32; n as usize + 2];
        for id in 0..n {
            if let Some(base) = shape.base(id) {
                start[base as usize + 2] += 1;
            }
        }
        for at in 1..start.len() {
            start[at] += start[at - 1];
        }
        // Shifted by one, so that filling the lists moves each start to its place.
        let mut list = vec![0; start[n as usize + 1] as usize];
        for id in 0..n {
            if let Some(base) = shape.base(id) {
                let slot = &mut start[base as usize + 1];
                list[*slot as usize] = id;
                *slot += 1;
            }
        }
        start.pop();
        for ends in start.windows(2) {
            list[ends[0] as usize..ends[1] as usize]
                .sort_unstable_by_key(|id| (Reverse(shape.size(*id)), *id));
        }
        Self { start, list }
    }

    /// The deltas against object `id`.
    pub fn get(&self, id: u32) -> &[u32] {
        let at = id as usize;
        &self.list[self.start[at] as usize..self.start[at + 1] as usize]
    }
}
