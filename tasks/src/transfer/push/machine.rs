//! The operation `push`.

use std::{num::NonZero, sync::Arc};

use gix::bstr::{BString, ByteSlice as _};
use resume_runtime::{Blocking, Resumable, StepError};
use serde::{Deserialize, Serialize};

use super::{
    clean::Clean,
    finish::Finish,
    input::Input,
    prepare::Prepare,
    send::Send,
    target::{Opened, Plan, Target},
};
use crate::transfer::{connection::Sink, refs::push::Update, text};

/// The machine's name in the records of operations.
pub const KIND: &str = "push";

/// A place in a step where tests interfere.
#[cfg(test)]
pub(crate) type Hook = Arc<dyn Fn(&str) + std::marker::Send + Sync>;

/// What each process brings along.
#[derive(Clone)]
pub struct Env {
    /// Told what the server says.
    pub sink: Sink,
    /// The URL with the password that it was given with.
    pub url: Option<BString>,
    #[cfg(test)]
    pub(crate) hook: Option<Hook>,
}

impl Default for Env {
    fn default() -> Self {
        Self {
            sink: Arc::new(|_| ()),
            url: None,
            #[cfg(test)]
            hook: None,
        }
    }
}

impl Env {
    /// With this as where the server's messages go; `url` has a password.
    pub fn new(sink: Sink, url: Option<BString>) -> Self {
        Self {
            sink,
            url,
            #[cfg(test)]
            hook: None,
        }
    }

    #[cfg(test)]
    pub(super) fn at(&self, place: &str) {
        if let Some(hook) = &self.hook {
            hook(place);
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests listen")]
    pub(super) const fn at(&self, _place: &str) {}
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Where it was pushed to, as it may be shown.
    pub to: String,
    /// What became of each ref.
    pub updates: Vec<Update>,
    /// The branches that follow another one now: theirs, and the server's.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// Temporary refs that the server did not let go.
    #[serde(with = "text::names", default)]
    pub leftover: Vec<BString>,
}

impl Output {
    /// Whether something was not pushed.
    pub fn failed(&self) -> bool {
        self.updates.iter().any(|it| it.status.is_failure())
    }
}

/// A branch that follows one of the server's now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The branch here, short.
    #[serde(with = "text::name")]
    pub branch: BString,
    /// The remote.
    #[serde(with = "text::name")]
    pub remote: BString,
    /// The server's, short.
    #[serde(with = "text::name")]
    pub follows: BString,
}

/// The machine.
#[derive(Resumable)]
#[resumable(kind = "push", version = 1, input = Input, output = Output, env = Env)]
pub enum Push {
    /// Which refs go where.
    #[step(start)]
    Prepare(Prepare),
    /// Increments, and the refs themselves.
    #[step(effect)]
    Send(Send),
    /// Temporary refs that are left.
    #[step(effect)]
    Clean(Clean),
    /// Remote-tracking refs and upstreams.
    #[step(effect)]
    Finish(Finish),
}

/// The plan, as it was made.
const PLAN: &str = "plan";
/// What became of it.
const OUTCOME: &str = "outcome";

/// Opens both sides.
pub(super) fn target(b: &Blocking<Push>) -> Result<Target, StepError> {
    let env = b.env();
    let url = env.url.as_ref().map(|it| it.as_bstr());
    Ok(Target::open(b.input(), url, &env.sink)?)
}

/// A connection.
pub(super) fn connection(b: &mut Blocking<Push>, target: &Target) -> Result<Opened, StepError> {
    Ok(target.connect(b.interrupt())?)
}

pub(super) fn store_plan(b: &mut Blocking<Push>, plan: &Plan) -> Result<(), StepError> {
    store(b, PLAN, plan)
}

pub(super) fn plan(b: &mut Blocking<Push>) -> Result<Plan, StepError> {
    read(b, PLAN)
}

pub(super) fn store_outcome(b: &mut Blocking<Push>, output: &Output) -> Result<(), StepError> {
    store(b, OUTCOME, output)
}

pub(super) fn outcome(b: &mut Blocking<Push>) -> Result<Output, StepError> {
    read(b, OUTCOME)
}

fn store<T: Serialize>(b: &mut Blocking<Push>, name: &str, value: &T) -> Result<(), StepError> {
    let bytes = serde_json::to_vec(value).map_err(StepError::fatal)?;
    let mut file = b.append_file(name)?;
    file.restart()?;
    file.append(&bytes)
}

fn read<T: for<'de> Deserialize<'de>>(b: &mut Blocking<Push>, name: &str) -> Result<T, StepError> {
    let file = std::io::BufReader::new(b.read_file(name)?);
    serde_json::from_reader(file)
        .map_err(|error| StepError::fatal(error).context("the stored plan can't be read"))
}

/// How many threads look for deltas.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
