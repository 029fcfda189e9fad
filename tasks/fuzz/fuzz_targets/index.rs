//! An index whose checksum is right: all that can be asked of it has an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mug::pack::format::{BaseRef, Index};

fuzz_target!(|input: &[u8]| {
    let dir = mug_fuzz::scratch();
    let path = dir.path().join("index");
    std::fs::write(&path, mug_fuzz::sealed(input)).expect("a file");
    let Ok(index) = Index::open(&path, None) else {
        return;
    };
    let (mut rank, mut bytes, mut frames) = (0, 0, 0);
    for group in index.groups() {
        assert_eq!(group.first_rank(), rank);
        assert_eq!(group.first_frame, frames);
        let mut sum = 0;
        for entry in index.entries(group) {
            assert_eq!(entry.rank, rank);
            assert_eq!(index.kind(rank), Some(entry.kind));
            match entry.base {
                BaseRef::Rank(base) => assert!(base < rank),
                BaseRef::External(position) => {
                    index.external(position);
                }
                BaseRef::Whole => {}
            }
            sum += entry.size;
            rank += 1;
        }
        assert_eq!(sum, group.bytes);
        bytes += group.bytes;
        frames += group.frames;
    }
    assert_eq!(rank, index.objects());
    assert_eq!(bytes, index.stream_bytes());
    assert_eq!(frames as usize, index.frames().len());
    let positions = index.positions_by_rank().expect("it was checked");
    for object in index.objects_by_oid() {
        let (oid, rank) = object.expect("it was checked");
        assert_eq!(index.rank_of(&oid).expect("it was checked"), Some(rank));
        let position = positions[rank as usize];
        assert_eq!(index.oid_at(position).expect("it was checked"), oid);
        assert!(index.group_of(rank).is_some());
    }
});
