//! Packs against those of git.

use std::{path::Path, process::Command};

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use crate::pack::testing::GitRepo;
use crate::transfer::push::{
    contents::{Collector, Limits},
    history,
    pack::{Made, Options, write},
    store::Store,
};

fn oid(text: &str) -> ObjectId {
    ObjectId::from_hex(text.trim().as_bytes()).unwrap()
}

/// The pack for a reader that has `known`.
pub(super) fn pack(git_dir: &Path, tips: &[&str], known: &[&str], thin: bool) -> (Made, Vec<u8>) {
    let store = Store::at(&git_dir.join("objects")).unwrap();
    let tips: Vec<_> = tips.iter().map(|id| oid(id)).collect();
    let known: Vec<_> = known.iter().map(|id| oid(id)).collect();
    let none = HashSet::default();
    let commits = history::missing(&store, &tips, &known, &none, &|| false).unwrap();
    let limits = Limits {
        blob: u64::MAX,
        this: None,
    };
    let mut collector = Collector::new(&store, limits);
    for id in &commits {
        collector.commit(*id, false).unwrap();
    }
    for tip in tips {
        collector.object(tip).unwrap();
    }
    let options = Options {
        thin,
        ofs: true,
        threads: 2,
    };
    let mut out = Vec::new();
    let contents = collector.contents;
    let made = write(contents, &store, options, &mut out, &|| false).unwrap();
    assert_eq!(made.bytes, out.len() as u64);
    (made, out)
}

/// The length of git's pack for the same.
fn gits(git_dir: &Path, tips: &[&str], known: &[&str]) -> u64 {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .args([
            "pack-objects",
            "--revs",
            "--thin",
            "--stdout",
            "--delta-base-offset",
            "-q",
        ])
        .current_dir(git_dir)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for tip in tips {
        writeln!(input, "{tip}").unwrap();
    }
    for id in known {
        writeln!(input, "^{id}").unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap().stdout.len() as u64
}

/// By hand, on a large repository: `MUG_CORPUS=x.git cargo test … -- --ignored --nocapture`.
#[test]
#[ignore = "wants a corpus"]
fn bytes_beside_those_of_git() {
    let Some(corpus) = std::env::var_os("MUG_CORPUS") else {
        return;
    };
    let corpus = Path::new(&corpus);
    let rev = |rev: &str| {
        let out = Command::new("git")
            .args(["rev-parse", rev])
            .current_dir(corpus)
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let head = rev("HEAD");
    for back in [1, 2, 10, 100, 1000, 3000] {
        let old = rev(&format!("HEAD~{back}"));
        let (made, _) = pack(corpus, &[&head], &[&old], true);
        let ratio = made.bytes as f64 / gits(corpus, &[&head], &[&old]) as f64;
        assert!(ratio < 1.15, "{back}: {made:?}, {ratio:.3} of git's");
    }
}

/// A history with branches, merges, files that come back, move, and are copied.
fn history_of_all_kinds() -> GitRepo {
    let repo = GitRepo::new();
    let text = |seed: usize, lines: usize| -> String {
        (0..lines).fold(String::new(), |text, i| {
            text + &format!(
                "line {} of {}\n",
                i * 7 % 31,
                (i * i + seed / (i % 5 + 1)) % 97
            )
        })
    };
    for i in 0..40 {
        repo.write("a/large.txt", text(i, 400));
        repo.write(&format!("b/{}.txt", i % 7), text(i * 3, 60));
        if i % 5 == 0 {
            // It was there before.
            repo.write("a/large.txt", text(0, 400));
            repo.write(&format!("moved/{i}.txt"), text(i, 400));
        }
        repo.commit(&format!("{i}"));
        if i == 10 {
            repo.git(&["branch", "side"]);
        }
        if i == 25 {
            repo.git(&["checkout", "-q", "side"]);
            repo.write("side/x.txt", text(5, 100));
            repo.write("side/y.txt", text(20, 400));
            repo.commit("side");
            repo.git(&["checkout", "-q", "main"]);
            repo.git(&["merge", "-q", "-m", "merge", "side"]);
        }
        if i % 13 == 0 {
            repo.git(&["repack", "-q", "-d"]);
        }
    }
    repo.git(&["tag", "-am", "tag", "v1"]);
    repo
}

#[test]
fn a_pack_is_what_its_reader_lacks() {
    let repo = history_of_all_kinds();
    let rev = |name: &str| repo.git(&["rev-parse", name]);
    let (tip, tag) = (rev("main"), rev("v1"));
    for known in ["", "main~1", "main~5", "main~20", "main~39", "side"] {
        let dir = repo.beside("reader.git");
        let reader = dir.to_str().unwrap();
        let _ = std::fs::remove_dir_all(&dir);
        repo.git(&["init", "-q", "--bare", reader]);
        let known: Vec<String> = match known {
            "" => Vec::new(),
            known => {
                repo.git(&["push", "-q", reader, &format!("{known}:refs/heads/known")]);
                vec![rev(known)]
            }
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        for thin in [true, false] {
            let (made, bytes) = pack(repo.git_dir(), &[&tag, &tip], &known, thin);
            let file = repo.beside("made.pack");
            std::fs::write(&file, &bytes).unwrap();
            let fix: &[&str] = if thin { &["--fix-thin"] } else { &[] };
            let words = ["index-pack", "--strict", "--stdin"];
            let mut command = Command::new("git");
            command.args(words).args(fix).current_dir(&dir);
            let out = command.stdin(std::fs::File::open(&file).unwrap());
            let out = out.output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{known:?} {thin}: {said}");
            repo.git(&["-C", reader, "rev-list", "--objects", &tip, &tag]);
            repo.git(&["-C", reader, "fsck", "--full"]);
            if thin {
                let git = gits(repo.git_dir(), &[&tag, &tip], &known);
                let most = git * 115 / 100;
                assert!(made.bytes <= most, "{known:?}: {} {git}", made.bytes);
            }
        }
    }
}
