//! What an operation keeps is for its user's eyes only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use end_to_end::{Aim, Large, Means, Scratch, Step, Trial, Undisturbed};

/// What others could read below `dir`, and how much there is.
fn open(dir: &Path, found: &mut Vec<(PathBuf, u32)>) -> usize {
    let mut count = 0;
    let mut check = |path: &Path, private: u32| {
        let mode = path.metadata().expect("it is there").permissions().mode() & 0o777;
        if mode != private {
            found.push((path.to_owned(), mode));
        }
        count += 1;
    };
    check(dir, 0o700);
    for (name, length) in end_to_end::files(dir) {
        let path = dir.join(&name);
        // Links to packs of the repository are these packs; their directory lies in
        // one that nobody can enter.
        let link = name.to_string_lossy().contains("sources.d");
        match length {
            _ if link => {}
            Some(_) => check(&path, 0o600),
            None => check(&path, 0o700),
        }
    }
    count
}

#[test]
fn the_store_is_private_at_every_time() {
    let scratch = Scratch::fast(512 << 20);
    let shape = Large {
        files: 40,
        commits: 400,
    };
    let repository = shape.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let mut trial = Trial::new(&scratch, &repository, &undisturbed, "out");
    for step in [Step::Scan, Step::Plan, Step::Frames] {
        assert!(!trial.turn(Means::Kill, Aim::At(step, Duration::from_millis(2)), 1));
        let mut found = Vec::new();
        let mut seen = open(&repository.join("mug"), &mut found);
        seen += open(&scratch.join("state/mug"), &mut found);
        assert_eq!(found, []);
        assert!(seen > 6, "{seen} files and directories");
    }
    trial.finish(1);
    trial.check();
}
