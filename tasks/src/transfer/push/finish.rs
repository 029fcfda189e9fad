//! What a push leaves behind here: remote-tracking refs, and the upstream of branches.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use gix::bstr::{BStr, BString, ByteSlice as _};
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    machine::{Push, Upstream, outcome, plan, target},
    target::Target,
};
use crate::{
    core::database::STORE_NAME,
    disk::Disk,
    lock::Lock,
    transfer::refs::{
        RefsError, name,
        push::{Status, Update, track},
        store::{self, Committer, Move, NotMoved, Transaction},
    },
};

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
    // On the repository's file system: locks are second names of what is in it.
    let ops = target.repo.common_dir().join(STORE_NAME).join("ops");
    let own = ops.join(b.id());
    if target.remote.configured {
        // A ref that can't be written is a matter of this repository; what was pushed stays.
        for reason in track(b, &target, &own, output.updates.iter().filter(there))? {
            b.note(format!("a remote-tracking ref is not updated: {reason}"));
        }
    }
    if plan(b)?.upstream {
        for update in output.updates.iter().filter(there) {
            output.upstreams.extend(upstream(&target, update));
        }
        write_upstreams(b, &target, &own, &output.upstreams)?;
    }
    let _ = fs::remove_dir_all(own.join("locks"));
    Transition::done(output)
}

/// Moves the remote-tracking refs to where the server's refs are; says what did not go well.
fn track<'a>(
    disk: &dyn Disk,
    target: &Target,
    own: &Path,
    updates: impl Iterator<Item = &'a Update>,
) -> Result<Vec<NotMoved>, RefsError> {
    let local = store::Local::read(&target.repo)?;
    let mut moves = Vec::new();
    for update in updates {
        let name = track::tracking(&target.remote.fetch, update.to());
        // One that no ref can have is none.
        let Some(name) = name.filter(|it| name::is_valid(it.as_bstr())) else {
            continue;
        };
        let (old, new) = (local.oid(name.as_bstr()), update.pair.new);
        // What an earlier process moved may not be on disk.
        if old != new || update.status == Status::Done {
            moves.push(Move {
                name,
                through: None,
                old,
                new,
                message: "update by push".into(),
            });
        }
    }
    let transaction = Transaction {
        repo: &target.repo,
        own,
        disk,
        committer: &Committer::of(&target.repo),
        all_or_none: false,
    };
    let done = transaction.run(&moves)?;
    Ok(done.into_iter().filter_map(Result::err).collect())
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
fn write_upstreams(
    disk: &dyn Disk,
    target: &Target,
    own: &Path,
    upstreams: &[Upstream],
) -> Result<(), StepError> {
    if upstreams.is_empty() {
        return Ok(());
    }
    let path = target.repo.common_dir().join("config");
    let busy = |error: io::Error| {
        if error.kind() == io::ErrorKind::ResourceBusy {
            let what = format!("'{}' can't be written: {error}", path.display());
            let hint = "see whether another git runs here, remove the file `config.lock` beside it \
                        if none does, then resume";
            return StepError::needs_user(what, hint);
        }
        error.into()
    };
    let mut lock = Lock::take(&path, own, disk).map_err(busy)?;
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
        return Ok(lock.release(disk)?);
    }
    lock.file()?.write_all(&after)?;
    Ok(lock.commit(disk)?)
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
