//! `mug pack create --format git`: a repository as a Git bundle.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use mug::core::repository::Repository;
use mug::pack::bundle::{Bundle, Env, Input, Summary};

use super::path::{absolute, word};
use crate::cli::drive::{self, Done, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::{Ui, format, text};

/// What of the arguments of `mug pack create` a bundle takes.
#[derive(Debug)]
pub(super) struct BundleArgs {
    /// The file to make.
    pub(super) file: PathBuf,
    /// Refs, and revisions to leave out.
    pub(super) revisions: Vec<String>,
    /// How many threads to use.
    pub(super) threads: Option<NonZero<usize>>,
    /// The operation to continue.
    pub(super) resume: Option<String>,
}

pub(super) fn run(args: BundleArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    if args.file == Path::new("-") {
        return Err(
            Error::usage("a bundle is written to a file, so that it can be continued")
                .hint("name a file; `./-` is one"),
        );
    }
    let from = std::env::current_dir().unwrap_or_else(|_| ".".into());
    drive::begin(
        ui,
        "bundling",
        &from.display().to_string(),
        &args.file.display().to_string(),
    );
    let repository = Repository::discover(".")?;
    let input = Input {
        repository: absolute(repository.git_dir())?,
        output: absolute(&args.file)?,
        revisions: args.revisions.clone(),
        // Of the process, not of the operation: it may differ when it is continued.
        threads: None,
    };
    let threads = args.threads;
    let mut metadata = vec![
        ("repository", input.repository.display().to_string()),
        ("output", input.output.display().to_string()),
        ("format", "git".to_owned()),
    ];
    if !args.revisions.is_empty() {
        metadata.push(("refs", args.revisions.join(" ")));
    }
    let job = Job::<Bundle> {
        db: repository.get_db().clone(),
        command: command(&args).unwrap_or_default(),
        input,
        env: Box::new(move || Ok(Env::with_threads(threads))),
        metadata,
        resume: args.resume,
        contradiction,
        check: Box::new(|input| {
            let checked = input.check();
            checked.map_err(|error| Error::failed(error.to_string()).because(error))
        }),
    };
    let done = drive::run(job, origin, ui)?;
    let left_out = done.output.refs_left_out;
    if left_out > 0 {
        let what = if left_out == 1 { "ref is" } else { "refs are" };
        ui.note(&format!(
            "{} {what} left out: what they point to is excluded",
            format::count(left_out)
        ));
    }
    if ui.json || ui.quiet {
        return Ok(());
    }
    ui.result(&summary(&done, &args.file))
}

fn command(args: &BundleArgs) -> Option<Vec<String>> {
    let words = ["mug", "pack", "create", "--format", "git"];
    let mut words = words.map(str::to_owned).to_vec();
    if let Some(threads) = args.threads {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    words.push(word(&args.file)?);
    words.extend(args.revisions.iter().cloned());
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
            "bundles {}, not {}",
            stored.repository.display(),
            given.repository.display()
        ));
    }
    if !given.revisions.is_empty() && given.revisions != stored.revisions {
        let stored = match &stored.revisions[..] {
            [] => "all refs".to_owned(),
            revisions => revisions.join(" "),
        };
        return Some(format!(
            "bundles {stored}, not {}",
            given.revisions.join(" ")
        ));
    }
    None
}

fn summary(done: &Done<Summary>, file: &Path) -> String {
    let bundle = &done.output;
    let needs = match bundle.prerequisites {
        0 => String::new(),
        1 => ", for who has 1 commit".to_owned(),
        n => format!(", for who has {} commits", format::count(n)),
    };
    format!(
        "{}: {} objects, {}{needs}, in {}",
        text::plain(&file.display().to_string()),
        format::count(bundle.objects),
        format::bytes(bundle.bytes),
        format::duration(done.elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_can_contradict() {
        let input = |output: &str, revisions: &[&str]| Input {
            repository: "/r/.git".into(),
            output: output.into(),
            revisions: revisions.iter().map(|&name| name.to_owned()).collect(),
            threads: None,
        };
        let stored = input("/b", &["main", "^v1"]);
        assert_eq!(contradiction(&input("/b", &[]), &stored), None);
        assert_eq!(contradiction(&input("/b", &["main", "^v1"]), &stored), None);
        assert_eq!(
            contradiction(&input("/b", &["main"]), &stored).unwrap(),
            "bundles main ^v1, not main"
        );
        assert_eq!(
            contradiction(&input("/c", &[]), &stored).unwrap(),
            "writes to /b, not to /c"
        );
    }

    #[test]
    fn the_stored_command_parses_again() {
        use clap::Parser as _;
        let args = BundleArgs {
            file: "-out".into(),
            revisions: vec!["main".into(), "^v1".into()],
            threads: NonZero::new(2),
            resume: Some("op-1".into()),
        };
        let words = command(&args).unwrap();
        let line = "mug pack create --format git --threads 2 ./-out main ^v1";
        assert_eq!(words.join(" "), line);
        let again = [words, vec!["--resume".into(), "op-1".into()]].concat();
        crate::cli::Args::try_parse_from(again).unwrap();
    }
}
