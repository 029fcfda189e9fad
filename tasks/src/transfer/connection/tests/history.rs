//! What is here is told round by round, and left out.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix::negotiate::Algorithm;
use gix_hash::ObjectId;

use super::super::{Address, History, Request, Service, Session, Settings};
use crate::transfer::refs::tests::fixture::{commit, git, init};

fn open(path: &Path, version: u8) -> Session {
    let settings = Settings::from_file(gix::config::File::default()).unwrap();
    let settings = settings.with_version(version);
    let address = Address::parse(path.to_str().unwrap(), &settings).unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    Session::open(&address, Service::UploadPack, &settings, &flag).unwrap()
}

#[test]
fn only_what_is_new_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let there = init(dir.path(), "there");
    for at in 0..60 {
        commit(&there, &format!("shared-{at}"));
    }
    git(dir.path(), "clone -q there here");
    let here = dir.path().join("here");
    // What only one side has.
    for at in 0..30 {
        commit(&here, &format!("mine-{at}"));
    }
    for at in 0..3 {
        commit(&there, &format!("theirs-{at}"));
    }
    let repo = gix::open(&here).unwrap();
    let id = |dir: &Path, name: &str| -> ObjectId {
        git(dir, &format!("rev-parse {name}"))
            .trim()
            .parse()
            .unwrap()
    };
    let shared = id(&here, "HEAD~30");
    for version in [2, 1, 0] {
        for algorithm in [Algorithm::Consecutive, Algorithm::Skipping] {
            let mut session = open(&there, version);
            let refs = session.refs(&["refs/heads/".into()]).unwrap();
            let graph = repo.revision_graph(None);
            let mine = [id(&here, "HEAD")];
            let mut history = History::new(algorithm, graph, mine, []).unwrap();
            let request = Request::new(vec![refs[0].target.unwrap()]);
            let mut reply = session.negotiate(&request, &mut history).unwrap();
            for oid in &reply.common {
                git(&there, &format!("cat-file -e {oid}"));
            }
            let mut pack = Vec::new();
            reply.pack.read_to_end(&mut pack).unwrap();
            let sent = u32::from_be_bytes(pack[8..12].try_into().unwrap());
            if algorithm == Algorithm::Consecutive {
                assert!(reply.common.contains(&shared), "version {version}");
                assert_eq!(sent, 3, "version {version}");
            } else {
                // It may step over the last that is common.
                assert!(sent < 63, "version {version}");
            }
        }
    }
}
