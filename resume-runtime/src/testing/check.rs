//! The runs of a check, and what each of them proves.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::case::Case;
use super::disk::Cut;
use super::finding::{Fault, Finding, Point};
use super::outcome;
use super::strikes::{Limits, Pacing, Strike};
use super::trial::{Bench, Broken, Counted, Ran};
use crate::faults::Moment;
use crate::resumable::Resumable;

/// Runs with more commits than this yield less often.
const COMMITS: u64 = 1_000;
/// A first run that asks more often than this whether to yield never ends.
const QUESTIONS: u64 = 2_000_000;
/// How many runs yield by chance.
const CHANCES: u64 = 2;

/// What a check has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Runs from the start to the end.
    pub runs: u64,
    /// Commits of a run whose steps yield whenever they can.
    pub commits: u64,
    /// How often steps asked whether to yield, in an undisturbed run.
    pub questions: u64,
    /// Files and directories synced in a run.
    pub syncs: u64,
    /// Writes to files in a run.
    pub writes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs; {} commits, {} syncs, {} writes, {} questions a run",
            self.runs, self.commits, self.syncs, self.writes, self.questions
        )
    }
}

pub(super) async fn check<M: Resumable>(case: &Case<M>) -> Result<Report, Finding> {
    let (mut check, known) = Check::begin(case).await?;
    check.crashes(&known).await?;
    check.many_crashes(&known).await?;
    check.pauses(&known).await?;
    check.faults(&known).await?;
    Ok(check.report)
}

pub(super) struct Check<'c, M: Resumable> {
    pub(super) bench: Bench<'c, M>,
    pub(super) report: Report,
    rng: fastrand::Rng,
}

/// What is known once the undisturbed runs are done.
pub(super) struct Known {
    pub(super) base: Ran,
    /// How disturbed runs yield, and what one without a disturbance counts.
    pub(super) pacing: Pacing,
    pub(super) counts: Counted,
    limits: Limits,
}

fn every(base: Counted) -> Pacing {
    Pacing::Every(base.questions.div_ceil(COMMITS).max(1))
}

fn limits(base: Counted) -> Limits {
    Limits {
        questions: base.questions * 100 + 100_000,
        commits: base.questions * 20 + 10_000,
    }
}

impl<'c, M: Resumable> Check<'c, M> {
    /// The runs without a disturbance.
    pub(super) async fn begin(case: &'c Case<M>) -> Result<(Self, Known), Finding> {
        let mut check = Self {
            bench: Bench::new(case)?,
            report: Report::default(),
            rng: fastrand::Rng::with_seed(case.seed),
        };
        let base = check.undisturbed().await?;
        check.report.questions = base.counts.questions;
        let yielding = check.yielding(&base).await?;
        check.report.commits = yielding.counts.commits;
        check.report.syncs = yielding.counts.syncs;
        check.report.writes = yielding.counts.writes;
        let known = Known {
            pacing: every(base.counts),
            limits: limits(base.counts),
            counts: yielding.counts,
            base,
        };
        Ok((check, known))
    }

    async fn run(
        &mut self,
        pacing: Pacing,
        strikes: &[Strike],
        limits: Limits,
    ) -> Result<Ran, Broken> {
        self.report.runs += 1;
        self.bench.run(pacing, strikes, limits).await
    }

    /// Two runs without any disturbance, and what is on disk after one.
    async fn undisturbed(&mut self) -> Result<Ran, Finding> {
        let limits = Limits {
            questions: QUESTIONS,
            commits: QUESTIONS,
        };
        let during = "the undisturbed run";
        let first = self.run(Pacing::Rarely, &[], limits).await;
        let first = first.map_err(|b| broken(b, during, |error| Finding::Fails { error }))?;
        next_second().await;
        let second = self.run(Pacing::Rarely, &[], limits).await;
        let second = second.map_err(|b| {
            broken(b, during, |error| Finding::NotDeterministic {
                difference: format!("the second one fails: {error}"),
            })
        })?;
        let mut differs = second.outcome.difference(&first.outcome);
        if !self.bench.case.states_may_differ {
            let (found, expected) = (&second.committed, &first.committed);
            differs = differs.or_else(|| outcome::difference("what is committed", found, expected));
        }
        if let Some(difference) = differs {
            return Err(Finding::NotDeterministic { difference });
        }
        durable(&first)?;
        Ok(first)
    }

