//! The plumbing without an operation around it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix_hash::ObjectId;

use super::super::encode::Units;
use super::super::publish::{self, Target};
use super::super::writer::{PackWriter, read_table};
use super::super::{RestoreError, Source, idx, source};
use super::fixture::{Order, add_layer, git, grow, repository};
use crate::pack::format::FormatError;

pub(in crate::pack) use crate::disk::Plain;

const NEVER: &dyn Fn() -> bool = &|| false;

/// The bytes of the restored pack and of its table, and the pack's checksum.
pub(in crate::pack) fn encode(
    source: &Arc<Source>,
    threads: usize,
) -> Result<(Vec<u8>, Vec<u8>, ObjectId), RestoreError> {
    let (mut pack, mut table) = (Vec::new(), Vec::new());
    let mut writer = PackWriter::begin(source.objects(), &mut pack).unwrap();
    let mut units = Units::start(source, 0, threads);
    while let Some(unit) = units.next_unit() {
        table.extend(writer.append(source, &unit?, &mut pack, NEVER)?);
    }
    let checksum = writer.finish(&mut pack)?;
    Ok((pack, table, checksum))
}

fn restore(pack_dir: &Path, target: &Target) {
    restore_objects(pack_dir, target);
    let source = source::open(pack_dir).unwrap();
    publish_refs(&source, target);
}

fn publish_refs(source: &Source, target: &Target) {
    let (git_dir, refs) = (target.git_dir(), source.newest().refs());
    let own = git_dir.join("mug/own");
    for _ in 0..2 {
        publish::refs(&git_dir, refs, &Plain).unwrap();
        publish::prepare_head(&own, refs, &Plain).unwrap();
        assert!(publish::awaits_head(&own, target).unwrap());
    }
    publish::install_head(&own, &git_dir, &Plain).unwrap();
    assert!(!publish::awaits_head(&own, target).unwrap());
}

/// All but the refs.
pub(super) fn restore_objects(pack_dir: &Path, target: &Target) {
    let source = Arc::new(source::open(pack_dir).unwrap());
    target.check_free(None).unwrap();
    let git_dir = target.git_dir();
    let scratch = git_dir.join("mug/scratch");
    for _ in 0..2 {
        publish::skeleton(target, &scratch, source.newest().refs(), &Plain).unwrap();
    }
    let (pack, table, checksum) = encode(&source, 2).unwrap();
    let stem = git_dir.join(format!("objects/pack/pack-{checksum}"));
    fs::write(stem.with_extension("pack"), pack).unwrap();
    let rows = read_table(table.as_slice()).unwrap();
    idx::write(
        File::create(stem.with_extension("idx")).unwrap(),
        &source,
        &rows,
        checksum,
    )
    .unwrap();
    assert!(!git_dir.join("HEAD").exists());
}

fn show_refs(repo: &Path) -> String {
    git(repo, &["show-ref", "--head"]) + &fs::read_to_string(git_dir(repo).join("HEAD")).unwrap()
}

fn git_dir(repo: &Path) -> PathBuf {
    if repo.join(".git").exists() {
        repo.join(".git")
    } else {
        repo.to_owned()
    }
}

/// The packs of a repository.
pub(super) fn packs(repo: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(git_dir(repo).join("objects/pack")).unwrap();
    let packs = files.map(|entry| entry.unwrap().path());
    packs
        .filter(|path| path.extension().is_some_and(|ext| ext == "pack"))
        .collect()
}

/// The restored repository is sound, has the same refs, and an index like git's own.
pub(super) fn assert_restored(repo: &Path, restored: &Path) {
    let report = git(restored, &["fsck", "--full", "--strict"]);
    assert_eq!(report, "", "fsck must have nothing to say");
    assert_eq!(show_refs(restored), show_refs(repo));
    let all = ["cat-file", "--batch-all-objects", "--batch-check"];
    assert_eq!(git(restored, &all), git(repo, &all));
    assert_eq!(
        fs::read_to_string(git_dir(restored).join("refs/remotes/origin/HEAD")).unwrap(),
        "ref: refs/remotes/origin/main\n"
    );
    let pack = packs(restored).pop().unwrap();
    let again = restored.join("again.idx");
    git(
        restored,
        &[
            "index-pack",
            "-o",
            again.to_str().unwrap(),
            pack.to_str().unwrap(),
        ],
    );
    assert_eq!(
        fs::read(&again).unwrap(),
        fs::read(pack.with_extension("idx")).unwrap()
    );
}

#[test]
fn a_repository_comes_back_whatever_the_order_and_frame_size() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 30);
    for (at, (frame_size, order)) in [
        (4 << 20, Order::DepthFirst),
        (1000, Order::DepthFirst),
        (1000, Order::Pack),
        (4 << 20, Order::Pack),
    ]
    .into_iter()
    .enumerate()
    {
        let out = dir.path().join(format!("out-{at}"));
        add_layer(&repo, &out, frame_size, order);
        let target = Target {
            path: dir.path().join(format!("new-{at}")),
            bare: at % 2 == 0,
        };
        restore(&out, &target);
        assert_restored(&repo, &target.path);
    }
}

