//! Which refs, and which files their objects are read from.

use std::fs;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, base, course::Course, open, scan::Scan};
use crate::pack::{
    gather,
    source::{Oid, SourceList},
};

/// Nothing is known yet but what is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepare {
    #[serde(flatten)]
    pub(super) course: Course,
}

impl Step<Create> for Prepare {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        let course = cx.blocking(move |b| self.prepare(b)).await?;
        Transition::to(Scan::from_start(course))
    }
}

impl Prepare {
    fn prepare(self, b: &mut Blocking<Create>) -> Result<Course, StepError> {
        b.env().at("prepare");
        let input = b.input().clone();
        let repository = input.check_for(Some(b.id()))?;
        let work = input.work(b.id());
        // Refs before objects: whatever they reach is then among the objects that are listed. They
        // are chosen once; planning anew is for the same refs.
        let refs = match self.course.replans {
            0 => Some(input.choose(&repository)?),
            _ => None,
        };
        let base = claim(b)?;
        if let Some(refs) = refs {
            let bytes = refs
                .to_bytes(open::REFS.as_ref())
                .map_err(CreateError::from)?;
            b.append_file_in(&work, open::REFS)?.append(&bytes)?;
            for remark in input.remarks(&repository)? {
                b.note(remark);
            }
        }
        // Where history ends, before objects: those above the end are then listed.
        let shallow = repository.shallow().map_err(CreateError::from)?;
        let shallow: Vec<Oid> = shallow.iter().map(oid).collect();
        let find = || {
            let directories = input.directories(&repository)?;
            let list = SourceList::find_in(directories.present)?;
            Ok(SourceList {
                shallow: shallow.clone(),
                ..list
            })
        };
        gather::hold(b, &find)?.map_err(CreateError::from)?;
        if !base.is_empty() {
            b.append_file(open::BASE)?.append(&base)?;
        }
        Ok(Course {
            adds: !base.is_empty(),
            ..self.course
        })
    }
}

fn oid(id: &ObjectId) -> Oid {
    let mut oid = [0; 20];
    oid.copy_from_slice(id.as_slice());
    oid
}

/// Takes the output for this operation alone; gives the manifest of the pack that is there, if any.
fn claim(b: &Blocking<Create>) -> Result<Vec<u8>, StepError> {
    let input = b.input();
    fs::create_dir_all(&input.output)?;
    let lock = base::lock(&input.output)?;
    // Looked at before, but not under the lock.
    input.check_output(Some(b.id()))?;
    match fs::create_dir(input.work(b.id())) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let manifest = base::read_manifest(&input.output)?;
    drop(lock);
    Ok(manifest)
}
