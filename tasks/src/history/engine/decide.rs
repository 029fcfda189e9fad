//! The engine: what it decides itself, and what it leaves to Git.

use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix::objs::{Kind, WriteTo as _};
use gix_hash::ObjectId;

use super::attributes::Attributes;
use super::error::EngineError;
use super::git::{self, Places};
use super::outcome::{By, Favor, Labels, Message, Outcome};
use super::quarantine::Quarantine;
use super::relabel::{Relabel, relabel};
use super::trees::Walk;

/// Three trees to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trees {
    /// What both sides had.
    pub base: ObjectId,
    /// Ours.
    pub ours: ObjectId,
    /// Theirs.
    pub theirs: ObjectId,
}

/// Merges trees and commits of one repository.
///
/// The repository is handed to each call, so that its memory of new objects
/// ([`gix::Repository::with_object_memory`]) is the caller's: the results are written there.
pub struct Engine {
    attributes: Attributes,
    scratch: PathBuf,
    /// Whether history may be other than the commits say.
    is_cut: bool,
    /// Never decides itself, for tests.
    only_git: bool,
}

impl Engine {
    /// An engine with the configuration of `repository`. It makes the directory `scratch` when it
    /// asks Git, removes it then, and owns what is there.
    pub fn open(repository: &gix::Repository, scratch: &Path) -> Self {
        let common = repository.common_dir();
        Self {
            attributes: Attributes::open(repository),
            scratch: scratch.to_owned(),
            is_cut: repository.is_shallow().unwrap_or(true) || common.join("info/grafts").exists(),
            only_git: false,
        }
    }

    /// Leaves everything to Git: for comparisons.
    pub fn only_git(mut self) -> Self {
        self.only_git = true;
        self
    }

    /// Merges what `theirs` has over `base` into `ours`: for picking a commit.
    pub fn merge_trees(
        &mut self,
        repository: &gix::Repository,
        trees: Trees,
        labels: &Labels,
        favor: Favor,
    ) -> Result<Outcome, EngineError> {
        if let Some(outcome) = self.decide(repository, trees) {
            return Ok(outcome);
        }
        let mut quarantine = Quarantine::new(repository, &self.scratch)?;
        for tree in [trees.base, trees.ours, trees.theirs] {
            quarantine.give(tree)?;
        }
        // Commits that are nowhere else say what the base is.
        let base = quarantine.add(Kind::Commit, &commit("base", trees.base, None)?)?;
        let ours = commit("ours", trees.ours, Some(base))?;
        let ours = quarantine.add(Kind::Commit, &ours)?;
        let theirs = commit("theirs", trees.theirs, Some(base))?;
        let theirs = quarantine.add(Kind::Commit, &theirs)?;
        let asked = Asked {
            sides: [ours, theirs],
            base: Some(base),
            favor,
            allow_unrelated: false,
        };
        ask(repository, &quarantine, &asked, labels)
    }

    /// Merges two commits. Histories with nothing in common are an error if they are not allowed.
    pub fn merge_commits(
        &mut self,
        repository: &gix::Repository,
        ours: ObjectId,
        theirs: ObjectId,
        labels: &Labels,
        favor: Favor,
        allow_unrelated: bool,
    ) -> Result<Outcome, EngineError> {
        let bases = self.bases(repository, ours, theirs);
        if let Some(bases) = &bases {
            if bases.is_empty() && !allow_unrelated {
                return Err(EngineError::Unrelated);
            }
            if let [base] = bases[..] {
                let trees = Trees {
                    base: tree(repository, base)?,
                    ours: tree(repository, ours)?,
                    theirs: tree(repository, theirs)?,
                };
                if let Some(outcome) = self.decide(repository, trees) {
                    return Ok(outcome);
                }
            }
        }
        let mut quarantine = Quarantine::new(repository, &self.scratch)?;
        for commit in [ours, theirs] {
            quarantine.give(commit)?;
        }
        let asked = Asked {
            sides: [ours, theirs],
            base: None,
            favor,
            allow_unrelated,
        };
        ask(repository, &quarantine, &asked, labels)
    }

