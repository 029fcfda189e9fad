//! What the harness finds, in words that lead to the cause.

use std::fmt;

use serde::Serialize;

use super::disk::Cut;
use crate::faults::Moment;

/// A moment at which a process dies. Counts start at 1 and go over all processes
/// of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum Point {
    /// Just before or after the commit of this number.
    Commit(u64, Moment),
    /// Instead of the sync of this number, of a file or directory.
    Sync(u64),
    /// Instead of the store's transaction of this number.
    Transaction(u64),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(n, Moment::Before) => write!(f, "before commit {n}"),
            Self::Commit(n, Moment::After) => write!(f, "after commit {n}"),
            Self::Sync(n) => write!(f, "at sync {n}"),
            Self::Transaction(n) => write!(f, "at transaction {n}"),
        }
    }
}

/// Something that fails once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub enum Fault {
    /// The sync of this number fails with an input/output error.
    SyncFailed(u64),
    /// The sync of this number fails with an error that may pass: the same
    /// process goes on from the last commit.
    SyncTimedOut(u64),
    /// The write to a file of this number, and all that follow in the process,
    /// find no room.
    DiskFull(u64),
    /// The store's transaction of this number is refused.
    TransactionFailed(u64),
    /// What was done for the commit of this number is rolled back, and the same
    /// process goes on from the one before.
    RolledBack(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SyncFailed(n) => write!(f, "sync {n} failed"),
            Self::SyncTimedOut(n) => write!(f, "sync {n} timed out"),
            Self::DiskFull(n) => write!(f, "the disk was full at write {n}"),
            Self::TransactionFailed(n) => write!(f, "transaction {n} was refused"),
            Self::RolledBack(n) => {
                write!(
                    f,
                    "the slice of commit {n} was rolled back within the process"
                )
            }
        }
    }
}

/// What is wrong with a machine. The text says what was seen and what usually
/// causes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The undisturbed run does not end well.
    Fails {
        /// How it ended.
        error: String,
    },
    /// Two undisturbed runs differ.
    NotDeterministic {
        /// The first thing that differs.
        difference: String,
    },
    /// The result is another when steps yield.
    DiffersWhenYielding {
        /// The first thing that differs.
        difference: String,
    },
    /// A run whose steps yield does not end well.
    FailsWhenYielding {
        /// How it ended.
        error: String,
    },
    /// The result is another after a crash.
    DiffersAfterCrash {
        /// When the process died.
        point: Point,
        /// What was left on disk.
        cut: Cut,
        /// The first thing that differs.
        difference: String,
    },
    /// After a crash the operation does not go on to a good end.
    FailsAfterCrash {
        /// When the process died.
        point: Point,
        /// What was left on disk.
        cut: Cut,
        /// How it ended.
        error: String,
    },
    /// The result is another after several crashes, each of which alone does no
    /// harm.
    DiffersAfterCrashes {
        /// The first thing that differs.
        difference: String,
    },
    /// After several crashes the operation does not go on to a good end.
    FailsAfterCrashes {
        /// How it ended.
        error: String,
    },
    /// The result is another after a pause.
    DiffersAfterPause {
        /// Which call of `should_yield` it was asked for at.
        question: u64,
        /// The first thing that differs.
        difference: String,
    },
    /// After a pause the operation does not go on to a good end.
    FailsAfterPause {
        /// Which call of `should_yield` it was asked for at.
        question: u64,
        /// How it ended.
        error: String,
    },
    /// The result is another after an error of the disk or the store.
    DiffersAfterFault {
        /// What failed.
        fault: Fault,
        /// The first thing that differs.
        difference: String,
    },
    /// After an error of the disk or the store the operation does not go on to a
    /// good end.
    FailsAfterFault {
        /// What failed.
        fault: Fault,
        /// How it ended.
        error: String,
    },
    /// What was committed was done again.
    WorksTwice {
        /// After what.
        after: String,
        /// Work counted, without what was lost with uncommitted slices.
        counted: u64,
        /// Work of an undisturbed run.
        needed: u64,
    },
    /// The operation never ends.
    RunsForEver {
        /// In which run.
        during: String,
    },
    /// The harness could not do its work.
    Harness {
        /// Why.
        error: String,
    },
}

