//! Whether the data file is whole, before LMDB maps it.
//!
//! LMDB believes its meta pages: where they name a page beyond the end of the
//! file, the first access to it kills the process (SIGBUS). And it takes an
//! emptied file for a new store. Both are looked at here, with nothing but reads.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::freelist;
use crate::store::StoreError;

/// The file that says that the data file was in use once, and in which format.
const SENTINEL: &str = "format";
/// The store's format; stored in the sentinel and in the store itself.
pub(super) const FORMAT: u32 = 1;

const MAGIC: u32 = 0xbeef_c0de;
const VERSION: u32 = 1;
const META_PAGE: u16 = 0x08;
/// A page header and the meta data behind it.
const META_SIZE: usize = 152;

/// What is found where a store is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or what is left of a creation that did not get far.
    Nothing,
    /// A store that can be opened.
    Store,
}

/// What a meta page says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) page_size: u64,
    pub(super) free_root: u64,
    last_page: u64,
    txn: u64,
}

/// Looks at the data file in `dir` and refuses one that is not whole. With
/// `mend`, removes what is left of a creation that did not get far.
pub(super) fn check(dir: &Path, mend: bool) -> Result<Found, StoreError> {
    let path = dir.join("data.mdb");
    let known = sentinel(dir)?;
    let unusable = |reason: String| StoreError::Unusable {
        path: path.clone(),
        reason,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return if known {
                Err(unusable("the store's data file is gone".to_owned()))
            } else {
                Ok(Found::Nothing)
            };
        }
        Err(e) => return Err(StoreError::io(&path, e)),
    };
    let length = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
    if length == 0 {
        return if known {
            Err(unusable("the store's data file was emptied".to_owned()))
        } else {
            Ok(Found::Nothing)
        };
    }
    // A power cut while the file was made leaves it short or blank.
    if !known && is_blank(&file, length).map_err(|e| StoreError::io(&path, e))? {
        if mend {
            std::fs::remove_file(&path).map_err(|e| StoreError::io(&path, e))?;
        }
        return Ok(Found::Nothing);
    }
    if cfg!(target_pointer_width = "64") {
        let meta = newest(&file).map_err(unusable)?;
        let needed = meta
            .last_page
            .checked_add(1)
            .and_then(|pages| pages.checked_mul(meta.page_size))
            .ok_or_else(|| unusable("its meta page is damaged".to_owned()))?;
        let kept = length / meta.page_size;
        // Pages at the end that are free need not have been written.
        if length < needed && !freelist::covers(&file, &meta, kept, meta.last_page) {
            return Err(unusable(format!(
                "it was truncated: {length} bytes of {needed} are left"
            )));
        }
    }
    Ok(Found::Store)
}

/// Notes durably that the store in `dir` is in use.
pub(super) fn mark(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(SENTINEL);
    if path.exists() {
        return Ok(());
    }
    super::place::write_new(&path, format!("{FORMAT}\n").as_bytes())?;
    super::place::sync(dir)
}

/// Whether the sentinel is there; refuses that of a newer format.
fn sentinel(dir: &Path) -> Result<bool, StoreError> {
    let path = dir.join(SENTINEL);
    match std::fs::read(&path) {
        Ok(content) => {
            let format = std::str::from_utf8(&content)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            match format {
                // It may be cut short, but it is there.
                None | Some(0..=FORMAT) => Ok(true),
                Some(newer) => Err(newer_format(&path, newer)),
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io(&path, e)),
    }
}

/// The refusal of a store that a newer build wrote.
pub(super) fn newer_format(path: &Path, format: u32) -> StoreError {
    StoreError::Unusable {
        path: path.to_owned(),
        reason: format!(
            "it is of format {format}, and this build reads up to {FORMAT}: use the newer build"
        ),
    }
}

fn is_blank(file: &File, length: u64) -> std::io::Result<bool> {
    let mut start = [0; META_SIZE];
    if length < META_SIZE as u64 {
        return Ok(true);
    }
    file.read_exact_at(&mut start, 0)?;
    Ok(start.iter().all(|byte| *byte == 0))
}

/// The meta page of the newest transaction.
fn newest(file: &File) -> Result<Meta, String> {
    let first = read_meta(file, 0)?;
    let second = read_meta(file, first.page_size)?;
    Ok(if second.txn > first.txn {
        second
    } else {
        first
    })
}

fn read_meta(file: &File, at: u64) -> Result<Meta, String> {
    let mut page = [0; META_SIZE];
    file.read_exact_at(&mut page, at)
        .map_err(|_| "it is too short for a store".to_owned())?;
    let flags = u16::from_ne_bytes([page[10], page[11]]);
    if flags & META_PAGE == 0 || u32_at(&page, 16) != MAGIC {
        return Err("it is no store, or was overwritten".to_owned());
    }
    let version = u32_at(&page, 20);
    if version != VERSION {
        return Err(format!(
            "its LMDB version is {version}, and this build reads {VERSION}"
        ));
    }
    let page_size = u32_at(&page, 40);
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(format!("its page size {page_size} is impossible"));
    }
    Ok(Meta {
        page_size: page_size.into(),
        free_root: u64_at(&page, 80),
        last_page: u64_at(&page, 136),
        txn: u64_at(&page, 144),
    })
}

/// Four bytes of `bytes`, in the machine's order as LMDB writes them; 0 where
/// there are none.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    four.map_or(0, |four| u32::from_ne_bytes(*four))
}

/// As [`u32_at`], eight bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes.get(at..).and_then(|rest| rest.first_chunk());
    eight.map_or(0, |eight| u64::from_ne_bytes(*eight))
}
