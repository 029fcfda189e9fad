//! `mug pack stats`: what a pack directory holds, and what it takes.

use std::path::PathBuf;

use mug::pack::stats::{Layer, PerKind, Stats, StatsError, read};

use crate::cli::error::Error;
use crate::cli::ui::{Ui, format, text};

/// Arguments of `mug pack stats`.
#[derive(Debug, clap::Args)]
pub(super) struct StatsArgs {
    /// The pack directory
    dir: PathBuf,
    /// Compare with what the same objects take in this Git repository
    #[arg(long, value_name = "PATH")]
    repository: Option<PathBuf>,
}

pub(super) fn run(args: &StatsArgs, ui: &Ui) -> Result<(), Error> {
    let stats = read(&args.dir, args.repository.as_deref()).map_err(|error| {
        let told = Error::failed(error.to_string());
        let told = if matches!(error, StatsError::Format(_)) {
            told.hint("`mug pack verify` tells all that is wrong with a pack")
        } else {
            told
        };
        told.because(error)
    })?;
    if ui.json {
        let ratio = stats.ratio();
        let mut value = serde_json::to_value(&stats)
            .map_err(|error| Error::failed("cannot write JSON").because(error))?;
        if stats.git.is_some() {
            value["ratio"] = ratio.into();
        }
        return ui.json_document(&value);
    }
    let dir = text::plain(&args.dir.display().to_string());
    let lines = told(&stats);
    ui.result(&format!("{dir}\n  {}", lines.join("\n  ")))
}

fn told(stats: &Stats) -> Vec<String> {
    let Layer {
        objects,
        kinds,
        refs,
        frames,
        frame_files,
        raw_bytes,
        stored_bytes,
        index_bytes,
        refs_bytes,
        ..
    } = &stats.total;
    let mut lines = vec![line("objects", &format::count(*objects))];
    for (name, kind) in kinds.each() {
        lines.push(line(&format!("  {name}"), &per_kind(kind)));
    }
    lines.push(line("refs", &format::count(*refs)));
    let files = usize::try_from(*frame_files).unwrap_or(usize::MAX);
    lines.push(line(
        "frames",
        &format!(
            "{} in {}",
            format::count(*frames),
            format::plural(files, "file", "files")
        ),
    ));
    lines.push(line("layers", &format::count(stats.layers.len() as u64)));
    if stats.layers.len() > 1 {
        for layer in &stats.layers {
            let id = layer.id.as_deref().unwrap_or_default();
            let id = id.get(..12).unwrap_or(id);
            lines.push(line(
                &format!("  {id}"),
                &format!(
                    "{} objects, {}",
                    format::count(layer.objects),
                    format::bytes(layer.stored_bytes + layer.index_bytes + layer.refs_bytes)
                ),
            ));
        }
    }
    lines.push(line("stored", &format::bytes(*stored_bytes)));
    lines.push(line("  before compression", &format::bytes(*raw_bytes)));
    lines.push(line(
        "index, refs",
        &format::bytes(index_bytes + refs_bytes),
    ));
    if let Some(git) = &stats.git {
        let mut beside = format!("{} for the same objects", format::bytes(git.bytes));
        match stats.ratio() {
            Some(ratio) => beside = format!("{beside}; stored here in {ratio:.2} of that"),
            None if git.missing > 0 => {
                beside = format!(
                    "{} for {} objects; {} are not there",
                    format::bytes(git.bytes),
                    format::count(git.objects),
                    format::count(git.missing)
                );
            }
            None => {}
        }
        lines.push(line("in Git", &beside));
    }
    lines
}

fn per_kind(kind: &PerKind) -> String {
    if kind.objects == 0 {
        return "0".to_owned();
    }
    let mut told = format!(
        "{}: {} whole, {} deltas",
        format::count(kind.objects),
        format::count(kind.whole),
        format::count(kind.deltas + kind.deltas_across),
    );
    if kind.deltas_across > 0 {
        told = format!(
            "{told} ({} across layers)",
            format::count(kind.deltas_across)
        );
    }
    format!("{told}, {}", format::bytes(kind.raw_bytes))
}

fn line(name: &str, value: &str) -> String {
    format!("{name:<20} {value}")
}
