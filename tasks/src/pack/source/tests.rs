//! Packs that no Git would write.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

use std::{fs, path::Path, sync::Arc};

use super::{Catalog, Kind, Oid, Reader, Shape, SourceError, SourceList, Sources};
use crate::{
    compress::{Compressor as _, FlateCompressor},
    pack::testing::GitRepo,
};

/// An entry: its id, the bytes before the zlib stream, and the content.
type Crafted<'a> = (Oid, Vec<u8>, &'a [u8]);

/// The header of an entry of this type and size.
fn header(kind: u8, mut size: u64) -> Vec<u8> {
    let mut out = vec![kind << 4 | (size & 15) as u8];
    size >>= 4;
    while size > 0 {
        *out.last_mut().unwrap() |= 0x80;
        out.push((size & 0x7f) as u8);
        size >>= 7;
    }
    out
}

fn ref_delta(base: &Oid, size: usize) -> Vec<u8> {
    [header(7, size as u64), base.to_vec()].concat()
}

fn sha1(bytes: &[u8]) -> Oid {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(bytes);
    let mut out = [0; 20];
    out.copy_from_slice(hasher.try_finalize().unwrap().as_slice());
    out
}

/// Writes a pack of `entries`, sorted by id, with its index.
fn craft(objects: &Path, name: &str, entries: &[Crafted<'_>]) {
    let count = u32::try_from(entries.len()).unwrap().to_be_bytes();
    let mut pack = [b"PACK\0\0\0\x02", &count[..]].concat();
    let mut offsets = Vec::new();
    let mut stream = Vec::new();
    for (_, header, content) in entries {
        offsets.push(u32::try_from(pack.len()).unwrap());
        FlateCompressor::new(6)
            .compress(content, &mut stream)
            .unwrap();
        pack.extend([&header[..], &stream].concat());
    }
    pack.extend(sha1(&pack));
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=255 {
        let upto = entries.iter().filter(|entry| entry.0[0] <= first).count();
        index.extend(u32::try_from(upto).unwrap().to_be_bytes());
    }
    index.extend(entries.iter().flat_map(|entry| entry.0));
    index.extend(vec![0; 4 * entries.len()]);
    index.extend(offsets.iter().flat_map(|offset| offset.to_be_bytes()));
    index.extend(&pack[pack.len() - 20..]);
    index.extend(sha1(&index));
    let folder = objects.join("pack");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name).with_extension("pack"), pack).unwrap();
    fs::write(folder.join(name).with_extension("idx"), index).unwrap();
}

struct Opened {
    sources: Arc<Sources>,
    catalog: Catalog,
}

fn open(objects: &Path) -> Opened {
    let list = SourceList::find(objects).unwrap();
    let sources = Arc::new(Sources::open(list, None).unwrap());
    let catalog = Catalog::build(&sources).unwrap();
    Opened { sources, catalog }
}

fn damage(objects: &Path) -> (String, String) {
    let Opened { sources, catalog } = open(objects);
    let shape = Shape::read(&sources, &catalog);
    let damaged = shape.damaged().min().unwrap();
    match shape.damage(&sources, &catalog, damaged) {
        Some(SourceError::Entry { id, why, .. }) => (id, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ring_of_deltas_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let delta = [1, 1, 0x90, 1];
    let (a, b) = ([0x11; 20], [0x22; 20]);
    craft(
        dir.path(),
        "ring",
        &[(a, ref_delta(&b, 4), &delta), (b, ref_delta(&a, 4), &delta)],
    );
    let (id, why) = damage(dir.path());
    assert_eq!(id, "11".repeat(20));
    assert!(why.contains("ring"), "{why}");
}

#[test]
fn a_base_outside_of_the_pack_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let delta = [1, 1, 0x90, 1];
    craft(
        dir.path(),
        "thin",
        &[([0x11; 20], ref_delta(&[0x33; 20], 4), &delta)],
    );
    let (_, why) = damage(dir.path());
    assert!(why.contains(&"33".repeat(20)), "{why}");
}

#[test]
fn sizes_that_nothing_can_inflate_to_are_refused_before_they_are_used() {
    let dir = tempfile::tempdir().unwrap();
    craft(
        dir.path(),
        "huge",
        &[([0x11; 20], header(3, 1 << 50), b"x")],
    );
    let (_, why) = damage(dir.path());
    assert!(why.contains("size"), "{why}");
    let dir = tempfile::tempdir().unwrap();
    let delta = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x90, 1];
    let base = [0x22; 20];
    let entries = [
        ([0x11; 20], ref_delta(&base, delta.len()), &delta[..]),
        (base, header(3, 1), b"x"),
    ];
    craft(dir.path(), "grows", &entries);
    let Opened { sources, catalog } = open(dir.path());
    assert_eq!(Shape::read(&sources, &catalog).damaged().count(), 0);
    let grown = Reader::new(&sources, &catalog).size_after_delta(0);
    assert!(grown.is_err_and(|error| error.to_string().contains("impossible size")));
}

