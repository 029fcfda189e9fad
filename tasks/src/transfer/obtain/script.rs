//! A server out of a script: real packs of a real repository, cut off where a test says so.

use std::io::{self, Cursor, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gix::bstr::BString;
use gix_hash::ObjectId;

use super::{Answer, Coming, Part, Server, Source, Wanted};
use crate::transfer::RemoteRef;
use crate::transfer::connection::{Bundle, Bundles, ConnectionError, Haves, Request};
use crate::transfer::missing::plan::{Abilities, ByIds};

/// What a server does.
#[derive(Clone)]
pub(crate) struct Script {
    /// The repository that it serves.
    pub(crate) repository: PathBuf,
    /// What it can do.
    pub(crate) abilities: Abilities,
    /// What becomes of the answers, one after the other; all others come whole.
    pub(crate) faults: Arc<Mutex<Vec<Fault>>>,
    /// What was asked for.
    pub(crate) asked: Arc<Mutex<Vec<Request>>>,
    /// Bytes of packs that were sent.
    pub(crate) sent: Arc<AtomicU64>,
    /// Bundles that it offers, each of which needs those before.
    pub(crate) bundles: Vec<PathBuf>,
    /// Where the answers with them are cut off, one after the other, in hundredths.
    pub(crate) cuts: Arc<Mutex<Vec<usize>>>,
    /// From which byte on they were asked for.
    pub(crate) parts: Arc<Mutex<Vec<u64>>>,
}

/// What becomes of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    Whole,
    /// It is cut off after this part of its bytes, in hundredths.
    Cut(usize),
    /// There is no answer.
    Error(ConnectionError),
    /// A byte of it is turned over, at this part of its bytes, in hundredths.
    Flip(usize),
}

impl Script {
    pub(crate) fn new(repository: &Path) -> Self {
        Self {
            repository: repository.to_owned(),
            abilities: Abilities {
                ids: ByIds::Objects,
                blob_none: true,
                tree_zero: true,
            },
            faults: Arc::default(),
            asked: Arc::default(),
            sent: Arc::default(),
            bundles: Vec::new(),
            cuts: Arc::default(),
            parts: Arc::default(),
        }
    }

    pub(crate) fn faults(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        *lock(&self.faults) = faults.into_iter().collect();
        self
    }

    pub(crate) fn server(&self) -> Server {
        let (script, files) = (self.clone(), self.clone());
        Server {
            file: Some(Arc::new(move |wanted, _| files.part(wanted))),
            dial: Arc::new(move |_| Ok(Box::new(script.clone()) as Box<dyn Source>)),
            tell: Arc::new(|_| ()),
        }
    }

    fn part(&self, wanted: &Wanted<'_>) -> Result<Part, ConnectionError> {
        let Ok(mut bytes) = std::fs::read(wanted.uri) else {
            return Err(ConnectionError::NotFound {
                address: "the script".to_owned(),
                reason: "no file".to_owned(),
            });
        };
        let validator = format!("\"{}\"", blake3::hash(&bytes));
        let same = wanted.validator == Some(&validator);
        let from = if same { wanted.from } else { 0 };
        lock(&self.parts).push(from);
        let mut cuts = lock(&self.cuts);
        let start = usize::try_from(from).unwrap().min(bytes.len());
        let mut rest = bytes.split_off(start);
        let whole = cuts.is_empty() || rest.is_empty();
        if !whole {
            rest.truncate(rest.len() * cuts.remove(0) / 100);
        }
        Ok(Part {
            from,
            validator: Some(validator),
            bytes: Box::new(Bytes {
                script: self.clone(),
                pack: Cursor::new(rest),
                whole,
            }),
        })
    }

