//! LMDB's list of free pages, read without LMDB.
//!
//! A transaction that takes pages at the end of the file and frees them again
//! does not write them, and the file may be shorter than its last page says.
//! That is told from a truncated file by the list: every page that is missing
//! must be on it.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::check::{Meta, u32_at, u64_at};

const HEADER: usize = 16;
const NODE: usize = 8;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const BIG_DATA: u16 = 0x01;
const NO_PAGE: u64 = u64::MAX;
/// More missing pages than this are no leftover of one transaction.
const MISSING: u64 = 1 << 20;

/// Whether all pages from `first` to `last` are free. Anything that does not
/// look as LMDB writes it counts as not free.
pub(super) fn covers(file: &File, meta: &Meta, first: u64, last: u64) -> bool {
    let missing = (last + 1).saturating_sub(first);
    if missing > MISSING {
        return false;
    }
    let Ok(missing) = usize::try_from(missing) else {
        return false;
    };
    let mut walk = Walk {
        file,
        page_size: meta.page_size,
        // Every page is visited at most once; a circle ends here.
        left: first,
        first,
        free: vec![false; missing],
    };
    meta.free_root != NO_PAGE
        && walk.page(meta.free_root).is_some()
        && walk.free.iter().all(|free| *free)
}

struct Walk<'a> {
    file: &'a File,
    page_size: u64,
    left: u64,
    first: u64,
    free: Vec<bool>,
}

impl Walk<'_> {
    /// Notes the free pages that the tree below page `number` lists; `None` where
    /// it makes no sense.
    fn page(&mut self, number: u64) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let page = self.read(number, self.page_size)?;
        let flags = u16_at(&page, 10);
        let nodes = usize::from(u16_at(&page, 12)).checked_sub(HEADER)? / 2;
        for node in 0..nodes {
            let at = usize::from(u16_at(&page, HEADER + 2 * node));
            let node = page.get(at..)?;
            node.get(..NODE)?;
            let low = u64::from(u32_at(node, 0));
            let node_flags = u16_at(node, 4);
            if flags & BRANCH != 0 {
                self.page(low | u64::from(node_flags) << 32)?;
            } else if flags & LEAF != 0 {
                let data = NODE + usize::from(u16_at(node, 6));
                let size = usize::try_from(low).ok()?;
                if node_flags & BIG_DATA == 0 {
                    self.list(node.get(data..data + size)?)?;
                } else {
                    let page = self.overflow(u64_at(node.get(data..data + 8)?, 0), low)?;
                    self.list(page.get(HEADER..HEADER + size)?)?;
                }
            } else {
                return None;
            }
        }
        Some(())
    }

    fn overflow(&mut self, number: u64, size: u64) -> Option<Vec<u8>> {
        let pages = (HEADER as u64 + size).div_ceil(self.page_size);
        self.left = self.left.checked_sub(pages)?;
        let page = self.read(number, pages * self.page_size)?;
        (u16_at(&page, 10) & OVERFLOW != 0).then_some(page)
    }

    /// A list of page numbers behind their count.
    fn list(&mut self, list: &[u8]) -> Option<()> {
        let (count, numbers) = list.split_first_chunk()?;
        let count = usize::try_from(u64::from_ne_bytes(*count)).ok()?;
        let numbers = numbers.get(..count.checked_mul(8)?)?;
        for number in numbers.chunks_exact(8) {
            let index = u64_at(number, 0).checked_sub(self.first);
            let index = index.and_then(|index| usize::try_from(index).ok());
            if let Some(free) = index.and_then(|index| self.free.get_mut(index)) {
                *free = true;
            }
        }
        Some(())
    }

    /// Pages that lie within the file: `first` is the number of those.
    fn read(&self, number: u64, length: u64) -> Option<Vec<u8>> {
        let pages = length / self.page_size;
        if number.checked_add(pages)? > self.first {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        let read = self.file.read_exact_at(&mut bytes, number * self.page_size);
        read.ok().map(|()| bytes)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..).and_then(|rest| rest.first_chunk());
    two.map_or(0, |two| u16::from_ne_bytes(*two))
}
