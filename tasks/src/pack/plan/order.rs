//! The order of the entries.

use std::cmp::Reverse;

use crate::pack::scan::{Reach, Universe};

/// All reachable objects in the pack's order.
pub(super) fn order(universe: &Universe, reach: &Reach) -> Vec<u32> {
    let shape = &universe.shape;
    let is_root = |id: u32| shape.base(id).is_none_or(|base| !reach.has(base));
    let mut roots: Vec<u32> = (0..universe.catalog.len())
        .filter(|id| reach.has(*id) && is_root(*id))
        .collect();
    roots.sort_unstable_by_key(|id| {
        (
            shape.kind(*id).place(),
            reach.name_place(*id),
            Reverse(shape.size(*id)),
            *id,
        )
    });
    let mut order = Vec::with_capacity(reach.len() as usize);
    let mut pending = Vec::new();
    for root in roots {
        pending.push(root);
        while let Some(id) = pending.pop() {
            order.push(id);
            let children = universe.children.get(id).iter().rev();
            pending.extend(children.filter(|child| reach.has(**child)));
        }
    }
    order
}
