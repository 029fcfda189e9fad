//! What became of each ref, in git's words.

use std::fmt::Write as _;

use gix::bstr::{BString, ByteSlice as _};
use mug::transfer::{
    push::Output,
    refs::{
        name::{pretty, shown},
        push::{Status, Update},
    },
};

use crate::cli::error::Error;
use crate::cli::ui::{Ui, text};

/// Git does not shorten ids to less.
const SHORTEST: usize = 7;

/// Says what became of each ref: what is as it should be with `-v` only.
pub(super) fn tell(output: &Output, repo: &gix::Repository, ui: &Ui) {
    let wrong = |it: &&Update| it.status.is_failure();
    let same = |it: &&Update| it.status == Status::UpToDate;
    let all = &output.updates;
    let mut lines: Vec<&Update> = Vec::new();
    if ui.verbose {
        lines.extend(all.iter().filter(same));
    }
    lines.extend(all.iter().filter(|it| !same(it) && !wrong(it)));
    lines.extend(all.iter().filter(wrong));
    let say = |line: &str| {
        if output.failed() {
            ui.tell(line);
        } else {
            ui.note(line);
        }
    };
    if !lines.is_empty() {
        say(&format!("To {}", text::plain(&output.to)));
    }
    let width = 2 * widest(all, repo) + 3;
    for update in lines {
        say(&line(update, width, repo));
    }
    if !output.failed() && all.iter().all(|it| it.status == Status::UpToDate) {
        ui.note("Everything up-to-date");
    }
    for name in &output.leftover {
        ui.tell(&format!(
            "warning: the server did not let go of the temporary ref {}",
            shown(name)
        ));
    }
    for it in &output.upstreams {
        ui.note(&format!(
            "branch '{}' set up to track '{}/{}'.",
            shown(&it.branch),
            shown(&it.remote),
            shown(&it.follows)
        ));
    }
}

fn short(id: gix_hash::ObjectId, repo: &gix::Repository) -> String {
    use gix::prelude::ObjectIdExt as _;
    let prefix = id.attach(repo).shorten();
    let length = prefix.map_or(SHORTEST, |it| it.hex_len());
    id.to_hex_with_len(length.max(SHORTEST)).to_string()
}

fn widest(updates: &[Update], repo: &gix::Repository) -> usize {
    let ids = updates.iter().flat_map(|it| [it.old, it.pair.new]);
    let lengths = ids.flatten().map(|id| short(id, repo).len());
    lengths.max().unwrap_or(SHORTEST).max(SHORTEST)
}

/// The line of an update.
fn line(update: &Update, width: usize, repo: &gix::Repository) -> String {
    let told = update.told();
    let summary = match (told.summary, update.old, update.pair.new) {
        (Some(summary), _, _) => summary.to_owned(),
        (None, Some(old), Some(new)) => {
            let dots = if update.forced { "..." } else { ".." };
            format!("{}{dots}{}", short(old, repo), short(new, repo))
        }
        _ => String::new(),
    };
    let name = |name: &BString| shown(pretty(name.as_bstr()));
    let mut line = format!(" {} {summary:<width$} ", told.flag);
    match &update.pair.from {
        Some(from) => {
            let _ = write!(line, "{} -> {}", name(from), name(&update.pair.to));
        }
        None => line.push_str(&name(&update.pair.to)),
    }
    if let Some(reason) = told.reason {
        let _ = write!(line, " ({})", text::plain(reason));
    }
    line
}

/// The error for what was not pushed.
pub(super) fn failure(output: &Output) -> Option<Error> {
    if !output.failed() {
        return None;
    }
    let to = text::plain(&output.to);
    let mut error = Error::failed(format!("failed to push some refs to '{to}'"));
    let has = |status: &Status| output.updates.iter().any(|it| it.status == *status);
    if has(&Status::FetchFirst) {
        error =
            error.hint("the server has commits that are not here; fetch and integrate them first");
    }
    if has(&Status::NonFastForward) {
        error = error.hint("the server's ref is ahead of yours or beside it; integrate it first");
    }
    if has(&Status::AlreadyExists) {
        error = error.hint("the tag exists at the server; `--force` moves it");
    }
    if has(&Status::Stale) {
        error = error.hint("the server's ref is not what the lease says; fetch, and look at it");
    }
    Some(error)
}
