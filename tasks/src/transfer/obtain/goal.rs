//! What is to be reached, and through which server.

use std::path::PathBuf;
use std::sync::Arc;

use gix_hash::ObjectId;

use super::source::{Dial, MakeHaves, OpenFile};
use crate::transfer::missing::plan::Filter;

/// What is to be there in the end. It must be the same in each process, but for the server.
#[derive(Clone)]
pub struct Goal {
    /// What must be there, with all that it refers to.
    pub tips: Vec<ObjectId>,
    /// What is there already with all that it refers to: commits and tags.
    pub complete: Vec<ObjectId>,
    /// Finds out which of that the server has as well. Without it, `complete` is told the server as it
    /// is, and so has to be short, and known to the server.
    pub haves: Option<Arc<MakeHaves>>,
    /// The commits whose parents are cut off already.
    pub shallow: Vec<ObjectId>,
    /// How many commits of each tip are wanted.
    pub depth: Option<u32>,
    /// What is to be left out for good: the server promises it.
    pub filter: Option<Filter>,
    /// Whether tags of what is sent are to come along.
    pub tags: bool,
    /// The operation's own directory, on the file system of the repository.
    pub own: PathBuf,
    /// The objects that the repository has already.
    pub existing: Option<PathBuf>,
    /// How many threads to use.
    pub threads: usize,
    /// How often in a row nothing may be gained before the run ends.
    pub tries: u32,
    /// Where the rest comes from.
    pub server: Server,
}

impl Goal {
    /// What the server is told to be here.
    pub(super) fn known(&self) -> Vec<ObjectId> {
        match self.haves {
            Some(_) => Vec::new(),
            None => self.complete.clone(),
        }
    }

    /// Where objects gather.
    pub fn objects(&self) -> PathBuf {
        self.own.join("objects")
    }

    /// Where packs gather.
    pub fn packs(&self) -> PathBuf {
        self.own.join("objects/pack")
    }
}

/// A server, and whom to tell about it.
#[derive(Clone)]
pub struct Server {
    /// Connects to it.
    pub dial: Arc<Dial>,
    /// Fetches files that it names; without it they are left alone.
    pub file: Option<Arc<OpenFile>>,
    /// Told what the user may want to know.
    pub tell: Arc<dyn Fn(Said<'_>) + Send + Sync>,
}

/// What the user may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// How it goes on, and why so; the journal has it too.
    Choice(&'a str),
    /// Something went wrong, and what is done about it.
    Trouble(&'a str),
}
