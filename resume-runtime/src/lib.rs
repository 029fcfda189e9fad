//! Long operations that can be paused, killed and resumed.
//!
//! An author writes a long operation as an enum of steps and derives
//! [`Resumable`]. The runtime drives it in slices and commits its state now and
//! then, together with its tables and files, so that it can be paused, killed
//! with -9 or unplugged at any moment and goes on from its last commit.
//!
//! # A machine
//!
//! ```
//! use resume_runtime::{
//!     Context, Database, Resumable, Scheduler, Start, Step, StepResult, Table, Transition,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! // Bulk data goes into tables and files; the state holds a cursor.
//! const PRIMES: Table<u64, ()> = Table::new("primes");
//!
//! #[derive(Serialize, Deserialize)]
//! struct Input {
//!     below: u64,
//! }
//!
//! #[derive(Resumable)]
//! #[resumable(kind = "primes", version = 1, input = Input, output = u64)]
//! enum Primes {
//!     #[step(start)]
//!     Search(Search),
//!     #[step]
//!     Count(Count),
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Search {
//!     next: u64,
//! }
//!
//! impl Step<Primes> for Search {
//!     async fn run(mut self, cx: &mut Context<'_, Primes>) -> StepResult<Primes> {
//!         while self.next < cx.input().below {
//!             let n = self.next;
//!             if n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0) {
//!                 cx.put(&PRIMES, &n, &())?;
//!             }
//!             self.next += 1;
//!             cx.report(self.next, Some(cx.input().below));
//!             // A commit is due, or a pause was asked for.
//!             if cx.should_yield() {
//!                 return Transition::to(self);
//!             }
//!         }
//!         Transition::to(Count::default())
//!     }
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Count {
//!     after: Option<u64>,
//!     count: u64,
//! }
//!
//! impl Step<Primes> for Count {
//!     async fn run(mut self, cx: &mut Context<'_, Primes>) -> StepResult<Primes> {
//!         while let Some((prime, ())) = cx.next_after(&PRIMES, self.after.as_ref()).await? {
//!             self.after = Some(prime);
//!             self.count += 1;
//!             if cx.should_yield() {
//!                 return Transition::to(self);
//!             }
//!         }
//!         Transition::done(self.count)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `Database::open(directory)` where it is to last.
//! let scheduler = Scheduler::builder(Database::in_memory()?)
//!     .register::<Primes>(|_input| Ok(()))
//!     .build();
//! let handle = scheduler
//!     .start::<Primes>(Input { below: 1_000 }, Start::new())
//!     .await?;
//! println!("{} goes on with resume()", handle.id());
//! assert_eq!(handle.await?, 168);
//! # Ok(())
//! # }
//! ```
//!
//! # What an author can rely on
//!
//! - What a slice did after the last commit is rolled back or repeated, never
//!   half kept: files are cut to their committed length, rows stay in memory
//!   until the commit, local values are dropped.
//! - A commit comes after everything it points to is on disk.
//! - One process drives an operation at a time; the kernel says whether it lives.
//!
//! # What an author has to see to
//!
//! - A step returns the state that fits what it did: a cursor moves with the work.
//! - Effects outside (a ref, a remote, a result's final name) are in steps marked
//!   `#[step(effect)]`, and doing them twice is doing them once.
//! - Files that a step writes by itself are made durable with [`Context::sync`].
//!
//! [`testing`] holds a machine against these rules: it crashes it at every commit,
//! cuts the power, fails its syncs, fills its disk, and says what is wrong.
//!
//! The modules, from the bottom: `store` (transactions), `records` and `event`
//! (what they hold), `database` (an open store), `rows` and `files` (what belongs
//! to an operation), `blocking` and `context` (a slice), `runner` (one operation),
//! `scheduler` (many).

mod blocking;
mod context;
mod database;
mod error;
mod event;
mod faults;
mod files;
mod folder;
mod hands;
mod journal;
mod latch;
mod manager;
mod operation;
mod owner;
mod pace;
mod path;
mod pause;
mod progress;
mod records;
mod requests;
mod resumable;
mod retry;
mod rows;
mod runner;
mod scheduler;
mod signal;
mod state;
mod stopped;
pub mod store;
mod table;
#[cfg(unix)]
pub mod testing;
mod wake;

pub use blocking::{Appender, Blocking};
pub use context::{AppendFile, Context};
pub use database::Database;
pub use error::{Classify, ErrorClass, RestoreError, StepError};
pub use event::{Event, EventKind};
pub use files::ReadFile;
pub use manager::{ManagerError, OperationManager};
pub use operation::{
    Operation, OperationProgress, OperationState, OperationStatus, OperationType, Owner, Timing,
    UnknownName, WaitingFor,
};
pub use owner::Instance;
pub use path::{NotRelative, RelPath, path_text};
pub use pause::PausedBy;
pub use progress::{Progress, ProgressSnapshot};
pub use resumable::{Checkpoint, Resumable, Step, StepInfo, StepResult, Transition};
pub use resume_macros::Resumable;
pub use retry::RetryPolicy;
pub use scheduler::{Builder, Handle, Scheduler, Start};
pub use signal::{PAUSED_BY_SIGNAL, Signals, pause_on_signals};
pub use state::State;
pub use stopped::Stopped;
pub use table::{Table, TableKey};
