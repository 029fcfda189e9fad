//! Holding a machine against its own undisturbed run: for authors of machines.
//!
//! A [`Case`] is a machine with an input. Its check runs the machine to the end
//! without a disturbance, then again and again with one: with steps that yield
//! whenever they can, with crashes before and after commits, at syncs and at
//! transactions of the store, with power cuts that take what was not synced, with
//! pauses, and with syncs, writes and transactions that fail. Every run must give
//! the same output and the same files. The first one that does not ends the check
//! with a [`Finding`], which says what was done and what the likely cause is.
//!
//! ```
//! use std::path::{Path, PathBuf};
//!
//! use resume_runtime::testing::{Case, assert_resumable};
//! use resume_runtime::{Context, Resumable, Step, StepResult, Transition, path_text};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Input {
//!     #[serde(with = "path_text")]
//!     to: PathBuf,
//! }
//!
//! #[derive(Resumable)]
//! #[resumable(kind = "lines", version = 1, input = Input, output = u64)]
//! enum Lines {
//!     #[step(start)]
//!     Write(Write),
//!     #[step(effect)]
//!     Install(Install),
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Write {
//!     next: u64,
//! }
//!
//! impl Step<Lines> for Write {
//!     async fn run(mut self, cx: &mut Context<'_, Lines>) -> StepResult<Lines> {
//!         while self.next < 5 {
//!             let line = format!("line {}\n", self.next);
//!             cx.append_file("part").await?.write_all(line.as_bytes()).await?;
//!             self.next += 1;
//!             if cx.should_yield() {
//!                 return Transition::to(self);
//!             }
//!         }
//!         Transition::to(Install {})
//!     }
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Install {}
//!
//! impl Step<Lines> for Install {
//!     async fn run(self, cx: &mut Context<'_, Lines>) -> StepResult<Lines> {
//!         cx.install("part", &cx.input().to).await?;
//!         Transition::done(5)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let case = Case::<Lines>::new(|scratch: &Path| Input {
//!     to: scratch.join("lines.txt"),
//! });
//! assert_resumable(case).await;
//! # }
//! ```
//!
//! # The rules that a machine is held to
//!
//! - The same input gives the same result: no clock, random number or id of its
//!   own in it. Every run has the same scratch directory, the same operation id,
//!   and starts from the same files.
//! - What a step writes by itself (not through
//!   [`append_file`](crate::Context::append_file)) is on disk only after
//!   [`Context::sync`](crate::Context::sync): a power cut takes the rest, brings
//!   back what was deleted without a sync of its directory, and leaves half of a
//!   file that was being written. A rename is in one piece.
//! - What is done is on disk: the power is cut once more at the end of each run.
//! - A full disk or a failing one pauses the operation or fails it, and it can go
//!   on from there; it is never done with a wrong result.
//! - With a counter of work ([`Case::work`]): what was committed is not done
//!   again.
//!
//! Crashes are made in this process, over a store in memory and a model of the
//! disk, so that a check of some hundred runs takes seconds. A crash unwinds the
//! step; threads that a step spawned by itself must end with it. What only real
//! processes and the store on disk can show, [`Case::kill_at_commits`] does: it
//! runs the calling test again in child processes and kills them.

mod case;
mod check;
mod child;
mod disk;
mod finding;
mod kill;
mod outcome;
mod place;
mod process;
mod strikes;
mod trial;

pub use case::{Case, assert_resumable};
pub use check::Report;
pub use disk::Cut;
pub use finding::{Fault, Finding, Point};
pub use place::scratch_parent;

pub use crate::faults::Moment;
