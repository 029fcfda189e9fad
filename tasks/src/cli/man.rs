//! `mug man`: the manual pages, made of the one definition that help comes from.

use std::path::PathBuf;

use clap::CommandFactory as _;
use serde_json::json;

use super::args::Args;
use super::error::Error;
use super::ui::Ui;

/// Arguments of `mug man`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "To read one: mug man /tmp/mug && man /tmp/mug/mug-pack-create.1")]
pub(super) struct ManArgs {
    /// The directory that they are written to: `mug.1`, `mug-pack-create.1` and so on
    #[arg(value_name = "DIR")]
    pages: PathBuf,
}

pub(super) fn run(args: &ManArgs, ui: &Ui) -> Result<(), Error> {
    let dir = &args.pages;
    let cannot =
        |e| Error::failed(format!("cannot write manual pages to {}", dir.display())).because(e);
    std::fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(Args::command(), dir).map_err(cannot)?;
    if ui.json {
        return ui.json_line(&json!({ "directory": dir }));
    }
    if ui.quiet {
        return Ok(());
    }
    ui.result(&format!("manual pages are in {}", dir.display()))
}
