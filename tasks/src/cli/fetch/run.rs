//! From arguments to refs.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use console::Term;
use mug::core::repository::Repository;
use mug::core::resume::OperationManager;
use mug::transfer::clone::machine::server;
use mug::transfer::connection::{Address, ConnectionError, Message, Settings};
use mug::transfer::fetch::{Env, Fetching, Input, KIND, Told};
use mug::transfer::obtain::Said;
use mug::transfer::refs::fetch::Remote;

use super::action;
use super::args::FetchArgs;
use super::remotes::{self, From};
use super::told::{contradiction, remote, said, summary};
use crate::cli::drive::{self, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::path::absolute;
use crate::cli::ui::{Ui, text};

pub(in crate::cli) fn run(args: FetchArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    args.check()?;
    let repository = Repository::discover(".")?;
    let git = repository.git().to_thread_local();
    match remotes::of(&args, &git)? {
        From::One => one(args, action::of_command(), &repository, origin, ui),
        From::Several(names) => several(&args, &names, &repository, origin, ui),
    }
}

/// Fetches from several remotes, one after the other; what goes wrong with one stops none.
fn several(
    args: &FetchArgs,
    names: &[String],
    repository: &Repository,
    origin: &Origin,
    ui: &Ui,
) -> Result<(), Error> {
    if args.atomic && names.len() > 1 {
        return Err(Error::usage("`--atomic` is for one remote"));
    }
    let mut append = args.append;
    let mut first = None;
    for name in names {
        let one_of = FetchArgs {
            remote: Some(name.clone()),
            refspecs: Vec::new(),
            append,
            all: false,
            multiple: false,
            ..args.clone()
        };
        let action = remotes::action(args, name);
        let done = one(one_of, action, repository, origin, ui);
        // Whoever pauses it wants no more of it.
        let pauses = |error: &Error| error.exit().code() == 130;
        match done {
            Ok(()) => append = true,
            Err(error) if pauses(&error) || names.len() == 1 => return Err(error),
            Err(error) => {
                ui.error(&error);
                first.get_or_insert(error.exit());
            }
        }
    }
    match first {
        Some(exit) => Err(Error::new(exit, "could not fetch from all remotes")),
        None => Ok(()),
    }
}

/// Fetches from one remote.
fn one(
    args: FetchArgs,
    action: String,
    repository: &Repository,
    origin: &Origin,
    ui: &Ui,
) -> Result<(), Error> {
    let git = repository.git().to_thread_local();
    let mut options = args.options();
    let stored = args.resume.as_ref().and_then(|id| stored(repository, id));
    if options.remote.is_none()
        && let Some(stored) = &stored
    {
        options.remote.clone_from(&stored.options.remote);
    }
    let found = Remote::find(&git, &options).map_err(refused)?;
    let speaker = ui.clone();
    let sink = move |message: Message<'_>| remote(&speaker, message);
    let mut settings = Settings::of(&git)
        .map_err(unreachable)?
        .with_sink(Arc::new(sink));
    if found.configured {
        settings = settings.for_remote(found.name.clone());
    }
    let address = Address::parse(&found.url, &settings).map_err(unreachable)?;
    drive::begin_at(ui, "fetching from", address.shown());
    if !found.configured {
        // Without a password.
        options.remote = Some(address.stored().to_string());
    }
    let input = Input {
        options,
        git_dir: absolute(repository.git_dir())?,
        url: address.shown().to_owned(),
        action,
        staged: args.staged,
    };
    let told = Told {
        verbose: ui.verbose,
        columns: columns(),
        ..Told::default()
    };
    let url = input.url.clone();
    let dialled = resolved(&git, &address, &settings)?.unwrap_or(address);
    let job = job(args, input, dialled, settings, repository, &told, ui);
    let done = drive::run(job, origin, ui)?;
    for line in told.take() {
        ui.note(&line);
    }
    for remark in &done.output.remarks {
        ui.note(&format!("warning: {}", text::plain(remark)));
    }
    if done.output.failed > 0 {
        return Err(Error::failed("not all refs could be moved"));
    }
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.note(&summary(&done, &url));
    Ok(())
}

fn job(
    args: FetchArgs,
    input: Input,
    address: Address,
    settings: Settings,
    repository: &Repository,
    told: &Told,
    ui: &Ui,
) -> Job<Fetching> {
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let (tries, speaker, told) = (args.tries.get(), ui.clone(), told.clone());
    let mut metadata = vec![("url", input.url.clone())];
    if let Some(remote) = &input.options.remote {
        metadata.push(("remote", remote.clone()));
    }
    if !args.refspecs.is_empty() {
        metadata.push(("refspecs", args.refspecs.join(" ")));
    }
    Job {
        db: repository.get_db().clone(),
        command: args.command(input.options.remote.as_deref()),
        metadata,
        input,
        env: Box::new(move || {
            let speaker = speaker.clone();
            let tell = move |what: Said<'_>| said(&speaker, what);
            let server = server(address.clone(), settings.clone(), tell);
            Ok(Env::new(server, threads, tries, told.clone()))
        }),
        resume: args.resume,
        contradiction,
        check: Box::new(|_| Ok(())),
    }
}

/// What the fetch of this id was started with, if there is one here.
fn stored(repository: &Repository, id: &str) -> Option<Input> {
    let manager = OperationManager::new(repository.get_db().clone());
    let op = manager.get(&manager.find(id).ok()?).ok()??;
    let input = op.input.clone().filter(|_| op.kind() == KIND)?;
    serde_json::from_value(input).ok()
}

/// The address for a path that is not from the root: as Git has it, it begins at the root of the
/// working tree.
fn resolved(
    git: &gix::Repository,
    address: &Address,
    settings: &Settings,
) -> Result<Option<Address>, Error> {
    let Some(path) = address.local().filter(|path| path.is_relative()) else {
        return Ok(None);
    };
    let root: PathBuf = git.workdir().unwrap_or_else(|| git.git_dir()).join(path);
    let root = std::path::absolute(&root).unwrap_or(root);
    let text = Path::new(&root).as_os_str().as_encoded_bytes();
    Address::parse(text, settings)
        .map(Some)
        .map_err(unreachable)
}

/// How wide a line on the screen is.
fn columns() -> usize {
    let term = Term::stderr();
    if term.is_term() {
        usize::from(term.size().1)
    } else {
        80
    }
}

fn refused(error: mug::transfer::refs::RefsError) -> Error {
    Error::failed(error.to_string()).because(error)
}

fn unreachable(error: ConnectionError) -> Error {
    Error::failed(error.to_string()).because(error)
}
