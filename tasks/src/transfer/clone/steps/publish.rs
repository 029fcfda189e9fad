//! Moves the packs into the new repository.

use std::fs;
use std::path::Path;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use rustix::fs::CWD;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::machine::{own_dir, packs_of};
use super::super::rounds::checks_out;
use super::super::{CloneError, Cloning, listing};
use super::{Files, Refs};
use crate::checkout::Checkout;
use crate::pack::format;
use crate::pack::restore::publish;
use crate::rename::rename_new;
use crate::transfer::obtain::{Obtain, stems};
use crate::transfer::receive;

/// The state of moving the packs into the repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub(in super::super) obtain: Obtain,
    pub(in super::super) remarks: Vec<String>,
}

impl Step<Cloning> for Publish {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| self.publish(b)).await
    }
}

impl Publish {
    fn publish(self, b: &mut Blocking<Cloning>) -> StepResult<Cloning> {
        let target = b.input().target();
        target.check_unborn().map_err(CloneError::from)?;
        let refs = format::Refs {
            shallow: self.obtain.shallow(b)?,
            ..format::Refs::default()
        };
        let (git_dir, own) = (target.git_dir(), own_dir(b));
        publish::skeleton(&target, &own.join("skeleton"), &refs, b).map_err(CloneError::from)?;
        let plan = listing::read(b)?;
        let promised = plan.options.filter.is_some();
        move_packs(&own.join("objects/pack"), &packs_of(&git_dir), promised, b)?;
        if !checks_out(&plan) {
            return Transition::to(Refs {
                obtained: self.obtain.obtained(),
                remarks: self.remarks,
                written: None,
                no_tree: None,
            });
        }
        // From here on files are counted, not objects.
        b.report(0, None);
        b.report_bytes(0, None);
        Transition::to(Files {
            obtained: self.obtain.obtained(),
            remarks: self.remarks,
            checkout: Checkout::default(),
        })
    }
}

/// Moves all packs from one directory to another, each with its index last. Can be repeated.
fn move_packs(
    from: &Path,
    to: &Path,
    promised: bool,
    b: &Blocking<Cloning>,
) -> Result<(), StepError> {
    fs::create_dir_all(to).map_err(CloneError::io(to))?;
    // Where nothing was received there is not even a directory.
    let names = if from.exists() {
        stems(from)?
    } else {
        Vec::new()
    };
    for stem in &names {
        let name = stem.file_name().unwrap_or_default();
        let new = to.join(name);
        take(&stem.with_extension("pack"), &new.with_extension("pack"))?;
        if promised {
            publish::promise(&new, b).map_err(CloneError::from)?;
        }
        // Its pack is on disk under the new name before the index is.
        b.sync(to)?;
        take(&stem.with_extension("idx"), &new.with_extension("idx"))?;
    }
    if !names.is_empty() {
        b.sync(from)?;
    }
    b.sync(to)?;
    receive::seal(to, b)?;
    Ok(())
}

fn take(from: &Path, to: &Path) -> Result<(), CloneError> {
    match rename_new(CWD, from, CWD, to) {
        // It was moved there before.
        Ok(()) | Err(Errno::EXIST | Errno::NOENT) => Ok(()),
        Err(error) => Err(CloneError::io(to)(error.into())),
    }
}
