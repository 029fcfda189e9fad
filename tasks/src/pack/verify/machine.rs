//! The operation: survey, then the units in slices, then the report.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use resume_runtime::{
    Blocking, Context, Resumable, Step, StepError, StepResult, Table, Transition, path_text,
};
use serde::{Deserialize, Serialize};

use super::absent::Absent;
use super::contents::{Checked, Opened, Units};
use super::report::LISTED;
use super::survey::{Plan, reopen, survey};
use super::{Damage, Report, VerifyError};

/// The machine's name in the records of operations.
pub const KIND: &str = "pack-verify";

/// What is wrong, in the order in which it was found.
const DAMAGES: Table<u64, Damage> = Table::new("damages");
/// References that find nothing, by what they look for.
const ABSENT: Table<String, Absent> = Table::new("absent");
/// Rows that are read at once.
const PAGE: usize = 200;

/// What to verify, and how thoroughly.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The pack directory, an absolute path.
    #[serde(with = "path_text")]
    pub pack: PathBuf,
    /// Whether to rebuild and hash every object, and to look for all that it refers to. Otherwise
    /// only checksums are compared.
    pub full: bool,
}

/// What a process needs to verify.
#[derive(Debug)]
pub struct Env {
    threads: usize,
    opened: Mutex<Option<Arc<Opened>>>,
    /// Counts the units that are checked.
    #[cfg(test)]
    units: Arc<std::sync::atomic::AtomicU64>,
}

impl Env {
    /// Verifies with so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            opened: Mutex::new(None),
            #[cfg(test)]
            units: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn counting(threads: usize, units: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self {
            units,
            ..Self::new(threads)
        }
    }

    fn keep(&self, opened: Option<Arc<Opened>>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = opened;
    }

    /// The opened layers of the plan; opened once in a process.
    fn opened(
        &self,
        pack: &Path,
        full: bool,
        plan: &Plan,
    ) -> Result<Option<Arc<Opened>>, VerifyError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            *opened = reopen(pack, full, plan)?;
        }
        Ok(opened.clone())
    }
}

/// Verifies a pack directory.
#[derive(Debug, Resumable)]
#[resumable(kind = "pack-verify", version = 1, input = Input, output = Report, env = Env)]
pub enum Verify {
    /// Looks at the directory, the manifest, indexes and refs.
    #[step(start)]
    Survey(Survey),
    /// Checks the frames, and the objects in them.
    #[step]
    Frames(Frames),
    /// Puts together what was found.
    #[step]
    Report(Conclude),
}

/// The first step's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Survey {}

/// The state of checking the frames.
#[derive(Debug, Serialize, Deserialize)]
pub struct Frames {
    plan: Plan,
    /// The unit to come next.
    unit: usize,
    /// The objects that are sound, among those before it.
    sound: u64,
    /// The objects that were looked at.
    objects: u64,
    /// The stored bytes that were read.
    bytes: u64,
    /// How many damages were found.
    found: u64,
}

/// The state of putting the report together.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conclude {
    plan: Plan,
    sound: u64,
}

impl Step<Verify> for Survey {
    async fn run(self, cx: &mut Context<'_, Verify>) -> StepResult<Verify> {
        cx.blocking(|b| {
            let input = Arc::clone(b.input());
            let survey = survey(&input.pack, input.full)?;
            let mut found = 0;
            for damage in survey.damages {
                b.put(&DAMAGES, &found, &damage)?;
                found += 1;
            }
            b.env().keep(survey.opened);
            Transition::to(Frames {
                plan: survey.plan,
                unit: 0,
                sound: 0,
                objects: 0,
                bytes: 0,
                found,
            })
        })
        .await
    }
}

impl Step<Verify> for Frames {
    async fn run(mut self, cx: &mut Context<'_, Verify>) -> StepResult<Verify> {
        cx.blocking(move |b| {
            let input = Arc::clone(b.input());
            let opened = b.env().opened(&input.pack, input.full, &self.plan)?;
            let Some(opened) = opened else {
                return Transition::to(self.conclude());
            };
            let total_bytes = stored_bytes(&opened);
            let total = u64::from(opened.source.objects());
            b.report(self.objects, Some(total));
            b.report_bytes(self.bytes, Some(total_bytes));
            let threads = b.env().threads;
            let mut units: Units = match b.take_local() {
                Some(units) => units,
                None => Units::start(&opened, self.unit, threads),
            };
            while let Some(checked) = units.next() {
                self.take(b, &opened, checked?)?;
                b.report(self.objects, Some(total));
                b.report_bytes(self.bytes, Some(total_bytes));
                if b.should_yield() && self.unit < opened.source.units() {
                    b.keep_local(units);
                    return Transition::to(self);
                }
            }
            Transition::to(self.conclude())
        })
        .await
    }
}

impl Frames {
    /// Takes in what was found in the next unit.
    fn take(
        &mut self,
        b: &mut Blocking<Verify>,
        opened: &Opened,
        checked: Checked,
    ) -> Result<(), StepError> {
        let (layer, group) = opened.source.unit(checked.unit);
        let frames = group.first_frame as usize..(group.first_frame + group.frames) as usize;
        let stored = layer.index().frames()[frames].iter();
        self.bytes += stored.map(|frame| u64::from(frame.stored)).sum::<u64>();
        self.objects += u64::from(group.entries);
        self.sound += checked.sound;
        self.unit = checked.unit + 1;
        for damage in checked.damages {
            b.put(&DAMAGES, &self.found, &damage)?;
            self.found += 1;
        }
        for reference in checked.absent {
            if b.get(&ABSENT, &reference.id)?.is_none() {
                b.put(&ABSENT, &reference.id, &reference)?;
            }
        }
        #[cfg(test)]
        b.env()
            .units
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    fn conclude(self) -> Conclude {
        Conclude {
            plan: self.plan,
            sound: self.sound,
        }
    }
}

impl Step<Verify> for Conclude {
    async fn run(self, cx: &mut Context<'_, Verify>) -> StepResult<Verify> {
        cx.blocking(move |b| {
            let mut report = self.plan.report(b.input().full);
            report.sound = self.sound;
            let mut after = None;
            loop {
                let page = b.page(&DAMAGES, after.as_ref(), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (_, damage) in page {
                    report.add(damage);
                }
            }
            let mut after = None;
            loop {
                let page = b.page(&ABSENT, after.as_ref(), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                for (_, reference) in page {
                    report.add(reference.damage());
                }
            }
            debug_assert!(report.damages.len() <= LISTED);
            Transition::done(report)
        })
        .await
    }
}

fn stored_bytes(opened: &Opened) -> u64 {
    let layers = opened.source.layers();
    layers
        .flat_map(|layer| layer.index().file_lengths())
        .sum::<u64>()
}
