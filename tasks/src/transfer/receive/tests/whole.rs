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
fn an_object_that_came_and_is_a_base_outside_is_there_once() {
    // Of three blobs that the repository has, two come again, made of each other by name, the third
    // on top by its distance. Whichever of the bases is looked up first.
    let repo = GitRepo::new();
    let mut orders = BTreeSet::new();
    for n in 0..8_u8 {
        let contents = [b'x', b'y', b'z'].map(|letter| [letter, n, 7, 7]);
        for content in &contents[..2] {
            repo.write("file", content);
            repo.git(&["hash-object", "-w", "file"]);
        }
        let [x, y, _] = contents.map(|content| id(&content));
        orders.insert(x < y);
        let named = |base: &str, to: u8| {
            let base = gix_hash::ObjectId::from_hex(base.as_bytes()).unwrap();
            let delta = first_byte(4, to);
            entry(7, delta.len() as u64, base.as_slice(), &delta)
        };
        let mut entries = vec![named(&x, b'y'), named(&y, b'x')];
        let (distance, delta) = (before(entries[1].len()), first_byte(4, b'z'));
        entries.push(entry(6, delta.len() as u64, &distance, &delta));
        let case = Case::with(&repo);
        let received = case.finish(&pack_of(3, &entries)).unwrap();
        assert!(received.added > 0);
        let ids = case.ids(&received);
        assert_eq!(ids, contents.map(|content| id(&content)).into());
    }
    assert_eq!(orders.len(), 2, "one order was never tried");
}

#[test]
fn an_empty_pack_is_no_pack() {
    let case = Case::new();
    let received = case.finish(&pack_of(0, &[])).unwrap();
    assert_eq!((received.objects, received.pack), (0, None));
}

fn id(content: &[u8]) -> String {
    gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Blob, content)
        .unwrap()
        .to_string()
}

/// A size as deltas have it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n > 0x7f {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A distance as entries have it.
fn before(distance: usize) -> Vec<u8> {
    let mut bytes = vec![(distance & 0x7f) as u8];
    let mut rest = distance >> 7;
    while rest > 0 {
        rest -= 1;
        bytes.insert(0, (rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes
}

/// The delta that puts another first byte before the rest of `size` bytes.
fn first_byte(size: usize, first: u8) -> Vec<u8> {
    let mut delta = [leb(size), leb(size), vec![1, first]].concat();
    let mut at = 1;
    while at < size {
        let length = (size - at).min(0xff_ffff);
        delta.push(0xff);
        delta.extend(&(at as u32).to_le_bytes());
        delta.extend(&(length as u32).to_le_bytes()[..3]);
        at += length;
    }
    delta
}

/// Entries, and the ids of their objects.
#[derive(Default)]
struct Made {
    entries: Vec<Vec<u8>>,
    ids: BTreeSet<String>,
}

impl Made {
    fn whole(&mut self, content: &[u8]) -> usize {
        self.ids.insert(id(content));
        let size = content.len() as u64;
        self.entries.push(entry(3, size, b"", content));
        self.entries.len() - 1
    }

    /// A delta of the entry `base` that makes `content`, which differs in the first byte.
    fn delta(&mut self, base: usize, content: &[u8]) -> usize {
        self.ids.insert(id(content));
        let delta = first_byte(content.len(), content[0]);
        let distance = self.entries[base..].iter().map(Vec::len).sum();
        let size = delta.len() as u64;
        self.entries.push(entry(6, size, &before(distance), &delta));
        self.entries.len() - 1
    }

    /// Receives it all.
    fn check(&self, threads: usize) {
        let bytes = pack_of(self.entries.len() as u32, &self.entries);
        let case = Case::new();
        let mut parsed = case.parse(&bytes, 1 << 20);
        let received = case.to(threads, |to| finish(&case.raw(), &mut parsed, to));
        assert_eq!(case.ids(&received.unwrap()), self.ids);
    }
}

#[test]
fn long_chains_of_large_objects_are_made_within_bounds() {
    // Each version is a delta of the one before, and twice a base, so that bases that were given up
    // are needed again; and two threads need much memory at once.
    let mut made = Made::default();
    for side in 0..2_u8 {
        let mut content: Vec<u8> = (0..3_u32 << 20).map(|n| (n % 251) as u8).collect();
        content[1] = side;
        let mut base = made.whole(&content);
        for n in 1..20 {
            content[0] = n;
            let next = made.delta(base, &content);
            content[0] = n + 100;
            made.delta(base, &content);
            base = next;
        }
    }
    for threads in [1, 2, 3] {
        made.check(threads);
    }
}

#[test]
fn the_deltas_of_one_object_are_divided_among_threads() {
    let mut content = b"\xffthe one that all are made of".to_vec();
    let mut made = Made::default();
    let base = made.whole(&content);
    for n in 0..120 {
        content[0] = n;
        let on = made.delta(base, &content);
        content[0] = n + 128;
        made.delta(if n % 3 == 0 { on } else { base }, &content);
    }
    for threads in [1, 2, 8] {
        made.check(threads);
    }
}
