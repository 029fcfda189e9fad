//! `mug pack create --format git`: a repository as a Git bundle.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use mug::core::repository::Repository;
use mug::pack::bundle::{Bundle, BundleError, Env, Input, Summary};
use mug::pack::select::Pattern;

use crate::cli::drive::{self, Done, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::path::{absolute, word};
use crate::cli::ui::{Ui, format, text};

/// What of the arguments of `mug pack create` a bundle takes.
#[derive(Debug)]
pub(super) struct BundleArgs {
    /// The file to make.
    pub(super) file: PathBuf,
    /// Refs, and revisions to leave out.
    pub(super) revisions: Vec<OsString>,
    /// Refs that do not go into the bundle.
    pub(super) exclude: Vec<OsString>,
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
        revisions: patterns(&args.revisions),
        exclude: patterns(&args.exclude),
        // Of the process, not of the operation: it may differ when it is continued.
        threads: None,
    };
    let threads = args.threads;
    let mut metadata = vec![
        ("repository", input.repository.display().to_string()),
        ("output", input.output.display().to_string()),
        ("format", "git".to_owned()),
    ];
    for (key, names) in [("refs", &input.revisions), ("exclude", &input.exclude)] {
        if !names.is_empty() {
            metadata.push((key, joined(names)));
        }
    }
    let speaker = ui.clone();
    let job = Job::<Bundle> {
        db: repository.get_db().clone(),
        command: command(&args).unwrap_or_default(),
        input,
        env: Box::new(move || Ok(Env::with_threads(threads))),
        metadata,
        resume: args.resume,
        contradiction,
        check: Box::new(move |input| {
            let remarks = input.check();
            let refused = |error: BundleError| Error::failed(error.to_string()).because(error);
            for remark in remarks.map_err(refused)? {
                speaker.note(&format!("note: {}", text::plain(&remark)));
            }
            Ok(())
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
    for name in &args.exclude {
        words.push(format!("--exclude={}", name.to_str()?));
    }
    words.push(word(&args.file)?);
    for revision in &args.revisions {
        words.push(revision.to_str()?.to_owned());
    }
    Some(words)
}

fn patterns(names: &[OsString]) -> Vec<Pattern> {
    names.iter().map(|name| name.as_os_str().into()).collect()
}

fn joined(names: &[Pattern]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(" ")
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
            revisions => joined(revisions),
        };
        return Some(format!(
            "bundles {stored}, not {}",
            joined(&given.revisions)
        ));
    }
    if !given.exclude.is_empty() && given.exclude != stored.exclude {
        return Some(match &stored.exclude[..] {
            [] => "excludes nothing".to_owned(),
            exclude => format!("excludes {}", joined(exclude)),
        });
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
            revisions: revisions.iter().map(|&name| name.into()).collect(),
            exclude: Vec::new(),
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
            exclude: vec!["wip/*".into()],
            threads: NonZero::new(2),
            resume: Some("op-1".into()),
        };
        let words = command(&args).unwrap();
        let line = "mug pack create --format git --threads 2 --exclude=wip/* ./-out main ^v1";
        assert_eq!(words.join(" "), line);
        let again = [words, vec!["--resume".into(), "op-1".into()]].concat();
        crate::cli::Args::try_parse_from(again).unwrap();
    }
}
