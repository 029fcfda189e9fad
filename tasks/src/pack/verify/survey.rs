//! The directory, the manifest, the indexes and refs, and what must hold between them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::format::open::kind as kind_of_file;
use super::super::format::{
    Digest, FormatError, INDEX_NAME, LAYERS_NAME, Layer, LayerManifest, MANIFEST_NAME, Manifest,
    PackDir, REFS_NAME, frame_file_name,
};
use super::super::restore::{RestoreError, Source};
use super::VerifyError;
use super::absent::Allowed;
use super::contents::{Opened, fault};
use super::known::Known;
use super::report::{Damage, DamageKind, Report, relative};

/// What operations call the directories that they work in.
const WORK_PREFIX: &str = ".mug-";
/// The most notes of a report.
const NOTES: usize = 10;

/// What a survey found.
pub(super) struct Survey {
    /// The layers that could be opened; none if there are none.
    pub(super) opened: Option<Arc<Opened>>,
    /// What is wrong so far.
    pub(super) damages: Vec<Damage>,
    pub(super) plan: Plan,
}

/// Which layers are verified: what is added to the pack later is none of this operation's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    layers: u64,
    objects: u64,
    frames: u64,
    raw_bytes: u64,
    stored_bytes: u64,
    complete: bool,
    notes: Vec<String>,
    /// The digest of the ids of the layers, with what could be opened of them.
    layout: Option<Digest>,
}

impl Plan {
    /// The report before anything is found.
    pub(super) fn report(&self, full: bool) -> Report {
        Report {
            full,
            layers: self.layers,
            objects: self.objects,
            frames: self.frames,
            raw_bytes: self.raw_bytes,
            stored_bytes: self.stored_bytes,
            connected: full && self.complete,
            notes: self.notes.clone(),
            ..Report::default()
        }
    }
}

/// Looks at the pack in the directory `root`.
pub(super) fn survey(root: &Path, full: bool) -> Result<Survey, VerifyError> {
    let mut damages = Vec::new();
    let Some(pack) = manifest(root, &mut damages)? else {
        return Ok(Survey {
            opened: None,
            damages,
            plan: Plan::default(),
        });
    };
    let mut notes = Vec::new();
    strangers(&pack, &mut damages, &mut notes)?;
    let (opened, plan) = open(&pack, usize::MAX, full, &mut damages)?;
    let plan = Plan { notes, ..plan };
    Ok(Survey {
        opened,
        damages,
        plan,
    })
}

/// Opens the layers of a verification that was begun as `plan`.
pub(super) fn reopen(
    root: &Path,
    full: bool,
    plan: &Plan,
) -> Result<Option<Arc<Opened>>, VerifyError> {
    let changed = || VerifyError::Changed {
        path: root.to_owned(),
    };
    let layers = usize::try_from(plan.layers).map_err(|_| changed())?;
    if layers == 0 {
        return Ok(None);
    }
    let pack = PackDir::open(root)?;
    let (opened, now) = open(&pack, layers, full, &mut Vec::new())?;
    if now.layout == plan.layout {
        Ok(opened)
    } else {
        Err(changed())
    }
}

/// Reads the manifest. One that is there and is none is a damage.
fn manifest(root: &Path, damages: &mut Vec<Damage>) -> Result<Option<PackDir>, VerifyError> {
    let of_manifest = |error| Damage::of(DamageKind::Manifest, root, error);
    let pack = match PackDir::open(root) {
        Ok(pack) => pack,
        Err(error @ FormatError::NoManifest { .. }) => return Err(error.into()),
        Err(error) => {
            damages.push(of_manifest(error)?);
            return Ok(None);
        }
    };
    let path = root.join(MANIFEST_NAME);
    if Manifest::bytes_of(&path)? != pack.manifest().to_bytes() {
        // It says the same, but nobody wrote it so.
        let reason = "its bytes are not what its content is written as";
        damages.push(of_manifest(FormatError::damaged(&path, reason))?);
    }
    if pack.manifest().layers.is_empty() {
        let reason = "it lists no layers";
        damages.push(of_manifest(FormatError::damaged(&path, reason))?);
    }
    Ok(Some(pack))
}

