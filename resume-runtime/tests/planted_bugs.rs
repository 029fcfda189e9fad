//! The crash harness held against machines with a bug planted in each, and
//! against the same machines without it.
#![allow(missing_docs, reason = "a test's machines explain themselves")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use resume_runtime::testing::{Case, Cut, Fault, Finding, Moment, Point, Report};
use resume_runtime::{
    Classify as _, Context, Resumable, Step, StepResult, Table, Transition, path_text,
};
use serde::{Deserialize, Serialize};

const ITEMS: u64 = 12;
const SQUARES: Table<u64, u64> = Table::new("squares");
const PART: &str = "result.part";

#[derive(Serialize, Deserialize)]
struct Input {
    /// Whether the bug is there.
    bug: bool,
    #[serde(with = "path_text")]
    dir: PathBuf,
}

fn input(bug: bool) -> impl Fn(&Path) -> Input + Send + Sync + 'static {
    move |scratch| Input {
        bug,
        dir: scratch.to_owned(),
    }
}

/// The finding on the machine with the bug, after the one without it has passed.
async fn found<M: Resumable<Input = Input>>() -> Finding
where
    M::Env: Default,
{
    let report: Report = Case::<M>::new(input(false)).check().await;
    assert!(report.runs > 20 && report.commits > 2, "{report}");
    Case::<M>::new(input(true)).try_check().await.unwrap_err()
}

/// Rows wait in a local value, while the cursor that is stored has passed them.
mod state_ahead_of_a_table {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "ahead", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Fill(Fill),
        #[step]
        Sum(Sum),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Fill {
        next: u64,
    }

    impl Step<Machine> for Fill {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let mut batch: Vec<u64> = cx.take_local().unwrap_or_default();
            while self.next < ITEMS {
                batch.push(self.next);
                self.next += 1;
                let stop = cx.should_yield();
                if batch.len() == 4 || (stop && !cx.input().bug) {
                    put(cx, &mut batch)?;
                }
                if stop {
                    cx.keep_local(batch);
                    return Transition::to(self);
                }
            }
            put(cx, &mut batch)?;
            Transition::to(Sum {})
        }
    }

    fn put(
        cx: &mut Context<'_, Machine>,
        batch: &mut Vec<u64>,
    ) -> Result<(), resume_runtime::StepError> {
        for n in batch.drain(..) {
            cx.put(&SQUARES, &n, &(n * n))?;
        }
        Ok(())
    }

    #[derive(Serialize, Deserialize)]
    struct Sum {}

    impl Step<Machine> for Sum {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let rows = cx.page(&SQUARES, None, 100).await?;
            Transition::done(rows.iter().map(|(_, square)| square).sum())
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::DiffersAfterCrash {
                    point: Point::Commit(_, Moment::After),
                    cut: Cut::Kept,
                    ..
                }
            ),
            "{finding}"
        );
        assert!(finding.to_string().contains("local value"), "{finding}");
    }
}

/// Parts are written with `std::fs`, and nobody puts them on disk.
mod an_unsynced_file {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "unsynced", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Write(Write),
        #[step]
        Join(Join),
        #[step(effect)]
        Install(Install),
    }

    fn part(dir: &Path, n: u64) -> PathBuf {
        dir.join(format!("part-{n}"))
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Write {
        next: u64,
    }

    impl Step<Machine> for Write {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS {
                let path = part(&cx.input().dir, self.next);
                std::fs::write(&path, format!("part {}\n", self.next))?;
                if !cx.input().bug {
                    cx.sync(&path).await?;
                }
                self.next += 1;
                if cx.should_yield() {
                    return Transition::to(self);
                }
            }
            Transition::to(Join::default())
        }
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Join {
        next: u64,
    }

    impl Step<Machine> for Join {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS {
                let text = std::fs::read(part(&cx.input().dir, self.next))?;
                cx.append_file(PART).await?.write_all(&text).await?;
                self.next += 1;
                if cx.should_yield() {
                    return Transition::to(self);
                }
            }
            Transition::to(Install {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Install {}

    impl Step<Machine> for Install {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let dir = &cx.input().dir;
            cx.install(PART, &dir.join("result")).await?;
            for n in 0..ITEMS {
                match std::fs::remove_file(part(dir, n)) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
                    _ => {}
                }
            }
            cx.sync(dir).await?;
            Transition::done(ITEMS)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::DiffersAfterCrash { cut: Cut::Lost, .. }
                    | Finding::FailsAfterCrash { cut: Cut::Lost, .. }
            ),
            "{finding}"
        );
        assert!(finding.to_string().contains("call `sync`"), "{finding}");
    }
}

