//! A machine that uses all that the runtime offers, under the crash harness.
#![allow(missing_docs, reason = "a test's machine explains itself")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resume_runtime::testing::Case;
use resume_runtime::{
    Context, Resumable, Step, StepError, StepResult, Table, Transition, path_text,
};
use serde::{Deserialize, Serialize};

const FILES: u64 = 7;
/// Names to sizes; the names are longer than a stored key.
const NAMES: Table<String, u64> = Table::new("names");
const LEFT: Table<u64, ()> = Table::new("left");
const DRAFT: &str = "draft";
const LISTING: &str = "listing.part";
const LOG: &str = "log";

#[derive(Serialize, Deserialize)]
struct Input {
    #[serde(with = "path_text")]
    dir: PathBuf,
}

/// A server that refuses every eighth call of a process, the third first.
struct Server {
    calls: AtomicU64,
    served: Arc<AtomicU64>,
}

impl Server {
    fn size_of(&self, n: u64) -> Result<u64, StepError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) % 8 == 2 {
            return Err(StepError::transient("the server is busy"));
        }
        self.served.fetch_add(1, Ordering::SeqCst);
        Ok(n * 1_000)
    }
}

#[derive(Resumable)]
#[resumable(kind = "listing", version = 1, input = Input, output = u64, env = Server)]
enum Listing {
    #[step(start)]
    List(List),
    #[step]
    Ask(Ask),
    #[step]
    Draft(Draft),
    #[step]
    Confirm(Confirm),
    #[step]
    Write(Write),
    #[step(effect)]
    Install(Install),
    #[step(effect)]
    Announce(Announce),
}

fn name(n: u64) -> String {
    // Longer than what is stored of a key; some have the same beginning.
    format!("{}-{}{n}", "x".repeat(390), "y".repeat(10))
}

/// Fills tables, on a blocking thread.
#[derive(Default, Serialize, Deserialize)]
struct List {
    next: u64,
}

impl Step<Listing> for List {
    async fn run(self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        let next = self.next;
        let next = cx
            .blocking(move |b| {
                for n in next..FILES {
                    b.put(&LEFT, &n, &())?;
                    b.note(format!("listed {n}"));
                    if b.should_yield() {
                        return Ok(n + 1);
                    }
                }
                Ok(FILES)
            })
            .await?;
        if next < FILES {
            return Transition::to(List { next });
        }
        Transition::to(Ask { asked: 0 })
    }
}

/// Works a table off; keeps what it has when the server refuses, by turns with a
/// rollback.
#[derive(Default, Serialize, Deserialize)]
struct Ask {
    asked: u64,
}

impl Step<Listing> for Ask {
    async fn run(mut self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        while let Some((n, ())) = cx.next_after(&LEFT, None).await? {
            let Some(size) = cx.or_pause(async { cx_size(n) }).await else {
                return Transition::to(self);
            };
            let size = match cx.env().size_of(size) {
                Ok(size) => size,
                Err(error) if n % 2 == 0 => return Transition::retry(self, error),
                Err(error) => return Err(error),
            };
            cx.put(&NAMES, &name(n), &size)?;
            cx.remove(&LEFT, &n);
            self.asked += 1;
            cx.report(self.asked, Some(FILES));
            if cx.should_yield() {
                return Transition::to(self);
            }
        }
        Transition::to(Draft { drafts: 0, next: 0 })
    }
}

const fn cx_size(n: u64) -> u64 {
    n + 1
}

/// Writes a file twice: the first time it is thrown away.
#[derive(Serialize, Deserialize)]
struct Draft {
    drafts: u64,
    next: u64,
}

impl Step<Listing> for Draft {
    async fn run(mut self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        while self.drafts < 3 {
            if self.next == 0 {
                cx.append_file(DRAFT).await?.restart().await?;
            }
            while self.next < 3 {
                let line = format!("draft {} line {}\n", self.drafts, self.next);
                let mut file = cx.append_file(DRAFT).await?;
                file.write_all(line.as_bytes()).await?;
                self.next += 1;
                if cx.should_yield() {
                    return Transition::to(self);
                }
            }
            (self.drafts, self.next) = (self.drafts + 1, 0);
        }
        Transition::to(Confirm {})
    }
}

/// Waits until the user has put a file there.
#[derive(Serialize, Deserialize)]
struct Confirm {}

impl Step<Listing> for Confirm {
    async fn run(self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        if cx.input().dir.join("confirmed").exists() {
            return Transition::to(Write::default());
        }
        let error = StepError::needs_user("not confirmed", "make the file `confirmed`");
        Transition::wait(self, error)
    }
}