#[test]
fn an_object_in_several_packs_is_taken_from_the_first_by_trailer() {
    let dir = tempfile::tempdir().unwrap();
    let (shared, own) = ([0x11; 20], [0x22; 20]);
    // The second has the shared object as a delta against an object of its own.
    craft(dir.path(), "a", &[(shared, header(3, 3), b"one")]);
    let delta = [3, 3, 0x90, 3];
    let entries = [
        (shared, ref_delta(&own, 4), &delta[..]),
        (own, header(3, 3), b"one"),
    ];
    craft(dir.path(), "b", &entries);
    let Opened { sources, catalog } = open(dir.path());
    let shape = Shape::read(&sources, &catalog);
    let first_is_a = sources.packs[0].index.num_objects() == 1;
    let id = catalog.find(&sources, &shared).unwrap();
    assert_eq!(shape.base(id).is_none(), first_is_a);
    assert_eq!(catalog.len(), 3, "two objects and the empty tree");
    assert_eq!(
        shape.kind(catalog.find(&sources, &own).unwrap()),
        Kind::Blob
    );
    let mut content = Vec::new();
    let mut reader = Reader::new(&sources, &catalog);
    reader.object(id, &mut content).unwrap();
    assert_eq!(content, b"one");
}

#[test]
fn an_index_of_another_pack_is_refused() {
    let repo = GitRepo::history(2);
    repo.git(&["repack", "-q", "-a", "-d"]);
    let objects = repo.git_dir().join("objects");
    let list = SourceList::find(&objects).unwrap();
    craft(&objects, "other", &[([0x11; 20], header(3, 1), b"x")]);
    let index = list.packs[0].path.with_extension("idx");
    fs::remove_file(&index).unwrap();
    fs::copy(objects.join("pack/other.idx"), index).unwrap();
    let opened = Sources::open(list, None);
    assert!(opened.is_err_and(|error| error.to_string().contains("another pack")));
}

#[test]
fn large_entries_are_streamed_from_any_piece() {
    let dir = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = [0x11; 20];
    craft(dir.path(), "large", &[(id, header(3, 40_000), &content)]);
    let Opened { sources, catalog } = open(dir.path());
    let number = catalog.find(&sources, &id).unwrap();
    let mut reader = Reader::new(&sources, &catalog);
    for first in 0..5 {
        let (from, mut got) = (first * 9_000, Vec::new());
        let mut deliver = |piece: &[u8]| {
            got.extend_from_slice(piece);
            true
        };
        reader
            .stream(number, 40_000, from, 9_000, &|| false, &mut deliver)
            .unwrap();
        assert_eq!(
            got,
            content[usize::try_from(from).unwrap()..],
            "from {from}"
        );
    }
    let longer = reader.stream(number, 39_000, 0, 9_000, &|| false, &mut |_| true);
    assert!(longer.is_err_and(|error| error.to_string().contains("longer")));
    let shorter = reader.stream(number, 41_000, 0, 9_000, &|| false, &mut |_| true);
    assert!(shorter.is_err_and(|error| error.to_string().contains("shorter")));
}
