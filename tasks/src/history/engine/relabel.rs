//! Puts the sides' names where Git, which was asked with ids, put these.
//!
//! They are in conflict markers, in the names of files that had to make room (`file~HEAD`), and in
//! messages.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::Write as _;

use super::error::EngineError;
use super::outcome::Outcome;

/// No marker is shorter.
const SHORTEST_MARKER: usize = 7;
/// Git abbreviates an id to no less.
const SHORTEST_ID: usize = 4;

/// A name to be put in the place of an id.
pub(super) struct Relabel {
    from: String,
    to: BString,
    /// Whether the id may be abbreviated.
    short: bool,
}

impl Relabel {
    /// For an id in full.
    pub(super) const fn new(from: String, to: BString) -> Self {
        Self {
            from,
            to,
            short: false,
        }
    }

    /// For an id that Git abbreviates.
    pub(super) const fn short(from: String, to: BString) -> Self {
        Self {
            from,
            to,
            short: true,
        }
    }

    /// What follows the label in `text`, if it begins with it.
    fn after<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let length = text.iter().take_while(|byte| is_hex(byte)).count();
        let (id, rest) = text.split_at(length);
        let is_it = if self.short {
            length >= SHORTEST_ID && self.from.as_bytes().starts_with(id)
        } else {
            self.from.as_bytes() == id
        };
        (is_it && (rest.is_empty() || rest[0] == b':' || rest[0] == b'\r')).then_some(rest)
    }
}

/// The outcome with names for ids.
pub(super) fn relabel(
    repository: &gix::Repository,
    mut outcome: Outcome,
    names: &[Relabel],
) -> Result<Outcome, EngineError> {
    for message in &mut outcome.messages {
        for name in names.iter().filter(|name| !name.short) {
            message.text = message.text.replace(&name.from, &name.to.to_str_lossy());
        }
    }
    if outcome.clean {
        return Ok(outcome);
    }
    let tree = repository
        .find_tree(outcome.tree)
        .map_err(EngineError::object)?;
    let mut editor = repository
        .edit_tree(outcome.tree)
        .map_err(EngineError::object)?;
    let mut changed = false;
    for path in outcome.conflicting_paths() {
        let entry = tree
            .lookup_entry(path.split_str("/"))
            .map_err(EngineError::object)?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_blob() || path.contains(&b'~'))
        else {
            continue;
        };
        let (kind, mut id) = (entry.mode().kind(), entry.id().detach());
        let to = room(path.as_bstr(), names);
        if entry.mode().is_blob() {
            let blob = entry.object().map_err(EngineError::object)?;
            if let Some(content) = content(&blob.data, names) {
                let written = repository
                    .objects
                    .write_buf(gix::object::Kind::Blob, &content);
                id = written.map_err(EngineError::object)?;
            }
        }
        if id == entry.id() && to.is_none() {
            continue;
        }
        changed = true;
        let to = to.unwrap_or_else(|| path.clone());
        if to != path {
            let taken = tree.lookup_entry(to.split_str("/"));
            if taken.map_err(EngineError::object)?.is_some() {
                return Err(EngineError::Git {
                    reason: format!("there is a file {to} already, where a conflict needs room"),
                });
            }
            editor.remove(path.as_bstr()).map_err(EngineError::object)?;
        }
        editor
            .upsert(to.as_bstr(), kind, id)
            .map_err(EngineError::object)?;
    }
    if changed {
        outcome.tree = editor.write().map_err(EngineError::object)?.detach();
    }
    for stage in &mut outcome.stages {
        if let Some(to) = room(stage.path.as_bstr(), names) {
            stage.path = to;
        }
    }
    let order = |stage: &super::Stage| (stage.path.clone(), stage.stage);
    outcome.stages.sort_by_key(order);
    Ok(outcome)
}

/// The path of a file that made room for another, if this is one.
fn room(path: &BStr, names: &[Relabel]) -> Option<BString> {
    names.iter().filter(|name| !name.short).find_map(|name| {
        let mark = format!("~{}", name.from);
        let at = path.find(mark.as_bytes())?;
        // As in Git, it is no directory.
        let label = name.to.replace("/", "_");
        let after = &path[at + mark.len()..];
        Some(
            [path[..=at].as_bytes(), label.as_slice(), after.as_bytes()]
                .concat()
                .into(),
        )
    })
}

/// The content with other names in its conflict markers; none if there is nothing to change.
fn content(from: &[u8], names: &[Relabel]) -> Option<Vec<u8>> {
    let mut to = Vec::with_capacity(from.len());
    let mut changed = false;
    for line in from.lines_with_terminator() {
        match marker(line, names) {
            Some((head, name, rest)) => {
                changed = true;
                to.extend_from_slice(head);
                to.extend_from_slice(name);
                to.extend_from_slice(rest);
            }
            None => to.extend_from_slice(line),
        }
    }
    changed.then_some(to)
}

/// A line that is a marker with one of the labels: what is before it, the name to put there, what is
/// after it.
fn marker<'a>(line: &'a [u8], names: &'a [Relabel]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    let mark = *line.first().filter(|byte| b"<>|".contains(byte))?;
    let length = line.iter().take_while(|byte| **byte == mark).count();
    if length < SHORTEST_MARKER || line.get(length) != Some(&b' ') {
        return None;
    }
    let (head, text) = line.split_at(length + 1);
    let ended = text.strip_suffix(b"\n").unwrap_or(text);
    let name = |name: &'a Relabel| Some((name, name.after(ended)?));
    let (name, rest) = names.iter().find_map(name)?;
    Some((head, &name.to, &text[ended.len() - rest.len()..]))
}
