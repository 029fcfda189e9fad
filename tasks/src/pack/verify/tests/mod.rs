//! Packs that are sound, damaged, and made to deceive.

mod crash;
mod damaged;
mod exhaustive;
mod files;
mod lies;
mod seeds;
mod sound;

use std::path::{Path, PathBuf};

use super::{DamageKind, Report, verify};
use crate::pack::restore::tests::fixture::{Order, add_layer, grow, repository};

/// A pack of two layers, with deltas across them.
fn pack(dir: &Path, frame_size: u32) -> PathBuf {
    let repo = repository(dir, 8);
    let out = dir.join("out");
    add_layer(&repo, &out, frame_size, Order::DepthFirst);
    grow(&repo, 8..12);
    add_layer(&repo, &out, frame_size, Order::Pack);
    out
}

fn full(pack: &Path) -> Report {
    verify(pack, true, 2).unwrap()
}

fn plain(pack: &Path) -> Report {
    verify(pack, false, 2).unwrap()
}

fn kinds(report: &Report) -> Vec<DamageKind> {
    report.damages.iter().map(|damage| damage.kind).collect()
}

/// The file of this name in the oldest or newest layer.
fn in_layer(pack: &Path, newest: bool, name: &str) -> PathBuf {
    let dir = crate::pack::format::PackDir::open(pack).unwrap();
    let layers = &dir.manifest().layers;
    let layer = if newest {
        layers.last()
    } else {
        layers.first()
    };
    dir.layer_path(&layer.unwrap().id).join(name)
}

/// A copy of a pack, each file of its own.
fn copy(pack: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([pack, to])
        .status();
    assert!(copied.unwrap().success());
}
