//! Making the frames.

use std::time::Duration;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    Create, CreateError,
    course::Course,
    index::Index,
    open::{self, Opened},
    threads,
};
use crate::{
    compress::ZstdSettings,
    pack::{
        encode::{Frame, Pipeline},
        format::{Digest, FrameRow, MAX_FRAME_FILE, frame_file_name},
        plan::PlanSummary,
    },
};

/// How long a frame is waited for before the pause flag is looked at again.
const PATIENCE: Duration = Duration::from_millis(20);

/// How far the frames are.
#[derive(Debug, Serialize, Deserialize)]
pub struct Frames {
    #[serde(flatten)]
    course: Course,
    plan: Plan,
    /// The next frame.
    next: u32,
    /// The frame file that is written, and its length.
    file: u32,
    length: u64,
    /// Entries and bytes of the stream that are done.
    entries: u64,
    raw: u64,
}

/// What the plan amounts to, for the progress.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) entries: u32,
    pub(super) frames: u32,
    pub(super) stream: u64,
}

pub(super) fn file_name(number: u32) -> String {
    frame_file_name(number)
}

impl Frames {
    pub(super) const fn new(course: Course, plan: PlanSummary) -> Self {
        Self {
            course,
            plan: Plan {
                entries: plan.entries,
                frames: plan.frames,
                stream: plan.stream,
            },
            next: 0,
            file: 0,
            length: 0,
            entries: 0,
            raw: 0,
        }
    }
}

impl Step<Create> for Frames {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Frames {
    fn slice(mut self, b: &mut Blocking<Create>) -> StepResult<Create> {
        self.report(b);
        if self.next == self.plan.frames {
            return Transition::to(Index::new(self.course, self.plan));
        }
        let (mut pipeline, mut opened) = match self.open(b)? {
            Ok(open) => open,
            Err(error) => return open::recover(b, error, self.course, self.files()),
        };
        while self.next < self.plan.frames {
            #[cfg(test)]
            b.env().at(&format!("frame {}", self.next));
            match pipeline.next(PATIENCE) {
                Ok(Some(frame)) => {
                    self.append(b, &frame)?;
                    #[cfg(test)]
                    b.env().at("made");
                }
                Ok(None) => {}
                Err(error) => {
                    return open::recover(b, error.into(), self.course, self.files());
                }
            }
            self.report(b);
            if b.should_yield() {
                opened.pipeline = Some(pipeline);
                b.keep_local(opened);
                return Transition::to(self);
            }
        }
        b.keep_local(opened);
        Transition::to(Index::new(self.course, self.plan))
    }

    /// The threads at work, taken over from the last slice or started.
    fn open(
        &self,
        b: &mut Blocking<Create>,
    ) -> Result<Result<(Pipeline, Opened), CreateError>, StepError> {
        let mut opened = match open::opened(b)? {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let pipeline = if let Some(pipeline) = opened.pipeline.take() {
            pipeline
        } else {
            let (plan, threads) = (open::plan(b)?, threads(b));
            let (sources, catalog) = (&opened.sources, &opened.catalog);
            let zstd = if b.input().small {
                ZstdSettings::SMALL
            } else {
                ZstdSettings::USUAL
            };
            Pipeline::start(&plan, sources, catalog, zstd, self.next, threads)
        };
        Ok(Ok((pipeline, opened)))
    }

    fn append(&mut self, b: &mut Blocking<Create>, frame: &Frame) -> Result<(), StepError> {
        let stored = frame.stored.len() as u64;
        if self.length + stored > MAX_FRAME_FILE {
            self.file += 1;
            self.length = 0;
        }
        let row = FrameRow {
            file: self.file,
            offset: self.length,
            stored: u32::try_from(stored).map_err(StepError::fatal)?,
            raw: frame.raw,
            blake3: Digest(frame.blake3),
        };
        let work = b.input().work(b.id());
        b.append_file_in(&work, &file_name(self.file))?
            .append(&frame.stored)?;
        b.append_file(open::FRAME_TABLE)?
            .append(&encode_row(&row))?;
        self.length += stored;
        self.next += 1;
        self.entries += u64::from(frame.entries);
        self.raw += u64::from(frame.raw);
        Ok(())
    }

    /// How many frame files there may be.
    const fn files(&self) -> u32 {
        if self.next == 0 { 0 } else { self.file + 1 }
    }

    fn report(&self, b: &Blocking<Create>) {
        b.report(self.entries, Some(u64::from(self.plan.entries)));
        b.report_bytes(self.raw, Some(self.plan.stream));
    }
}

const ROW_LEN: usize = 52;

fn encode_row(row: &FrameRow) -> [u8; ROW_LEN] {
    let mut out = [0; ROW_LEN];
    out[..4].copy_from_slice(&row.file.to_le_bytes());
    out[4..12].copy_from_slice(&row.offset.to_le_bytes());
    out[12..16].copy_from_slice(&row.stored.to_le_bytes());
    out[16..20].copy_from_slice(&row.raw.to_le_bytes());
    out[20..].copy_from_slice(&row.blake3.0);
    out
}

/// The rows of the frame table.
pub(super) fn decode_rows(bytes: &[u8]) -> Vec<FrameRow> {
    let (rows, _) = bytes.as_chunks::<ROW_LEN>();
    let u32_at = |row: &[u8; ROW_LEN], at| u32::from_le_bytes(std::array::from_fn(|i| row[at + i]));
    rows.iter()
        .map(|row| FrameRow {
            file: u32_at(row, 0),
            offset: u64::from_le_bytes(std::array::from_fn(|i| row[4 + i])),
            stored: u32_at(row, 12),
            raw: u32_at(row, 16),
            blake3: Digest(std::array::from_fn(|i| row[20 + i])),
        })
        .collect()
}
