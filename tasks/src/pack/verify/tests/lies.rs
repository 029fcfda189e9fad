//! Packs whose files are whole and whose checksums are right, but that lie about their objects.

use gix_hash::ObjectId;

use super::{DamageKind, Report, full, kinds, plain};
use crate::pack::format::{Base, Kind, RefTarget, Refs};
use crate::pack::restore::tests::fixture::{Object, objects, refs, repository, write_layer};

fn verified(lie: impl FnOnce(&mut Vec<Object>, &mut Refs)) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 12);
    let (mut objects, mut refs) = (objects(&repo), refs(&repo));
    lie(&mut objects, &mut refs);
    let out = dir.path().join("out");
    write_layer(&out, 2000, &refs, objects);
    // Checksums were made by the liar.
    let of_frames = |kind: &DamageKind| matches!(kind, DamageKind::Object | DamageKind::Reference);
    assert!(!kinds(&plain(&out)).iter().any(of_frames));
    full(&out)
}

fn whole(objects: &mut [Object], kind: Kind) -> &mut Object {
    let mut all = objects.iter_mut();
    let found = all.find(|object| {
        object.base.is_none() && object.entry.kind == kind && !object.payload.is_empty()
    });
    found.unwrap()
}

fn delta(objects: &mut [Object], kind: Kind) -> &mut Object {
    let mut all = objects.iter_mut();
    all.find(|object| object.base.is_some() && object.entry.kind == kind)
        .unwrap()
}

fn some_oid() -> ObjectId {
    ObjectId::Sha1([0x5a; 20])
}

#[test]
fn objects_that_are_not_what_their_names_say() {
    for kind in [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag] {
        let mut name = None;
        let report = verified(|objects, _| {
            let object = whole(objects, kind);
            *object.payload.last_mut().unwrap() ^= 1;
            name = Some(object.oid.to_string());
        });
        let name = name.unwrap();
        let told = report.damages.iter().any(|damage| {
            damage.kind == DamageKind::Object
                && damage.reason.contains(&name)
                && damage.reason.contains("hashes to")
        });
        assert!(told, "{kind:?}: {report:#?}");
        assert!(report.sound < report.objects);
    }
}

#[test]
fn deltas_that_give_something_else() {
    let report = verified(|objects, _| {
        objects.reverse();
        *delta(objects, Kind::Blob).payload.last_mut().unwrap() ^= 1;
        objects.reverse();
        let cut = delta(objects, Kind::Blob);
        cut.payload.truncate(3);
        cut.entry.size = 3;
    });
    let found = kinds(&report);
    assert!(found.len() >= 2, "{report:#?}");
    assert!(
        found
            .iter()
            .all(|kind| *kind == DamageKind::Object || *kind == DamageKind::Dependents),
        "{report:#?}"
    );
    assert!(
        report
            .damages
            .iter()
            .any(|it| it.reason.contains("can't be rebuilt"))
    );
}

#[test]
fn a_base_that_is_nowhere() {
    let report = verified(|objects, _| {
        let delta = delta(objects, Kind::Blob);
        (delta.base, delta.entry.base) = (None, Base::External(some_oid()));
    });
    let found = kinds(&report);
    assert_eq!(found[0], DamageKind::Base, "{report:#?}");
    assert!(found.contains(&DamageKind::Dependents), "{report:#?}");
    assert!(report.damages[0].reason.contains(&some_oid().to_string()));
}

#[test]
fn refs_to_nothing_and_branches_that_are_no_commits() {
    let report = verified(|objects, refs| {
        let tree = whole(objects, Kind::Tree).oid;
        let at = |refs: &Refs, name: &str| refs.refs.iter().position(|it| it.0 == name).unwrap();
        let (main, tag) = (at(refs, "refs/heads/main"), at(refs, "refs/tags/v1"));
        refs.refs[main].1 = RefTarget::Object(tree);
        refs.refs[tag].1 = RefTarget::Object(some_oid());
    });
    assert_eq!(kinds(&report), [DamageKind::Ref; 2], "{report:#?}");
    assert!(report.damages[0].reason.contains("is a tree and no commit"));
    assert!(report.damages[1].reason.contains("is not in the pack"));
    assert_eq!(report.sound, report.objects);
}

#[test]
fn references_to_what_is_not_there() {
    // The tag goes: nothing refers to it but its ref, and nothing stands on it.
    let report = verified(|objects, _| {
        objects.retain(|object| object.entry.kind != Kind::Tag);
    });
    assert_eq!(kinds(&report), [DamageKind::Ref], "{report:#?}");
    // The blob without content is in every tree, and no delta's base.
    let empty = ObjectId::empty_blob(gix_hash::Kind::Sha1);
    let report = verified(|objects, _| objects.retain(|object| object.oid != empty));
    assert_eq!(kinds(&report), [DamageKind::Reference], "{report:#?}");
    let reason = &report.damages[0].reason;
    assert!(
        reason.starts_with("tree ") && reason.contains(&format!("needs blob {empty}")),
        "{reason}"
    );
}

