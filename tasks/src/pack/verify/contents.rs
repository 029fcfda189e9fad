//! The frames of a pack, unit by unit.

use std::path::PathBuf;
use std::sync::Arc;

use gix_hash::ObjectId;

use super::super::format::{FormatError, FrameReader, Kind, Layer};
use super::super::ordered::Ordered;
use super::super::restore::encode::{check_hash, check_object, object_hasher};
use super::super::restore::objects::Bases;
use super::super::restore::source::SourceEntry;
use super::super::restore::{RestoreError, Source};
use super::super::scan::level::{Copied, Level};
use super::VerifyError;
use super::absent::{Absent, Allowed, Pack, Trees};
use super::known::Known;
use super::report::{Damage, DamageKind};

/// A pack whose layers are open, as far as they can be.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) root: PathBuf,
    pub(super) source: Arc<Source>,
    /// Only for full verifications.
    pub(super) known: Option<Known>,
    pub(super) allowed: Allowed,
    /// Whether everything that objects refer to must be there: all layers are.
    pub(super) complete: bool,
}

/// What was found in a unit.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) unit: usize,
    /// The objects that are sound.
    pub(super) sound: u64,
    pub(super) damages: Vec<Damage>,
    pub(super) absent: Vec<Absent>,
}

impl Checked {
    /// Takes in a frame that is lost. Its objects count once: a large one may lose several.
    fn lose(&mut self, damage: Damage) {
        let again = !self.damages.is_empty();
        self.damages.push(if again {
            damage.lose(0, std::iter::empty())
        } else {
            damage
        });
    }
}

/// Checks units in several threads, and gives what was found in order.
pub(super) struct Units {
    ordered: Ordered<Result<Checked, VerifyError>>,
}

impl Units {
    /// Starts on all units from `first` on.
    pub(super) fn start(opened: &Arc<Opened>, first: usize, threads: usize) -> Self {
        let worker = || {
            let mut checker = Checker::new(Arc::clone(opened));
            move |unit| checker.check(unit)
        };
        let (threads, end) = (threads.max(1), opened.source.units());
        Self {
            ordered: Ordered::start(first..end, threads, threads * 4 + 4, worker),
        }
    }

    /// The next unit's; `None` behind the last.
    pub(super) fn next(&mut self) -> Option<Result<Checked, VerifyError>> {
        self.ordered.next()
    }
}

/// Checks units, one after the other; each thread has its own.
pub(super) struct Checker {
    opened: Arc<Opened>,
    reader: FrameReader,
    bases: Bases<Level>,
    trees: Trees,
    raw: Vec<u8>,
    tree: Vec<u8>,
    copies: Vec<Copied>,
}

impl Checker {
    pub(super) fn new(opened: Arc<Opened>) -> Self {
        Self {
            opened,
            reader: FrameReader::new(),
            bases: Bases::new(),
            trees: Trees::new(),
            raw: Vec::new(),
            tree: Vec::new(),
            copies: Vec::new(),
        }
    }

    /// Checks `unit`.
    pub(super) fn check(&mut self, unit: usize) -> Result<Checked, VerifyError> {
        let opened = Arc::clone(&self.opened);
        match &opened.known {
            None => self.frames(&opened, unit),
            Some(known) => self.objects(&opened, known, unit),
        }
    }

    /// Holds the frames of `unit` against their checksums.
    fn frames(&mut self, opened: &Opened, unit: usize) -> Result<Checked, VerifyError> {
        let (layer, group) = opened.source.unit(unit);
        let mut checked = Checked {
            unit,
            ..Checked::default()
        };
        for number in group.first_frame..group.first_frame + group.frames {
            let frame = &layer.index().frames()[number as usize];
            if let Err(error) = self.reader.check(layer, frame) {
                checked.lose(lost(opened, layer, number, unit, error)?);
            }
        }
        if checked.damages.is_empty() {
            checked.sound = group.entries.into();
        }
        Ok(checked)
    }

