//! Looks for what is missing, and chooses what to ask for.

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, StepError};

use super::Obtain;
use super::advance::Next;
use super::ask::{read_list, write_list};
use super::setback::choice;
use super::state::{Stage, What};
use super::work::{BLOBS, EDGES, HAVES, WANTS, WHOLE, Work};
use crate::transfer::missing::list::to_bytes;
use crate::transfer::missing::plan::{self, Ask};
use crate::transfer::missing::{Batches, Missing, Near, Start, missing};

/// So often an object may be missing after it was asked for, and the answer came to its end.
const UNANSWERED: u32 = 3;

/// A line that was cut so often since an answer came whole will be cut again: what comes twice counts
/// more than what comes as deltas.
const OFTEN: u32 = 2;

impl Obtain {
    /// Looks for what is missing below the tips, and writes down what to ask for.
    pub(super) fn look<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        let able = self.able();
        let start = Start {
            tips: work.goal.tips.clone(),
            complete: work.goal.complete.clone(),
            shallow: self.cut_off(b, work)?,
            promised: work.goal.filter.is_some(),
            near: match self.cuts {
                _ if able.blob_none || able.tree_zero => Near::No,
                0..OFTEN => Near::Full,
                _ => Near::All,
            },
        };
        b.report(0, None);
        let progress = std::sync::Arc::clone(b.progress());
        let mut found = missing(
            &work.goal.objects(),
            &start,
            work.goal.threads,
            &|looked| progress.set_items(looked, None),
            b.interrupt(),
        )?;
        if found.is_empty() {
            return self.gather(b, work);
        }
        self.count_unanswered(&found)?;
        // The server counts depth from where it takes history to be cut off. And one that has sent
        // nothing may have understood something else.
        if work.goal.depth.is_some() || self.unanswered > 0 {
            found.edges.clear();
            found.heads.clear();
        }
        let mut whole = read_list(b, WHOLE)?;
        whole.extend(&found.whole);
        let plan = plan::next(able, &found, &whole);
        choice(b, work, &plan.why);
        self.stage = match plan.ask {
            // That was looked at before.
            Ask::Nothing => return self.gather(b, work),
            Ask::Whole => Stage::Ask(What::All),
            Ask::Commits {
                wants,
                haves,
                edges,
                filter,
            } => {
                write_list(b, WANTS, &wants)?;
                write_list(b, HAVES, &haves)?;
                write_list(b, EDGES, &edges)?;
                Stage::Ask(What::Commits(filter))
            }
            Ask::Trees {
                wants,
                haves,
                filter,
            } => {
                write_list(b, WANTS, &wants)?;
                write_list(b, HAVES, &haves)?;
                Stage::Ask(What::Trees(filter))
            }
            Ask::Blobs => {
                self.expected = self.objects + found.blobs.len() as u64;
                self.batches = Batches::default();
                write_list(b, BLOBS, &found.blobs)?;
                work.blobs = Some(to_bytes(&found.blobs));
                // Of what was asked for one by one nothing may be missing again and again.
                self.note_answered(found.blobs.first().copied());
                Stage::Ask(What::Blobs)
            }
        };
        self.report(b, 0);
        Ok(Next::Go(self))
    }

    /// Refuses a server that does not send what it was asked for, without saying so.
    fn count_unanswered(&mut self, found: &Missing) -> Result<(), StepError> {
        let Some(asked) = self.answered else {
            return Ok(());
        };
        let lists = [&found.others, &found.commits, &found.trees, &found.blobs];
        if !lists.iter().any(|list| list.contains(&asked)) {
            (self.answered, self.unanswered) = (None, 0);
            return Ok(());
        }
        self.unanswered += 1;
        if self.unanswered < UNANSWERED {
            return Ok(());
        }
        Err(StepError::fatal(format!(
            "the server answers without sending object {asked}, though it was asked for it {UNANSWERED} times"
        ))
        .with_hint("see whether the repository on the server is complete (`git fsck` there)"))
    }

    fn note_answered(&mut self, asked: Option<ObjectId>) {
        if asked != self.answered {
            (self.answered, self.unanswered) = (asked, 0);
        }
    }
}
