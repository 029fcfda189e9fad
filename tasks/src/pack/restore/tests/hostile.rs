//! Packs whose files are whole and whose checksums are right, but that lie about their objects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix_hash::ObjectId;

use super::super::{RestoreError, source};
use super::fixture::{Object, objects, refs, repository, write_layer};
use super::plain::encode;
use crate::pack::format::{Base, Kind, RefTarget};

/// Restores the objects of a small repository after `lie` changed them; gives the error.
fn restored(lie: impl FnOnce(&mut Vec<Object>)) -> RestoreError {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 12);
    let mut objects = objects(&repo);
    lie(&mut objects);
    let out = dir.path().join("out");
    write_layer(&out, 2000, &refs(&repo), objects);
    refused(&out)
}

fn refused(out: &Path) -> RestoreError {
    match source::open(out) {
        Ok(source) => encode(&Arc::new(source), 2).unwrap_err(),
        Err(error) => error,
    }
}

fn delta(objects: &mut [Object], kind: Kind) -> &mut Object {
    let mut all = objects.iter_mut();
    all.find(|object| object.base.is_some() && object.entry.kind == kind)
        .unwrap()
}

fn whole(objects: &mut [Object], kind: Kind) -> &mut Object {
    let mut all = objects.iter_mut();
    all.find(|object| {
        object.base.is_none() && object.entry.kind == kind && !object.payload.is_empty()
    })
    .unwrap()
}

fn some_oid() -> ObjectId {
    ObjectId::Sha1([0x5a; 20])
}

#[test]
fn content_that_is_not_what_its_name_says() {
    for kind in [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag] {
        let error = restored(|objects| *whole(objects, kind).payload.last_mut().unwrap() ^= 1);
        // A blob's deltas may be met first.
        assert!(
            matches!(error, RestoreError::WrongObject { .. }),
            "{kind:?}: {error}"
        );
    }
}

#[test]
fn a_delta_that_gives_something_else() {
    let error = restored(|objects| *delta(objects, Kind::Blob).payload.last_mut().unwrap() ^= 1);
    assert!(
        matches!(
            error,
            RestoreError::WrongObject { .. } | RestoreError::Delta { .. }
        ),
        "{error}"
    );
    let error = restored(|objects| {
        let delta = delta(objects, Kind::Blob);
        delta.payload.truncate(3);
        delta.entry.size = 3;
    });
    assert!(matches!(error, RestoreError::Delta { .. }), "{error}");
}

#[test]
fn another_kind_than_the_bytes_were_hashed_as() {
    let error = restored(|objects| whole(objects, Kind::Tag).entry.kind = Kind::Blob);
    assert!(matches!(error, RestoreError::WrongObject { .. }), "{error}");
}

#[test]
fn a_base_that_is_nowhere() {
    let error = restored(|objects| {
        let delta = delta(objects, Kind::Blob);
        (delta.base, delta.entry.base) = (None, Base::External(some_oid()));
    });
    assert!(
        matches!(error, RestoreError::MissingBase { base } if base == some_oid()),
        "{error}"
    );
}

#[test]
fn a_base_that_lies_in_the_same_layer_but_is_called_external() {
    let error = restored(|objects| {
        let delta = delta(objects, Kind::Blob);
        delta.entry.base = Base::External(delta.base.take().unwrap());
    });
    assert!(matches!(error, RestoreError::MissingBase { .. }), "{error}");
}

/// Two layers: all objects of a repository, then what `second` makes of them.
fn two_layers(second: impl FnOnce(Vec<Object>) -> Vec<Object>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 12);
    let out = dir.path().join("out");
    write_layer(&out, 2000, &refs(&repo), objects(&repo));
    write_layer(&out, 2000, &refs(&repo), second(objects(&repo)));
    (dir, out)
}

#[test]
fn an_object_in_two_layers() {
    let (_dir, out) = two_layers(|mut objects| vec![objects.remove(0)]);
    let error = refused(&out);
    assert!(matches!(error, RestoreError::Duplicate { .. }), "{error}");
}

#[test]
fn a_base_of_another_kind_in_an_older_layer() {
    let (_dir, out) = two_layers(|mut objects| {
        let tree = whole(&mut objects, Kind::Tree).oid;
        let mut object = objects.pop().unwrap();
        object.oid = some_oid();
        object.entry.kind = Kind::Blob;
        object.entry.base = Base::External(tree);
        object.base = None;
        vec![object]
    });
    let error = refused(&out);
    assert!(matches!(error, RestoreError::WrongKind { .. }), "{error}");
}

#[test]
fn a_ref_to_an_object_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 2);
    let mut refs = refs(&repo);
    refs.refs[0].1 = RefTarget::Object(some_oid());
    let out = dir.path().join("out");
    write_layer(&out, 2000, &refs, objects(&repo));
    let error = refused(&out);
    assert!(
        matches!(&error, RestoreError::MissingTip { name, .. } if name == "refs/heads/main"),
        "{error}"
    );
}

#[test]
fn a_delta_that_claims_to_be_huge_takes_no_memory() {
    let error = restored(|objects| {
        let delta = delta(objects, Kind::Blob);
        // The base's length stays, the result's becomes 2^41 bytes.
        let end = delta
            .payload
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .unwrap()
            + 1;
        delta.payload.truncate(end);
        delta.payload.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
        delta.entry.size = delta.payload.len() as u64;
    });
    assert!(matches!(error, RestoreError::Delta { .. }), "{error}");
}
