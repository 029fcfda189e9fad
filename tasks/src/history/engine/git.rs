//! `git merge-tree --write-tree`: what is asked, and what it answers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::error::EngineError;
use super::outcome::{By, Favor, Message, Outcome, Stage};

/// What Git answers to an option that it does not know.
const USAGE: i32 = 129;

/// The directories that Git is told of.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The Git directory; of a linked worktree its own.
    pub(super) git_dir: PathBuf,
    /// The root of the working tree, if there is one: attributes are read there.
    pub(super) worktree: Option<PathBuf>,
    /// Where it writes new objects.
    pub(super) objects: PathBuf,
}

/// Asks Git for the merge of two commits.
pub(super) fn ask(
    places: &Places,
    sides: [ObjectId; 2],
    favor: Favor,
    allow_unrelated: bool,
) -> Result<Outcome, EngineError> {
    let mut command = git(places);
    command.args(["merge-tree", "--write-tree", "-z", "--messages"]);
    if allow_unrelated {
        command.arg("--allow-unrelated-histories");
    }
    match favor {
        Favor::Neither => {}
        Favor::Ours => drop(command.arg("--strategy-option=ours")),
        Favor::Theirs => drop(command.arg("--strategy-option=theirs")),
    }
    command.args(sides.map(|side| side.to_string()));
    let output = command.output().map_err(|error| EngineError::NoGit {
        reason: error.to_string(),
    })?;
    let failed = || EngineError::Git {
        reason: plain(&output.stderr),
    };
    match output.status.code() {
        Some(0) => parse(&output.stdout, true).ok_or_else(failed),
        Some(1) => parse(&output.stdout, false).ok_or_else(failed),
        Some(USAGE) => Err(EngineError::OldGit {
            found: version(places),
        }),
        _ if output.stderr.contains_str("unrelated histories") => Err(EngineError::Unrelated),
        _ => Err(failed()),
    }
}

fn git(places: &Places) -> Command {
    let mut command = Command::new(gix::path::env::exe_invocation());
    command
        .current_dir(places.worktree.as_deref().unwrap_or(&places.git_dir))
        .env("GIT_DIR", &places.git_dir)
        .env("GIT_OBJECT_DIRECTORY", &places.objects)
        // What it says is read here.
        .env("LC_ALL", "C")
        .env("LANGUAGE", "C")
        .stdin(Stdio::null());
    match &places.worktree {
        Some(worktree) => command.env("GIT_WORK_TREE", worktree),
        None => command.env_remove("GIT_WORK_TREE"),
    };
    command
}

fn version(places: &Places) -> String {
    let output = git(places).arg("version").output();
    let said = output
        .map(|output| plain(&output.stdout))
        .unwrap_or_default();
    said.trim_start_matches("git version ").to_owned()
}

/// The environment's own alternates are seen through the same variable; these come in a file.
pub(super) fn alternates(objects: &Path) -> Result<OsString, EngineError> {
    let path = objects.as_os_str();
    if path.as_encoded_bytes().contains(&b'\n') {
        return Err(EngineError::Git {
            reason: "a path with a line break in it".to_owned(),
        });
    }
    let mut line = path.to_owned();
    line.push("\n");
    Ok(line)
}

/// One line, without control characters.
fn plain(said: &[u8]) -> String {
    let text = said.to_str_lossy();
    let line = text.trim().lines().collect::<Vec<_>>().join("; ");
    let mut line: String = line.chars().filter(|c| !c.is_control()).collect();
    if let Some((end, _)) = line.char_indices().nth(500) {
        line.truncate(end);
    }
    line
}

/// The answer: the tree, the stages, an empty field, the messages; each field ends with a zero byte.
fn parse(answer: &[u8], clean: bool) -> Option<Outcome> {
    let mut fields = answer.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let tree = ObjectId::from_hex(fields.next()?).ok()?;
    let mut stages = Vec::new();
    for field in fields.by_ref().take_while(|field| !field.is_empty()) {
        stages.push(stage(field.as_bstr())?);
    }
    let mut messages = Vec::new();
    while let Some(count) = fields.next() {
        let paths: usize = count.to_str().ok()?.parse().ok()?;
        let mut rest = fields.by_ref().skip(paths);
        let (kind, text) = (rest.next()?, rest.next()?);
        messages.push(Message {
            kind: kind.to_str_lossy().into_owned(),
            text: text.to_str_lossy().trim_end_matches('\n').to_owned(),
        });
    }
    Some(Outcome {
        tree,
        clean,
        stages,
        messages,
        by: By::Git,
    })
}

/// `<mode> <id> <stage>\t<path>`.
fn stage(field: &BStr) -> Option<Stage> {
    let (head, path) = field.split_once_str("\t")?;
    let mut words = head.split_str(" ");
    let mode = u32::from_str_radix(words.next()?.to_str().ok()?, 8).ok()?;
    let id = ObjectId::from_hex(words.next()?).ok()?;
    let stage = words.next()?.to_str().ok()?.parse().ok()?;
    (1..=3).contains(&stage).then(|| Stage {
        path: BString::from(path),
        mode,
        id,
        stage,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = format!(
            "{ID}\0100644 {ID} 1\ta b\0100644 {ID} 3\ta b\0\x001\0a b\0Auto-merging\0Auto-merging a b\n\0"
        );
        let outcome = parse(answer.as_bytes(), false).unwrap();
        assert_eq!(outcome.tree.to_string(), ID);
        assert_eq!(outcome.conflicting_paths(), ["a b"]);
        assert_eq!(outcome.stages[1].stage, 3);
        assert_eq!(outcome.messages[0].text, "Auto-merging a b");
        let clean = parse(format!("{ID}\0\0").as_bytes(), true).unwrap();
        assert_eq!((clean.stages.len(), clean.messages.len()), (0, 0));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for answer in ["", "\0", "x\0", &format!("{ID}\0100644 {ID} 4\ta\0\0")] {
            assert_eq!(parse(answer.as_bytes(), true), None, "{answer:?}");
        }
    }
}
