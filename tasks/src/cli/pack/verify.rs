//! `mug pack verify`: whether a pack directory is what was written.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use mug::core::database::MugDb;
use mug::core::error::CoreError;
use mug::pack::verify::report::NAMED;
use mug::pack::verify::{Damage, Env, Input, Report, Verify};
use resume_runtime::store::StoreError;

use crate::cli::drive::{self, Done, Job};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::path::{absolute, word};
use crate::cli::ui::{Ui, format, text};

/// Arguments of `mug pack verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The pack directory
    dir: PathBuf,
    /// Rebuild and hash every object, and look for all that it refers to
    ///
    /// Without it every file and frame is held against its checksum: that finds
    /// whatever happened to the pack since it was written.
    #[arg(long)]
    full: bool,
    /// How many threads to use; all processors by default
    #[arg(long, value_name = "N", env = "MUG_THREADS", hide_env_values = true)]
    threads: Option<NonZero<usize>>,
    /// Continue an operation that was paused, interrupted or failed
    #[arg(long, value_name = "OP-ID")]
    resume: Option<String>,
}

pub(super) fn run(args: VerifyArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    drive::begin_at(ui, "verifying", &args.dir.display().to_string());
    let input = Input {
        pack: absolute(&args.dir)?,
        full: args.full,
    };
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let db = store(args.resume.is_some(), ui)?;
    let job = Job::<Verify> {
        // What is stored nowhere is continued by nothing.
        command: db.dir().and_then(|_| command(&args)).unwrap_or_default(),
        db,
        metadata: vec![("pack", input.pack.display().to_string())],
        input,
        env: Box::new(move || Ok(Env::new(threads))),
        resume: args.resume,
        contradiction,
        check: Box::new(check),
    };
    let done = drive::run(job, origin, ui)?;
    told(&done, &args.dir, ui)
}

/// The user's store: a pack belongs to no repository. Where there can be none, a verification can't
/// be continued, but that is no reason not to do it.
fn store(resumes: bool, ui: &Ui) -> Result<MugDb, Error> {
    match MugDb::for_user() {
        Ok(db) => Ok(db),
        Err(
            error @ (CoreError::NoUserDir
            | CoreError::Store(StoreError::ReadOnly { .. } | StoreError::Network { .. })),
        ) if !resumes => {
            let why = text::plain(&error.to_string());
            ui.note(&format!(
                "warning: nothing can be stored, so it can't be continued: {why}"
            ));
            Ok(MugDb::in_memory()?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses at once what is no pack.
fn check(input: &Input) -> Result<(), Error> {
    use mug::pack::format::{FormatError, PackDir};
    match PackDir::open(&input.pack) {
        Err(error @ (FormatError::NoManifest { .. } | FormatError::Newer { .. })) => {
            Err(Error::failed(error.to_string()).because(error))
        }
        _ => Ok(()),
    }
}

fn command(args: &VerifyArgs) -> Option<Vec<String>> {
    let mut words = ["mug", "pack", "verify"].map(str::to_owned).to_vec();
    if args.full {
        words.push("--full".to_owned());
    }
    if let Some(threads) = args.threads {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    words.push(word(&args.dir)?);
    Some(words)
}

fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    if given.pack != stored.pack {
        return Some(format!(
            "verifies {}, not {}",
            stored.pack.display(),
            given.pack.display()
        ));
    }
    (given.full && !stored.full).then(|| "compares checksums only".to_owned())
}

fn told(done: &Done<Report>, dir: &Path, ui: &Ui) -> Result<(), Error> {
    let report = &done.output;
    for note in &report.notes {
        ui.note(&format!("note: {}", text::plain(note)));
    }
    let dir = text::plain(&dir.display().to_string());
    if report.is_sound() {
        if ui.json || ui.quiet {
            return Ok(());
        }
        let took = format::duration(done.elapsed);
        return ui.result(&format!("{dir}: {}, in {took}", sound(report)));
    }
    if !ui.json {
        for damage in &report.damages {
            ui.result(&line(damage))?;
        }
    }
    let damages = report.damages.len() as u64 + report.unlisted;
    let what = if damages == 1 { "damage" } else { "damages" };
    let mut error = Error::failed(format!(
        "{dir} is damaged: {} {what}, {} of {} objects found sound",
        format::count(damages),
        format::count(report.sound),
        format::count(report.objects),
    ))
    .hint("copy what is named from another copy of the pack, or create the pack anew");
    if report.unlisted > 0 {
        error = error.hint(format!(
            "the first {} damages are listed",
            format::count(report.damages.len() as u64)
        ));
    }
    if report.full && !report.connected {
        error = error.hint("what objects refer to was not looked for, since not all could be read");
    }
    Err(error)
}

fn sound(report: &Report) -> String {
    let what = if report.connected {
        "all rebuilt and hashed, and nothing is missing"
    } else {
        "all checksums match"
    };
    format!(
        "{}, {} objects in {} frames, {}: {what}",
        format::plural(
            usize::try_from(report.layers).unwrap_or(usize::MAX),
            "layer",
            "layers"
        ),
        format::count(report.objects),
        format::count(report.frames),
        format::bytes(report.stored_bytes),
    )
}

fn line(damage: &Damage) -> String {
    let mut line = match (&damage.file, damage.frame) {
        (Some(file), Some(frame)) => format!("{file}, frame {frame}: {}", damage.reason),
        (Some(file), None) => format!("{file}: {}", damage.reason),
        _ => damage.reason.clone(),
    };
    if damage.objects > 0 && !damage.names.is_empty() && !line.contains(&damage.names[0]) {
        let more = damage.objects.saturating_sub(damage.names.len() as u64);
        line = format!(
            "{line}; {} objects: {}",
            format::count(damage.objects),
            damage.names[..damage.names.len().min(NAMED)].join(" ")
        );
        if more > 0 {
            line = format!("{line} and {} more", format::count(more));
        }
    } else if damage.objects > 1 {
        line = format!("{line}; {} objects", format::count(damage.objects));
    }
    text::plain(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_can_contradict() {
        let input = |pack: &str, full| Input {
            pack: pack.into(),
            full,
        };
        assert_eq!(contradiction(&input("/p", false), &input("/p", true)), None);
        assert_eq!(
            contradiction(&input("/p", true), &input("/p", false)).unwrap(),
            "compares checksums only"
        );
        assert_eq!(
            contradiction(&input("/q", false), &input("/p", false)).unwrap(),
            "verifies /p, not /q"
        );
    }

    #[test]
    fn the_stored_command_parses_again() {
        use clap::Parser as _;
        let args = VerifyArgs {
            dir: "-p".into(),
            full: true,
            threads: NonZero::new(2),
            resume: None,
        };
        let words = command(&args).unwrap();
        assert_eq!(words.join(" "), "mug pack verify --full --threads 2 ./-p");
        crate::cli::Args::try_parse_from(words).unwrap();
    }
}
