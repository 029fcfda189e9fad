//! One process of a run: it claims the operation, drives it, and ends.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use super::case::Case;
use super::strikes::{Shaky, Strikes};
use crate::database::Database;
use crate::faults::Faults;
use crate::latch::Latch;
use crate::operation::Operation;
use crate::pace::Pace;
use crate::pause::PauseFlag;
use crate::progress::Progress;
use crate::resumable::Resumable;
use crate::retry::RetryPolicy;
use crate::runner::{Claim, Ending, EnvFactory, Runner, claim};
use crate::stopped::Stopped;

/// Tries in a row without a commit that got further, as the scheduler allows.
const TRIES: u32 = 10;
/// A step that goes on for longer after a pause was asked for is left behind; a
/// busy machine must not make that a matter of chance.
const GRACE: Duration = Duration::from_secs(30);

/// How a process ended.
pub(super) enum End {
    /// The operation is completed.
    Done,
    Stopped(Stopped),
    Crashed,
    /// It did not end within its limits.
    ForEver,
}

/// Where the operation of a case lives.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) scratch: PathBuf,
    pub(super) private: PathBuf,
}

/// Runs one process.
pub(super) async fn run<M: Resumable>(
    case: &Case<M>,
    place: &Place,
    id: &'static str,
    strikes: &Arc<Strikes>,
) -> End {
    let pause = strikes.begin();
    let end = match Database::with_store(Arc::new(Shaky(Arc::clone(strikes)))) {
        Ok(db) => drive(case, place, id, strikes, &db, pause).await,
        Err(error) => End::Stopped(error.into()),
    };
    match end {
        End::ForEver => End::ForEver,
        _ if strikes.runs_for_ever() => End::ForEver,
        _ if strikes.is_dead() => End::Crashed,
        end => end,
    }
}

async fn drive<M: Resumable>(
    case: &Case<M>,
    place: &Place,
    id: &'static str,
    strikes: &Arc<Strikes>,
    db: &Database,
    pause: Arc<PauseFlag>,
) -> End {
    let op = match take(db, id).await {
        Ok(op) => op,
        Err(end) => return end,
    };
    let runner = runner(
        case,
        place,
        id,
        db,
        pause,
        Arc::clone(strikes) as Arc<dyn Faults>,
    );
    let driving = AssertUnwindSafe(runner.drive(op)).catch_unwind();
    let Ok(driven) = tokio::time::timeout(case.patience, driving).await else {
        strikes.kill();
        return End::ForEver;
    };
    // The dead leave their threads behind; they must not write any more.
    runner.latch.join().await;
    match driven {
        Ok(ending) => ended(id, ending),
        // Crashed between two steps.
        Err(_) if strikes.is_dead() => End::Crashed,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What an ending comes to.
pub(super) fn ended<M: Resumable>(
    id: &str,
    ending: Result<Ending<M>, crate::store::StoreError>,
) -> End {
    match ending {
        Ok(Ending::Done(_)) => End::Done,
        Ok(Ending::Stopped(stopped)) => End::Stopped(stopped),
        Ok(Ending::Crashed) => End::Crashed,
        // The runner hands these out to nobody else.
        Ok(Ending::Paused(_) | Ending::Retry { .. } | Ending::Error(_) | Ending::Waits(_)) => {
            End::Stopped(Stopped::Lost { id: id.to_owned() })
        }
        Err(error) => End::Stopped(error.into()),
    }
}

/// Claims the operation.
pub(super) async fn take(db: &Database, id: &str) -> Result<Operation, End> {
    match claim(db, id).await {
        Ok(Claim::Taken(op)) => Ok(*op),
        Ok(Claim::Completed) => Err(End::Done),
        Ok(Claim::Busy(owner)) => Err(End::Stopped(Stopped::Busy {
            id: id.to_owned(),
            owner,
        })),
        Ok(Claim::Waits(_) | Claim::Blocked(_) | Claim::Unknown) => {
            Err(End::Stopped(Stopped::Unknown { id: id.to_owned() }))
        }
        Err(error) => Err(End::Stopped(error.into())),
    }
}

/// A runner as the scheduler would set it up, but for its pace and its faults.
pub(super) fn runner<M: Resumable>(
    case: &Case<M>,
    place: &Place,
    id: &str,
    db: &Database,
    pause: Arc<PauseFlag>,
    faults: Arc<dyn Faults>,
) -> Runner<M> {
    let (env, scratch) = (Arc::clone(&case.env), place.scratch.clone());
    let env: EnvFactory<M> = Arc::new(move |input| env(&scratch, input));
    Runner {
        db: db.clone(),
        id: id.into(),
        env,
        pause,
        progress: Arc::new(Progress::new()),
        latch: Latch::default(),
        faults,
        pace: Pace::Told,
        retry: RetryPolicy {
            first: Duration::ZERO,
            longest: Duration::ZERO,
            attempts: TRIES,
        },
        private: Some(place.private.clone()),
        grace: GRACE,
    }
}
