//! Round trips and damage of whole index files.

use std::io;
use std::path::Path;

use resume_runtime::testing::scratch_parent;

use super::super::{FileDigest, FormatError};
use super::*;

const FRAME_SIZE: u32 = 100;

struct Sample {
    objects: Vec<(ObjectId, u32)>,
    entries: Vec<Entry>,
}

impl IndexSource for Sample {
    fn len(&self) -> u32 {
        u32::try_from(self.objects.len()).unwrap()
    }
    fn objects(&self) -> io::Result<impl Iterator<Item = io::Result<(ObjectId, u32)>>> {
        Ok(self.objects.iter().map(|object| Ok(*object)))
    }
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
        Ok(self.entries.iter().map(|entry| Ok(*entry)))
    }
}

fn oid(number: u32) -> ObjectId {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..20]);
    ObjectId::Sha1(bytes)
}

fn sample(entries: Vec<Entry>) -> Sample {
    let mut objects: Vec<_> = (0..u32::try_from(entries.len()).unwrap())
        .map(|rank| (oid(rank), rank))
        .collect();
    objects.sort_unstable();
    Sample { objects, entries }
}

/// A commit, a tree chain, an empty blob, a large blob in three frames and an external delta.
fn mixed() -> (Sample, Vec<FrameRow>) {
    let entry = |kind, size, base| Entry { kind, size, base };
    let sample = sample(vec![
        entry(Kind::Commit, 60, Base::Whole),
        entry(Kind::Tree, 50, Base::Whole),
        entry(Kind::Tree, 20, Base::Distance(1)),
        entry(Kind::Tree, 30, Base::Distance(2)),
        entry(Kind::Blob, 0, Base::Whole),
        entry(Kind::Blob, 250, Base::Whole),
        entry(Kind::Blob, 40, Base::External(oid(900))),
        entry(Kind::Tag, 7, Base::Whole),
    ]);
    (
        sample,
        frames(&[
            (0, 60),
            (0, 100),
            (0, 100),
            (0, 100),
            (1, 50),
            (1, 40),
            (1, 7),
        ]),
    )
}

fn frames(rows: &[(u32, u32)]) -> Vec<FrameRow> {
    let mut ends = [0; 2];
    let row = |&(file, raw): &(u32, u32)| {
        let (stored, offset) = (raw / 2 + 1, ends[file as usize]);
        ends[file as usize] += u64::from(stored);
        FrameRow {
            file,
            offset,
            stored,
            raw,
            blake3: Digest::of(&raw.to_le_bytes()),
        }
    };
    rows.iter().map(row).collect()
}

fn write(sample: &Sample, frames: &[FrameRow]) -> Result<(Vec<u8>, FileDigest), FormatError> {
    let mut bytes = Vec::new();
    let digest = write_index(&mut bytes, Path::new("index"), FRAME_SIZE, frames, sample)?;
    Ok((bytes, digest))
}

/// Opens bytes as an index file of their own.
fn open(bytes: &[u8], expected: Option<&FileDigest>) -> Result<Index, FormatError> {
    let dir = tempfile::tempdir_in(scratch_parent()).unwrap();
    let path = dir.path().join("index");
    std::fs::write(&path, bytes).unwrap();
    Index::open(&path, expected)
}

/// Makes the trailer right again, so that the checks behind it are reached.
fn seal(bytes: &mut [u8]) {
    let body = bytes.len() - 32;
    let digest = Digest::of(&bytes[..body]);
    bytes[body..].copy_from_slice(&digest.0);
}