    /// The best common ancestors; none if only Git can say.
    fn bases(
        &self,
        repository: &gix::Repository,
        ours: ObjectId,
        theirs: ObjectId,
    ) -> Option<Vec<ObjectId>> {
        if self.is_cut {
            return None;
        }
        let bases = repository.merge_bases_many(ours, &[theirs]).ok()?;
        Some(bases.into_iter().map(gix::Id::detach).collect())
    }

    /// The outcome, if it is for us to say; what cannot be read is for Git to report, or to fetch.
    fn decide(&mut self, repository: &gix::Repository, trees: Trees) -> Option<Outcome> {
        if self.only_git {
            return None;
        }
        let Trees { base, ours, theirs } = trees;
        let mut merged = Vec::new();
        let tree = if base == ours || ours == theirs {
            theirs
        } else if base == theirs {
            ours
        } else {
            self.attributes.begin([base, ours, theirs]);
            let mut walk = Walk {
                repository,
                attributes: &mut self.attributes,
                merged: Vec::new(),
            };
            let tree = walk.root([base, ours, theirs]).ok().flatten()?;
            merged = walk.merged;
            tree
        };
        Some(Outcome {
            tree,
            clean: true,
            stages: Vec::new(),
            messages: merged.iter().map(auto_merging).collect(),
            by: By::Mug,
        })
    }
}

fn auto_merging(path: &BString) -> Message {
    Message {
        kind: "Auto-merging".to_owned(),
        text: format!("Auto-merging {path}"),
    }
}

/// What Git is asked.
struct Asked {
    sides: [ObjectId; 2],
    /// The base, if it is one that nobody knows.
    base: Option<ObjectId>,
    favor: Favor,
    allow_unrelated: bool,
}

fn ask(
    repository: &gix::Repository,
    quarantine: &Quarantine<'_>,
    asked: &Asked,
    labels: &Labels,
) -> Result<Outcome, EngineError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(EngineError::io(path));
    let places = Places {
        git_dir: absolute(repository.git_dir())?,
        worktree: repository.workdir().map(absolute).transpose()?,
        objects: absolute(quarantine.path())?,
    };
    let outcome = git::ask(&places, asked.sides, asked.favor, asked.allow_unrelated)?;
    quarantine.take()?;
    if outcome.clean && outcome.messages.is_empty() {
        return Ok(outcome);
    }
    let mut names = vec![
        Relabel::new(asked.sides[0].to_string(), labels.ours.clone()),
        Relabel::new(asked.sides[1].to_string(), labels.theirs.clone()),
    ];
    if let (Some(base), Some(label)) = (asked.base, &labels.base) {
        names.push(Relabel::short(base.to_string(), label.clone()));
    }
    relabel(repository, outcome, &names)
}

/// A commit that is never seen.
fn commit(name: &str, tree: ObjectId, parent: Option<ObjectId>) -> Result<Vec<u8>, EngineError> {
    let nobody = gix::actor::Signature {
        name: "mug".into(),
        email: "mug".into(),
        time: gix::date::Time::default(),
    };
    let commit = gix::objs::Commit {
        tree,
        parents: parent.into_iter().collect(),
        author: nobody.clone(),
        committer: nobody,
        encoding: None,
        message: name.into(),
        extra_headers: Vec::new(),
    };
    let mut bytes = Vec::new();
    commit.write_to(&mut bytes).map_err(EngineError::object)?;
    Ok(bytes)
}

fn tree(repository: &gix::Repository, commit: ObjectId) -> Result<ObjectId, EngineError> {
    let commit = repository
        .find_commit(commit)
        .map_err(EngineError::object)?;
    Ok(commit.tree_id().map_err(EngineError::object)?.detach())
}
