//! Writing the index and the manifest.

use std::{io, path::Path, sync::Arc};

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    Create, CreateError, Summary,
    course::Course,
    frames,
    open::{self, Opened},
    publish::Publish,
};
use crate::pack::{
    format::{self, Base, Entry, FileDigest, IndexSource, Kind, LayerManifest, Manifest},
    plan::{PlanFile, PlannedEntry},
    source::NONE,
};

/// All frames are there.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    #[serde(flatten)]
    course: Course,
    plan: frames::Plan,
}

impl Index {
    pub(super) const fn new(course: Course, plan: frames::Plan) -> Self {
        Self { course, plan }
    }
}

impl Step<Create> for Index {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        cx.blocking(move |b| self.write(b))
            .await
            .and_then(Transition::to)
    }
}

impl Index {
    fn write(&self, b: &mut Blocking<Create>) -> Result<Publish, StepError> {
        b.env().at("index");
        let (entries, stream) = (u64::from(self.plan.entries), self.plan.stream);
        b.report(entries, Some(entries));
        b.report_bytes(stream, Some(stream));
        let objects = Objects::read(open::plan(b)?, open::opened(b)??)?;
        // A pack without objects has no frames, and nothing has opened their table yet.
        b.append_file(open::FRAME_TABLE)?;
        let rows = frames::decode_rows(&open::read(b, open::FRAME_TABLE)?);
        let refs = FileDigest::of(&open::read(b, open::REFS)?);
        let work = b.input().work(b.id());
        let mut out = b.append_file_in(&work, open::INDEX)?;
        let frame_size = objects.plan.frame_size;
        let index = format::write_index(
            &mut out,
            Path::new(open::INDEX),
            frame_size,
            &rows,
            &objects,
        )
        .map_err(CreateError::from)?;
        let files = rows.last().map_or(0, |last| last.file + 1);
        let lengths = (0..files).map(|file| {
            let last = rows.iter().rfind(|row| row.file == file);
            last.map_or(0, |row| row.offset + u64::from(row.stored))
        });
        let layer = LayerManifest::new(entries, stream, lengths, index, refs);
        let stored: u64 = layer.files.iter().map(|file| file.bytes).sum();
        let id = layer.id.to_string();
        let mut layers = if self.course.adds {
            let kept = open::read(b, open::BASE)?;
            Manifest::parse(&kept, open::BASE.as_ref())
                .map_err(CreateError::from)?
                .layers
        } else {
            Vec::new()
        };
        // Refs that were the pack's before, and are again: without objects, the layer is the same.
        layers.retain(|older| older.id != layer.id);
        layers.push(layer);
        let count = layers.len() as u64;
        let manifest = Manifest::new(layers).to_bytes();
        b.append_file_in(&work, open::MANIFEST)?.append(&manifest)?;
        Ok(Publish {
            course: self.course,
            frame_files: files,
            summary: Summary {
                layer: id,
                objects: entries,
                frames: rows.len() as u64,
                raw_bytes: stream,
                stored_bytes: stored + index.bytes + refs.bytes + manifest.len() as u64,
                layers: count,
                unchanged: false,
            },
        })
    }
}

/// The plan's entries, by rank and by id.
struct Objects {
    plan: Arc<PlanFile>,
    opened: Opened,
    /// The rank of each object, [`NONE`] for those that are not in the pack.
    ranks: Vec<u32>,
}

/// How many entries of the plan are read at a time.
const CHUNK: u32 = 4096;

impl Objects {
    fn read(plan: Arc<PlanFile>, opened: Opened) -> Result<Self, CreateError> {
        let mut ranks = vec![NONE; opened.catalog.len() as usize];
        let mut rank = 0;
        while rank < plan.summary.entries {
            for entry in plan.entries(rank..rank.saturating_add(CHUNK))? {
                let slot = ranks.get_mut(entry.id as usize).ok_or(
                    crate::pack::plan::PlanError::Damaged("it names unknown objects"),
                )?;
                *slot = rank;
                rank += 1;
            }
        }
        Ok(Self {
            plan,
            opened,
            ranks,
        })
    }

    fn oid(&self, id: u32) -> ObjectId {
        ObjectId::Sha1(self.opened.catalog.oid(&self.opened.sources, id))
    }
}

impl IndexSource for Objects {
    fn len(&self) -> u32 {
        self.plan.summary.entries
    }

    fn objects(&self) -> io::Result<impl Iterator<Item = io::Result<(ObjectId, u32)>>> {
        let included = (0..).zip(&self.ranks).filter(|(_, rank)| **rank != NONE);
        Ok(included.map(|(id, rank)| Ok((self.oid(id), *rank))))
    }

    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
        let step = CHUNK as usize;
        let chunks = (0..self.plan.summary.entries)
            .step_by(step)
            .map(move |first| {
                let entries = self.plan.entries(first..first.saturating_add(CHUNK));
                (first, entries.map_err(io::Error::other))
            });
        Ok(chunks.flat_map(move |(first, entries)| {
            let (entries, failed) = match entries {
                Ok(entries) => (entries, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            let entries = (first..).zip(entries).map(move |(rank, entry)| {
                let kind = Kind::from_number(entry.kind)
                    .ok_or_else(|| io::Error::other("the plan names an unknown kind"))?;
                Ok(Entry {
                    kind,
                    size: self.plan.size_of(rank, &entry),
                    base: match entry.base {
                        0 => Base::Whole,
                        PlannedEntry::EXTERNAL => {
                            let base = self.plan.external(rank);
                            let base = base.filter(|id| (*id as usize) < self.ranks.len());
                            let base = base.ok_or_else(|| {
                                io::Error::other("the plan lacks a base in an older layer")
                            })?;
                            Base::External(self.oid(base))
                        }
                        base => Base::Distance(base - 1),
                    },
                })
            });
            failed.into_iter().chain(entries)
        }))
    }
}
