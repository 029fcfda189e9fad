//! `mug pack restore`: a repository out of a pack directory.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use mug::core::database::MugDb;
use mug::core::registry::Registry;
use mug::pack::restore::prepare::{begin, into, reopen};
use mug::pack::restore::{Env, Input, Namespace, Output, Restore, RestoreError};

use crate::cli::drive::{self, Done, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::path::{absolute, word};
use crate::cli::ui::{Ui, format, text};

/// Arguments of `mug pack restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The pack directory
    dir: PathBuf,
    /// The repository to make; the directory may exist if it is empty
    #[arg(required_unless_present = "into", conflicts_with = "into")]
    target: Option<PathBuf>,
    /// Make a bare repository
    #[arg(long)]
    bare: bool,
    /// Restore into this repository, which exists: one more pack, and refs under a namespace.
    /// HEAD, the working tree and all other refs stay as they are
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "bare")]
    into: Option<PathBuf>,
    /// Where refs go in that repository; refs/restored/<DIR>/ by default. The pack's HEAD becomes
    /// HEAD in there
    #[arg(long, value_name = "REFS/...")]
    namespace: Option<String>,
    /// How many threads to use; all processors by default
    #[arg(long, value_name = "N", env = "MUG_THREADS", hide_env_values = true)]
    threads: Option<NonZero<usize>>,
    /// Continue an operation that was paused, interrupted or failed
    #[arg(long, value_name = "OP-ID")]
    resume: Option<String>,
}

pub(super) fn run(args: RestoreArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    drive::begin(
        ui,
        "restoring",
        &args.dir.display().to_string(),
        &args.place().display().to_string(),
    );
    let input = input(&args)?;
    let place = args.place().to_owned();
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let (db, busy) = store(&input, args.resume.is_some())?;
    let job = Job::<Restore> {
        db,
        command: command(&args).unwrap_or_default(),
        metadata: vec![
            ("pack", input.pack.display().to_string()),
            ("target", absolute(args.place())?.display().to_string()),
        ],
        input,
        env: Box::new(move || Ok(Env::new(threads))),
        resume: args.resume,
        contradiction,
        check: Box::new(move |_| busy.map_or(Ok(()), |busy| Err(refused(busy)))),
    };
    let done = drive::run(job, origin, ui)?;
    for warning in warnings(&done.output) {
        ui.note(&format!("warning: {}", text::plain(&warning)));
    }
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.result(&summary(&done, &place))
}

/// Whether there is a pack directory at `path`.
pub(in crate::cli) fn is_pack(path: &Path) -> bool {
    path.join(mug::pack::format::MANIFEST_NAME).is_file()
}

/// `mug clone` of a pack directory is a restore of it.
pub(in crate::cli) fn clone(
    dir: &Path,
    target: PathBuf,
    bare: bool,
    threads: Option<NonZero<usize>>,
    resume: Option<String>,
    origin: &Origin,
    ui: &Ui,
) -> Result<(), Error> {
    let args = RestoreArgs {
        dir: dir.to_owned(),
        target: Some(target),
        bare,
        into: None,
        namespace: None,
        threads,
        resume,
    };
    run(args, origin, ui)
}

impl RestoreArgs {
    /// What is restored to.
    fn place(&self) -> &Path {
        let place = self.into.as_ref().or(self.target.as_ref());
        place.map_or(Path::new("."), PathBuf::as_path)
    }
}

fn input(args: &RestoreArgs) -> Result<Input, Error> {
    let pack = absolute(&args.dir)?;
    let Some(repository) = &args.into else {
        if args.namespace.is_some() {
            return Err(Error::usage("`--namespace` is for `--into`"));
        }
        return Ok(Input {
            pack,
            target: absolute(args.place())?,
            bare: args.bare,
            into: None,
        });
    };
    let namespace = match &args.namespace {
        Some(given) => Namespace::parse(given).map_err(|e| Error::usage(e.to_string()))?,
        None => Namespace::for_pack(&pack),
    };
    into(pack, repository, namespace).map_err(refused)
}

