//! Nothing is found where nothing is wrong.

use std::fs;

use gix_hash::ObjectId;

use super::{full, pack, plain};
use crate::pack::format::{Kind, Refs};
use crate::pack::restore::tests::fixture::{
    Object, Order, add_empty_layer, add_layer, git, grow, objects, refs, repository, write_layer,
};

#[test]
fn a_sound_pack_is_sound_whatever_the_frame_size() {
    for frame_size in [500, 4 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let out = pack(dir.path(), frame_size);
        let count = git(
            &dir.path().join("repo"),
            &["rev-list", "--all", "--objects", "--count"],
        );
        for report in [full(&out), plain(&out)] {
            assert!(report.is_sound(), "{report:#?}");
            assert_eq!(report.layers, 2);
            assert_eq!(report.sound, report.objects);
            // The annotated tag is an object too, which git does not count.
            assert_eq!(report.objects, count.trim().parse::<u64>().unwrap());
            assert_eq!(report.connected, report.full);
            assert!(report.frames > 1 && report.raw_bytes > 0);
        }
    }
}

#[test]
fn an_empty_repository_and_large_objects() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    add_empty_layer(&empty);
    let report = full(&empty);
    assert!(report.is_sound() && report.objects == 0, "{report:#?}");

    let repo = repository(dir.path(), 2);
    let noise: Vec<u8> = (0..20_000u32)
        .flat_map(|i| blake3::hash(&i.to_le_bytes()).as_bytes()[..4].to_vec())
        .collect();
    fs::write(repo.join("noise"), &noise).unwrap();
    grow(&repo, 2..3);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 9_000, Order::DepthFirst);
    assert!(full(&out).is_sound());
    let frames = super::in_layer(&out, true, "frames-0000");
    let mut bytes = fs::read(&frames).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&frames, bytes).unwrap();
    let report = full(&out);
    assert_eq!(report.damages.len(), 1, "{report:#?}");
    assert_eq!(report.sound, report.objects - 1, "{report:#?}");
    let id = git(&repo, &["rev-parse", "HEAD:noise"]);
    assert_eq!(report.damages[0].names, [id.trim()]);
}

/// A pack of some of a repository's objects, with these lists of what it lacks.
fn cut_off(
    lack: impl Fn(&Object) -> bool,
    shallow: &[ObjectId],
    missing: &[ObjectId],
) -> super::Report {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 5);
    git(&repo, &["tag", "-d", "v1"]);
    // Whole objects only, so that any of them can be left out.
    git(&repo, &["repack", "-adfq", "--depth=0"]);
    let mut all = objects(&repo);
    all.retain(|object| !lack(object));
    let refs = Refs {
        shallow: shallow.to_vec(),
        missing: missing.to_vec(),
        ..refs(&repo)
    };
    let out = dir.path().join("out");
    write_layer(&out, 3000, &refs, all);
    full(&out)
}

fn id_of(name: &str) -> ObjectId {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 5);
    let id = git(&repo, &["rev-parse", name]);
    ObjectId::from_hex(id.trim().as_bytes()).unwrap()
}

#[test]
fn what_the_refs_file_says_is_missing_may_be_missing() {
    // The repository is the same every time.
    let blob = id_of("main:file-1");
    let report = cut_off(|object| object.oid == blob, &[], &[blob]);
    assert!(report.is_sound() && report.connected, "{report:#?}");
    let report = cut_off(|object| object.oid == blob, &[], &[]);
    let [damage] = report.damages.as_slice() else {
        panic!("{report:#?}")
    };
    assert!(
        damage
            .reason
            .contains(&format!("needs blob {blob}, which is not in the pack")),
        "{damage:?}"
    );
}

#[test]
fn history_may_end_where_it_is_shallow_and_nowhere_else() {
    let (edge, parent) = (id_of("main~1"), id_of("main~2"));
    // What is older has objects of its own, which nobody asks for.
    let lack = |object: &Object| object.oid == parent;
    let report = cut_off(lack, &[edge], &[]);
    assert!(report.is_sound(), "{report:#?}");
    let report = cut_off(lack, &[id_of("main")], &[]);
    let [damage] = report.damages.as_slice() else {
        panic!("{report:#?}")
    };
    let needs = format!("commit {edge} needs commit {parent}");
    assert!(damage.reason.contains(&needs), "{damage:?}");
    // Its tree is not a parent.
    let tree = id_of("main~1^{tree}");
    let report = cut_off(
        |object| object.oid == tree && object.entry.kind == Kind::Tree,
        &[edge],
        &[],
    );
    assert_eq!(report.damages.len(), 1, "{report:#?}");
}

#[test]
fn a_layer_that_is_added_later_is_none_of_it_and_another_pack_is_refused() {
    use super::super::VerifyError;
    use super::super::survey::{reopen, survey};
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 900);
    let plan = survey(&out, true).unwrap().plan;
    let before = reopen(&out, true, &plan).unwrap().unwrap().source.objects();
    let repo = dir.path().join("repo");
    grow(&repo, 12..14);
    add_layer(&repo, &out, 900, Order::DepthFirst);
    assert_eq!(full(&out).layers, 3);
    let opened = reopen(&out, true, &plan).unwrap().unwrap();
    assert_eq!(opened.source.objects(), before);
    // Its oldest layer alone is another pack; so is one with a layer that can't be opened any more.
    fs::remove_file(super::in_layer(&out, false, "index")).unwrap();
    let error = reopen(&out, true, &plan).err().unwrap();
    assert!(matches!(error, VerifyError::Changed { .. }), "{error}");
    fs::remove_dir_all(&out).unwrap();
    add_layer(&repo, &out, 900, Order::DepthFirst);
    let error = reopen(&out, true, &plan).err().unwrap();
    assert!(matches!(error, VerifyError::Changed { .. }), "{error}");
}

#[test]
fn more_layers_than_a_process_may_usually_have_open_files() {
    use crate::pack::format::{LayerManifest, Manifest, RefTarget};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const LAYERS: usize = 1_200;
    // As the binary does; a limit that is raised disturbs no other test.
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    if limit.maximum.is_some_and(|most| most < 2 * LAYERS as u64) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    add_empty_layer(&out);
    let index = fs::read(super::in_layer(&out, true, "index")).unwrap();
    let digest = crate::pack::format::FileDigest::of;
    // Layers without objects that differ in a ref.
    let layers = (0..LAYERS).map(|number| {
        let to = RefTarget::Symbolic("refs/heads/main".into());
        let refs = Refs::new(None, vec![(format!("refs/layer/{number}").into(), to)]);
        let refs = refs.to_bytes("refs".as_ref()).unwrap();
        let listed = LayerManifest::new(0, 0, [], digest(&index), digest(&refs));
        let layer = out.join("layers").join(listed.id.to_string());
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join("index"), &index).unwrap();
        fs::write(layer.join("refs"), refs).unwrap();
        listed
    });
    let mut all = crate::pack::format::PackDir::open(&out)
        .unwrap()
        .manifest()
        .layers
        .clone();
    all.extend(layers);
    fs::write(out.join("manifest.json"), Manifest::new(all).to_bytes()).unwrap();
    let report = full(&out);
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!(report.layers, 1 + LAYERS as u64);
}
