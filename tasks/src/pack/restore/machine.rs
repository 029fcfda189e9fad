//! The operation: check the pack, write the entries, write their index, publish.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use gix_hash::ObjectId;
use resume_runtime::{
    Blocking, Context, Resumable, Step, StepError, StepResult, Transition, path_text,
};
use serde::{Deserialize, Serialize};

use super::super::format::{Digest, PackDir};
use super::encode::Units;
use super::publish::{self, Disk, Target};
use super::writer::{PackWriter, read_table};
use super::{RestoreError, Source, idx, worktree};

/// The machine's name in the records of operations.
pub const KIND: &str = "pack-restore";

const PACK: &str = "restore.pack";
const TABLE: &str = "restore.table";
const INDEX: &str = "restore.idx";

/// What to restore, and where to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The pack directory, an absolute path.
    #[serde(with = "path_text")]
    pub pack: PathBuf,
    /// The new repository, an absolute path.
    #[serde(with = "path_text")]
    pub target: PathBuf,
    /// Whether it is to have no working tree.
    pub bare: bool,
}

impl Input {
    /// The target.
    pub fn target(&self) -> Target {
        Target {
            path: self.target.clone(),
            bare: self.bare,
        }
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The number of objects.
    pub objects: u64,
    /// The length of the Git pack in bytes.
    pub pack_bytes: u64,
    /// Why the working tree was not written, if it could not be: a filter that is missing, for
    /// example. The repository is complete without it.
    pub no_tree: Option<String>,
}

/// What a process needs to restore.
#[derive(Debug)]
pub struct Env {
    threads: usize,
    source: Mutex<Option<Arc<Source>>>,
    /// Counts the units that are appended.
    #[cfg(test)]
    units: Arc<std::sync::atomic::AtomicU64>,
}

impl Env {
    /// Restores with so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            source: Mutex::new(None),
            #[cfg(test)]
            units: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn counting(threads: usize, units: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self {
            units,
            ..Self::new(threads)
        }
    }

    /// The opened layers of the plan; opened once in a process.
    fn source(&self, pack: &Path, plan: &Plan) -> Result<Arc<Source>, RestoreError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = &*source {
            return Ok(Arc::clone(source));
        }
        let dir = PackDir::open(pack)?;
        if Plan::of(&dir, plan.layers) != *plan {
            return Err(RestoreError::Replaced {
                path: pack.to_owned(),
            });
        }
        let opened = Arc::new(Source::open(&dir, plan.layers)?);
        *source = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

/// Which layers are restored: what is added to the pack later is none of this operation's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    layers: usize,
    /// The digest of the layers' ids.
    ids: Digest,
}

impl Plan {
    fn of(pack: &PackDir, layers: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        let listed = &pack.manifest().layers;
        let listed = &listed[..layers.min(listed.len())];
        for layer in listed {
            hasher.update(&layer.id.0);
        }
        Self {
            layers: listed.len(),
            ids: hasher.finalize().into(),
        }
    }
}

/// Restores a repository from a pack directory.
#[derive(Debug, Resumable)]
#[resumable(kind = "pack-restore", version = 1, input = Input, output = Output, env = Env)]
pub enum Restore {
    /// Looks at the target and the pack.
    #[step(start)]
    Check(Check),
    /// Writes the Git pack.
    #[step]
    Entries(Entries),
    /// Writes its index.
    #[step]
    Index(Index),
    /// Moves them into the new repository.
    #[step(effect)]
    Publish(Publish),
    /// Writes the working tree.
    #[step(effect)]
    Tree(Tree),
    /// Writes the refs, and `HEAD` last.
    #[step(effect)]
    Refs(Refs),
}

/// The first step's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Check {}

/// The state of writing the pack.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entries {
    plan: Plan,
    /// The unit to come next; all before it are in the pack.
    unit: usize,
}

/// The state of writing the pack's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct Index {
    plan: Plan,
    checksum: String,
}

/// The state of moving the pack into the repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    plan: Plan,
    /// The pack's checksum; none if there are no objects.
    checksum: Option<String>,
}

/// The state of writing the working tree.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tree {
    plan: Plan,
    pack_bytes: u64,
}

/// The state of writing the refs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refs {
    plan: Plan,
    pack_bytes: u64,
    /// Why there is no working tree, if it could not be written.
    no_tree: Option<String>,
}

impl Step<Restore> for Check {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(|b| {
            let input = b.input();
            input.target().check_free(Some(b.id()))?;
            let plan = Plan::of(
                &PackDir::open(&input.pack).map_err(RestoreError::from)?,
                usize::MAX,
            );
            let source = b.env().source(&input.pack, &plan)?;
            b.report(0, Some(source.objects().into()));
            b.report_bytes(0, Some(source.stream_bytes()));
            if source.objects() == 0 {
                return Transition::to(Publish {
                    plan,
                    checksum: None,
                });
            }
            Transition::to(Entries { plan, unit: 0 })
        })
        .await
    }
}

/// What lives from slice to slice: threads that work ahead, and the running state of the pack.
struct Work {
    units: Units,
    writer: PackWriter,
}

