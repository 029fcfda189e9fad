//! The two sides of a push: the repository here, and the one that is pushed to.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicBool};

use gix::{
    bstr::{BStr, BString, ByteSlice as _},
    hashtable::HashSet,
};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::{error::PackError, here::Here, history, input::Input, store::Store};
use crate::{
    pack::source::Kind,
    transfer::{
        RemoteRef,
        connection::{Address, ConnectionError, Message, Service, Session, Settings, Sink},
        refs::push::{
            Expected, Local, Pair, PushError, Remote, Update,
            decide::{Rules, decide},
            defaults, follow_tags, lease, pairs, track,
        },
    },
};

/// Why a push does not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// What is asked for can't be.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The server.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The objects here.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl From<TargetError> for resume_runtime::StepError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Push(error) => Self::fatal(error),
            TargetError::Connection(error) => error.into(),
            TargetError::Pack(PackError::Stopped) => Self::transient(PackError::Stopped),
            TargetError::Pack(error) => Self::fatal(error),
        }
    }
}

/// The last lines that a server said.
pub(crate) type Said = Arc<Mutex<Vec<String>>>;
/// So many of them are kept.
const LINES: usize = 50;

/// Both sides.
pub struct Target {
    pub(crate) repo: gix::Repository,
    pub(crate) store: Store,
    pub(crate) shallow: HashSet<ObjectId>,
    pub(crate) remote: Remote,
    pub(crate) address: Address,
    settings: Settings,
    sink: Sink,
}

/// What a push is, once it is known what both sides have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Which ref goes where.
    pub pairs: Vec<Pair>,
    /// What the leases say.
    pub expected: Vec<Expected>,
    /// What becomes of them, as it is at the beginning.
    pub first: Vec<Update>,
    /// What is pushed becomes the upstream of its branch.
    pub upstream: bool,
}

/// A connection, with what the server has.
pub struct Opened {
    pub(crate) session: Session,
    pub(crate) refs: Vec<RemoteRef>,
    said: Said,
}

impl Opened {
    /// What the server said so far, the first lines of it.
    pub(crate) fn said(&self) -> Said {
        Arc::clone(&self.said)
    }
}

impl Target {
    /// Opens the repository, and reads where to push to. `url` has a password, if there is one;
    /// `sink` is told what the server says.
    pub fn open(input: &Input, url: Option<&BStr>, sink: &Sink) -> Result<Self, TargetError> {
        let unreadable = |what| move |reason: String| PushError::Repository { what, reason };
        let repo = gix::open(&input.git_dir)
            .map_err(|error| unreadable("the repository")(error.to_string()))?;
        let store = Store::at(&repo.common_dir().join("objects"))?;
        let shallow = repo.shallow_commits();
        let shallow = shallow.map_err(|error| unreadable("shallow")(error.to_string()))?;
        let shallow = shallow.iter().flat_map(|it| it.iter().copied()).collect();
        let local = Local::of(&repo)?;
        let mut remote = defaults::remote(&repo, &local, Some(input.remote.as_bstr()))?;
        let configured = std::mem::take(&mut remote.urls);
        let settings = Settings::of(&repo)?.for_remote(input.remote.clone());
        let url = url.unwrap_or(input.url.as_bstr());
        // What is configured may have a password.
        let is_it = |it: &&(BString, bool)| {
            let address = Address::parse_for_push(&it.0, it.1, &settings);
            address.is_ok_and(|it| it.stored() == url)
        };
        let url = configured
            .iter()
            .find(is_it)
            .map_or(url, |it| it.0.as_bstr());
        let address = Address::parse_for_push(url, input.explicit, &settings)?;
        Ok(Self {
            repo,
            store,
            shallow,
            remote,
            address,
            settings,
            sink: Arc::clone(sink),
        })
    }