/// The store, which lies in the repository that is made. Where another restore to
/// it was begun, that one's, and what stands against a new one.
fn store(input: &Input, resumes: bool) -> Result<(MugDb, Option<RestoreError>), Error> {
    if resumes {
        return Ok((reopen(input).map_err(refused)?, None));
    }
    match begin(input, &Registry::open()?) {
        Ok(db) => Ok((db, None)),
        Err(busy @ RestoreError::TargetBusy { .. }) => {
            Ok((reopen(input).map_err(refused)?, Some(busy)))
        }
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: RestoreError) -> Error {
    let refused = Error::failed(error.to_string());
    match error {
        RestoreError::RefsTaken { .. } => refused.hint("name another place with `--namespace`"),
        error => refused.because(error),
    }
}

fn command(args: &RestoreArgs) -> Option<Vec<String>> {
    let mut words = ["mug", "pack", "restore"].map(str::to_owned).to_vec();
    if args.bare {
        words.push("--bare".to_owned());
    }
    if let Some(threads) = args.threads {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    words.push(word(&args.dir)?);
    match &args.into {
        Some(repository) => words.extend(["--into".to_owned(), word(repository)?]),
        None => words.push(word(args.place())?),
    }
    if let Some(namespace) = &args.namespace {
        words.push(format!("--namespace={namespace}"));
    }
    Some(words)
}

fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.pack != stored.pack {
        return Some(format!(
            "restores {}, not {}",
            stored.pack.display(),
            given.pack.display()
        ));
    }
    if given.target != stored.target {
        return Some(format!(
            "restores into {}, not into {}",
            stored.target.display(),
            given.target.display()
        ));
    }
    if given.into != stored.into {
        return Some(match &stored.into {
            Some(place) => format!("restores refs to {}", place.namespace.as_str()),
            None => "makes a new repository".to_owned(),
        });
    }
    (given.bare && !stored.bare).then(|| "makes a repository with a working tree".to_owned())
}

/// What the user should know of the working tree.
fn warnings(output: &Output) -> Vec<String> {
    if let Some(into) = &output.into
        && into.left_out > 0
    {
        return vec![format!(
            "{} symbolic refs lead to nothing in the pack and were left out",
            format::count(into.left_out)
        )];
    }
    if let Some(why) = &output.no_tree {
        return vec![format!("the working tree was not written: {why}")];
    }
    let Some(written) = &output.written else {
        return Vec::new();
    };
    let mut warnings = written.remarks.clone();
    if written.left_out > 0 {
        warnings.push(format!(
            "{} of the working tree could not be written; `git status` shows them",
            match written.left_out {
                1 => "one path".to_owned(),
                n => format!("{} paths", format::count(n)),
            },
        ));
    }
    warnings
}

fn summary(done: &Done<Output>, target: &Path) -> String {
    let files = match &done.output.written {
        Some(written) => format!(
            ", {} files of {}",
            format::count(written.files),
            format::bytes(written.bytes)
        ),
        None => String::new(),
    };
    let files = match &done.output.into {
        Some(into) => format!(
            ", {} refs in {}",
            format::count(into.refs),
            into.namespace.as_str()
        ),
        None => files,
    };
    format!(
        "{}: {} objects, a pack of {}{files}, in {}",
        text::plain(&target.display().to_string()),
        format::count(done.output.objects),
        format::bytes(done.output.pack_bytes),
        format::duration(done.elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_can_contradict() {
        let input = |target: &str, bare| Input {
            pack: "/pack".into(),
            target: target.into(),
            bare,
            into: None,
        };
        assert_eq!(contradiction(&input("/t", false), &input("/t", true)), None);
        assert_eq!(
            contradiction(&input("/t", true), &input("/t", false)).unwrap(),
            "makes a repository with a working tree"
        );
        assert_eq!(
            contradiction(&input("/u", false), &input("/t", false)).unwrap(),
            "restores into /t, not into /u"
        );
        let into = |name: &str| Input {
            into: Some(mug::pack::restore::Place {
                namespace: Namespace::parse(name).unwrap(),
            }),
            ..input("/t", false)
        };
        assert_eq!(
            contradiction(&into("refs/a"), &into("refs/b")).unwrap(),
            "restores refs to refs/b/"
        );
        assert!(contradiction(&into("refs/a"), &input("/t", false)).is_some());
    }
}
