//! Other things than files where files should be, and files where nothing should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{DamageKind, copy, full, in_layer, kinds, pack, plain};
use crate::pack::restore::source;

/// Puts something else in the place of `path`; gives where that was moved to.
fn replace(path: &Path, with: &str) {
    let beside = path.with_extension("moved");
    match with {
        "link" => {
            fs::rename(path, &beside).unwrap();
            symlink(&beside, path).unwrap();
        }
        "fifo" => {
            fs::remove_file(path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }
        "device" => {
            fs::remove_file(path).unwrap();
            symlink("/dev/zero", path).unwrap();
        }
        "dir" => {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }
        _ => fs::remove_file(path).unwrap(),
    }
}

fn refused(out: &Path) -> String {
    source::open(out).unwrap_err().to_string()
}

#[test]
fn nothing_but_a_file_is_taken_for_one_and_nothing_hangs() {
    let made = tempfile::tempdir().unwrap();
    let sound = pack(made.path(), 4 << 20);
    for with in ["link", "fifo", "device", "dir", "nothing"] {
        for name in ["manifest.json", "index", "refs", "frames-0000"] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            copy(&sound, &out);
            let path: PathBuf = if name == "manifest.json" {
                out.join(name)
            } else {
                in_layer(&out, true, name)
            };
            replace(&path, with);
            if (name, with) == ("manifest.json", "nothing") {
                let error = super::verify(&out, true, 2).unwrap_err().to_string();
                assert!(error.contains("holds no finished pack"), "{error}");
                continue;
            }
            for report in [plain(&out), full(&out)] {
                assert!(!report.is_sound());
                let damage = report.damages.iter().find(|it| {
                    it.kind != DamageKind::Stranger
                        && it.file.as_deref().is_some_and(|file| file.ends_with(name))
                });
                let reason = &damage.unwrap_or_else(|| panic!("{report:#?}")).reason;
                let why = match with {
                    "link" | "device" => "a symbolic link",
                    "fifo" => "a named pipe",
                    "dir" => "a directory",
                    _ => "it is missing",
                };
                assert!(reason.contains(why), "{name} as {with}: {reason}");
            }
            let error = refused(&out);
            assert!(error.contains(name), "{name} as {with}: {error}");
        }
    }
}

#[test]
fn directories_that_lead_elsewhere_are_refused() {
    for place in ["layers", "layer"] {
        let dir = tempfile::tempdir().unwrap();
        let out = pack(dir.path(), 4 << 20);
        let path = match place {
            "layers" => out.join("layers"),
            _ => in_layer(&out, true, "index").parent().unwrap().to_owned(),
        };
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let report = full(&out);
        assert!(kinds(&report).contains(&DamageKind::Layer), "{report:#?}");
        assert!(refused(&out).contains("a symbolic link, not a directory"));
        fs::remove_file(&path).unwrap();
        let report = full(&out);
        assert!(kinds(&report).contains(&DamageKind::Layer), "{report:#?}");
        assert!(report.damages[0].reason.contains("missing"), "{report:#?}");
    }
    // The pack directory itself may be reached through a link: the user named it.
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 4 << 20);
    symlink(&out, dir.path().join("link")).unwrap();
    assert!(full(&dir.path().join("link")).is_sound());
}

#[test]
fn what_is_no_part_of_the_pack_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 4 << 20);
    let inside = in_layer(&out, true, "frames-0001");
    fs::write(&inside, "").unwrap();
    fs::write(out.join("layers/readme"), "").unwrap();
    fs::create_dir(out.join("layers").join("ab".repeat(32))).unwrap();
    fs::write(out.join("evil\x1b[2J"), "").unwrap();
    let report = plain(&out);
    assert_eq!(kinds(&report), [DamageKind::Stranger; 4], "{report:#?}");
    assert_eq!(report.sound, report.objects);
    let files: Vec<&str> = report
        .damages
        .iter()
        .filter_map(|it| it.file.as_deref())
        .collect();
    assert!(files.iter().all(|file| !file.contains('\x1b')), "{files:?}");
}

#[test]
fn unfinished_work_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let out = pack(dir.path(), 4 << 20);
    fs::create_dir(out.join(".mug-op-1")).unwrap();
    // A layer comes before the manifest that lists it.
    fs::create_dir(out.join("layers").join("ab".repeat(32))).unwrap();
    let report = full(&out);
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!(report.notes.len(), 1);
    assert!(report.notes[0].contains("op-1"));
}