    fn pack(&self, request: &Request, common: &[ObjectId]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.repository);
        command.args([
            "-c",
            "pack.threads=1",
            "pack-objects",
            "-q",
            "--revs",
            "--stdout",
        ]);
        command.arg("--delta-base-offset");
        if request.include_tag {
            command.arg("--include-tag");
        }
        if let Some(filter) = &request.filter {
            command.arg(format!("--filter={filter}"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wants = request.wants.iter().map(|oid| format!("{oid}\n"));
        // What it does not know it passes over.
        let known = request.haves.iter().filter(|oid| self.has(oid));
        let haves = known.chain(common);
        let haves = haves.map(|oid| format!("^{oid}\n"));
        let input: String = wants.chain(haves).collect();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git pack-objects: {input}");
        output.stdout
    }
}

impl Script {
    fn has(&self, oid: &ObjectId) -> bool {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.repository);
        command.args(["cat-file", "-e"]).arg(oid.to_string());
        command.stderr(Stdio::null()).status().unwrap().success()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source for Script {
    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn refs(&mut self, _: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError> {
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(&self.repository).args(args);
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let mut refs = Vec::new();
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        for line in git(&["for-each-ref", format]).lines() {
            let mut words = line.split(' ');
            let (name, oid) = (words.next().unwrap(), words.next().unwrap());
            let mut listed = RemoteRef::new(name, ObjectId::from_hex(oid.as_bytes()).unwrap());
            let peeled = words.next().filter(|it| !it.is_empty());
            listed.peeled = peeled.map(|it| ObjectId::from_hex(it.as_bytes()).unwrap());
            refs.push(listed);
        }
        let head = git(&["symbolic-ref", "HEAD"]);
        let head = head.trim();
        let target = refs
            .iter()
            .find(|it| it.name == head)
            .and_then(|it| it.target);
        refs.push(RemoteRef {
            name: "HEAD".into(),
            target,
            peeled: None,
            symref: Some(head.into()),
        });
        Ok(refs)
    }

    fn offers_bundles(&self) -> bool {
        !self.bundles.is_empty()
    }

    fn bundles(&mut self) -> Result<Bundles, ConnectionError> {
        let bundle = |(n, path): (usize, &PathBuf)| Bundle {
            id: format!("bundle {n}"),
            uri: path.to_str().unwrap().to_owned(),
            filter: None,
            token: Some(n as u64),
        };
        Ok(Bundles {
            all: true,
            by_token: true,
            bundles: self.bundles.iter().enumerate().map(bundle).collect(),
        })
    }

    fn fetch(
        self: Box<Self>,
        request: &Request,
        haves: Option<&mut dyn Haves>,
    ) -> Result<Answer, ConnectionError> {
        lock(&self.asked).push(request.clone());
        let mut common = Vec::new();
        if let Some(haves) = haves {
            for oid in haves.next(usize::MAX)? {
                if self.has(&oid) {
                    haves.common(oid)?;
                    common.push(oid);
                }
            }
        }
        let fault = {
            let mut faults = lock(&self.faults);
            if faults.is_empty() {
                Fault::Whole
            } else {
                faults.remove(0)
            }
        };
        let mut pack = self.pack(request, &common);
        let mut whole = true;
        match fault {
            Fault::Whole => {}
            Fault::Cut(part) => {
                pack.truncate(pack.len() * part / 100);
                whole = false;
            }
            Fault::Flip(part) => {
                let at = pack.len() * part / 100;
                pack[at] ^= 0xff;
            }
            Fault::Error(error) => return Err(error),
        }
        self.sent.fetch_add(pack.len() as u64, Ordering::Relaxed);
        Ok(Answer {
            shallow: Vec::new(),
            pack: Box::new(Bytes {
                script: *self,
                pack: Cursor::new(pack),
                whole,
            }),
        })
    }
}

struct Bytes {
    script: Script,
    pack: Cursor<Vec<u8>>,
    whole: bool,
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A little at a time, so that there is much to be disturbed.
        let most = into.len().min(4 << 10);
        match self.pack.read(&mut into[..most])? {
            0 if !self.whole => Err(ConnectionError::Lost {
                reason: "the script says so".to_owned(),
            }
            .into()),
            read => Ok(read),
        }
    }
}

impl Coming for Bytes {
    fn back(self: Box<Self>) -> Option<Box<dyn Source>> {
        Some(Box::new(self.script))
    }
}