fn open(
    pack: &PackDir,
    count: usize,
    full: bool,
    damages: &mut Vec<Damage>,
) -> Result<(Option<Arc<Opened>>, Plan), VerifyError> {
    let mut plan = Plan {
        complete: true,
        ..Plan::default()
    };
    let mut layout = blake3::Hasher::new();
    let mut layers: Vec<Layer> = Vec::new();
    for listed in pack.manifest().layers.iter().take(count) {
        plan.layers += 1;
        plan.objects = plan.objects.saturating_add(listed.objects);
        plan.raw_bytes = plan.raw_bytes.saturating_add(listed.raw_bytes);
        let files = listed.files.iter().map(|file| file.bytes);
        for bytes in files.chain([listed.index.bytes, listed.refs.bytes]) {
            plan.stored_bytes = plan.stored_bytes.saturating_add(bytes);
        }
        let examined = pack.examine(listed);
        for error in examined.damages {
            damages.push(of_layer(pack, listed, error)?);
        }
        layout.update(&listed.id.0);
        layout.update(&[u8::from(examined.layer.is_some())]);
        match examined.layer {
            Some(layer) => {
                plan.frames += layer.index().frames().len() as u64;
                plan.complete &= layer.has_refs();
                layers.push(layer);
            }
            None => plan.complete = false,
        }
    }
    plan.layout = Some(layout.finalize().into());
    if layers.is_empty() {
        plan.complete = false;
        return Ok((None, plan));
    }
    let (source, faults) = Source::join(layers)?;
    for error in faults {
        // With a layer that can't be opened, much is nowhere that is sound.
        if plan.complete || matches!(error, RestoreError::Duplicate { .. }) {
            damages.push(fault(error)?);
        }
    }
    let opened = Opened {
        root: pack.path().to_owned(),
        known: if full {
            Some(Known::read(&source)?)
        } else {
            None
        },
        allowed: Allowed::of(&source),
        complete: plan.complete,
        source: Arc::new(source),
    };
    Ok((Some(Arc::new(opened)), plan))
}

/// What is wrong with a layer, and how many objects are lost with it.
fn of_layer(
    pack: &PackDir,
    listed: &LayerManifest,
    error: FormatError,
) -> Result<Damage, VerifyError> {
    let name = match &error {
        FormatError::Damaged { path, .. } | FormatError::Io { path, .. } => path.file_name(),
        _ => None,
    };
    let (kind, objects) = match name.and_then(|name| name.to_str()) {
        Some(INDEX_NAME) => (DamageKind::Index, listed.objects),
        Some(REFS_NAME) => (DamageKind::Refs, 0),
        Some(name) if name.starts_with("frames-") => (DamageKind::File, 0),
        _ => (DamageKind::Layer, listed.objects),
    };
    let damage = Damage::of(kind, pack.path(), error)?;
    Ok(damage.lose(objects, std::iter::empty()))
}

/// Finds what is no part of the pack. The directories of operations that have not finished are
/// noted, no damage.
fn strangers(
    pack: &PackDir,
    damages: &mut Vec<Damage>,
    notes: &mut Vec<String>,
) -> Result<(), VerifyError> {
    let root = pack.path();
    let mut unfinished = false;
    for (name, found) in list(root)? {
        let text = name.to_string_lossy();
        if text == MANIFEST_NAME || text == LAYERS_NAME {
            continue;
        }
        if found.is_dir()
            && let Some(id) = text.strip_prefix(WORK_PREFIX)
        {
            unfinished = true;
            if notes.len() < NOTES {
                let id: String = id.escape_debug().take(80).collect();
                notes.push(format!("the unfinished work of {id} is in the directory"));
            }
            continue;
        }
        damages.push(stranger(root, &root.join(&name), found));
    }
    let layers = root.join(LAYERS_NAME);
    // Links and the like are told with the layers that are looked for behind them.
    if !layers.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    let listed = pack.manifest().layers.iter();
    let listed: HashMap<Digest, &LayerManifest> = listed.map(|layer| (layer.id, layer)).collect();
    for (name, found) in list(&layers)? {
        let path = layers.join(&name);
        let id = name.to_str().and_then(|name| name.parse::<Digest>().ok());
        match id.and_then(|id| listed.get(&id)) {
            Some(listed) if found.is_dir() => {
                for (name, found) in list(&path)? {
                    if !is_listed(name.to_str().unwrap_or_default(), listed) {
                        damages.push(stranger(root, &path.join(&name), found));
                    }
                }
            }
            // Told when it is opened.
            Some(_) => {}
            // It comes before the manifest that lists it.
            None if id.is_some() && unfinished && found.is_dir() => {}
            None => damages.push(stranger(root, &path, found)),
        }
    }
    Ok(())
}

/// Whether a layer has a file of this name.
fn is_listed(name: &str, layer: &LayerManifest) -> bool {
    let number = name
        .strip_prefix("frames-")
        .and_then(|digits| digits.parse::<u32>().ok());
    match number {
        Some(number) => (number as usize) < layer.files.len() && name == frame_file_name(number),
        None => name == INDEX_NAME || name == REFS_NAME,
    }
}

fn stranger(root: &Path, path: &Path, found: fs::FileType) -> Damage {
    Damage {
        file: Some(relative(root, path)),
        ..Damage::new(
            DamageKind::Stranger,
            format!("{} that is no part of the pack", kind_of_file(found)),
        )
    }
}

/// The names in a directory, sorted.
fn list(dir: &Path) -> Result<Vec<(std::ffi::OsString, fs::FileType)>, VerifyError> {
    let read = || -> std::io::Result<Vec<_>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            names.push((entry.file_name(), entry.file_type()?));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    };
    Ok(read().map_err(FormatError::io(dir))?)
}
