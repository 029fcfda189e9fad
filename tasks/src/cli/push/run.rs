//! From the arguments to an operation for each URL.

use std::sync::{Arc, atomic::AtomicBool};

use gix::bstr::{BStr, BString, ByteSlice as _};
use mug::core::repository::Repository;
use mug::transfer::{
    connection::{Address, Message, Settings, Sink},
    push::{Env, Input, Output, Push, Target},
    refs::push::{Local, Remote, defaults},
};

use super::{PushArgs, clean, told};
use crate::cli::drive::{self, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::{Ui, text};

pub(in crate::cli) fn run(args: &PushArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    let repository = Repository::discover(".")?;
    let git = repository.git().to_thread_local();
    let git_dir = std::path::absolute(repository.git_dir())
        .map_err(|error| Error::failed("no path to the repository").because(error))?;
    let local = Local::of(&git).map_err(failed)?;
    let given = args.remote.as_deref().map(|it| BStr::new(it.as_bytes()));
    let remote = if args.resume.is_some() && given.is_none() {
        // What is continued knows where to.
        Remote {
            name: BString::default(),
            configured: false,
            urls: vec![(BString::default(), false)],
            push: Vec::new(),
            fetch: Vec::new(),
        }
    } else {
        defaults::remote(&git, &local, given).map_err(failed)?
    };
    let settings = Settings::of(&git).map_err(failed)?;
    let mut wrong = None;
    // What is continued is the push to one of them.
    let most = if args.resume.is_some() { 1 } else { usize::MAX };
    for (url, explicit) in remote.urls.iter().take(most) {
        let input = Input {
            git_dir: git_dir.clone(),
            explicit: *explicit,
            ..input(args, &remote, url, *explicit, &settings)?
        };
        let url = (!url.is_empty() && *url != input.url).then(|| url.clone());
        let sink = sink(ui);
        if let Some(whose) = args.clean {
            let db = repository.get_db();
            clean::run(&input, url.as_ref(), &sink, db, whose, ui)?;
            continue;
        }
        if !input.url.is_empty() {
            drive::begin_at(ui, "pushing to", &input.url.to_str_lossy());
        }
        let output = if args.dry_run {
            dry_run(&input, url.as_ref(), &sink)?
        } else {
            let job = job(args, &repository, input, Env::new(sink, url));
            drive::run(job, origin, ui)?.output
        };
        if !ui.json || args.dry_run {
            told::tell(&output, &git, ui);
        }
        wrong = wrong.or(told::failure(&output));
    }
    wrong.map_or(Ok(()), Err)
}

/// What is pushed to one URL.
fn input(
    args: &PushArgs,
    remote: &Remote,
    url: &BString,
    explicit: bool,
    settings: &Settings,
) -> Result<Input, Error> {
    let without_password = |url: &BString| -> Result<BString, Error> {
        if url.is_empty() {
            return Ok(BString::default());
        }
        let address = Address::parse_for_push(url, explicit, settings).map_err(failed)?;
        Ok(address.stored().to_owned())
    };
    let words = |words: &[String]| words.iter().map(|it| it.as_str().into()).collect();
    Ok(Input {
        remote: if remote.configured {
            remote.name.clone()
        } else {
            without_password(&remote.name)?
        },
        url: without_password(url)?,
        refspecs: words(&args.refspecs),
        delete: args.delete,
        tags: args.tags,
        follow_tags: args.follow_tags,
        force: args.force,
        leases: words(&args.force_with_lease),
        atomic: args.atomic,
        options: words(&args.push_options),
        upstream: args.set_upstream,
        no_verify: args.no_verify,
        max_increment: args.max_increment,
        ..Input::default()
    })
}

/// Shows what the server says.
fn sink(ui: &Ui) -> Sink {
    let speaker = ui.clone();
    Arc::new(move |message: Message<'_>| {
        if !message.passing {
            speaker.note(&format!("remote: {}", text::plain(message.text)));
        }
    })
}