impl Step<Restore> for Entries {
    async fn run(mut self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let dir = own_dir(b);
            let mut work = match b.take_local() {
                Some(work) => work,
                None => self.open(b, &source)?,
            };
            let mut bytes = source.bytes_before(self.unit);
            let total = (u64::from(source.objects()), source.stream_bytes());
            while let Some(encoded) = work.units.next_unit() {
                let encoded = encoded?;
                let interrupt = Arc::clone(b.interrupt());
                let interrupted = || interrupt.load(Ordering::Relaxed);
                let mut pack = b.append_file_in(&dir, PACK)?;
                let rows = work
                    .writer
                    .append(&source, &encoded, &mut pack, &interrupted)?;
                b.append_file_in(&dir, TABLE)?.append(&rows)?;
                #[cfg(test)]
                b.env().units.fetch_add(1, Ordering::Relaxed);
                self.unit += 1;
                bytes += source.unit(encoded.unit).1.bytes;
                b.report(work.writer.entries() as u64, Some(total.0));
                b.report_bytes(bytes, Some(total.1));
                if b.should_yield() && self.unit < source.units() {
                    b.keep_local(work);
                    return Transition::to(self);
                }
            }
            let checksum = work.writer.finish(&mut b.append_file_in(&dir, PACK)?)?;
            Transition::to(Index {
                plan: self.plan,
                checksum: checksum.to_string(),
            })
        })
        .await
    }
}

impl Entries {
    fn open(&self, b: &mut Blocking<Restore>, source: &Arc<Source>) -> Result<Work, StepError> {
        let dir = own_dir(b);
        let mut pack = b.append_file_in(&dir, PACK)?;
        let writer = if pack.len() == 0 {
            PackWriter::begin(source.objects(), &mut pack)?
        } else {
            let pack = b.read_file(PACK)?;
            PackWriter::resume(source.first_rank(self.unit), pack, b.read_file(TABLE)?)?
        };
        Ok(Work {
            units: Units::start(source, self.unit, b.env().threads),
            writer,
        })
    }
}

impl Step<Restore> for Index {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let checksum = ObjectId::from_hex(self.checksum.as_bytes());
            let checksum =
                checksum.map_err(|_| StepError::fatal("the pack's checksum can't be read"))?;
            let rows = read_table(b.read_file(TABLE)?)?;
            let dir = own_dir(b);
            idx::write(
                &mut b.append_file_in(&dir, INDEX)?,
                &source,
                &rows,
                checksum,
            )?;
            Transition::to(Publish {
                plan: self.plan,
                checksum: Some(self.checksum),
            })
        })
        .await
    }
}

impl Step<Restore> for Publish {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let target = b.input().target();
            let git_dir = target.git_dir();
            target.check_unborn()?;
            publish::skeleton(&target, &own_dir(b).join("skeleton"), b)?;
            let mut pack_bytes = 0;
            if let Some(checksum) = self.checksum {
                let stem = git_dir.join(format!("objects/pack/pack-{checksum}"));
                let pack = stem.with_extension("pack");
                b.install(PACK, &pack)?;
                b.install(INDEX, &stem.with_extension("idx"))?;
                publish::seal(&stem, b)?;
                pack_bytes = std::fs::metadata(&pack)
                    .map_err(RestoreError::io(&pack))?
                    .len();
            }
            let plan = self.plan;
            if target.bare {
                return Transition::to(Refs {
                    plan,
                    pack_bytes,
                    no_tree: None,
                });
            }
            Transition::to(Tree { plan, pack_bytes })
        })
        .await
    }
}

impl Step<Restore> for Tree {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let target = b.input().target();
            target.check_unborn()?;
            let mut no_tree = None;
            if let Some(head) = worktree::head(source.newest().refs()) {
                let scratch = own_dir(b).join("tree");
                match worktree::check_out(&target, &scratch, head, b.interrupt(), b)? {
                    Ok(()) => worktree::move_in(&target, &scratch, b)?,
                    Err(reason) => {
                        publish::remove_dir(&scratch, b)?;
                        b.note(format!("the working tree was not written: {reason}"));
                        no_tree = Some(reason);
                    }
                }
            }
            Transition::to(Refs {
                plan: self.plan,
                pack_bytes: self.pack_bytes,
                no_tree,
            })
        })
        .await
    }
}

impl Step<Restore> for Refs {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let target = b.input().target();
            // What has a HEAD is in use: all but the operation's record was written before.
            if target.check_unborn().is_ok() {
                publish::refs(&target.git_dir(), source.newest().refs(), b)?;
            }
            Transition::done(Output {
                objects: source.objects().into(),
                pack_bytes: self.pack_bytes,
                no_tree: self.no_tree,
            })
        })
        .await
    }
}

/// The operation's own directory on the target's file system.
fn own_dir(b: &Blocking<Restore>) -> PathBuf {
    let store = b.input().target().git_dir().join(publish::STORE_NAME);
    store.join("ops").join(b.id())
}

impl Disk for Blocking<Restore> {
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.sync(path).map_err(io::Error::other)
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.sync_tree(dir).map_err(io::Error::other)
    }
}

impl From<RestoreError> for StepError {
    fn from(error: RestoreError) -> Self {
        use super::super::format::FormatError;
        match error {
            RestoreError::Interrupted => Self::transient(error),
            RestoreError::Io { path, source }
            | RestoreError::Format(FormatError::Io { path, source }) => {
                // What the operation's files reported is classed already.
                match source.downcast::<Self>() {
                    Ok(error) => error,
                    Err(error) => Self::from(error).context(format!("'{}'", path.display())),
                }
            }
            error => Self::fatal(error),
        }
    }
}
