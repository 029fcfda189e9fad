//! Plain files, whole or in part.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

use super::http::{Head, Request};

/// The answer to a request for the file at `path`.
pub(super) fn answer(path: &Path, request: &Request) -> io::Result<(Head, Box<dyn Read>)> {
    let escapes = path.components().any(|part| part == Component::ParentDir);
    let file = if escapes {
        Err(io::ErrorKind::NotFound.into())
    } else {
        File::open(path)
    };
    let Ok(mut file) = file else {
        return Ok((Head::new(404), Box::new(io::empty())));
    };
    let meta = file.metadata()?;
    let length = meta.len();
    let tag = format!("\"{:x}-{:x}-{length:x}\"", meta.ino(), meta.mtime_nsec());
    let head = |status| {
        Head::new(status)
            .with("ETag", tag.clone())
            .with("Accept-Ranges", "bytes")
            .with("Content-Type", "application/octet-stream")
    };
    // A part of what has changed since is of no use.
    let fresh = request.header("if-range").is_none_or(|known| known == tag);
    let range = request.header("range").filter(|_| fresh).and_then(part);
    let Some((start, end)) = range else {
        return Ok((head(200), Box::new(file)));
    };
    if start >= length {
        let head = head(416).with("Content-Range", format!("bytes */{length}"));
        return Ok((head, Box::new(io::empty())));
    }
    let end = end.unwrap_or(u64::MAX).min(length - 1);
    file.seek(SeekFrom::Start(start))?;
    let head = head(206).with("Content-Range", format!("bytes {start}-{end}/{length}"));
    Ok((head, Box::new(file.take(end - start + 1))))
}

fn part(range: &str) -> Option<(u64, Option<u64>)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = if end.is_empty() {
        None
    } else {
        Some(end.parse().ok()?)
    };
    Some((start.parse().ok()?, end))
}
