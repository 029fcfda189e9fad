//! A run's result, and the first difference between two.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

/// Longer files are told by their hash.
const SHOWN: usize = 200;

/// What counts of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) output: Value,
    pub(super) seen: Value,
}

impl Outcome {
    /// The first thing in which `self` differs from what is expected.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        difference("the output", &self.output, &expected.output)
            .or_else(|| difference("what is observed", &self.seen, &expected.seen))
    }
}

/// The first difference between two values, said in words.
pub(super) fn difference(name: &str, found: &Value, expected: &Value) -> Option<String> {
    if found == expected {
        return None;
    }
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let keys = found.keys().chain(expected.keys());
            keys.into_iter().find_map(|key| {
                let name = format!("{name} at `{}`", key.escape_debug());
                match (found.get(key), expected.get(key)) {
                    (Some(found), Some(expected)) => difference(&name, found, expected),
                    (Some(_), None) => Some(format!("{name} is there and should not be")),
                    (None, _) => Some(format!("{name} is missing")),
                }
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => found
            .iter()
            .zip(expected)
            .enumerate()
            .find_map(|(at, (found, expected))| {
                difference(&format!("{name} at {at}"), found, expected)
            }),
        _ => Some(format!(
            "{name} is {} and not {}",
            short(found),
            short(expected)
        )),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN * 2) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// Everything below a directory.
pub(super) fn tree(dir: &Path) -> io::Result<Value> {
    let mut found = Map::new();
    add(dir, dir, &mut found)?;
    Ok(Value::Object(found))
}

fn add(root: &Path, dir: &Path, found: &mut Map<String, Value>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let meta = path.symlink_metadata()?;
        let what = if meta.is_dir() {
            add(root, &path, found)?;
            json!("directory")
        } else if meta.is_symlink() {
            json!({ "link": fs::read_link(&path)?.to_string_lossy() })
        } else if meta.is_file() {
            file(&fs::read(&path)?)
        } else {
            json!("special")
        };
        let name = path.strip_prefix(root).unwrap_or(&path);
        found.insert(name.to_string_lossy().into_owned(), what);
    }
    Ok(())
}

fn file(content: &[u8]) -> Value {
    match std::str::from_utf8(content) {
        Ok(text) if text.len() <= SHOWN => json!({ "file": text }),
        _ => json!({ "bytes": content.len(), "blake3": blake3::hash(content).to_hex().as_str() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let expected = json!({ "a": [1, 2], "b": "x" });
        for (found, words) in [
            (
                json!({ "a": [1, 3], "b": "x" }),
                "it at `a` at 1 is 3 and not 2",
            ),
            (
                json!({ "a": [1], "b": "x" }),
                "it at `a` is [1] and not [1,2]",
            ),
            (json!({ "b": "x" }), "it at `a` is missing"),
            (
                json!({ "a": [1, 2], "b": "x", "c": 0 }),
                "it at `c` is there and should not be",
            ),
        ] {
            assert_eq!(difference("it", &found, &expected).as_deref(), Some(words));
        }
        assert_eq!(difference("it", &expected, &expected), None);
    }
}
