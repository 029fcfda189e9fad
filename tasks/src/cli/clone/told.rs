//! What is said of a clone.

use std::path::Path;

use mug::transfer::clone::{Input, Output};
use mug::transfer::connection::Message;
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

/// What the user should know of what was cloned.
pub(super) fn warnings(output: &Output) -> Vec<String> {
    let mut warnings = output.remarks.clone();
    if output.head.is_none() && output.objects == 0 {
        warnings.push("the repository is empty".to_owned());
    }
    if let Some(written) = &output.written {
        warnings.extend(written.remarks.clone());
        if written.left_out > 0 {
            warnings.push(format!(
                "{} of the working tree could not be written; `git status` shows them",
                match written.left_out {
                    1 => "one path".to_owned(),
                    n => format!("{} paths", format::count(n)),
                },
            ));
        }
    }
    warnings
}

/// The result in a line.
pub(super) fn summary(done: &Done<Output>, received: u64, dir: &Path) -> String {
    let output = &done.output;
    let files = match &output.written {
        Some(written) => format!(
            ", {} files of {}",
            format::count(written.files),
            format::bytes(written.bytes)
        ),
        None => String::new(),
    };
    format!(
        "{}: {} objects, {} received, {} refs{files}, in {}",
        text::plain(&dir.display().to_string()),
        format::count(output.objects),
        format::bytes(received),
        format::count(output.refs),
        format::duration(done.elapsed),
    )
}

/// How what was given contradicts what a clone was started with.
pub(super) fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    let (new, old) = (&given.options, &stored.options);
    if new.url != old.url {
        return Some(format!("clones {}, not {}", old.url, new.url));
    }
    if given.target != stored.target {
        return Some(format!(
            "clones into {}, not into {}",
            stored.target.display(),
            given.target.display()
        ));
    }
    let differs = [
        (new.branch.is_some() && new.branch != old.branch, "--branch"),
        (
            new.single_branch.is_some() && new.single_branch != old.single_branch,
            "--single-branch",
        ),
        (new.bare && !old.bare, "--bare"),
        (new.mirror && !old.mirror, "--mirror"),
        (new.depth.is_some() && new.depth != old.depth, "--depth"),
        (new.filter.is_some() && new.filter != old.filter, "--filter"),
        (new.no_tags && !old.no_tags, "--no-tags"),
        (new.no_checkout && !old.no_checkout, "--no-checkout"),
        (
            new.origin != new.defaults.origin && new.origin != old.origin,
            "--origin",
        ),
    ];
    let (_, option) = differs.into_iter().find(|(differs, _)| *differs)?;
    Some(format!("was started with another `{option}`"))
}

#[cfg(test)]
mod tests {
    use mug::transfer::refs::{CloneDefaults, CloneOptions};

    use super::*;

    #[test]
    fn only_what_is_given_can_contradict() {
        let input = |url: &str, target: &str| Input {
            options: CloneOptions::new(url, CloneDefaults::default()),
            target: target.into(),
            existed: false,
            staged: false,
        };
        let mut stored = input("u", "/t");
        (stored.options.depth, stored.options.bare) = (Some(3), true);
        assert_eq!(contradiction(&input("u", "/t"), &stored), None);
        assert!(contradiction(&input("v", "/t"), &stored).is_some());
        assert!(contradiction(&input("u", "/s"), &stored).is_some());
        let mut given = input("u", "/t");
        given.options.depth = Some(4);
        let text = contradiction(&given, &stored).unwrap();
        assert!(text.contains("--depth"), "{text}");
    }
}