impl std::error::Error for Finding {}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails { error } => write!(f, "the undisturbed run does not succeed: {error}"),
            Self::NotDeterministic { difference } => write!(
                f,
                "two undisturbed runs differ: {difference}\n\
                 likely cause: a clock, a random number, an id or a hash map's order gets into \
                 the state or the result; take it from the input instead"
            ),
            Self::DiffersWhenYielding { difference } => write!(
                f,
                "the result is another when steps yield: {difference}\n\
                 likely cause: a cursor is moved before or after its work instead of with it, \
                 so that a slice that ends between the two skips an item or does it twice"
            ),
            Self::FailsWhenYielding { error } => write!(
                f,
                "the operation fails when steps yield: {error}\n\
                 likely cause: a slice needs something of the one before that is not in the \
                 state, a table or a file"
            ),
            Self::DiffersAfterCrash {
                point,
                cut,
                difference,
            } => write!(
                f,
                "the result is another after a crash {point} ({}): {difference}\nlikely cause: {}",
                left(*cut),
                cause(*point, *cut)
            ),
            Self::FailsAfterCrash { point, cut, error } => write!(
                f,
                "after a crash {point} ({}) the operation does not go on: {error}\n\
                 likely cause: {}",
                left(*cut),
                cause(*point, *cut)
            ),
            Self::DiffersAfterCrashes { difference } => write!(
                f,
                "the result is another after crashes around every commit: {difference}"
            ),
            Self::FailsAfterCrashes { error } => write!(
                f,
                "after crashes around every commit the operation does not go on: {error}"
            ),
            Self::DiffersAfterPause {
                question,
                difference,
            } => write!(
                f,
                "the result is another after a pause at question {question}: {difference}\n\
                 likely cause: {PAUSE}"
            ),
            Self::FailsAfterPause { question, error } => write!(
                f,
                "after a pause at question {question} the operation does not go on: {error}\n\
                 likely cause: {PAUSE}"
            ),
            Self::DiffersAfterFault { fault, difference } => write!(
                f,
                "the result is another after {fault}: {difference}\nlikely cause: {}",
                fault_cause(*fault)
            ),
            Self::FailsAfterFault { fault, error } => write!(
                f,
                "after {fault} the operation does not go on: {error}\nlikely cause: {}",
                fault_cause(*fault)
            ),
            Self::WorksTwice {
                after,
                counted,
                needed,
            } => write!(
                f,
                "after {after} committed work was done again: {counted} where {needed} are needed\n\
                 likely cause: the state that a step returns is behind what it did"
            ),
            Self::RunsForEver { during } => write!(
                f,
                "{during} does not end\n\
                 likely cause: a step returns its own state without having moved on, or moves \
                 on only while nobody asks it to yield"
            ),
            Self::Harness { error } => write!(f, "the harness could not do its work: {error}"),
        }
    }
}

const PAUSE: &str = "the step returns early without having put all that it did into its state";

const fn left(cut: Cut) -> &'static str {
    match cut {
        Cut::Kept => "the disk as it was",
        Cut::Lost => "all that was not synced is lost",
        Cut::Torn => "files that were not synced are torn",
    }
}

const fn cause(point: Point, cut: Cut) -> &'static str {
    match (cut, point) {
        (Cut::Kept, Point::Commit(_, Moment::After)) => {
            "the step rests on something that only its process had: a local value \
             (`take_local` gives none after a crash), the env, a static; or the state was \
             returned before what it points to was put into a table or a file"
        }
        (Cut::Kept, _) => {
            "the step does something outside that it cannot do twice: it appends to a file of \
             its own, creates what must not exist, or opens a file again after its install; \
             compare before you change"
        }
        (Cut::Lost | Cut::Torn, _) => {
            "a step writes files by itself and does not put them on disk before it returns: call \
             `sync` for each file and each new directory, or use `append_file` and `install`"
        }
    }
}

const fn fault_cause(fault: Fault) -> &'static str {
    match fault {
        Fault::SyncFailed(_) | Fault::DiskFull(_) => {
            "a step goes on after an error of its files, or turns it into another class"
        }
        Fault::TransactionFailed(_) | Fault::SyncTimedOut(_) | Fault::RolledBack(_) => {
            "after a rollback within the process a step trusts what it has in the env, in a \
             static or outside"
        }
    }
}
