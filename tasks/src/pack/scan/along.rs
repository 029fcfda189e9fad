//! Reading many objects, each made from its delta base once.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{ScanError, Set, Universe};
use crate::pack::{delta, source::Reader};

/// Hands the content of each of `wanted` to `visit`, along the delta trees.
///
/// All of them, and the bases below them, must be readable. `stop` ends it with
/// [`ScanError::Stopped`] once it is true.
pub(super) fn read_along(
    universe: &Universe,
    wanted: &[u32],
    stop: &AtomicBool,
    mut visit: impl FnMut(u32, &[u8]) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    let n = universe.catalog.len();
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let (mut asked, mut on_the_way) = (Set::new(n), Set::new(n));
    let mut roots = Vec::new();
    for &id in wanted {
        asked.put(id);
        let mut at = id;
        while on_the_way.put(at) {
            let Some(base) = universe.shape.base(at) else {
                roots.push(at);
                break;
            };
            at = base;
        }
    }
    let mut levels: Vec<Vec<u8>> = Vec::new();
    let (mut pending, mut instructions) = (Vec::new(), Vec::new());
    for root in roots {
        pending.push((root, 0));
        while let Some((id, depth)) = pending.pop() {
            if stop.load(Relaxed) {
                return Err(ScanError::Stopped);
            }
            if levels.len() <= depth {
                levels.push(Vec::new());
            }
            let (bases, rest) = levels.split_at_mut(depth);
            let content = &mut rest[0];
            content.clear();
            if let Some(base) = bases.last() {
                instructions.clear();
                reader.payload(id, &mut instructions)?;
                delta::apply(base, &instructions, content, |_, _, _| {})
                    .map_err(|why| reader.damaged(id, why))?;
            } else {
                reader.payload(id, content)?;
            }
            if asked.has(id) {
                visit(id, content)?;
            }
            let children = universe.children.get(id).iter();
            let children = children.filter(|child| on_the_way.has(**child));
            pending.extend(children.map(|child| (*child, depth + 1)));
        }
    }
    Ok(())
}
