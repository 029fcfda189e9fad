//! Packs of many layers, restored: each names bases in those below it.

use std::path::Path;

use end_to_end::{Scratch, Shape};

/// Large enough that a changed one is a delta, and changed often enough that deltas
/// stand on deltas.
fn grow(scratch: &Scratch, repository: &Path, number: usize) {
    for file in 0..5 {
        let lines: Vec<String> = (0..400)
            .map(|line| match line % 40 {
                here if here == (number + file) % 40 => format!("line {line}, change {number}"),
                _ => format!("line {line} of file {file}, always the same"),
            })
            .collect();
        let path = repository.join(format!("grown-{file}"));
        std::fs::write(path, lines.join("\n")).expect("a file");
    }
    scratch.git(repository, &["add", "-A"]);
    scratch.git(repository, &["commit", "-qm", &format!("change {number}")]);
    scratch.git(repository, &["branch", &format!("at-{number}")]);
    if number % 2 == 1 {
        // Other deltas, some of them on what is in no layer yet.
        scratch.git(repository, &["repack", "-adfq", "--window=50"]);
    }
}

fn objects(scratch: &Scratch, dir: &Path) -> Vec<String> {
    let all = ["rev-list", "--objects", "--all", "--no-object-names"];
    let mut objects: Vec<String> = scratch.git(dir, &all).lines().map(str::to_owned).collect();
    objects.sort();
    objects
}

#[test]
fn a_repository_comes_back_from_a_dozen_layers() {
    let scratch = Scratch::new();
    let repository = scratch.repository("plain", false, Shape::SMALL);
    for number in 0..12 {
        grow(&scratch, &repository, number);
        scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    }
    let layers = std::fs::read_dir(scratch.join("out/layers")).expect("layers");
    assert_eq!(layers.count(), 12);
    for (target, options) in [("new", &[][..]), ("new.git", &["--bare"])] {
        let args = [&["pack", "restore", "out", target], options].concat();
        scratch.mug(".", &args).ok();
        let target = scratch.join(target);
        scratch.git(&target, &["fsck", "--full", "--strict"]);
        assert_eq!(objects(&scratch, &target), objects(&scratch, &repository));
        for question in [&["show-ref"][..], &["symbolic-ref", "HEAD"]] {
            let answer = scratch.git(&repository, question);
            assert_eq!(scratch.git(&target, question), answer);
        }
    }
    assert_eq!(scratch.git("new", &["status", "--porcelain"]), "");

    // Later layers go into what was restored from the earlier ones.
    grow(&scratch, &repository, 12);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    let args = ["pack", "restore", "out", "--into", "new"];
    scratch.mug(".", &args).ok();
    scratch.git("new", &["fsck", "--full", "--strict"]);
    let newest = scratch.git(&repository, &["rev-parse", "HEAD"]);
    let restored = ["rev-parse", "refs/restored/out/HEAD"];
    assert_eq!(scratch.git("new", &restored), newest);
    assert_eq!(
        objects(&scratch, &scratch.join("new")),
        objects(&scratch, &repository)
    );
    assert_eq!(scratch.git("new", &["status", "--porcelain"]), "");
    // The same namespace holds other values by now: nothing happens to it.
    grow(&scratch, &repository, 13);
    scratch.mug(&repository, &["pack", "create", "../out"]).ok();
    let refused = scratch.mug(".", &args).exits(1);
    assert!(
        refused.stderr.contains("refs/restored/out/heads/"),
        "{refused}"
    );
    assert!(refused.stderr.contains("--namespace"), "{refused}");
    assert_eq!(scratch.git("new", &restored), newest);
}