#[test]
fn a_mixed_layer_round_trips() {
    let (sample, frames) = mixed();
    let (bytes, digest) = write(&sample, &frames).unwrap();
    assert_eq!(digest, FileDigest::of(&bytes));
    let index = open(&bytes, Some(&digest)).unwrap();
    assert_eq!(
        (index.objects(), index.frame_size(), index.stream_bytes()),
        (8, FRAME_SIZE, 457)
    );
    assert_eq!(index.frames(), frames);
    assert_eq!(index.external(0), oid(900));
    assert_eq!(index.external_count(), 1);
    let shape = |group: &Group| (group.first_frame, group.frames, group.bytes, group.ranks());
    let groups: Vec<_> = index.groups().iter().map(shape).collect();
    let expected = [
        (0, 1, 60, 0..1),
        (1, 1, 100, 1..5),
        (2, 3, 250, 5..6),
        (5, 1, 40, 6..7),
        (6, 1, 7, 7..8),
    ];
    assert_eq!(groups, expected);
    let read: Vec<_> = index
        .groups()
        .iter()
        .flat_map(|group| index.entries(group))
        .collect();
    for (rank, (read, written)) in (0..).zip(read.iter().zip(&sample.entries)) {
        assert_eq!(
            (read.rank, read.kind, read.size),
            (rank, written.kind, written.size)
        );
        let base = match written.base {
            Base::Whole => BaseRef::Whole,
            Base::External(_) => BaseRef::External(0),
            Base::Distance(distance) => BaseRef::Rank(rank - distance),
        };
        assert_eq!(read.base, base);
        assert!(
            index.groups()[index.group_of(rank).unwrap()]
                .ranks()
                .contains(&rank)
        );
    }
    assert_eq!(index.group_of(8), None);
}

#[test]
fn oids_and_ranks_lead_to_each_other() {
    let entries = vec![
        Entry {
            kind: Kind::Blob,
            size: 1,
            base: Base::Whole
        };
        20_000
    ];
    let sample = sample(entries);
    let (bytes, digest) = write(&sample, &frames(&[(0, 100); 200])).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index"), &bytes).unwrap();
    let index = Index::open(&dir.path().join("index"), Some(&digest)).unwrap();
    let positions = index.positions_by_rank().unwrap();
    for rank in (0..20_000).step_by(77) {
        assert_eq!(index.rank_of(&oid(rank)).unwrap(), Some(rank));
        assert_eq!(index.oid_at(positions[rank as usize]).unwrap(), oid(rank));
    }
    assert_eq!(index.rank_of(&oid(20_000)).unwrap(), None);
    let all: Vec<_> = index.objects_by_oid().collect::<Result<_, _>>().unwrap();
    assert_eq!(all, sample.objects);
}

#[test]
fn a_layer_without_objects_and_one_of_an_empty_blob_round_trip() {
    let (bytes, digest) = write(&sample(vec![]), &[]).unwrap();
    let index = open(&bytes, Some(&digest)).unwrap();
    assert_eq!((index.objects(), index.groups().len()), (0, 0));
    let (bytes, digest) = write(
        &sample(vec![Entry {
            kind: Kind::Blob,
            size: 0,
            base: Base::Whole,
        }]),
        &[],
    )
    .unwrap();
    let index = open(&bytes, Some(&digest)).unwrap();
    assert_eq!(
        (
            index.objects(),
            index.groups()[0].frames,
            index.groups()[0].entries
        ),
        (1, 0, 1)
    );
}

