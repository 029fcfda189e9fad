//! What is said of a fetch.

use mug::transfer::connection::Message;
use mug::transfer::fetch::{Input, Output};
use mug::transfer::obtain::Said;

use crate::cli::drive::Done;
use crate::cli::ui::{Ui, format, text};

/// Tells what the transfer has to say.
pub(super) fn said(ui: &Ui, said: Said<'_>) {
    match said {
        Said::Choice(what) if ui.verbose => ui.note(&text::plain(what)),
        Said::Choice(_) => {}
        Said::Trouble(what) => ui.note(&format!("note: {}", text::plain(what))),
    }
}

/// Tells what the server has to say; its counts only to whoever wants to know more.
pub(super) fn remote(ui: &Ui, message: Message<'_>) {
    let count =
        message.passing || message.text.ends_with("done.") || message.text.contains("reused");
    if !count || (ui.verbose && !message.passing) {
        ui.note(&format!("remote: {}", text::plain(message.text)));
    }
}

/// The result in a line.
pub(super) fn summary(done: &Done<Output>, url: &str) -> String {
    let output = &done.output;
    let refs = match (output.moved, output.failed) {
        (0, 0) => "nothing new".to_owned(),
        (moved, 0) => format!("{} refs", format::count(moved)),
        (moved, failed) => format!(
            "{} refs, and {} that did not move",
            format::count(moved),
            format::count(failed)
        ),
    };
    let received = if output.objects > 0 {
        format!(
            ", {} objects, {} received",
            format::count(output.objects),
            format::bytes(output.bytes)
        )
    } else {
        String::new()
    };
    format!(
        "{}: {refs}{received}, in {}",
        text::plain(url),
        format::duration(done.elapsed)
    )
}

/// How what was given contradicts what a fetch was started with.
pub(super) fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.git_dir != stored.git_dir {
        return Some(format!(
            "fetches into {}, not into {}",
            stored.git_dir.display(),
            given.git_dir.display()
        ));
    }
    let (new, old) = (&given.options, &stored.options);
    let named = |it: &Option<String>| it.clone().unwrap_or_else(|| "the usual remote".to_owned());
    if new.remote.is_some() && new.remote != old.remote {
        return Some(format!(
            "fetches from {}, not from {}",
            named(&old.remote),
            named(&new.remote)
        ));
    }
    let differs = [
        (
            !new.refspecs.is_empty() && new.refspecs != old.refspecs,
            "refspecs",
        ),
        (
            new.tags.is_some() && new.tags != old.tags,
            "`--tags` or `--no-tags`",
        ),
        (new.prune.is_some() && new.prune != old.prune, "`--prune`"),
        (
            new.prune_tags.is_some() && new.prune_tags != old.prune_tags,
            "`--prune-tags`",
        ),
        (new.force && !old.force, "`--force`"),
        (new.depth.is_some() && new.depth != old.depth, "`--depth`"),
        (new.dry_run && !old.dry_run, "`--dry-run`"),
        (new.atomic && !old.atomic, "`--atomic`"),
        (new.append && !old.append, "`--append`"),
        (
            new.update_head_ok && !old.update_head_ok,
            "`--update-head-ok`",
        ),
    ];
    let (_, option) = differs.into_iter().find(|(differs, _)| *differs)?;
    Some(format!("was started with other {option}"))
}

#[cfg(test)]
mod tests {
    use mug::transfer::refs::fetch::FetchOptions;

    use super::*;

    #[test]
    fn only_what_is_given_can_contradict() {
        let input = |options: FetchOptions| Input {
            options,
            git_dir: "/r".into(),
            url: "u".into(),
            action: "fetch".into(),
            staged: false,
        };
        let given = FetchOptions {
            remote: Some("origin".into()),
            depth: Some(3),
            ..FetchOptions::default()
        };
        let stored = input(given.clone());
        assert_eq!(
            contradiction(&input(FetchOptions::default()), &stored),
            None
        );
        assert_eq!(contradiction(&stored, &stored), None);
        let other = FetchOptions {
            depth: Some(4),
            ..given.clone()
        };
        assert!(
            contradiction(&input(other), &stored)
                .unwrap()
                .contains("--depth")
        );
        let other = FetchOptions {
            remote: Some("other".into()),
            ..given
        };
        assert!(
            contradiction(&input(other), &stored)
                .unwrap()
                .contains("from origin")
        );
    }
}
