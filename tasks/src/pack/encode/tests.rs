//! Frames are the same bytes wherever the work begins, on any number of threads.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

use std::{
    collections::BTreeMap,
    io::Cursor,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use super::{EncodeError, Frame, Pipeline};
use crate::{
    compress::{Compressor as _, ZstdCompressor, ZstdSettings},
    pack::{
        plan::{PlanFile, write_plan},
        scan::{Reach, Scan, Universe},
        select::{Repository, tips},
        source::{Kind, Reader, SourceError, SourceList, Sources},
        testing::{GitRepo, git_in, lines},
    },
};

struct Made {
    repo: GitRepo,
    universe: Universe,
    plan: Arc<PlanFile>,
}

impl Made {
    /// The plan for `refs` of `repo`.
    fn plan(repo: GitRepo, refs: &[&str], frame_size: u32) -> Self {
        let git = Repository::open(repo.git_dir()).unwrap();
        let list = SourceList::find(&git.objects()).unwrap();
        let universe = Universe::read(Arc::new(Sources::open(list, None).unwrap())).unwrap();
        let names: Vec<String> = refs.iter().map(ToString::to_string).collect();
        let refs = git.refs(&names).unwrap();
        let tips: Vec<u32> = tips(&refs)
            .into_iter()
            .map(|(_, id)| {
                let gix_hash::ObjectId::Sha1(oid) = id else {
                    panic!("sha1")
                };
                universe.catalog.find(&universe.sources, &oid).unwrap()
            })
            .collect();
        let (scan, stop) = (Scan::new(&universe), AtomicBool::new(false));
        scan.run(&universe, 0, 1, &stop, &|_| false).unwrap();
        let reach = Reach::of(&universe, scan, &tips, &stop).unwrap();
        let mut bytes = Vec::new();
        write_plan(&universe, &reach, None, frame_size, &mut bytes, &|| false).unwrap();
        let plan = Arc::new(PlanFile::open(Cursor::new(bytes)).unwrap());
        Self {
            repo,
            universe,
            plan,
        }
    }

    fn frames(&self, first: u32, threads: usize) -> Result<Vec<Frame>, EncodeError> {
        let (sources, catalog) = (&self.universe.sources, &self.universe.catalog);
        let mut pipeline = Pipeline::start(
            &self.plan,
            sources,
            catalog,
            ZstdSettings::USUAL,
            first,
            threads,
        );
        let mut frames = Vec::new();
        while first as usize + frames.len() < self.plan.frames.len() {
            frames.extend(pipeline.next(Duration::from_secs(10))?);
        }
        Ok(frames)
    }

    /// Each entry's object, put together from the frames alone.
    fn objects(&self, frames: &[Frame]) -> BTreeMap<String, (Kind, Vec<u8>)> {
        let mut zstd = ZstdCompressor::new(3).unwrap();
        let (mut stream, mut raw) = (Vec::new(), Vec::new());
        for (number, frame) in (0..).zip(frames) {
            assert_eq!(frame.number, number);
            assert_eq!(frame.blake3, *blake3::hash(&frame.stored).as_bytes());
            zstd.decompress(&frame.stored, self.plan.frame_size as usize, &mut raw)
                .unwrap();
            assert_eq!(raw.len(), frame.raw as usize);
            stream.extend_from_slice(&raw);
        }
        assert_eq!(stream.len() as u64, self.plan.summary.stream);
        let reader = Reader::new(&self.universe.sources, &self.universe.catalog);
        let (mut at, mut made) = (0, Vec::<(Kind, Vec<u8>)>::new());
        let entries = self.plan.entries(0..self.plan.summary.entries).unwrap();
        for (rank, entry) in entries.iter().enumerate() {
            let payload = &stream[at..at + entry.size as usize];
            at += payload.len();
            let kind = Kind::from_number(entry.kind).unwrap();
            let content = match entry.base as usize {
                0 => payload.to_vec(),
                base => {
                    let mut content = Vec::new();
                    let base = &made[rank - (base - 1)].1;
                    crate::pack::delta::apply(base, payload, &mut content, |_, _, _| {}).unwrap();
                    content
                }
            };
            made.push((kind, content));
        }
        let id = |entry: &crate::pack::plan::PlannedEntry| {
            crate::pack::source::hex(&reader.oid(entry.id))
        };
        entries.iter().map(id).zip(made).collect()
    }

    /// Holds the objects in the frames against git's, content and all.
    fn agree(&self, revisions: &[&str]) {
        let frames = self.frames(0, 2).unwrap();
        let objects = self.objects(&frames);
        let expected = self.repo.reachable(revisions);
        assert_eq!(
            objects
                .keys()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>(),
            expected
        );
        for (id, (kind, content)) in objects {
            let shown = git_in(&self.repo.path(), &["cat-file", kind.name(), &id]).stdout;
            assert_eq!(shown, content, "{id}");
        }
    }
}

/// Compressible, but different from version to version throughout.
fn large(version: usize, size: usize) -> Vec<u8> {
    let mut bytes = lines("large", version, size / 16).into_bytes();
    bytes.resize(size, b'.');
    bytes
}

fn mixed() -> GitRepo {
    let repo = GitRepo::history(12);
    repo.write("large", large(1, 30_000));
    repo.write("empty", "");
    repo.commit("large");
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("large", large(2, 20_000));
    repo.write("loose-large", large(3, 10_001));
    repo.commit("loose");
    repo
}

#[test]
fn the_frames_hold_exactly_the_reachable_objects() {
    Made::plan(mixed(), &[], 4096).agree(&["--all", "HEAD"]);
}

#[test]
fn frames_are_the_same_on_any_number_of_threads_and_from_any_start() {
    let made = Made::plan(mixed(), &[], 4096);
    let expected = made.frames(0, 1).unwrap();
    assert!(expected.len() > 8, "{} frames", expected.len());
    assert!(
        made.plan
            .frames
            .iter()
            .any(|frame| frame.large && frame.from > 0)
    );
    assert_eq!(made.frames(0, 4).unwrap(), expected);
    for first in 1..expected.len() {
        let rest = made.frames(u32::try_from(first).unwrap(), 2).unwrap();
        assert_eq!(rest, expected[first..], "from frame {first}");
    }
    let entries: u32 = expected.iter().map(|frame| frame.entries).sum();
    assert_eq!(entries, made.plan.summary.entries);
}

/// Of two versions of a file, git keeps the larger whole; the smaller is a delta against it.
fn delta_with_an_unreachable_base(size: usize, frame_size: u32) {
    let repo = GitRepo::new();
    repo.write("file", large(1, size));
    repo.commit("small");
    repo.git(&["branch", "old"]);
    repo.write("file", [large(1, size), b"and more".repeat(20)].concat());
    repo.commit("grown");
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    let old = repo.git(&["rev-parse", "old:file"]);
    let list = SourceList::find(&repo.git_dir().join("objects")).unwrap();
    let shown = repo.git(&["verify-pack", "-v", list.packs[0].path.to_str().unwrap()]);
    let row = shown.lines().find(|row| row.starts_with(&old)).unwrap();
    assert_eq!(row.split_whitespace().count(), 7, "a delta: {row}");
    Made::plan(repo, &["old"], frame_size).agree(&["old"]);
}

#[test]
fn a_delta_whose_base_is_left_out_becomes_whole() {
    delta_with_an_unreachable_base(6_000, 16_384);
}

#[test]
fn a_large_delta_whose_base_is_left_out_becomes_whole() {
    delta_with_an_unreachable_base(60_000, 16_384);
}

#[test]
fn loose_objects_that_were_packed_meanwhile_are_found_in_the_new_pack() {
    let made = Made::plan(mixed(), &[], 4096);
    let expected = made.frames(0, 1).unwrap();
    let made = Made::plan(mixed(), &[], 4096);
    made.repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    made.repo.git(&["prune-packed"]);
    assert_eq!(made.frames(0, 2).unwrap(), expected);
}

#[test]
fn a_loose_object_that_is_gone_is_told_apart_from_damage() {
    let made = Made::plan(GitRepo::history(2), &[], 4096);
    std::fs::remove_dir_all(made.repo.git_dir().join("objects")).unwrap();
    std::fs::create_dir(made.repo.git_dir().join("objects")).unwrap();
    let error = made.frames(0, 2).unwrap_err();
    assert!(
        matches!(&error, EncodeError::Source(source @ SourceError::Gone { .. }) if source.is_gone()),
        "{error}"
    );
}

#[test]
fn packs_behind_symbolic_links_are_held_too() {
    let repo = mixed();
    let folder = repo.git_dir().join("objects/pack");
    let elsewhere = repo.beside("elsewhere");
    std::fs::rename(&folder, &elsewhere).unwrap();
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(&elsewhere).unwrap() {
        let name = entry.unwrap().file_name();
        let target = std::path::Path::new("../../../../elsewhere").join(&name);
        std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
    }
    let mut list = SourceList::find(&repo.git_dir().join("objects")).unwrap();
    let links = repo.beside("links");
    list.hold(&links).unwrap();
    std::fs::remove_dir_all(elsewhere).unwrap();
    assert_eq!(Sources::open(list, Some(&links)).unwrap().packs.len(), 1);
}

#[test]
fn links_keep_packs_alive_that_git_replaced() {
    let repo = mixed();
    let links = repo.beside("links");
    let mut list = SourceList::find(&repo.git_dir().join("objects")).unwrap();
    list.hold(&links).unwrap();
    list.hold(&links).unwrap();
    let again = SourceList::decode(&list.encode()).unwrap();
    repo.git(&["repack", "-q", "-a", "-d", "-f", "--depth=1"]);
    assert!(
        list.packs
            .iter()
            .all(|pack| pack.linked && !pack.path.exists())
    );
    let sources = Sources::open(again, Some(&links)).unwrap();
    assert_eq!(sources.packs.len(), 1);
    let unlinked = SourceList {
        packs: vec![crate::pack::source::PackSource {
            linked: false,
            ..list.packs[0].clone()
        }],
        ..list
    };
    assert!(Sources::open(unlinked, Some(&links)).is_err_and(|error| error.is_gone()));
}
