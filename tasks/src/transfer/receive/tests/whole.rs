//! Packs that came whole.
#![allow(clippy::cast_possible_truncation, reason = "bytes are made of numbers")]

use std::os::unix::fs::MetadataExt as _;

use super::*;

#[test]
fn the_index_is_gits_and_the_file_itself_becomes_the_pack() {
    let repo = GitRepo::history(12);
    for args in [&["--all", "--delta-base-offset"][..], &["--all"]] {
        let bytes = packed(&repo, args, "");
        for (piece, threads) in [(1, 1), (7, 2), (4096, 3), (1 << 30, 2)] {
            let case = Case::new();
            let mut parsed = case.parse(&bytes, piece);
            assert!(parsed.is_whole());
            assert!(parsed.deltas() > 5, "nothing to resolve");
            let received = case.to(threads, |to| finish(&case.raw(), &mut parsed, to));
            let received = received.unwrap();
            let pack = received.pack.clone().unwrap();
            assert_eq!(
                fs::read(pack.with_extension("idx")).unwrap(),
                git_index(&case, &bytes)
            );
            let inode = |path: &Path| fs::metadata(path).unwrap().ino();
            assert_eq!(inode(&pack), inode(&case.raw()));
            assert_eq!(received.bytes, bytes.len() as u64);
            assert_eq!(case.ids(&received), repo.reachable(&["--all"]));
            // Once more changes nothing.
            let mut parsed = case.parse(&bytes, 4096);
            let again = case.to(1, |to| finish(&case.raw(), &mut parsed, to));
            assert_eq!(again.unwrap(), received);
            let names: Vec<_> = fs::read_dir(case.packs()).unwrap().collect();
            assert_eq!(names.len(), 2, "{names:?}");
        }
    }
}

#[test]
fn a_process_that_takes_over_reads_the_file_again() {
    let repo = GitRepo::history(4);
    let bytes = packed(&repo, &["--all"], "");
    let case = Case::new();
    fs::write(case.raw(), &bytes).unwrap();
    let never = AtomicBool::new(false);
    let again = |len| Incoming::again(&case.raw(), len, &never);
    let len = bytes.len() as u64;
    let mut parsed = again(len).unwrap().end().unwrap();
    let received = case.to(2, |to| finish(&case.raw(), &mut parsed, to));
    assert_eq!(case.ids(&received.unwrap()), repo.reachable(&["--all"]));
    assert!(!again(len - 1).unwrap().end().unwrap().is_whole());
    assert!(matches!(again(len + 1), Err(ReceiveError::Changed(_))));
    let stopped = Incoming::again(&case.raw(), len, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(ReceiveError::Stopped)));
}

#[test]
fn a_thin_pack_gets_its_bases() {
    let repo = GitRepo::history(12);
    let args = ["--thin", "--delta-base-offset"];
    let bytes = packed(&repo, &args, "main\n^main~2\n");
    let case = Case::with(&repo);
    let received = case.finish(&bytes).unwrap();
    assert!(received.added > 0, "the pack is not thin");
    let ids = case.ids(&received);
    let new = repo.reachable(&["main", "^main~2"]);
    assert!(ids.is_superset(&new));
    assert_eq!(ids.len(), new.len() + received.added as usize);
    assert_eq!(received.lost, 0);
    // Its index is git's of the same pack.
    let pack = received.pack.unwrap();
    assert_eq!(
        fs::read(pack.with_extension("idx")).unwrap(),
        git_index(&case, &fs::read(&pack).unwrap())
    );

    let case = Case::new();
    let error = case.finish(&bytes).unwrap_err();
    assert!(matches!(error, ReceiveError::NoBase { .. }), "{error}");
    assert!(!case.packs().exists());
    let kept = case.salvage(&bytes);
    assert!(kept.lost > 0);
    let salvaged = case.ids(&kept);
    assert!(salvaged.is_subset(&new) && salvaged.len() < new.len());
}

#[test]
fn a_chain_runs_through_names_in_any_order() {
    // Each a delta that takes all of its base, and adds a letter: copy n bytes, insert one.
    let delta = |n: u8, letter: u8| vec![n, n + 1, 0x90, n, 1, letter];
    let id = |content: &[u8]| {
        let id = gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Blob, content);
        id.unwrap().as_slice().to_vec()
    };
    let named = |base: &[u8], letter| {
        let n = u8::try_from(base.len()).unwrap();
        entry(7, 6, &id(base), &delta(n, letter))
    };
    let entries = [
        named(b"abc", b'd'),
        named(b"ab", b'c'),
        entry(3, 1, b"", b"a"),
        named(b"a", b'b'),
        // The same object twice.
        named(b"a", b'b'),
    ];
    let bytes = pack_of(5, &entries);
    let case = Case::new();
    let received = case.finish(&bytes).unwrap();
    assert_eq!(received.objects, 5);
    let index = fs::read(received.pack.unwrap().with_extension("idx")).unwrap();
    let hex = |content: &[u8]| gix_hash::ObjectId::from_bytes_or_panic(&id(content)).to_string();
    assert_eq!(
        ids_of(&index),
        [&b"a"[..], b"ab", b"abc", b"abcd"].map(hex).into()
    );
}

#[test]
fn an_empty_pack_is_no_pack() {
    let case = Case::new();
    let received = case.finish(&pack_of(0, &[])).unwrap();
    assert_eq!((received.objects, received.pack), (0, None));
}

#[test]
fn long_chains_of_large_objects_are_made_within_bounds() {
    // Each version is a delta of the one before, and twice a base, so that bases that were given up
    // are needed again.
    let size: u64 = 3 << 20;
    let mut content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    let leb = |mut n: u64| {
        let mut out = Vec::new();
        while n > 0x7f {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    };
    let id = |content: &[u8]| {
        gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Blob, content)
            .unwrap()
            .to_string()
    };
    let mut entries = vec![entry(3, size, b"", &content)];
    let mut expected = BTreeSet::from([id(&content)]);
    // Copies all but the first byte, which is inserted.
    let delta = |first: u8| {
        let mut delta = [leb(size), leb(size)].concat();
        delta.extend([1, first]);
        delta.extend([0xf1, 1, 0xff, 0xff, 0x2f]);
        delta
    };
    let before = |distance: usize| {
        let mut bytes = vec![(distance & 0x7f) as u8];
        let mut rest = distance >> 7;
        while rest > 0 {
            rest -= 1;
            bytes.insert(0, (rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes
    };
    let mut distance = entries[0].len();
    for n in 0..20 {
        let (aside, on) = (2 * n + 1, 2 * n + 2);
        let mut make = |first: u8, distance: usize| {
            content[0] = first;
            expected.insert(id(&content));
            let delta = delta(first);
            entries.push(entry(6, delta.len() as u64, &before(distance), &delta));
            entries.last().unwrap().len()
        };
        // The base's distance grows by the sibling; the chain goes on from the first.
        let chain = make(on, distance);
        let sibling = make(aside + 100, distance + chain);
        distance = chain + sibling;
    }
    let bytes = pack_of(u32::try_from(entries.len()).unwrap(), &entries);
    let case = Case::new();
    let received = case.finish(&bytes).unwrap();
    assert_eq!(case.ids(&received), expected);
}