    /// Runs whose steps yield: whenever they can, and by chance.
    async fn yielding(&mut self, base: &Ran) -> Result<Ran, Finding> {
        let (every, limits) = (every(base.counts), limits(base.counts));
        // By chance first: a step that moves on only while nobody asks shows more
        // of itself when some slices are long.
        let mut pacings: Vec<_> = (0..CHANCES).map(|_| self.sometimes(every)).collect();
        pacings.push(every);
        let mut last = None;
        for pacing in pacings {
            let ran = self.run(pacing, &[], limits).await.map_err(|b| {
                broken(b, "a run whose steps yield", |error| {
                    Finding::FailsWhenYielding { error }
                })
            })?;
            if let Some(difference) = ran.outcome.difference(&base.outcome) {
                return Err(Finding::DiffersWhenYielding { difference });
            }
            durable(&ran)?;
            worked_once(&ran, base, || "yielding".into())?;
            last = Some(ran);
        }
        last.ok_or_else(|| Finding::Harness {
            error: "no run".into(),
        })
    }

    /// One crash a run: first those that leave the disk as it was, then power
    /// cuts.
    async fn crashes(&mut self, known: &Known) -> Result<(), Finding> {
        for cut in [Cut::Kept, Cut::Lost, Cut::Torn] {
            for moment in [Moment::After, Moment::Before] {
                for n in self.sample(known.counts.commits) {
                    self.crash(known, known.pacing, Point::Commit(n, moment), cut)
                        .await?;
                }
            }
            for n in self.sample(known.counts.syncs) {
                self.crash(known, known.pacing, Point::Sync(n), cut).await?;
            }
        }
        for n in self.sample(known.counts.transactions) {
            let cut = self.any_cut();
            self.crash(known, known.pacing, Point::Transaction(n), cut)
                .await?;
        }
        // Longer slices, which lose more.
        for _ in 0..self.bench.case.points {
            let pacing = self.sometimes(known.pacing);
            let n = self.rng.u64(1..=(known.counts.commits / 3).max(1));
            let moment = self.any_moment();
            let cut = self.any_cut();
            self.crash(known, pacing, Point::Commit(n, moment), cut)
                .await?;
        }
        Ok(())
    }

    async fn crash(
        &mut self,
        known: &Known,
        pacing: Pacing,
        point: Point,
        cut: Cut,
    ) -> Result<(), Finding> {
        let ran = self
            .run(pacing, &[Strike::Crash(point, cut)], known.limits)
            .await;
        let after = || format!("a crash {point}");
        let ran = ran.map_err(|b| {
            broken(b, &format!("a run with a crash {point}"), |error| {
                Finding::FailsAfterCrash { point, cut, error }
            })
        })?;
        if let Some(difference) = ran.outcome.difference(&known.base.outcome) {
            return Err(Finding::DiffersAfterCrash {
                point,
                cut,
                difference,
            });
        }
        durable(&ran)?;
        worked_once(&ran, &known.base, after)
    }

    /// Several crashes a run.
    async fn many_crashes(&mut self, known: &Known) -> Result<(), Finding> {
        let mut plans: Vec<Vec<Strike>> = Vec::new();
        // Killed, then the power goes once the same commit is made.
        for n in self.sample(known.counts.commits) {
            plans.push(vec![
                Strike::Crash(Point::Commit(n, Moment::Before), Cut::Kept),
                Strike::Crash(Point::Commit(n, Moment::After), Cut::Lost),
            ]);
        }
        for cut in [Some(Cut::Kept), Some(Cut::Lost), None] {
            let mut plan = Vec::new();
            for n in 1..=known.counts.commits.min(COMMITS) {
                for moment in [Moment::Before, Moment::After] {
                    let cut = cut.unwrap_or_else(|| self.any_cut());
                    plan.push(Strike::Crash(Point::Commit(n, moment), cut));
                }
            }
            plans.push(plan);
        }
        for plan in plans {
            let ran = self.run(known.pacing, &plan, known.limits).await;
            let ran = ran.map_err(|b| {
                broken(b, "a run with many crashes", |error| {
                    Finding::FailsAfterCrashes { error }
                })
            })?;
            if let Some(difference) = ran.outcome.difference(&known.base.outcome) {
                return Err(Finding::DiffersAfterCrashes { difference });
            }
            durable(&ran)?;
            worked_once(&ran, &known.base, || "many crashes".into())?;
        }
        Ok(())
    }

