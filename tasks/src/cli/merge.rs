//! `mug merge`: merges a commit into the branch that is checked out.

use std::ffi::OsString;

use mug::core::database::MugDb;
use mug::core::repository::Repository;
use mug::core::resume::{Operation, OperationManager, OperationStatus};
use mug::history::engine::Favor;
use mug::history::merge::{Ended, Env, FastForward, Input, KIND, Merge, Output};

use super::drive::{self, Job};
use super::error::Error;
use super::origin::Origin;
use super::ui::{Ui, format, text};

/// Arguments of `mug merge`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that is given or not"
)]
pub(super) struct MergeArgs {
    /// The commit to merge: a branch, a tag or any other revision
    #[arg(required_unless_present_any = ["resume", "abort"])]
    commit: Vec<OsString>,
    /// Make a commit even where the branch could simply be moved
    #[arg(long, overrides_with_all = ["ff", "ff_only", "no_ff"], conflicts_with = "squash")]
    no_ff: bool,
    /// Move the branch where that is possible
    #[arg(long, overrides_with_all = ["no_ff", "ff_only", "ff"])]
    ff: bool,
    /// Do nothing if the branch can't simply be moved
    #[arg(long, overrides_with_all = ["ff", "no_ff", "ff_only"])]
    ff_only: bool,
    /// Put the changes into index and working tree only, for a commit of its own
    #[arg(long, conflicts_with = "no_commit")]
    squash: bool,
    /// Stop before the commit
    #[arg(long)]
    no_commit: bool,
    /// The message of the commit; given again, a paragraph more
    #[arg(short, long, value_name = "TEXT")]
    message: Vec<String>,
    /// Take this side where content conflicts
    #[arg(short = 'X', long = "strategy-option", value_name = "SIDE", value_enum)]
    favor: Option<Side>,
    /// Merge histories that have nothing in common
    #[arg(long)]
    allow_unrelated_histories: bool,
    /// Continue a merge that was paused, interrupted or failed
    #[arg(long, value_name = "OP-ID")]
    resume: Option<String>,
    /// Give up the merge that is paused, and go back to what was before
    #[arg(long, conflicts_with_all = ["resume", "commit"])]
    abort: bool,
}

/// A side of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    /// The branch that is checked out
    Ours,
    /// The commit that is merged
    Theirs,
}

pub(super) fn run(args: &MergeArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    let repository = Repository::discover(".")?;
    let db = repository.get_db().clone();
    let git_dir = repository.git_dir();
    let git_dir = git_dir
        .canonicalize()
        .map_err(|e| Error::failed(format!("cannot read {}", git_dir.display())).because(e))?;
    let mut resume = args.resume.clone();
    if args.commit.len() > 1 {
        let what = "a merge of more than two sides at once is not done here";
        return Err(Error::usage(what).hint("merge one after the other, or with `git merge`"));
    }
    let input = if let Some(commit) = args.commit.first() {
        given(args, commit, &git_dir)?
    } else {
        let op = taken_up(&db, args, &git_dir)?;
        resume = Some(op.id.clone());
        stored(&op)?
    };
    let name = text::plain(&input.commit.to_string());
    let what = if args.abort {
        "going back from a merge of"
    } else {
        "merging"
    };
    drive::begin_at(ui, what, &name);
    let abort = args.abort;
    let job = Job::<Merge> {
        db,
        command: command(&input).unwrap_or_default(),
        metadata: vec![
            ("repository", git_dir.display().to_string()),
            ("commit", input.commit.to_string()),
        ],
        input,
        env: Box::new(move || Ok(Env { abort })),
        resume,
        contradiction,
        check: Box::new(|input| {
            input.check().map_err(|error| {
                let error = resume_runtime::StepError::from(error);
                let told = Error::failed(error.to_string());
                match error.hint() {
                    Some(hint) => told.hint(hint),
                    None => told,
                }
            })
        }),
    };
    let done = drive::run(job, origin, ui)?;
    for said in &done.output.said {
        for line in said.lines() {
            ui.note(&text::plain(line));
        }
    }
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.result(&summary(&done.output, &name))
}

fn given(args: &MergeArgs, commit: &OsString, git_dir: &std::path::Path) -> Result<Input, Error> {
    let commit = gix::path::os_str_into_bstr(commit)
        .map_err(|_| Error::usage("the commit's name is no text"))?;
    let fast_forward = match (args.ff, args.no_ff, args.ff_only) {
        (true, _, _) => Some(FastForward::Allowed),
        (_, true, _) => Some(FastForward::Never),
        (_, _, true) => Some(FastForward::Only),
        _ => None,
    };
    Ok(Input {
        repository: git_dir.to_owned(),
        commit: commit.to_owned(),
        fast_forward,
        squash: args.squash,
        no_commit: args.no_commit,
        message: (!args.message.is_empty()).then(|| args.message.join("\n\n")),
        favor: match args.favor {
            None => Favor::Neither,
            Some(Side::Ours) => Favor::Ours,
            Some(Side::Theirs) => Favor::Theirs,
        },
        allow_unrelated: args.allow_unrelated_histories,
    })
}