    /// Rebuilds and hashes every object of `unit`, and looks for what it refers to.
    fn objects(
        &mut self,
        opened: &Opened,
        known: &Known,
        unit: usize,
    ) -> Result<Checked, VerifyError> {
        let source = &opened.source;
        let (layer, group) = source.unit(unit);
        if group.is_large()
            && let Some(entry) = source.entries(unit).next()
            && entry.base.is_none()
            && entry.kind == Kind::Blob
            && !source.is_base(entry.rank)
        {
            return self.large(opened, &entry, known.oid(entry.rank), unit);
        }
        let mut raw = std::mem::take(&mut self.raw);
        match self.bases.read_unit(source, unit, &mut raw) {
            Ok(()) => {}
            Err(RestoreError::Format(error)) => {
                let mut checked = self.frames(opened, unit)?;
                if checked.damages.is_empty() {
                    // The bytes are what was written, and were no frame even then.
                    let number = group.first_frame;
                    let damage = lost(opened, layer, number, unit, error)?;
                    checked.damages.push(damage);
                    checked.sound = 0;
                }
                return Ok(checked);
            }
            Err(error) => {
                let oid = known.oid(source.first_rank(unit));
                let mut checked = Checked {
                    unit,
                    ..Checked::default()
                };
                checked.damages.push(object_damage(oid, error)?);
                return Ok(checked);
            }
        }
        let mut checked = Checked {
            unit,
            ..Checked::default()
        };
        let mut dependents: Vec<ObjectId> = Vec::new();
        let mut rest = raw.as_slice();
        for entry in source.entries(unit) {
            let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
            // The groups were dealt out by these sizes when the index was opened.
            let (payload, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            let oid = known.oid(entry.rank);
            let pack = Pack {
                known,
                allowed: &opened.allowed,
            };
            match self.object(source, &pack, &entry, oid, payload, &mut checked.absent) {
                Ok(None) => checked.sound += 1,
                Ok(Some(reason)) => checked.damages.push(malformed(&entry, oid, reason)),
                Err(error) if is_of_base(&error) => dependents.push(oid),
                Err(error) => checked.damages.push(object_damage(oid, error)?),
            }
        }
        if !dependents.is_empty() {
            let reason = "they are deltas of objects that are lost or damaged elsewhere";
            let damage = Damage::new(DamageKind::Dependents, reason);
            let count = dependents.len() as u64;
            checked
                .damages
                .push(damage.lose(count, dependents.into_iter()));
        }
        if !opened.complete {
            checked.absent.clear();
        }
        // A large unit's buffer is not kept for the small ones after it.
        self.raw = if group.is_large() { Vec::new() } else { raw };
        Ok(checked)
    }

    /// Checks one object. Gives why it can't be understood, though its name is right.
    fn object(
        &mut self,
        source: &Source,
        pack: &Pack<'_>,
        entry: &SourceEntry,
        oid: ObjectId,
        payload: &[u8],
        absent: &mut Vec<Absent>,
    ) -> Result<Option<&'static str>, RestoreError> {
        let is_base = source.is_base(entry.rank);
        let is_tree = entry.kind == Kind::Tree;
        let Some(base) = entry.base else {
            check_object(entry.kind, payload, oid)?;
            let (mut note, mut found) = (None, Ok(()));
            if is_tree {
                let mut tree = std::mem::take(&mut self.tree);
                tree.clear();
                tree.extend_from_slice(payload);
                let level = self.trees.look(pack, entry, &mut tree, None, absent);
                self.tree = tree;
                match level {
                    Ok(level) => note = Some(level),
                    Err(reason) => found = Err(reason),
                }
            } else {
                found = pack.references(entry, payload, absent);
            }
            if is_base {
                let copy = self.bases.copy(payload);
                self.bases.keep(entry, copy, note);
            } else if let Some(note) = note {
                self.trees.recycle(note);
            }
            return Ok(found.err());
        };
        let copies = &mut self.copies;
        copies.clear();
        let mut object = self
            .bases
            .rebuild(source, entry, base, payload, |to, from, length| {
                if is_tree {
                    copies.push((to, from, length));
                }
            })?;
        check_object(entry.kind, &object, oid)?;
        let (mut note, mut found) = (None, Ok(()));
        if is_tree {
            let base = self.bases.note().map(|note| (note, self.copies.as_slice()));
            match self.trees.look(pack, entry, &mut object, base, absent) {
                Ok(level) => note = Some(level),
                Err(reason) => found = Err(reason),
            }
        } else {
            found = pack.references(entry, &object, absent);
        }
        if is_base {
            self.bases.keep(entry, object, note);
        } else {
            self.bases.recycle(object);
            if let Some(note) = note {
                self.trees.recycle(note);
            }
        }
        Ok(found.err())
    }