    /// Connects, and asks what the server has.
    pub fn connect(&self, interrupt: &Arc<AtomicBool>) -> Result<Opened, TargetError> {
        let service = Service::ReceivePack;
        let said = Said::default();
        let (ear, sink) = (Arc::clone(&said), Arc::clone(&self.sink));
        let settings = self.settings.clone();
        let settings = settings.with_sink(Arc::new(move |message: Message<'_>| {
            if !message.passing {
                let mut said = ear.lock().unwrap_or_else(PoisonError::into_inner);
                if said.len() < LINES {
                    said.push(message.text.to_owned());
                }
            }
            sink(message);
        }));
        let mut session = Session::open(&self.address, service, &settings, interrupt)?;
        let refs = session.refs(&[])?;
        Ok(Opened {
            session,
            refs,
            said,
        })
    }

    /// What is known here of objects.
    pub(crate) const fn here(&self) -> Here<'_> {
        Here {
            store: &self.store,
            shallow: &self.shallow,
        }
    }

    /// Says which ref goes where, and what becomes of it.
    pub fn plan(&self, input: &Input, opened: &Opened) -> Result<Plan, TargetError> {
        // What a server can't do it can't do at the end, either.
        for (asked, ability, what) in [
            (
                !input.options.is_empty(),
                "push-options",
                "take push options",
            ),
            (input.atomic, "atomic", "change all refs together or none"),
        ] {
            if asked && opened.session.has(ability).is_none() {
                let what = what.to_owned();
                return Err(ConnectionError::Unable { what }.into());
            }
        }
        let local = Local::of(&self.repo)?;
        let (specs, setup) = defaults::specs(&self.repo, &local, &self.remote, &input.asked())?;
        let object = |name: &BStr| {
            let found = self.repo.rev_parse_single(name).ok();
            found.map(gix::Id::detach)
        };
        let mut pairs = pairs(&specs, &local, &opened.refs, &object)?;
        let config = self.repo.config_snapshot();
        if input.follow_tags || config.boolean("push.followTags") == Some(true) {
            self.follow_tags(&mut pairs, &local, opened);
        }
        let tracked = |name: &BStr| {
            let name = track::tracking(&self.remote.fetch, name)?;
            local.refs.get(&name).copied()
        };
        let names = pairs.iter().map(|it| &it.to);
        let expected = lease::expected(&input.leases(), names, &tracked, &object)?;
        let first = self.decide(&pairs, &expected, input, opened);
        Ok(Plan {
            pairs,
            expected,
            first,
            upstream: input.upstream || setup,
        })
    }

    fn follow_tags(&self, pairs: &mut Vec<Pair>, local: &Local, opened: &Opened) {
        let leads = |id: ObjectId| match self.store.header(&id) {
            Ok(Some((Kind::Tag, _))) => match self.store.peel(&id) {
                Ok(Some((id, Kind::Commit))) => Some(id),
                _ => None,
            },
            _ => None,
        };
        let below = |commit: ObjectId, tips: &[ObjectId]| {
            history::reaches(&self.store, tips, commit, &self.shallow).unwrap_or(false)
        };
        follow_tags(pairs, local, &opened.refs, &leads, &below);
    }

    /// What becomes of the pairs now.
    pub(crate) fn decide(
        &self,
        pairs: &[Pair],
        expected: &[Expected],
        input: &Input,
        opened: &Opened,
    ) -> Vec<Update> {
        let rules = Rules {
            force: input.force,
            atomic: input.atomic,
            no_delete: opened.session.has("delete-refs").is_none(),
        };
        decide(pairs, expected, rules, &opened.refs, &self.here())
    }

    /// Where the local history ends, for the server.
    pub(crate) fn shallow_list(&self) -> Vec<ObjectId> {
        let mut list: Vec<_> = self.shallow.iter().copied().collect();
        list.sort_unstable();
        list
    }

    /// Where it is pushed to, as it may be shown.
    pub fn shown(&self) -> &str {
        self.address.shown()
    }

    /// The remote's name.
    pub fn name(&self) -> &BString {
        &self.remote.name
    }
}