/// The operation that is continued or given up, where no commit is named.
fn taken_up(db: &MugDb, args: &MergeArgs, git_dir: &std::path::Path) -> Result<Operation, Error> {
    let manager = OperationManager::new(db.clone());
    if let Some(id) = &args.resume {
        let id = manager.find(id)?;
        return manager
            .get(&id)?
            .ok_or_else(|| resume_runtime::Stopped::Unknown { id }.into());
    }
    let mut found = Vec::new();
    for status in [OperationStatus::Paused, OperationStatus::Failed] {
        found.extend(manager.list(Some(status))?);
    }
    found.retain(|op| {
        op.kind() == KIND && stored(op).is_ok_and(|input| input.repository == git_dir)
    });
    found.sort_by_key(|op| {
        (
            op.status == OperationStatus::Failed,
            std::cmp::Reverse(op.created_at),
        )
    });
    found.into_iter().next().ok_or_else(|| {
        let error = Error::failed("there is no merge to give up");
        if git_dir.join("MERGE_HEAD").exists() {
            return error.hint("there is one that git began: `git merge --abort`");
        }
        error
    })
}

fn stored(op: &Operation) -> Result<Input, Error> {
    let input = op.input.clone().unwrap_or_default();
    serde_json::from_value(input).map_err(|e| {
        Error::failed(format!("{} cannot be continued by this command", op.id))
            .because(e)
            .hint(format!(
                "`mug resume continue {}` shows the one that does",
                op.id
            ))
            .about(&op.id)
    })
}

fn command(input: &Input) -> Option<Vec<String>> {
    let mut words = ["mug", "merge"].map(str::to_owned).to_vec();
    let mut word = |text: &str| words.push(text.to_owned());
    match input.fast_forward {
        Some(FastForward::Allowed) => word("--ff"),
        Some(FastForward::Never) => word("--no-ff"),
        Some(FastForward::Only) => word("--ff-only"),
        None => {}
    }
    if input.squash {
        word("--squash");
    }
    if input.no_commit {
        word("--no-commit");
    }
    if input.allow_unrelated {
        word("--allow-unrelated-histories");
    }
    match input.favor {
        Favor::Neither => {}
        Favor::Ours => word("-Xours"),
        Favor::Theirs => word("-Xtheirs"),
    }
    if let Some(message) = &input.message {
        word(&format!("--message={message}"));
    }
    let commit = std::str::from_utf8(&input.commit).ok()?;
    // A name never begins so, but a mistake may.
    if commit.starts_with('-') {
        word("--");
    }
    word(commit);
    Some(words)
}

fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.repository != stored.repository {
        return Some(format!(
            "merges in {}, not in {}",
            stored.repository.display(),
            given.repository.display()
        ));
    }
    if given.commit != stored.commit {
        return Some(format!("merges {}, not {}", stored.commit, given.commit));
    }
    None
}

fn summary(output: &Output, name: &str) -> String {
    let short = |id: Option<gix::ObjectId>| {
        id.map_or_else(
            || "nothing".to_owned(),
            |id| id.to_hex_with_len(10).to_string(),
        )
    };
    let paths = format::plural(
        usize::try_from(output.changes).unwrap_or(usize::MAX),
        "path",
        "paths",
    );
    let (before, after) = (short(output.before), short(output.after));
    match output.ended {
        Ended::UpToDate => "already up to date".to_owned(),
        Ended::FastForward => format!("{before}..{after}: fast-forward to {name}, {paths} changed"),
        Ended::Merged => format!("{before}..{after}: merged {name}, {paths} changed"),
        Ended::Squashed => {
            format!("squashed {name}, {paths} changed; nothing is committed, HEAD is at {after}")
        }
        Ended::Stopped => {
            format!("merged {name}, {paths} changed; stopped before the commit, as asked for")
        }
        Ended::Aborted => format!("the merge of {name} is given up; all is as it was before"),
        Ended::FinishedOutside => format!("the merge of {name} was committed already: {after}"),
        Ended::AbortedOutside => format!("the merge of {name} was given up already"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn parse(line: &str) -> Result<Input, clap::Error> {
        let args = super::super::Args::try_parse_from(line.split(' '))?;
        let super::super::args::Command::Merge(args) = args.command else {
            panic!("{line}");
        };
        let commit = args.commit.first().cloned().unwrap_or_default();
        Ok(given(&args, &commit, "/r/.git".as_ref()).unwrap())
    }

    #[test]
    fn the_stored_command_is_read_as_it_was() {
        for line in [
            "mug merge topic",
            "mug merge --no-ff -m a -m b topic",
            "mug merge --ff-only topic",
            "mug merge --squash -X theirs topic",
            "mug merge --no-commit --ff --allow-unrelated-histories -Xours origin/x",
        ] {
            let input = parse(line).unwrap();
            let words = command(&input).unwrap();
            let again = [words, vec!["--resume".into(), "op-1".into()]].concat();
            let args = super::super::Args::try_parse_from(again).unwrap();
            let super::super::args::Command::Merge(args) = args.command else {
                panic!("{line}");
            };
            let again = given(&args, &args.commit[0], "/r/.git".as_ref()).unwrap();
            assert_eq!(format!("{again:?}"), format!("{input:?}"), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "mug merge",
            "mug merge --squash --no-ff x",
            "mug merge --abort x",
            "mug merge --abort --resume op-1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_last_word_on_fast_forwards_counts() {
        let of = |line| parse(line).unwrap().fast_forward;
        assert_eq!(of("mug merge --no-ff --ff x"), Some(FastForward::Allowed));
        assert_eq!(
            of("mug merge --ff-only --no-ff x"),
            Some(FastForward::Never)
        );
        assert_eq!(of("mug merge x"), None);
    }
}
