//! `mug pack create`: a repository as a pack directory, or as a Git bundle.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use mug::core::repository::Repository;
use mug::pack::create::{Create, CreateError, Env, Input, Summary};

use super::bundle::{self, BundleArgs};
use super::select::{self, SelectArgs};
use crate::cli::drive::{self, Done, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::path::{absolute, word};
use crate::cli::ui::{Ui, format, text};

/// Arguments of `mug pack create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// The directory to make; if it is a pack already, a layer with what is new is
    /// added. With `--format git`, a file that does not exist
    dir: PathBuf,
    /// Refs to pack: names, short names or globs; all, and HEAD, when none is given.
    /// In a pack that is there they take the place of those that it had. With
    /// `--format git` also `^<revision>` and `<revision>..<ref>`, to leave out
    /// what the revision reaches
    refs: Vec<OsString>,
    #[command(flatten)]
    select: SelectArgs,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Mug)]
    format: Format,
    /// How many threads to use; all processors by default
    #[arg(long, value_name = "N", env = "MUG_THREADS", hide_env_values = true)]
    threads: Option<NonZero<usize>>,
    /// Continue an operation that was paused, interrupted or failed
    #[arg(long, value_name = "OP-ID")]
    resume: Option<String>,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A pack directory, which mug restores
    Mug,
    /// A Git bundle, which `git clone` and `git fetch` read
    Git,
}

pub(super) fn run(args: CreateArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    if args.format == Format::Git {
        if args.select.only_for_packs() {
            let what = "--since, --small and --missing are for packs, not for Git bundles";
            return Err(Error::usage(what)
                .hint("`^<revision>` leaves out of a bundle what the revision reaches"));
        }
        let args = BundleArgs {
            file: args.dir,
            revisions: args.refs,
            exclude: args.select.exclude().to_vec(),
            threads: args.threads,
            resume: args.resume,
        };
        return bundle::run(args, origin, ui);
    }
    let from = std::env::current_dir().unwrap_or_else(|_| ".".into());
    drive::begin(
        ui,
        "packing",
        &from.display().to_string(),
        &args.dir.display().to_string(),
    );
    let repository = Repository::discover(".")?;
    let mut input = Input {
        repository: absolute(repository.git_dir())?,
        output: absolute(&args.dir)?,
        refs: args
            .refs
            .iter()
            .map(|name| name.as_os_str().into())
            .collect(),
        // Of the process, not of the operation: it may differ when it is continued.
        threads: None,
        ..Input::default()
    };
    args.select.put_into(&mut input)?;
    let threads = args.threads;
    let mut metadata = vec![
        ("repository", input.repository.display().to_string()),
        ("output", input.output.display().to_string()),
    ];
    for (key, names) in [("refs", &input.refs), ("exclude", &input.exclude)] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            metadata.push((key, names.join(" ")));
        }
    }
    let speaker = ui.clone();
    let job = Job::<Create> {
        db: repository.get_db().clone(),
        command: command(&args).unwrap_or_default(),
        input,
        env: Box::new(move || Ok(Env::with_threads(threads))),
        metadata,
        resume: args.resume,
        contradiction,
        check: Box::new(move |input| {
            for remark in check(input)? {
                speaker.note(&format!("note: {}", text::plain(&remark)));
            }
            Ok(())
        }),
    };
    let done = drive::run(job, origin, ui)?;
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.result(&summary(&done, &args.dir))
}

fn command(args: &CreateArgs) -> Option<Vec<String>> {
    let mut words = ["mug", "pack", "create"].map(str::to_owned).to_vec();
    if let Some(threads) = args.threads {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    words.extend(args.select.words()?);
    words.push(word(&args.dir)?);
    for name in &args.refs {
        words.push(name.to_str()?.to_owned());
    }
    Some(words)
}

fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.output != stored.output {
        return Some(format!(
            "writes to {}, not to {}",
            stored.output.display(),
            given.output.display()
        ));
    }
    if given.repository != stored.repository {
        return Some(format!(
            "packs {}, not {}",
            stored.repository.display(),
            given.repository.display()
        ));
    }
    select::contradiction(given, stored)
}

/// Whether a new operation can begin, and what the user may not expect of it.
fn check(input: &Input) -> Result<Vec<String>, Error> {
    input.check().map_err(|error| match error {
        CreateError::Unfinished { path, id } => Error::failed(format!(
            "{} holds the unfinished work of {id}",
            path.display()
        ))
        .hint(format!(
            "`mug resume continue {id}` says how to continue it"
        ))
        .hint("or choose another directory"),
        error => Error::failed(error.to_string()).because(error),
    })
}

fn summary(done: &Done<Summary>, dir: &Path) -> String {
    let pack = &done.output;
    let dir = text::plain(&dir.display().to_string());
    let layers = match pack.layers {
        ..=1 => String::new(),
        layers => format!("; layer {}", format::count(layers)),
    };
    if pack.unchanged {
        return format!("{dir}: nothing new, nothing changed");
    }
    if pack.objects == 0 && pack.layers > 1 {
        return format!("{dir}: new refs, no new objects{layers}");
    }
    format!(
        "{dir}: {}{} objects, {} ({} before compression), in {}{layers}",
        format::count(pack.objects),
        if pack.layers > 1 { " new" } else { "" },
        format::bytes(pack.stored_bytes),
        format::bytes(pack.raw_bytes),
        format::duration(done.elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(output: &str, refs: &[&str]) -> Input {
        Input {
            repository: "/r/.git".into(),
            output: output.into(),
            refs: refs.iter().map(|&name| name.into()).collect(),
            ..Input::default()
        }
    }

    #[test]
    fn only_what_is_given_can_contradict() {
        let stored = input("/out", &["main", "v*"]);
        assert_eq!(contradiction(&input("/out", &[]), &stored), None);
        assert_eq!(
            contradiction(&input("/out", &["main", "v*"]), &stored),
            None
        );
        assert_eq!(
            contradiction(&input("/out", &["topic"]), &stored).unwrap(),
            "packs main v*, not topic"
        );
        assert_eq!(
            contradiction(&input("/other", &[]), &stored).unwrap(),
            "writes to /out, not to /other"
        );
    }

    #[test]
    fn the_stored_command_parses_again() {
        use clap::Parser as _;
        let args = CreateArgs {
            dir: "-out".into(),
            refs: vec!["main".into()],
            select: SelectArgs::default(),
            format: Format::Mug,
            threads: NonZero::new(2),
            resume: Some("op-1".into()),
        };
        let words = command(&args).unwrap();
        assert_eq!(words.join(" "), "mug pack create --threads 2 ./-out main");
        let again = [words, vec!["--resume".into(), "op-1".into()]].concat();
        crate::cli::Args::try_parse_from(again).unwrap();
    }
}
