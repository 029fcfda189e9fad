//! From arguments to a repository.

use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gix::bstr::{BString, ByteSlice as _};
use mug::core::database::MugDb;
use mug::core::resume::{OperationManager, OperationStatus};
use mug::transfer::clone::machine::server;
use mug::transfer::clone::{Cloning, Env, Input, prepare};
use mug::transfer::connection::{Address, ConnectionError, Settings};
use mug::transfer::refs::CloneDefaults;

use super::args::{CloneArgs, bytes};
use super::directory::guess;
use super::resume;
use super::told::{contradiction, remote, said, summary, warnings};
use crate::cli::drive::{self, Job};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::pack;
use crate::cli::path::absolute;
use crate::cli::ui::{Ui, text};

pub(in crate::cli) fn run(args: CloneArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    args.check()?;
    let stored = match &args.resume {
        Some(id) => resume::stored(id, ui)?,
        None => None,
    };
    let given = match (&args.url, &stored) {
        (Some(url), _) => bytes(url),
        (None, Some(stored)) => stored.options.url.clone().into(),
        (None, None) => {
            let id = args.resume.as_deref().unwrap_or_default();
            let error = Error::failed(format!("no clone {id} is known here"));
            return Err(error.hint("give its URL and directory, too"));
        }
    };
    let speaker = ui.clone();
    let sink = move |message: mug::transfer::connection::Message<'_>| remote(&speaker, message);
    let settings = Settings::outside().map_err(unreachable)?;
    let settings = settings.with_sink(Arc::new(sink));
    let address = Address::parse(given.as_bstr(), &settings).map_err(unreachable)?;
    let dir = match (&args.dir, &stored, &args.url) {
        (Some(dir), _, _) => dir.clone(),
        (None, Some(stored), None) => stored.target.clone(),
        _ => guess(address.stored(), args.bare || args.mirror).ok_or_else(|| {
            let what = "no directory could be made out of the URL";
            Error::usage(what).hint("name one: `mug clone <url> <dir>`")
        })?,
    };
    drive::begin(ui, "cloning", address.shown(), &dir.display().to_string());
    if let Some(path) = address.local()
        && pack::is_pack(path)
    {
        if args.asks_more_than_bare() {
            let error = Error::usage("of a pack directory all is cloned, with `--bare` or without");
            return Err(error.hint("leave the other options out"));
        }
        return pack::clone(path, dir, args.bare, args.threads, args.resume, origin, ui);
    }
    let input = match (&stored, &args.url) {
        (Some(stored), None) => stored.clone(),
        _ => input(&args, &address, &dir)?,
    };
    let place = stored.as_ref().unwrap_or(&input);
    let (db, busy) = resume::store(place, args.resume.is_some())?;
    let kept = db.clone();
    let received = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&received);
    let job = job(
        args,
        input.clone(),
        &dir,
        (address, settings),
        counted,
        db,
        ui,
    );
    let job = Job {
        check: Box::new(move |_: &Input| busy.map_or(Ok(()), |busy| Err(resume::refused(busy)))),
        ..job
    };
    let done = match drive::run(job, origin, ui) {
        Ok(done) => done,
        Err(error) => return Err(tidied(error, &input, kept)),
    };
    for warning in warnings(&done.output) {
        ui.note(&format!("warning: {}", text::plain(&warning)));
    }
    if !ui.json && !ui.quiet {
        ui.result(&summary(&done, received.load(Relaxed), &dir))?;
    }
    // As with git, the repository stays, and whoever called is told that there are no files.
    match &done.output.no_tree {
        None => Ok(()),
        Some(why) => {
            let error = Error::failed(format!("the working tree was not written: {why}"));
            Err(error
                .hint("the repository is complete: `git log` and `git show` show what is in it"))
        }
    }
}

fn input(args: &CloneArgs, address: &Address, dir: &Path) -> Result<Input, Error> {
    let url = if address.is_path() {
        stored_path(address.stored())
    } else {
        address.stored().to_owned()
    };
    let url = String::from_utf8(url.into())
        .map_err(|_| Error::usage("an address that is not UTF-8 can't be stored"))?;
    let target = absolute(dir)?;
    Ok(Input {
        options: args.options(url, CloneDefaults::outside()),
        existed: target.is_dir(),
        target,
        staged: args.staged,
    })
}

/// The path as git stores it: from the root of the file system, and otherwise as it was given.
fn stored_path(given: &gix::bstr::BStr) -> BString {
    let path = std::ffi::OsStr::from_bytes(given);
    match std::env::current_dir() {
        Ok(dir) => bytes(dir.join(path).as_os_str()),
        Err(_) => given.to_owned(),
    }
}

fn job(
    args: CloneArgs,
    input: Input,
    dir: &Path,
    (address, settings): (Address, Settings),
    received: Arc<AtomicU64>,
    db: MugDb,
    ui: &Ui,
) -> Job<Cloning> {
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let (tries, speaker) = (args.tries.0.get(), ui.clone());
    Job {
        db,
        command: args.command(&input.options.url, dir).unwrap_or_default(),
        metadata: vec![
            ("url", input.options.url.clone()),
            ("target", input.target.display().to_string()),
        ],
        input,
        env: Box::new(move || {
            let speaker = speaker.clone();
            let tell = move |what: mug::transfer::obtain::Said<'_>| said(&speaker, what);
            let server = server(address.clone(), settings.clone(), tell);
            let mut env = Env::new(server, threads, tries);
            env.received = Arc::clone(&received);
            Ok(env)
        }),
        resume: args.resume,
        contradiction,
        check: Box::new(|_| Ok(())),
    }
}

/// Where nothing was received and nothing can be, nothing is left behind.
fn tidied(error: Error, input: &Input, db: MugDb) -> Error {
    if error.exit() != Exit::Failed {
        return error;
    }
    let manager = OperationManager::new(db);
    let Ok(operations) = manager.list(None) else {
        return error;
    };
    let [op] = &operations[..] else {
        return error;
    };
    // Nothing is committed before the first step has ended.
    let in_vain = op.commits == 0 || op.state.current_step == "connect";
    if op.status != OperationStatus::Failed || !in_vain || manager.delete(&op.id).is_err() {
        return error;
    }
    drop(manager);
    match prepare::purge(input) {
        Ok(_) => error.without_operation(),
        Err(_) => error,
    }
}

fn unreachable(error: ConnectionError) -> Error {
    Error::failed(error.to_string()).because(error)
}