#[test]
fn layers_are_joined_into_one_pack() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 10);
    let out = dir.path().join("out");
    for (layer, order) in [Order::DepthFirst, Order::Pack, Order::DepthFirst]
        .into_iter()
        .enumerate()
    {
        if layer > 0 {
            grow(&repo, layer * 10..(layer + 1) * 10);
        }
        add_layer(&repo, &out, 700, order);
    }
    let source = source::open(&out).unwrap();
    assert!(
        (0..source.units())
            .flat_map(|unit| source.entries(unit))
            .any(|entry| {
                entry.base.is_some_and(|base| {
                    source.unit(source.unit_of(base)).0.path()
                        != source.unit(source.unit_of(entry.rank)).0.path()
                })
            }),
        "a delta must have its base in an older layer for this to test anything"
    );
    let target = Target {
        path: dir.path().join("new"),
        bare: true,
    };
    restore(&out, &target);
    assert_restored(&repo, &target.path);
}

#[test]
fn the_pack_has_the_same_bytes_whatever_the_threads_and_wherever_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 20);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 1000, Order::DepthFirst);
    let source = Arc::new(source::open(&out).unwrap());
    let (pack, table, checksum) = encode(&source, 1).unwrap();
    assert_eq!(
        encode(&source, 3).unwrap(),
        (pack.clone(), table.clone(), checksum)
    );
    assert!(source.units() > 5, "{}", source.units());
    for cut in 0..=source.units() {
        let rows = source.first_rank(cut) as usize * 12;
        let end = table.get(rows..rows + 8).map_or(pack.len() - 20, |offset| {
            usize::try_from(u64::from_le_bytes(offset.try_into().unwrap())).unwrap()
        });
        let (mut pack_file, mut table_file) = (pack[..end].to_vec(), table[..rows].to_vec());
        let mut writer = PackWriter::resume(
            source.first_rank(cut),
            &*pack_file.clone(),
            &*table_file.clone(),
        )
        .unwrap();
        let mut units = Units::start(&source, cut, 2);
        while let Some(unit) = units.next_unit() {
            table_file.extend(
                writer
                    .append(&source, &unit.unwrap(), &mut pack_file, NEVER)
                    .unwrap(),
            );
        }
        assert_eq!(writer.finish(&mut pack_file).unwrap(), checksum);
        assert_eq!(
            (pack_file == pack, table_file == table),
            (true, true),
            "cut before unit {cut}"
        );
    }
    assert!(matches!(
        PackWriter::resume(1, &pack[..100], &table[..24]),
        Err(RestoreError::Unfinished { .. })
    ));
}

#[test]
fn large_objects_are_written_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 3);
    let noise: Vec<u8> = (0..200_000u32)
        .flat_map(|i| blake3::hash(&i.to_le_bytes()).as_bytes()[..4].to_vec())
        .collect();
    fs::write(repo.join("noise"), &noise).unwrap();
    grow(&repo, 3..4);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 64 << 10, Order::DepthFirst);
    let target = Target {
        path: dir.path().join("new"),
        bare: true,
    };
    restore(&out, &target);
    assert_restored(&repo, &target.path);

    let source = Arc::new(source::open(&out).unwrap());
    let large = (0..source.units())
        .find(|unit| source.unit(*unit).1.is_large())
        .unwrap();
    let unit = super::super::encode::Encoder::new(Arc::clone(&source))
        .encode(large)
        .unwrap();
    let mut writer = PackWriter::begin(source.objects(), &mut Vec::new()).unwrap();
    let stopped = writer.append(&source, &unit, &mut Vec::new(), &|| true);
    assert!(matches!(stopped, Err(RestoreError::Interrupted)));
}

#[test]
fn damaged_frames_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 3);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 1000, Order::DepthFirst);
    let layer = fs::read_dir(out.join("layers"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let frames = layer.join("frames-0000");
    let bytes = fs::read(&frames).unwrap();
    for at in (0..bytes.len()).step_by(37) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        fs::write(&frames, flipped).unwrap();
        let error = encode(&Arc::new(source::open(&out).unwrap()), 2).unwrap_err();
        assert!(
            matches!(error, RestoreError::Format(FormatError::Damaged { .. })),
            "{at}: {error}"
        );
    }
    fs::write(&frames, &bytes[1..]).unwrap();
    let error = source::open(&out).unwrap_err().to_string();
    assert!(error.contains("the manifest says"), "{error}");
}

#[test]
fn a_target_with_anything_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for bare in [true, false] {
        let target = Target {
            path: dir.path().join(format!("new-{bare}")),
            bare,
        };
        target.check_free(None).unwrap();
        fs::create_dir_all(target.git_dir().join("mug/ops/op-1")).unwrap();
        target.check_free(Some("op-1")).unwrap();
        for own in [None, Some("op-2")] {
            let busy = target.check_free(own).unwrap_err();
            assert!(matches!(busy, RestoreError::TargetBusy { id, .. } if id == "op-1"));
        }
        let other = Target {
            path: target.path.clone(),
            bare: !bare,
        };
        let busy = other.check_free(None).unwrap_err();
        assert!(matches!(busy, RestoreError::TargetBusy { id, .. } if id == "op-1"));
        fs::write(target.path.join("note"), "mine").unwrap();
        assert!(matches!(
            target.check_free(None),
            Err(RestoreError::TargetTaken { .. })
        ));
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let target = Target {
        path: dir.path().join("file"),
        bare: true,
    };
    assert!(matches!(
        target.check_free(None),
        Err(RestoreError::TargetTaken { .. })
    ));
}
