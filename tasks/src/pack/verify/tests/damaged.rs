//! Sound packs to which something happened.

use std::fs::{self, OpenOptions};
use std::path::Path;

use super::{DamageKind, full, in_layer, kinds, pack, plain};

fn flip(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt as _;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

#[test]
fn all_damages_are_told_not_only_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 700);
    let frames = in_layer(&out, false, "frames-0000");
    let length = frames.metadata().unwrap().len();
    for at in [10, length / 2, length - 10] {
        flip(&frames, at);
    }
    flip(&in_layer(&out, true, "refs"), 40);
    fs::write(out.join("note"), "mine").unwrap();
    for report in [plain(&out), full(&out)] {
        let found = kinds(&report);
        let count = |kind| found.iter().filter(|it| **it == kind).count();
        assert_eq!(count(DamageKind::Frame), 3, "{report:#?}");
        assert_eq!(count(DamageKind::Refs), 1, "{report:#?}");
        assert_eq!(count(DamageKind::Stranger), 1, "{report:#?}");
        // Of a full one: what stands on the lost objects is lost as well.
        assert_eq!(count(DamageKind::Dependents), usize::from(report.full));
        let lost: u64 = report.damages.iter().map(|damage| damage.objects).sum();
        assert_eq!(report.sound + lost, report.objects, "{report:#?}");
        // Which refs there are is not known.
        assert!(!report.connected);
        for damage in report
            .damages
            .iter()
            .filter(|it| it.kind == DamageKind::Frame)
        {
            assert!(damage.frame.is_some() && damage.objects > 0, "{damage:?}");
            assert!(!damage.names.is_empty());
            assert!(damage.file.as_deref().unwrap().ends_with("frames-0000"));
            assert!(damage.reason.contains("checksum"), "{damage:?}");
        }
    }
}

#[test]
fn the_report_is_the_same_whatever_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 400);
    let frames = in_layer(&out, false, "frames-0000");
    for at in (0..frames.metadata().unwrap().len()).step_by(800) {
        flip(&frames, at);
    }
    let one = super::verify(&out, true, 1).unwrap();
    assert!(one.damages.len() > 5);
    for threads in [2, 5] {
        assert_eq!(super::verify(&out, true, threads).unwrap(), one);
    }
}

#[test]
fn an_index_that_is_lost_takes_its_layer_along() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 700);
    flip(&in_layer(&out, false, "index"), 100);
    let report = full(&out);
    assert_eq!(kinds(&report)[0], DamageKind::Index, "{report:#?}");
    // The newer layer is looked at all the same; what stands on the older one is lost.
    assert!(report.sound > 0 && report.sound < report.objects);
    assert!(
        kinds(&report).contains(&DamageKind::Dependents),
        "{report:#?}"
    );
    assert!(!report.connected);
    let lost: u64 = report.damages.iter().map(|damage| damage.objects).sum();
    assert_eq!(report.sound + lost, report.objects, "{report:#?}");
}

#[test]
fn frames_behind_a_cut_are_told_with_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 700);
    let frames = in_layer(&out, false, "frames-0000");
    let file = OpenOptions::new().write(true).open(&frames).unwrap();
    file.set_len(frames.metadata().unwrap().len() / 2).unwrap();
    for report in [plain(&out), full(&out)] {
        let found = kinds(&report);
        assert_eq!(
            &found[..2],
            [DamageKind::File, DamageKind::LostFrames],
            "{report:#?}"
        );
        assert_eq!(found.len(), 2 + usize::from(report.full), "{report:#?}");
        assert!(report.sound > 0);
        let lost: u64 = report.damages.iter().map(|damage| damage.objects).sum();
        assert_eq!(report.sound + lost, report.objects, "{report:#?}");
    }
    // A file that has become longer has lost nothing.
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 700);
    let frames = in_layer(&out, true, "frames-0000");
    let mut bytes = fs::read(&frames).unwrap();
    bytes.push(0);
    fs::write(&frames, bytes).unwrap();
    let report = full(&out);
    assert_eq!(kinds(&report), [DamageKind::File], "{report:#?}");
    assert_eq!(report.sound, report.objects);
}

#[test]
fn the_first_five_hundred_are_listed_and_the_others_counted() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 4 << 20);
    for number in 0..510 {
        fs::write(out.join(format!("stranger-{number}")), "").unwrap();
    }
    let report = plain(&out);
    assert_eq!((report.damages.len(), report.unlisted), (500, 10));
}