/// Writes the result beside its final name, and a log in the operation's own
/// folder. The sum is kept from slice to slice, and made anew where it is gone.
#[derive(Default, Serialize, Deserialize)]
struct Write {
    after: Option<String>,
}

impl Step<Listing> for Write {
    async fn run(mut self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        let dir = cx.input().dir.join("out/deep");
        let mut sum: u64 = match cx.take_local() {
            Some(sum) => sum,
            None => sum_up_to(cx, self.after.as_ref()).await?,
        };
        while let Some((name, size)) = cx.next_after(&NAMES, self.after.as_ref()).await? {
            let mut out = cx.append_file_in(&dir, LISTING).await?;
            out.write_all(format!("{size} {name}\n").as_bytes()).await?;
            sum += size;
            let line = format!("{sum}\n");
            cx.blocking(move |b| Ok(writeln!(b.append_file(LOG)?, "{}", line.trim())?))
                .await?;
            self.after = Some(name);
            if cx.should_yield() {
                cx.keep_local(sum);
                return Transition::to(self);
            }
        }
        Transition::to(Install { sum })
    }
}

async fn sum_up_to(cx: &mut Context<'_, Listing>, last: Option<&String>) -> Result<u64, StepError> {
    let mut sum = 0;
    let Some(last) = last else { return Ok(sum) };
    let mut after: Option<String> = None;
    while let Some((name, size)) = cx.next_after(&NAMES, after.as_ref()).await? {
        sum += size;
        if name == *last {
            break;
        }
        after = Some(name);
    }
    Ok(sum)
}

#[derive(Serialize, Deserialize)]
struct Install {
    sum: u64,
}

impl Step<Listing> for Install {
    async fn run(self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        let dir = cx.input().dir.clone();
        let mut draft = String::new();
        if let Ok(mut file) = cx.read_file(DRAFT).await {
            file.read_to_string(&mut draft)?;
        }
        cx.install(LISTING, &dir.join("out/listing")).await?;
        cx.install(LOG, &dir.join("logs/a/log")).await?;
        Transition::to(Announce {
            sum: self.sum,
            draft,
        })
    }
}

/// An effect in two slices.
#[derive(Serialize, Deserialize)]
struct Announce {
    sum: u64,
    draft: String,
}

impl Step<Listing> for Announce {
    async fn run(self, cx: &mut Context<'_, Listing>) -> StepResult<Listing> {
        let dir = cx.input().dir.clone();
        let (new, done) = (dir.join("sum.new"), dir.join("sum"));
        let text = format!("{}\n{}", self.sum, self.draft);
        if std::fs::read_to_string(&done).unwrap_or_default() != text {
            std::fs::write(&new, &text)?;
            cx.sync(&new).await?;
            if cx.should_yield() && !done.exists() {
                std::fs::rename(&new, &done)?;
                cx.sync(&done).await?;
                return Transition::to(self);
            }
            std::fs::rename(&new, &done)?;
        }
        cx.sync(&done).await?;
        Transition::done(self.sum)
    }
}

fn case(served: &Arc<AtomicU64>) -> Case<Listing> {
    let count = Arc::clone(served);
    Case::with_env(
        |scratch: &Path| Input {
            dir: scratch.to_owned(),
        },
        move |_, _| {
            Ok(Server {
                calls: AtomicU64::new(0),
                served: Arc::clone(&count),
            })
        },
    )
    .user(|scratch, _| std::fs::write(scratch.join("confirmed"), "").unwrap())
    .observe(|scratch| {
        let text = |name| std::fs::read_to_string(scratch.join(name)).unwrap_or_default();
        let mut left: Vec<_> = std::fs::read_dir(scratch.join("out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        (text("out/listing"), text("logs/a/log"), text("sum"), left)
    })
}

#[tokio::test]
async fn stands_every_disturbance() {
    let served = Arc::<AtomicU64>::default();
    let report = case(&served).work(Arc::clone(&served)).check().await;
    assert!(report.commits > 20 && report.syncs > 20, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stands_every_disturbance_across_file_systems() {
    let shm = Path::new("/dev/shm");
    if !shm.is_dir() {
        return;
    }
    let report = case(&Arc::default())
        .scratch_in(shm)
        .points(8)
        .seed(7)
        .check()
        .await;
    assert!(report.commits > 20, "{report}");
}

#[tokio::test]
async fn stands_real_kills_over_the_store_on_disk() {
    let kills = case(&Arc::default()).points(8).kill_at_commits().await;
    assert!(kills >= 10, "{kills}");
}