    /// A pause at each question.
    async fn pauses(&mut self, known: &Known) -> Result<(), Finding> {
        for pacing in [Pacing::Rarely, known.pacing] {
            for question in self.sample(known.base.counts.questions) {
                let ran = self
                    .run(pacing, &[Strike::Pause(question)], known.limits)
                    .await;
                let ran = ran.map_err(|b| {
                    broken(b, "a run with a pause", |error| Finding::FailsAfterPause {
                        question,
                        error,
                    })
                })?;
                if let Some(difference) = ran.outcome.difference(&known.base.outcome) {
                    return Err(Finding::DiffersAfterPause {
                        question,
                        difference,
                    });
                }
                durable(&ran)?;
                worked_once(&ran, &known.base, || {
                    format!("a pause at question {question}")
                })?;
            }
        }
        Ok(())
    }

    /// Syncs, writes, transactions and commits that fail once.
    async fn faults(&mut self, known: &Known) -> Result<(), Finding> {
        let counts = known.counts;
        let mut faults: Vec<Fault> = Vec::new();
        faults.extend(self.sample(counts.commits).map(Fault::RolledBack));
        faults.extend(self.sample(counts.syncs).map(Fault::SyncFailed));
        faults.extend(self.sample(counts.syncs).map(Fault::SyncTimedOut));
        faults.extend(self.sample(counts.writes).map(Fault::DiskFull));
        faults.extend(
            self.sample(counts.transactions)
                .map(Fault::TransactionFailed),
        );
        for fault in faults {
            let ran = self
                .run(known.pacing, &[Strike::Fault(fault)], known.limits)
                .await;
            let ran = ran.map_err(|b| {
                broken(b, &format!("a run in which {fault}"), |error| {
                    Finding::FailsAfterFault { fault, error }
                })
            })?;
            if let Some(difference) = ran.outcome.difference(&known.base.outcome) {
                return Err(Finding::DiffersAfterFault { fault, difference });
            }
            durable(&ran)?;
            worked_once(&ran, &known.base, || fault.to_string())?;
        }
        Ok(())
    }

    /// Numbers from 1 to `last`: all of them, or as many as the case allows, the
    /// first and the last among them.
    pub(super) fn sample(&mut self, last: u64) -> impl Iterator<Item = u64> + use<M> {
        let most = self.bench.case.points as u64;
        let mut chosen = std::collections::BTreeSet::new();
        if last <= most {
            chosen.extend(1..=last);
        } else {
            chosen.extend([1, last]);
            while (chosen.len() as u64) < most {
                chosen.insert(self.rng.u64(1..=last));
            }
        }
        chosen.into_iter()
    }

    /// Yields by chance, a third as often.
    fn sometimes(&mut self, than: Pacing) -> Pacing {
        let stride = match than {
            Pacing::Every(stride) => stride,
            Pacing::Rarely | Pacing::Sometimes { .. } => 1,
        };
        Pacing::Sometimes {
            seed: self.rng.u64(..),
            in_all: stride * 3,
        }
    }

    fn any_cut(&mut self) -> Cut {
        [Cut::Kept, Cut::Lost, Cut::Torn][self.rng.usize(0..3)]
    }

    fn any_moment(&mut self) -> Moment {
        [Moment::Before, Moment::After][self.rng.usize(0..2)]
    }
}

/// A run without a result, as a finding.
fn broken(broken: Broken, during: &str, failed: impl FnOnce(String) -> Finding) -> Finding {
    match broken {
        Broken::Failed(error) => failed(error),
        Broken::ForEver => Finding::RunsForEver {
            during: during.to_owned(),
        },
        Broken::Harness(error) => Finding::Harness { error },
    }
}

/// What is done must be on disk.
fn durable(ran: &Ran) -> Result<(), Finding> {
    match ran.after_cut.difference(&ran.outcome) {
        Some(difference) => Err(Finding::DiffersAfterCrash {
            point: Point::Commit(ran.counts.commits, Moment::After),
            cut: Cut::Lost,
            difference,
        }),
        None => Ok(()),
    }
}

/// What was committed must not be done again.
fn worked_once(ran: &Ran, base: &Ran, after: impl FnOnce() -> String) -> Result<(), Finding> {
    if ran.work > base.work {
        return Err(Finding::WorksTwice {
            after: after(),
            counted: ran.work,
            needed: base.work,
        });
    }
    Ok(())
}

/// Waits for the clock's next second, so that a time in seconds differs too.
async fn next_second() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let left = 1_000 - u64::from(now.subsec_millis());
    tokio::time::sleep(std::time::Duration::from_millis(left)).await;
}