    /// Hashes a single large object, frame by frame.
    fn large(
        &mut self,
        opened: &Opened,
        entry: &SourceEntry,
        oid: ObjectId,
        unit: usize,
    ) -> Result<Checked, VerifyError> {
        let (layer, group) = opened.source.unit(unit);
        let mut checked = Checked {
            unit,
            ..Checked::default()
        };
        let mut hasher = object_hasher(entry.kind, entry.size);
        let mut raw = std::mem::take(&mut self.raw);
        for number in group.first_frame..group.first_frame + group.frames {
            raw.clear();
            let frame = &layer.index().frames()[number as usize];
            match self.reader.read(layer, frame, &mut raw) {
                Ok(()) => hasher.update(&raw),
                Err(error) => checked.lose(lost(opened, layer, number, unit, error)?),
            }
        }
        self.raw = raw;
        if checked.damages.is_empty() {
            match check_hash(hasher, oid) {
                Ok(()) => checked.sound = 1,
                Err(error) => checked.damages.push(object_damage(oid, error)?),
            }
        }
        Ok(checked)
    }
}

/// A frame that can't be read, with the objects that are lost with it.
fn lost(
    opened: &Opened,
    layer: &Layer,
    number: u32,
    unit: usize,
    error: FormatError,
) -> Result<Damage, VerifyError> {
    let frame = &layer.index().frames()[number as usize];
    let source = &opened.source;
    // The file itself was found to be wrong; its frames are not told one by one.
    let kind = if layer.has_file(frame.file) {
        DamageKind::Frame
    } else {
        DamageKind::LostFrames
    };
    let mut damage = Damage::of(kind, &opened.root, error)?;
    if kind == DamageKind::Frame {
        damage.frame = Some(number);
    } else {
        damage.reason = "frames are lost with it".into();
    }
    let entries = source.unit(unit).1.entries;
    let names = source
        .entries(unit)
        .filter_map(|entry| source.oid(entry.rank).ok());
    Ok(damage.lose(entries.into(), names))
}

/// Whether the reason lies with a base, which is told where it lies.
fn is_of_base(error: &RestoreError) -> bool {
    use super::super::restore::objects::BASE_LOST;
    matches!(error, RestoreError::NoBase | RestoreError::Format(_))
        || matches!(error, RestoreError::Delta { reason, .. } if *reason == BASE_LOST)
}

fn malformed(entry: &SourceEntry, oid: ObjectId, reason: &str) -> Damage {
    let reason = format!("{} {oid} can't be understood: {reason}", entry.kind.name());
    Damage::new(DamageKind::Object, reason).lose(1, std::iter::once(oid))
}

fn object_damage(oid: ObjectId, error: RestoreError) -> Result<Damage, VerifyError> {
    let reason = match error {
        RestoreError::WrongObject { expected, found } => {
            format!("object {expected} hashes to {found}")
        }
        RestoreError::Collision { oid } => {
            format!("object {oid} is part of a SHA-1 collision attack")
        }
        RestoreError::Delta { oid, reason } => format!("object {oid} can't be rebuilt: {reason}"),
        RestoreError::WrongKind { oid } => {
            format!("object {oid} is not of the kind of the object that it is a delta of")
        }
        error => return Err(error.into()),
    };
    Ok(Damage::new(DamageKind::Object, reason).lose(1, std::iter::once(oid)))
}

/// What the refs and layers do not hold between them.
pub(super) fn fault(error: RestoreError) -> Result<Damage, VerifyError> {
    let (kind, reason) = match &error {
        RestoreError::MissingTip { name, oid } => (
            DamageKind::Ref,
            format!("the ref {name:?} names object {oid}, which is not in the pack"),
        ),
        RestoreError::WrongTip { name, oid, kind } => (
            DamageKind::Ref,
            format!(
                "the ref {name:?} names object {oid}, which is a {} and no commit",
                kind.name()
            ),
        ),
        RestoreError::MissingBase { base } => (
            DamageKind::Base,
            format!("a delta needs object {base}, which no older layer holds"),
        ),
        RestoreError::Duplicate { oid } => (
            DamageKind::Duplicate,
            format!("object {oid} is in two layers"),
        ),
        _ => return Err(error.into()),
    };
    Ok(Damage::new(kind, reason))
}
