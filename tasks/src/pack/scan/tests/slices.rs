//! Cutting a scan anywhere, on any number of threads, gives the same plan.

use std::sync::atomic::AtomicBool;

use super::{scan_all, tip_numbers, universe};
use crate::pack::{
    plan::write_plan,
    scan::{Reach, Scan, ScanError, Universe},
    testing::GitRepo,
};

fn plan(repo: &GitRepo, universe: &Universe, scan: Scan) -> Vec<u8> {
    let tips = tip_numbers(repo.git_dir(), universe, &["main"]);
    let reach = Reach::of(universe, scan, &tips, &AtomicBool::new(false)).unwrap();
    let mut bytes = Vec::new();
    write_plan(universe, &reach, None, 4096, &mut bytes, &|| false).unwrap();
    bytes
}

fn repository() -> GitRepo {
    let repo = GitRepo::history(30);
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.git(&["checkout", "-q", "-b", "other"]);
    repo.write("other", "unreachable from main");
    repo.commit("other");
    repo
}

#[test]
fn slices_add_up_wherever_they_are_cut_and_on_any_number_of_threads() {
    let repo = repository();
    let universe = universe(repo.git_dir());
    let expected = plan(&repo, &universe, scan_all(&universe, 1));
    assert_eq!(plan(&repo, &universe, scan_all(&universe, 4)), expected);
    let stop = AtomicBool::new(false);
    let (mut slices, mut cursor, mut cuts) = (Vec::new(), 0, 0);
    loop {
        // Each slice in a scan of its own, as after a restart.
        let scan = Scan::new(&universe);
        cursor = scan.run(&universe, cursor, 2, &stop, &|_| true).unwrap();
        scan.export(&mut slices);
        cuts += 1;
        if cursor == scan.len() {
            break;
        }
    }
    assert!(cuts > 2, "{cuts} slices");
    let whole = Scan::new(&universe);
    whole.absorb(&slices).unwrap();
    assert_eq!(plan(&repo, &universe, whole), expected);
}

#[test]
fn exporting_takes_everything_away() {
    let repo = repository();
    let universe = universe(repo.git_dir());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let scan = scan_all(&universe, 1);
    scan.export(&mut first);
    scan.export(&mut second);
    assert!(first.len() > 100);
    let rest = Scan::new(&universe);
    rest.absorb(&second).unwrap();
    assert!((0..universe.catalog.len()).all(|id| rest.names().get(id).is_empty()));
}

#[test]
fn damaged_slices_are_refused() {
    let repo = repository();
    let universe = universe(repo.git_dir());
    let mut bytes = Vec::new();
    scan_all(&universe, 1).export(&mut bytes);
    for end in [1, 7, 9, bytes.len() / 2, bytes.len() - 1] {
        let absorbed = Scan::new(&universe).absorb(&bytes[..end]);
        assert!(matches!(absorbed, Err(ScanError::Slice)), "cut at {end}");
    }
}

#[test]
fn a_stop_ends_the_scan_with_what_is_whole() {
    let repo = repository();
    let universe = universe(repo.git_dir());
    let scan = Scan::new(&universe);
    let stopped = AtomicBool::new(true);
    assert_eq!(scan.run(&universe, 0, 2, &stopped, &|_| false).unwrap(), 0);
}
