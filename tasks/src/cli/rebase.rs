//! `mug rebase`: commits onto another base.

use std::path::{Path, PathBuf};

use mug::core::database::MugDb;
use mug::core::repository::Repository;
use mug::core::resume::{Operation, OperationManager, OperationStatus};
use mug::history::rebase::{End, Env, Input, KIND, Output, Rebase, Wish, look};
use resume_runtime::StepError;

use super::drive::{self, Done, Job};
use super::error::Error;
use super::origin::Origin;
use super::ui::{Ui, format, text};

/// Arguments of `mug rebase`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct RebaseArgs {
    /// Whose commits are left out: the branch's upstream when none is given
    upstream: Option<String>,
    /// What to rebase instead of HEAD; a branch is checked out at the end
    branch: Option<String>,
    /// The new base, where it is not the upstream; `a...b` is the merge base of the two
    #[arg(long, value_name = "BASE")]
    onto: Option<String>,
    /// Rebase all commits, down to the first; without `--onto` that one has no parent again. There is no
    /// upstream then, and a name is the branch's
    #[arg(long)]
    root: bool,
    /// Keep aside what is not committed, and put it back at the end (`rebase.autoStash`)
    #[arg(long, overrides_with = "no_autostash")]
    autostash: bool,
    /// Refuse to begin where something is not committed
    #[arg(long, overrides_with = "autostash")]
    no_autostash: bool,
    /// Meld commits whose subjects begin with `fixup!`, `squash!` or `amend!` into those that they name; no
    /// editor is opened for the messages
    #[arg(long, overrides_with = "no_autosquash")]
    autosquash: bool,
    /// Pick them as all others, which is the default: `rebase.autoSquash` is for `git rebase -i`
    #[arg(long, overrides_with = "autosquash")]
    no_autosquash: bool,
    /// Run a command after each commit, in the working tree, with the commit checked out; may be given
    /// several times. One that fails stops the rebase. One that was interrupted is run again when the
    /// rebase goes on, one that ended is not
    #[arg(short = 'x', long, value_name = "CMD")]
    exec: Vec<String>,
    /// Continue a rebase that was paused, interrupted or stopped at a conflict
    #[arg(long, value_name = "OP-ID")]
    resume: Option<String>,
    /// Leave out the commit that conflicts, and go on
    #[arg(long, conflicts_with = "abort")]
    skip: bool,
    /// Put everything back as it was
    #[arg(long)]
    abort: bool,
}

impl RebaseArgs {
    fn wish(&self) -> Wish {
        match (self.skip, self.abort) {
            (true, _) => Wish::Skip,
            (_, true) => Wish::Abort,
            _ => Wish::Continue,
        }
    }
}

pub(super) fn run(args: &RebaseArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    let wish = args.wish();
    let repository = Repository::discover(".")?;
    let db = repository.get_db().clone();
    let git_dir = absolute(repository.git_dir())?;
    let resume = match &args.resume {
        Some(id) => Some(id.clone()),
        None if wish != Wish::Continue => Some(paused(&db, &git_dir)?.id),
        None => None,
    };
    if args.upstream.is_some() && resume.is_some() && args.resume.is_none() {
        let what = "`--skip` and `--abort` are for a rebase that is paused: give no upstream";
        return Err(Error::usage(what));
    }
    let what = match wish {
        Wish::Abort => "giving up the rebase in",
        _ => "rebasing in",
    };
    let place = repository.work_dir().unwrap_or(repository.git_dir());
    drive::begin_at(ui, what, &place.display().to_string());
    let (upstream, branch) = match (args.root, &args.upstream, &args.branch) {
        (true, Some(_), Some(_)) => {
            let what = "`--root` leaves no commit out: give the branch, and no upstream";
            return Err(Error::usage(what));
        }
        (true, branch, None) => (None, branch.clone()),
        (_, upstream, branch) => (upstream.clone(), branch.clone()),
    };
    let input = Input {
        git_dir,
        upstream,
        branch,
        onto: args.onto.clone(),
        root: args.root,
        autostash: match (args.autostash, args.no_autostash) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        autosquash: args.autosquash,
        exec: args.exec.clone(),
    };
    let mut metadata = vec![("repository", place.display().to_string())];
    for (key, value) in [
        ("upstream", &input.upstream),
        ("branch", &input.branch),
        ("onto", &input.onto),
    ] {
        metadata.extend(value.clone().map(|value| (key, value)));
    }
    let job = Job::<Rebase> {
        db,
        command: command(args),
        input,
        env: Box::new(move || Ok(Env::new(wish))),
        metadata,
        resume,
        contradiction,
        check: Box::new(|input| {
            look(input).map_err(|error| {
                let error = StepError::from(error);
                let told = Error::failed(error.to_string());
                match error.hint() {
                    Some(hint) => told.hint(hint),
                    None => told,
                }
            })
        }),
    };
    let done = drive::run(job, origin, ui)?;
    if done.output.stashed {
        ui.note(
            "warning: what was not committed conflicts, and is safe in the stash: `git stash pop`",
        );
    }
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.result(&summary(&done))
}