/// An effect adds a line to a log that others keep, without looking whether it
/// is there.
mod an_effect_that_cannot_be_repeated {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "effect", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Prepare(Prepare),
        #[step(effect)]
        Announce(Announce),
        #[step]
        Finish(Finish),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Prepare {}

    impl Step<Machine> for Prepare {
        async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
            Transition::to(Announce {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Announce {}

    impl Step<Machine> for Announce {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let log = cx.input().dir.join("log");
            let line = format!("{} is ready\n", cx.id());
            let mut text = std::fs::read_to_string(&log).unwrap_or_default();
            if cx.input().bug || !text.contains(&line) {
                text.push_str(&line);
                let new = log.with_extension("new");
                std::fs::write(&new, text)?;
                cx.sync(&new).await?;
                std::fs::rename(&new, &log)?;
            }
            cx.sync(&log).await?;
            Transition::to(Finish {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Finish {}

    impl Step<Machine> for Finish {
        async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
            Transition::done(1)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::DiffersAfterCrash {
                    point: Point::Commit(_, Moment::Before),
                    cut: Cut::Kept,
                    ..
                }
            ),
            "{finding}"
        );
        assert!(finding.to_string().contains("cannot do twice"), "{finding}");
    }
}

/// A name is made out of a random number, and stored.
mod a_random_number_in_the_state {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "random", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Choose(Choose),
        #[step]
        Write(Write),
        #[step(effect)]
        Install(Install),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Choose {}

    impl Step<Machine> for Choose {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let seed = if cx.input().bug {
                fastrand::u64(..)
            } else {
                ITEMS
            };
            Transition::to(Write { seed })
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Write {
        seed: u64,
    }

    impl Step<Machine> for Write {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let mut part = cx.append_file(PART).await?;
            part.write_all(&self.seed.to_be_bytes()).await?;
            Transition::to(Install {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Install {}

    impl Step<Machine> for Install {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            cx.install(PART, &cx.input().dir.join("result")).await?;
            Transition::done(0)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(finding, Finding::NotDeterministic { .. }),
            "{finding}"
        );
    }
}

/// The time of day, in seconds, gets into the output.
mod a_clock_in_the_state {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "clock", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Look(Look),
        #[step]
        Tell(Tell),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Look {}

    impl Step<Machine> for Look {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .or_fatal()?;
            let at = if cx.input().bug { now.as_secs() } else { 0 };
            Transition::to(Tell { at })
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Tell {
        at: u64,
    }

    impl Step<Machine> for Tell {
        async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
            Transition::done(self.at)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let case = Case::<Machine>::new(input(false));
        case.check().await;
        let finding = Case::<Machine>::new(input(true)).try_check().await;
        let finding = finding.unwrap_err();
        assert!(
            matches!(finding, Finding::NotDeterministic { .. }),
            "{finding}"
        );
    }
}

/// The step that installs a file opens it first: when it is repeated, the file
/// is no longer there.
mod a_file_reopened_after_install {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "reopened", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Write(Write),
        #[step(effect)]
        Install(Install),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Write {
        next: u64,
    }

    impl Step<Machine> for Write {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS {
                let line = format!("line {}\n", self.next);
                cx.append_file(PART)
                    .await?
                    .write_all(line.as_bytes())
                    .await?;
                self.next += 1;
                if cx.should_yield() {
                    return Transition::to(self);
                }
            }
            let len = cx.append_file(PART).await?.len();
            Transition::to(Install { len })
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Install {
        len: u64,
    }

    impl Step<Machine> for Install {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let len = if cx.input().bug {
                cx.append_file(PART).await?.len()
            } else {
                self.len
            };
            cx.install(PART, &cx.input().dir.join("result")).await?;
            Transition::done(len)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::FailsAfterCrash {
                    point: Point::Commit(_, Moment::Before),
                    cut: Cut::Kept,
                    ..
                }
            ),
            "{finding}"
        );
        assert!(
            finding.to_string().contains("after its install"),
            "{finding}"
        );
    }
}

/// A running sum lives in a local value, and starts again from nothing where
/// that is gone.
mod a_local_value_trusted_after_a_rollback {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "local", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Add(Add),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Add {
        next: u64,
    }

    impl Step<Machine> for Add {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            let mut sum: u64 = match cx.take_local() {
                Some(sum) => sum,
                None if cx.input().bug => u64::default(),
                None => (0..self.next).sum(),
            };
            while self.next < ITEMS {
                sum += self.next;
                self.next += 1;
                if cx.should_yield() {
                    cx.keep_local(sum);
                    return Transition::to(self);
                }
            }
            Transition::done(sum)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::DiffersAfterCrash {
                    point: Point::Commit(_, Moment::After),
                    cut: Cut::Kept,
                    ..
                }
            ),
            "{finding}"
        );
        assert!(finding.to_string().contains("`take_local`"), "{finding}");
    }
}

/// The cursor moves before the work, and a slice may end between the two.
mod a_cursor_advanced_too_early {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "early", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Fill(Fill),
        #[step]
        Count(Count),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Fill {
        next: u64,
    }

    impl Step<Machine> for Fill {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS {
                let n = self.next;
                if cx.input().bug {
                    self.next += 1;
                    if cx.should_yield() {
                        return Transition::to(self);
                    }
                    cx.put(&SQUARES, &n, &(n * n))?;
                } else {
                    cx.put(&SQUARES, &n, &(n * n))?;
                    self.next += 1;
                    if cx.should_yield() {
                        return Transition::to(self);
                    }
                }
            }
            Transition::to(Count {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Count {}

    impl Step<Machine> for Count {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            Transition::done(cx.page(&SQUARES, None, 100).await?.len() as u64)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(finding, Finding::DiffersWhenYielding { .. }),
            "{finding}"
        );
    }
}

/// The cursor moves after the slice may have ended.
mod a_cursor_advanced_too_late {
    use super::*;

    #[derive(Resumable)]
    #[resumable(kind = "late", version = 1, input = Input, output = u64)]
    enum Machine {
        #[step(start)]
        Write(Write),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Write {
        next: u64,
    }

    impl Step<Machine> for Write {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS {
                cx.append_file(PART).await?.write_all(b"line\n").await?;
                if cx.input().bug {
                    if cx.should_yield() {
                        return Transition::to(self);
                    }
                    self.next += 1;
                } else {
                    self.next += 1;
                    if cx.should_yield() {
                        return Transition::to(self);
                    }
                }
            }
            Transition::done(cx.append_file(PART).await?.len())
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(finding, Finding::DiffersWhenYielding { .. }),
            "{finding}"
        );
    }
}

/// A set in the env says what was put, also where that was rolled back.
mod an_env_trusted_after_a_rollback {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Mutex, PoisonError};

    #[derive(Resumable)]
    #[resumable(kind = "env", version = 1, input = Input, output = u64, env = Mutex<HashSet<u64>>)]
    enum Machine {
        #[step(start)]
        Fill(Fill),
        #[step]
        Count(Count),
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Fill {
        next: u64,
    }

    impl Step<Machine> for Fill {
        async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            while self.next < ITEMS * 2 {
                let n = self.next / 2;
                let mut put = cx.env().lock().unwrap_or_else(PoisonError::into_inner);
                let new = put.insert(n);
                drop(put);
                if new || !cx.input().bug {
                    cx.put(&SQUARES, &n, &(n * n))?;
                }
                self.next += 1;
                if cx.should_yield() {
                    return Transition::to(self);
                }
            }
            Transition::to(Count {})
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Count {}

    impl Step<Machine> for Count {
        async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
            Transition::done(cx.page(&SQUARES, None, 100).await?.len() as u64)
        }
    }

    #[tokio::test]
    async fn is_found() {
        let finding = found::<Machine>().await;
        assert!(
            matches!(
                finding,
                Finding::DiffersAfterFault {
                    fault: Fault::RolledBack(_),
                    ..
                }
            ),
            "{finding}"
        );
    }
}