#[test]
fn every_flip_and_every_cut_is_noticed() {
    let (sample, frames) = mixed();
    let (bytes, digest) = write(&sample, &frames).unwrap();
    for at in 0..bytes.len() {
        for pattern in [1 << (at % 8), 0xff] {
            let mut flipped = bytes.clone();
            flipped[at] ^= pattern;
            assert!(open(&flipped, None).is_err(), "byte {at} ^ {pattern}");
            assert!(
                open(&flipped, Some(&digest)).is_err(),
                "byte {at} ^ {pattern}"
            );
        }
        assert!(open(&bytes[..at], None).is_err(), "cut at {at}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(open(&longer, None).is_err());
}

#[test]
fn sealed_damage_is_refused_or_read_without_a_panic() {
    let (sample, frames) = mixed();
    let (bytes, _) = write(&sample, &frames).unwrap();
    for at in 0..bytes.len() - 32 {
        for pattern in [1, 0x80, 0xff] {
            let mut flipped = bytes.clone();
            flipped[at] ^= pattern;
            seal(&mut flipped);
            if let Ok(index) = open(&flipped, None) {
                let entries = index
                    .groups()
                    .iter()
                    .map(|group| index.entries(group).count())
                    .sum::<usize>();
                assert_eq!(entries, 8);
                assert!(index.file_lengths().iter().all(|length| *length < 1 << 30));
                assert!((0..index.external_count()).all(|at| !index.external(at).is_null()));
            }
        }
    }
}

#[test]
fn lengths_that_lie_take_no_memory() {
    let (sample, frames) = mixed();
    let (bytes, _) = write(&sample, &frames).unwrap();
    let columns = bytes
        .windows(8)
        .rposition(|window| window == 8u64.to_le_bytes())
        .unwrap();
    for (at, width, why) in [
        (16, 8, "more objects than a layer can hold"),
        (16, 4, "too short for what its header says"),
        (24, 4, "too short for what its header says"),
        (32, 4, "too short for what its header says"),
        (36, 4, "frame size is out of bounds"),
        (columns, 8, "a column"),
        (columns + 8, 8, "too short"),
    ] {
        let mut lying = bytes.clone();
        lying[at..at + width].fill(0xff);
        seal(&mut lying);
        let error = open(&lying, None).unwrap_err().to_string();
        assert!(error.contains(why), "{at}: {error}");
    }
}

#[test]
fn a_newer_version_and_another_hash_are_named() {
    let (sample, frames) = mixed();
    let (mut bytes, _) = write(&sample, &frames).unwrap();
    bytes[8] = 2;
    seal(&mut bytes);
    assert!(matches!(
        open(&bytes, None),
        Err(FormatError::Newer { found: 2, .. })
    ));
    let ends_differently = [bytes.as_slice(), b"more"].concat();
    let digest = FileDigest::of(&ends_differently);
    assert!(matches!(
        open(&ends_differently, Some(&digest)),
        Err(FormatError::Newer { found: 2, .. })
    ));
    bytes[8] = 1;
    bytes[12] = 2;
    seal(&mut bytes);
    assert!(matches!(
        open(&bytes, None),
        Err(FormatError::UnsupportedHash { .. })
    ));
}

#[test]
fn frames_that_do_not_match_the_entries_are_refused() {
    let blob = |size| Entry {
        kind: Kind::Blob,
        size,
        base: Base::Whole,
    };
    for (entries, rows, why) in [
        (
            vec![blob(60), blob(60)],
            vec![(0, 100), (0, 20)],
            "straddles",
        ),
        (
            vec![blob(150)],
            vec![(0, 50), (0, 100)],
            "not cut at the frame size",
        ),
        (
            vec![blob(150), blob(10)],
            vec![(0, 100), (0, 60)],
            "shares a frame",
        ),
        (vec![blob(150)], vec![(0, 150)], "out of bounds"),
        (vec![blob(10)], vec![(1, 10)], "do not follow"),
    ] {
        let (bytes, _) = write(&sample(entries), &frames(&rows)).unwrap();
        let error = open(&bytes, None).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_writer_refuses_parts_that_contradict_each_other() {
    let refuse = |sample: &Sample, frames: &[FrameRow], why: &str| {
        let error = write(sample, frames).unwrap_err();
        assert!(
            matches!(&error, FormatError::Inconsistent { reason, .. } if reason.contains(why)),
            "{error}"
        );
    };
    let (sample, rows) = mixed();
    refuse(&sample, &rows[1..], "add up");
    let (mut sample, rows) = mixed();
    sample.objects.swap(0, 1);
    refuse(&sample, &rows, "not in order");
    let (mut sample, rows) = mixed();
    sample.entries[1].base = Base::Distance(2);
    refuse(&sample, &rows, "outside");
    let (mut sample, rows) = mixed();
    sample.entries.pop();
    refuse(&sample, &rows, "fewer entries");
}
