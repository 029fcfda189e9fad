//! Writes the Git pack, and then its index.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::encode::Units;
use super::super::machine::{Plan, Restore, own_dir};
use super::super::writer::{PackWriter, read_table};
use super::super::{Source, idx};
use super::publish;

pub(in super::super) const PACK: &str = "restore.pack";
const TABLE: &str = "restore.table";
pub(in super::super) const INDEX: &str = "restore.idx";

/// The state of writing the pack.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entries {
    pub(in super::super) plan: Plan,
    /// The unit to come next; all before it are in the pack.
    pub(in super::super) unit: usize,
}

/// The state of writing the pack's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    plan: Plan,
    checksum: String,
}

/// What lives from slice to slice: threads that work ahead, and the running state of the pack.
struct Work {
    units: Units,
    writer: PackWriter,
}

impl Step<Restore> for Entries {
    async fn run(mut self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let dir = own_dir(b);
            let mut work = match b.take_local() {
                Some(work) => work,
                None => self.open(b, &source)?,
            };
            let mut bytes = source.bytes_before(self.unit);
            let total = (u64::from(source.objects()), source.stream_bytes());
            while let Some(encoded) = work.units.next_unit() {
                let encoded = encoded?;
                let interrupt = Arc::clone(b.interrupt());
                let interrupted = || interrupt.load(Ordering::Relaxed);
                let mut pack = b.append_file_in(&dir, PACK)?;
                let rows = work
                    .writer
                    .append(&source, &encoded, &mut pack, &interrupted)?;
                b.append_file_in(&dir, TABLE)?.append(&rows)?;
                #[cfg(test)]
                b.env().count_unit();
                self.unit += 1;
                bytes += source.unit(encoded.unit).1.bytes;
                b.report(work.writer.entries() as u64, Some(total.0));
                b.report_bytes(bytes, Some(total.1));
                if b.should_yield() && self.unit < source.units() {
                    b.keep_local(work);
                    return Transition::to(self);
                }
            }
            let checksum = work.writer.finish(&mut b.append_file_in(&dir, PACK)?)?;
            Transition::to(Index {
                plan: self.plan,
                checksum: checksum.to_string(),
            })
        })
        .await
    }
}

impl Entries {
    fn open(&self, b: &mut Blocking<Restore>, source: &Arc<Source>) -> Result<Work, StepError> {
        let dir = own_dir(b);
        let mut pack = b.append_file_in(&dir, PACK)?;
        let writer = if pack.len() == 0 {
            PackWriter::begin(source.objects(), &mut pack)?
        } else {
            let pack = b.read_file(PACK)?;
            PackWriter::resume(source.first_rank(self.unit), pack, b.read_file(TABLE)?)?
        };
        Ok(Work {
            units: Units::start(source, self.unit, b.env().threads()),
            writer,
        })
    }
}

impl Step<Restore> for Index {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let checksum = ObjectId::from_hex(self.checksum.as_bytes());
            let checksum =
                checksum.map_err(|_| StepError::fatal("the pack's checksum can't be read"))?;
            let rows = read_table(b.read_file(TABLE)?)?;
            let dir = own_dir(b);
            idx::write(
                &mut b.append_file_in(&dir, INDEX)?,
                &source,
                &rows,
                checksum,
            )?;
            publish(b.input(), self.plan, Some(self.checksum))
        })
        .await
    }
}