#[test]
fn a_reference_to_an_object_of_another_kind() {
    // A tag that calls its commit a tree; its name is right.
    let report = verified(|objects, refs| {
        let tag = whole(objects, Kind::Tag);
        let text = String::from_utf8(tag.payload.clone()).unwrap();
        tag.payload = text.replacen("type commit", "type tree", 1).into_bytes();
        tag.entry.size = tag.payload.len() as u64;
        tag.oid =
            gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Tag, &tag.payload)
                .unwrap();
        for (name, target) in &mut refs.refs {
            if name == "refs/tags/v1" {
                *target = RefTarget::Object(tag.oid);
            }
        }
    });
    assert_eq!(kinds(&report), [DamageKind::Reference], "{report:#?}");
    assert!(
        report.damages[0]
            .reason
            .contains("for a tree, but it is a commit")
    );
}

#[test]
fn objects_that_can_not_be_understood() {
    let report = verified(|objects, _| {
        let payload = b"100644 cut\0short".to_vec();
        let oid = gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Tree, &payload);
        let tree = whole(objects, Kind::Tree);
        let entry = crate::pack::format::Entry {
            size: payload.len() as u64,
            ..tree.entry
        };
        let object = Object {
            oid: oid.unwrap(),
            entry,
            base: None,
            payload,
        };
        objects.push(object);
    });
    assert_eq!(kinds(&report), [DamageKind::Object], "{report:#?}");
    assert!(
        report.damages[0].reason.contains("malformed entry"),
        "{report:#?}"
    );
}

#[test]
fn an_object_in_two_layers() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 4);
    let out = dir.path().join("out");
    write_layer(&out, 2000, &refs(&repo), objects(&repo));
    write_layer(&out, 2000, &refs(&repo), vec![objects(&repo).remove(0)]);
    let report = full(&out);
    assert_eq!(kinds(&report), [DamageKind::Duplicate], "{report:#?}");
}

/// Frames that hold more than their index says must not be believed, nor decompressed to it.
#[test]
fn frames_that_decompress_to_more_than_announced() {
    use crate::pack::format::{
        Digest, Entry, FileDigest, FrameRow, IndexSource, LayerManifest, Manifest, write_index,
    };
    struct One(ObjectId);
    impl IndexSource for One {
        fn len(&self) -> u32 {
            1
        }
        fn objects(
            &self,
        ) -> std::io::Result<impl Iterator<Item = std::io::Result<(ObjectId, u32)>>> {
            Ok(std::iter::once(Ok((self.0, 0))))
        }
        fn entries(&self) -> std::io::Result<impl Iterator<Item = std::io::Result<Entry>>> {
            Ok(std::iter::once(Ok(Entry {
                kind: Kind::Blob,
                size: 1000,
                base: Base::Whole,
            })))
        }
    }
    for (length, announced) in [(64 << 20, true), (1001, true), (999, true), (1000, false)] {
        let dir = tempfile::tempdir().unwrap();
        let (out, layer) = (dir.path().join("out"), dir.path().join("layer"));
        std::fs::create_dir_all(&layer).unwrap();
        let stored = zstd::bulk::compress(&vec![0; length], 3).unwrap();
        std::fs::write(layer.join("frames-0000"), &stored).unwrap();
        let frame = FrameRow {
            file: 0,
            offset: 0,
            stored: u32::try_from(stored.len()).unwrap(),
            raw: 1000,
            blake3: Digest::of(&stored),
        };
        let blob = vec![0; 1000];
        let oid =
            gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Blob, &blob).unwrap();
        let index = std::fs::File::create(layer.join("index")).unwrap();
        let index = write_index(index, "index".as_ref(), 4 << 20, &[frame], &One(oid)).unwrap();
        let tag = ("refs/tags/blob".into(), RefTarget::Object(oid));
        let refs = Refs::new(None, vec![tag])
            .to_bytes("refs".as_ref())
            .unwrap();
        std::fs::write(layer.join("refs"), &refs).unwrap();
        let listed =
            LayerManifest::new(1, 1000, [stored.len() as u64], index, FileDigest::of(&refs));
        std::fs::create_dir_all(out.join("layers")).unwrap();
        std::fs::rename(layer, out.join("layers").join(listed.id.to_string())).unwrap();
        std::fs::write(
            out.join("manifest.json"),
            Manifest::new(vec![listed]).to_bytes(),
        )
        .unwrap();
        let report = full(&out);
        if announced {
            assert_eq!(kinds(&report), [DamageKind::Frame], "{length}: {report:#?}");
            let reason = &report.damages[0].reason;
            assert!(reason.contains("can't be decompressed"), "{reason}");
            let source = crate::pack::restore::source::open(&out).unwrap();
            let error = crate::pack::restore::encode::Encoder::new(source.into())
                .encode(0)
                .unwrap_err();
            assert!(
                error.to_string().contains("can't be decompressed"),
                "{error}"
            );
        } else {
            assert!(report.is_sound(), "{report:#?}");
        }
    }
}
