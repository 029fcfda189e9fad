//! The command line of the examples: where state lives, how progress is shown,
//! and what the exit code says.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use resume_runtime::{Handle, ProgressSnapshot, Scheduler, Stopped, pause_on_signals};
use serde::de::DeserializeOwned;

/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(500);

/// What any failure comes down to.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The options of every example.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// Continue this operation
    #[arg(long, value_name = "OP-ID")]
    pub resume: Option<String>,
    /// Where operations and their files are kept
    #[arg(long, value_name = "DIR", default_value_os_t = state_dir())]
    pub state: PathBuf,
}

/// Below the user's state directory.
pub fn state_dir() -> PathBuf {
    let absolute = |name| {
        let dir = std::env::var_os(name).map(PathBuf::from);
        dir.filter(|dir| dir.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("resume-examples")
}

/// Waits for an operation and shows how far it is. SIGINT, SIGTERM and SIGHUP
/// pause it, a second SIGINT ends the process at once.
pub async fn watch<T: DeserializeOwned>(
    scheduler: &Scheduler,
    mut handle: Handle<T>,
) -> Result<T, Error> {
    say(&format!("operation {}", handle.id()));
    let _signals = pause_on_signals(scheduler, |_| say("pausing"))?;
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            result = &mut handle => return Ok(result?),
            _ = ticks.tick() => {
                let progress = handle.progress();
                if !progress.step.is_empty() {
                    say(&line(&progress));
                }
            }
        }
    }
}

/// `fetch: 12.0 of 64.0 MiB (18 %), 7.9 MiB/s`
fn line(progress: &ProgressSnapshot) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let mut line = format!("{}:", progress.step);
    let mut percent = None;
    // Writing to a string cannot fail.
    if progress.bytes > 0 {
        let _ = write!(line, " {:.1}", progress.bytes as f64 / MIB);
        if let Some(total) = progress.total_bytes.filter(|total| *total > 0) {
            let _ = write!(line, " of {:.1}", total as f64 / MIB);
            percent = Some(100 * progress.bytes / total);
        }
        line.push_str(" MiB");
    } else {
        let _ = write!(line, " {}", progress.items);
        if let Some(total) = progress.total.filter(|total| *total > 0) {
            let _ = write!(line, " of {total}");
            percent = Some(100 * progress.items / total);
        }
    }
    if let Some(percent) = percent {
        let _ = write!(line, " ({percent} %)");
    }
    if let Some(rate) = progress.bytes_per_second.filter(|_| progress.bytes > 0) {
        let _ = write!(line, ", {:.1} MiB/s", rate / MIB);
    }
    line
}

/// Says how it ended, and what to do next: 0 done, 1 failed, 3 waits for the
/// user, 5 try again later, 130 paused.
pub fn exit(result: Result<(), Error>, common: &Common) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    say(&error.to_string());
    let (code, id, hint) = match error.downcast_ref::<Stopped>() {
        Some(Stopped::Paused { id, .. }) => (130, id, None),
        Some(Stopped::NeedsUser { id, error }) => (3, id, error.hint()),
        Some(Stopped::TryLater { id, error, .. }) => (5, id, error.hint()),
        Some(Stopped::Failed { id, error }) => (1, id, error.hint()),
        Some(Stopped::Busy { .. }) => return ExitCode::from(5),
        _ => return ExitCode::FAILURE,
    };
    if let Some(hint) = hint {
        say(hint);
    }
    let program = std::env::args().next().unwrap_or_default();
    let state = if common.state == state_dir() {
        String::new()
    } else {
        format!(" --state {}", common.state.display())
    };
    say(&format!("continue with: {program}{state} --resume {id}"));
    ExitCode::from(code)
}

/// Writes a line to stderr, control characters made visible. A terminal that is
/// gone does not stop the operation.
pub fn say(text: &str) {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    let _ = writeln!(io::stderr(), "{plain}");
}