/// Says what would be done.
fn dry_run(input: &Input, url: Option<&BString>, sink: &Sink) -> Result<Output, Error> {
    let target = Target::open(input, url.map(|it| it.as_bstr()), sink).map_err(failed)?;
    let opened = target.connect(&Arc::new(AtomicBool::new(false)));
    let plan = target
        .plan(input, &opened.map_err(failed)?)
        .map_err(failed)?;
    Ok(Output {
        to: target.shown().to_owned(),
        updates: plan.first,
        ..Output::default()
    })
}

fn job(args: &PushArgs, repository: &Repository, input: Input, env: Env) -> Job<Push> {
    let mut metadata = vec![
        ("repository", input.git_dir.display().to_string()),
        ("to", text::plain(&input.url.to_str_lossy())),
    ];
    if !args.refspecs.is_empty() {
        metadata.push(("refspecs", args.refspecs.join(" ")));
    }
    Job {
        db: repository.get_db().clone(),
        command: command(args, &input.remote),
        input,
        env: Box::new(move || Ok(env.clone())),
        metadata,
        resume: args.resume.clone(),
        contradiction,
        check: Box::new(|_| Ok(())),
    }
}

/// The words that start it, without a password.
fn command(args: &PushArgs, remote: &BString) -> Vec<String> {
    let mut words = vec!["mug".to_owned(), "push".to_owned()];
    let flags = [
        ("--force", args.force),
        ("--tags", args.tags),
        ("--follow-tags", args.follow_tags),
        ("--delete", args.delete),
        ("--atomic", args.atomic),
        ("--set-upstream", args.set_upstream),
        ("--no-verify", args.no_verify),
    ];
    words.extend(flags.iter().filter(|it| it.1).map(|it| it.0.to_owned()));
    for lease in &args.force_with_lease {
        words.push(if lease.is_empty() {
            "--force-with-lease".to_owned()
        } else {
            format!("--force-with-lease={lease}")
        });
    }
    for option in &args.push_options {
        words.push(format!("--push-option={option}"));
    }
    if let Some(bytes) = args.max_increment {
        words.push(format!("--max-increment={bytes}"));
    }
    if args.remote.is_some() {
        let mut names = vec![remote.to_str_lossy().into_owned()];
        names.extend(args.refspecs.iter().cloned());
        if names.iter().any(|it| it.starts_with('-')) {
            return Vec::new();
        }
        words.extend(names);
    }
    words
}

/// What is given beside `--resume` is to be what it was started with.
fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    let differs = |what: &str| Some(format!("was started with other {what}"));
    if given.git_dir != stored.git_dir {
        return Some(format!(
            "pushes from {}, not from here",
            stored.git_dir.display()
        ));
    }
    if !given.remote.is_empty() && given.remote != stored.remote {
        return Some(format!(
            "pushes to {}, not to {}",
            text::plain(&stored.remote.to_str_lossy()),
            text::plain(&given.remote.to_str_lossy())
        ));
    }
    if !given.refspecs.is_empty() && given.refspecs != stored.refspecs {
        return differs("refspecs");
    }
    if !given.leases.is_empty() && given.leases != stored.leases {
        return differs("leases");
    }
    let flags = |it: &Input| {
        [
            it.delete,
            it.tags,
            it.follow_tags,
            it.force,
            it.atomic,
            it.upstream,
        ]
    };
    let (new, old) = (flags(given), flags(stored));
    if new.iter().zip(old).any(|(new, old)| *new && !old) {
        return differs("options");
    }
    None
}

pub(super) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::failed(error.to_string()).because(error)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn the_stored_command_parses_again() {
        let args = PushArgs {
            remote: Some("https://user:secret@host/x".into()),
            refspecs: vec!["+main:other".into()],
            force_with_lease: vec![String::new(), "main:abc".into()],
            push_options: vec!["a b".into()],
            atomic: true,
            max_increment: Some(5),
            ..PushArgs::default()
        };
        let words = command(&args, &"https://user@host/x".into());
        let line = "mug push --atomic --force-with-lease --force-with-lease=main:abc \
                    --push-option=a b --max-increment=5 https://user@host/x +main:other";
        assert_eq!(words.join(" "), line);
        let again = [words, vec!["--resume".into(), "op-1".into()]].concat();
        crate::cli::Args::try_parse_from(again).unwrap();
    }
}
