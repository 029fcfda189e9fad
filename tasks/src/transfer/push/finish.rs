//! What a push leaves behind here: remote-tracking refs, and the upstream of branches.

use std::{fs, io::Write as _};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::refs::{
    Target as RefTarget,
    transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog},
};
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    machine::{Push, Upstream, outcome, plan, target},
    target::Target,
};
use crate::transfer::refs::push::{Status, Update, track};

/// The server has what it is to have.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finish {}

impl Step<Push> for Finish {
    async fn run(self, cx: &mut Context<'_, Push>) -> StepResult<Push> {
        cx.blocking(|b| Ok(finish(b))).await?
    }
}

fn finish(b: &mut Blocking<Push>) -> StepResult<Push> {
    b.env().at("finish");
    let target = target(b)?;
    let mut output = outcome(b)?;
    let there = |it: &&Update| matches!(it.status, Status::Done | Status::UpToDate);
    if target.remote.configured {
        for update in output.updates.iter().filter(there) {
            // A ref that can't be written is a matter of this repository; what was pushed stays.
            match tracked(&target, update) {
                Ok(Some(name)) => on_disk(b, &target, name.as_bstr())?,
                Ok(None) => {}
                Err(error) => b.note(format!("a remote-tracking ref is not updated: {error}")),
            }
        }
    }
    if plan(b)?.upstream {
        for update in output.updates.iter().filter(there) {
            output.upstreams.extend(upstream(&target, update));
        }
        write_upstreams(&target, &output.upstreams)?;
        b.sync(&target.repo.common_dir().join("config"))?;
    }
    Transition::done(output)
}

/// A ref that was changed, and its log.
fn on_disk(b: &Blocking<Push>, target: &Target, name: &BStr) -> Result<(), StepError> {
    let dir = target.repo.common_dir();
    for above in [dir.to_owned(), dir.join("logs")] {
        let mut path = above.join(gix::path::from_bstr(name).map_err(StepError::fatal)?);
        // Of one that is gone, what it was in.
        while !path.exists() && path.pop() {}
        b.sync(&path)?;
    }
    Ok(())
}

/// Moves the remote-tracking ref to where the server's ref is; gives its name.
fn tracked(target: &Target, update: &Update) -> Result<Option<BString>, gix::Error> {
    let Some(name) = track::tracking(&target.remote.fetch, update.to()) else {
        return Ok(None);
    };
    let path = name.clone();
    // One that no ref can have is none.
    let Ok(name) = gix::refs::FullName::try_from(name) else {
        return Ok(None);
    };
    let there = if let Ok(there) = target.repo.try_find_reference(&name) {
        there
    } else {
        // Half of one, after a power cut. What it is to be is known.
        let file = gix::path::from_bstr(path.as_bstr())?;
        let _ = fs::remove_file(target.repo.common_dir().join(file));
        None
    };
    let now = there.and_then(|it| it.try_id().map(gix::Id::detach));
    if now == update.pair.new {
        return Ok(Some(path));
    }
    let change = match update.pair.new {
        Some(new) => Change::Update {
            log: LogChange {
                mode: RefLog::AndReference,
                force_create_reflog: false,
                message: "update by push".into(),
            },
            expected: PreviousValue::Any,
            new: RefTarget::Object(new),
        },
        None => Change::Delete {
            expected: PreviousValue::Any,
            log: RefLog::AndReference,
        },
    };
    target.repo.edit_reference(RefEdit {
        change,
        name,
        deref: false,
    })?;
    Ok(Some(path))
}

/// The branch that is to follow a ref of the server's.
fn upstream(target: &Target, update: &Update) -> Option<Upstream> {
    update.pair.new?;
    let from = update.pair.from.as_ref()?;
    let head = || target.repo.head_name().ok().flatten();
    let full = if from == "HEAD" {
        head()?.as_bstr().to_owned()
    } else {
        from.clone()
    };
    let branch = full.strip_prefix(b"refs/heads/")?;
    let follows = update.pair.to.strip_prefix(b"refs/heads/")?;
    Some(Upstream {
        branch: branch.into(),
        remote: target.remote.name.clone(),
        follows: follows.into(),
    })
}

/// Writes `branch.<name>.remote` and `branch.<name>.merge`, under git's own lock.
fn write_upstreams(target: &Target, upstreams: &[Upstream]) -> Result<(), StepError> {
    if upstreams.is_empty() {
        return Ok(());
    }
    let path = target.repo.common_dir().join("config");
    let lock = target.repo.common_dir().join("config.lock");
    let source = gix::config::Source::Local;
    let file = gix::config::File::from_path_no_includes(path.clone(), source);
    let mut file = file.map_err(|error| StepError::fatal(error.to_string()))?;
    let before = file.to_bstring();
    for it in upstreams {
        let name = it.branch.as_bstr();
        let merge = [b"refs/heads/".as_slice(), &it.follows].concat();
        let set = set(&mut file, name, "remote", target.remote.name.as_bstr());
        set.and_then(|()| self::set(&mut file, name, "merge", merge.as_bstr()))
            .map_err(|error| StepError::fatal(error.to_string()))?;
    }
    let after = file.to_bstring();
    if before == after {
        return Ok(());
    }
    let mut open = fs::OpenOptions::new();
    let mut out = open
        .write(true)
        .create_new(true)
        .open(&lock)
        .map_err(|error| {
            StepError::needs_user(
                format!("'{}' can't be made: {error}", lock.display()),
                "see whether another git runs here, remove the file if none does, then resume",
            )
        })?;
    let write = out.write_all(&after).and_then(|()| out.sync_all());
    if let Err(error) = write.and_then(|()| fs::rename(&lock, &path)) {
        let _ = fs::remove_file(&lock);
        return Err(error.into());
    }
    Ok(())
}

fn set(
    file: &mut gix::config::File,
    branch: &BStr,
    key: &'static str,
    value: &BStr,
) -> Result<(), gix::Error> {
    file.set_raw_value_by("branch", Some(branch), key, BString::from(value))?;
    Ok(())
}
