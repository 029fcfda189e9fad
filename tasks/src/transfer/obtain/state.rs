//! What is committed of getting objects.

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::bundles::Bundling;
use crate::transfer::missing::Batches;
use crate::transfer::missing::plan::{Abilities, ByIds, Filter};
use crate::transfer::text;

/// How far the getting of objects is: part of a step's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obtain {
    pub(super) stage: Stage,
    /// What the server can do, as it said last.
    pub(super) abilities: Abilities,
    /// What it has refused.
    #[serde(default)]
    pub(super) refused: Refused,
    /// How often in a row nothing was gained.
    #[serde(default)]
    pub(super) setbacks: u32,
    /// How often in a row an answer was cut off.
    #[serde(default)]
    pub(super) cuts: u32,
    /// What became of the server's bundles, as long as there may be more of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bundles: Option<Bundling>,
    /// The bytes of packs that came over the line, what was of no use included.
    pub(super) bytes: u64,
    /// The objects in the packs that are kept.
    pub(super) objects: u64,
    /// How many objects there will be, as far as can be told; 0 where nothing is known.
    pub(super) expected: u64,
    /// How far the list of missing blobs is.
    pub(super) batches: Batches,
    /// Whether the server has said where it cuts history off.
    #[serde(default)]
    pub(super) cut_off: bool,
    /// The first object of the last request that was answered to its end.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) answered: Option<ObjectId>,
    /// How often that object was still missing then.
    #[serde(default)]
    pub(super) unanswered: u32,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Choose a bundle of the server's, and ask for it.
    Bundle,
    /// Look for what is missing.
    Look,
    /// Ask for it.
    Ask(What),
    /// Take what comes.
    Receive(What),
    /// Make a pack of what came, which is all of it.
    Index(What),
    /// Make a pack of what came, which is a part.
    Salvage(What),
    /// Make one pack of many, of which so many objects are written.
    Join(u32),
    /// All of it is written: give it its name.
    Install,
    /// Remove those that it was made of.
    Discard,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum What {
    /// A bundle.
    Bundle,
    /// The tips, with all that they refer to.
    All,
    /// The commits and tags of the list of wants.
    Commits(Option<Filter>),
    /// The trees of that list.
    Trees(Option<Filter>),
    /// The next batch of the list of blobs.
    Blobs,
}

/// What a server has refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) blob_none: bool,
    pub(super) tree_zero: bool,
    pub(super) ids: bool,
}

/// What a part of the work is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Objects come.
    Receive,
    /// What came is made a pack.
    Resolve,
    /// It is looked whether all is there.
    Check,
    /// Packs are made one.
    Join,
}

/// What was got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obtained {
    /// The bytes of packs that came over the line, what was of no use included.
    pub bytes: u64,
    /// The objects that were kept.
    pub objects: u64,
}

impl Obtain {
    /// Nothing is there yet. `staged`: asks for history first and for blobs in batches, instead of
    /// for everything at once.
    pub fn new(abilities: Abilities, staged: bool) -> Self {
        let stage = if staged {
            Stage::Look
        } else {
            Stage::Ask(What::All)
        };
        Self {
            stage,
            abilities,
            refused: Refused::default(),
            setbacks: 0,
            cuts: 0,
            bundles: None,
            bytes: 0,
            objects: 0,
            expected: 0,
            batches: Batches::default(),
            cut_off: false,
            answered: None,
            unanswered: 0,
        }
    }

    /// The same, which takes the server's bundles first.
    pub fn with_bundles(mut self) -> Self {
        self.bundles = Some(Bundling::before(self.stage));
        self.stage = Stage::Bundle;
        self
    }

    /// The same with another goal: what is there stays, and what is missing is looked for.
    pub fn onward(mut self) -> Self {
        (self.stage, self.bundles) = (Stage::Look, None);
        (self.answered, self.unanswered) = (None, 0);
        self
    }

    /// The same with what a server says now that it can do.
    pub fn with(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// The server does not give objects by their ids, though it could.
    pub fn without_ids(mut self) -> Self {
        self.refused.ids = true;
        self.onward()
    }

    /// Whether objects may be asked for by ids that no ref names.
    pub fn asks_by_id(&self) -> bool {
        self.able().ids != ByIds::Refs
    }

    /// What was got so far.
    pub fn obtained(&self) -> Obtained {
        Obtained {
            bytes: self.bytes,
            objects: self.objects,
        }
    }

    /// What is done next, for people.
    pub fn phase(&self) -> Phase {
        match self.stage {
            Stage::Bundle | Stage::Ask(_) | Stage::Receive(_) => Phase::Receive,
            Stage::Index(_) | Stage::Salvage(_) => Phase::Resolve,
            Stage::Join(_) | Stage::Install | Stage::Discard => Phase::Join,
            Stage::Look => Phase::Check,
        }
    }

    /// What the server can do, less what it has refused.
    pub(super) fn able(&self) -> Abilities {
        let mut able = self.abilities;
        able.blob_none &= !self.refused.blob_none;
        able.tree_zero &= !self.refused.tree_zero;
        if self.refused.ids {
            able.ids = ByIds::Refs;
        }
        able
    }
}