/// The rebase of this working tree that waits.
fn paused(db: &MugDb, git_dir: &Path) -> Result<Operation, Error> {
    let manager = OperationManager::new(db.clone());
    let mut found = manager.list(Some(OperationStatus::Paused))?;
    found.extend(manager.list(Some(OperationStatus::Failed))?);
    let here = |op: &Operation| {
        let input = op.input.clone().map(serde_json::from_value::<Input>);
        op.kind() == KIND && matches!(input, Some(Ok(input)) if input.git_dir == git_dir)
    };
    let newest = found
        .into_iter()
        .filter(here)
        .max_by_key(|op| op.created_at);
    newest.ok_or_else(|| {
        let error = Error::failed("no rebase is paused here");
        if git_dir.join("rebase-merge").exists() {
            return error.hint("Git's own is given up with `git rebase --abort`");
        }
        error
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize()
        .map_err(|e| Error::failed(format!("cannot read {}", path.display())).because(e))
}

/// The words that begin it; what is to be done with it is of the process.
fn command(args: &RebaseArgs) -> Vec<String> {
    let mut words = ["mug", "rebase"].map(str::to_owned).to_vec();
    if let Some(onto) = &args.onto {
        words.push(format!("--onto={onto}"));
    }
    if args.root {
        words.push("--root".to_owned());
    }
    if args.autostash {
        words.push("--autostash".to_owned());
    }
    if args.no_autostash {
        words.push("--no-autostash".to_owned());
    }
    if args.autosquash {
        words.push("--autosquash".to_owned());
    }
    if args.no_autosquash {
        words.push("--no-autosquash".to_owned());
    }
    words.extend(args.exec.iter().map(|command| format!("--exec={command}")));
    words.extend(args.upstream.clone());
    words.extend(args.branch.clone());
    words
}

fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.git_dir != stored.git_dir {
        return Some(format!(
            "rebases in {}, not in {}",
            stored.git_dir.display(),
            given.git_dir.display()
        ));
    }
    for (what, given, stored) in [
        ("upstream", &given.upstream, &stored.upstream),
        ("branch", &given.branch, &stored.branch),
        ("base", &given.onto, &stored.onto),
    ] {
        if let Some(given) = given
            && Some(given) != stored.as_ref()
        {
            let stored = stored.as_deref().unwrap_or("none");
            return Some(format!("has the {what} {stored}, not {given}"));
        }
    }
    if !given.exec.is_empty() && given.exec != stored.exec {
        return Some("runs other commands (--exec)".to_owned());
    }
    None
}

fn summary(done: &Done<Output>) -> String {
    let output = &done.output;
    let name = output.branch.as_ref().map_or_else(
        || "HEAD".to_owned(),
        |name| {
            let name = name.to_string();
            name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned()
        },
    );
    let name = text::plain(&name);
    let at = output.head.to_hex_with_len(10);
    match output.end {
        End::Rebased => {
            let dropped = match output.dropped {
                0 => String::new(),
                dropped => format!(", {} left out", format::count(dropped)),
            };
            let melded = match output.melded {
                0 => String::new(),
                melded => format!(", {} melded into others", format::count(melded)),
            };
            format!(
                "{name}: {} commits picked{melded}{dropped}, now at {at}, in {}",
                format::count(output.picked),
                format::duration(done.elapsed)
            )
        }
        End::UpToDate => format!("{name} is up to date"),
        End::Aborted => format!("{name} is back at {at}"),
        End::FinishedWithGit => format!("{name} was finished with git, at {at}"),
        End::AbortedWithGit => format!("{name} was given up with git, and is at {at}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Args;

    #[test]
    fn the_stored_command_parses_again() {
        let args = RebaseArgs {
            upstream: Some("main".into()),
            branch: Some("topic".into()),
            onto: Some("v1...v2".into()),
            root: false,
            autostash: true,
            no_autostash: false,
            autosquash: true,
            no_autosquash: false,
            exec: vec!["make check".into()],
            resume: None,
            skip: false,
            abort: false,
        };
        let words = command(&args);
        assert_eq!(
            words.join("|"),
            "mug|rebase|--onto=v1...v2|--autostash|--autosquash|--exec=make check|main|topic"
        );
        let again = [
            words,
            vec!["--resume".into(), "op-1".into(), "--skip".into()],
        ]
        .concat();
        Args::try_parse_from(again).unwrap();
    }

    #[test]
    fn only_what_is_given_can_contradict() {
        let stored = Input {
            upstream: Some("main".into()),
            ..Input::default()
        };
        assert_eq!(contradiction(&Input::default(), &stored), None);
        let given = Input {
            upstream: Some("next".into()),
            ..Input::default()
        };
        let said = contradiction(&given, &stored).unwrap();
        assert_eq!(said, "has the upstream main, not next");
    }
}
