//! Counted against git.

use super::read;
use crate::pack::restore::tests::fixture::{Order, add_layer, git, grow, repository};

#[test]
fn figures_are_those_of_git() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 10);
    let out = dir.path().join("out");
    for layer in 1..=3 {
        add_layer(&repo, &out, 900, Order::DepthFirst);
        if layer < 3 {
            grow(&repo, layer * 10..(layer + 1) * 10);
        }
    }
    let stats = read(&out, Some(&repo)).unwrap();
    assert_eq!(stats.layers.len(), 3);
    let total = &stats.total;
    // What git says of its own pack.
    let listed = git(
        &repo,
        &[
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objecttype) %(objectsize:disk)",
        ],
    );
    let of = |kind: &str| listed.lines().filter(|it| it.starts_with(kind)).count() as u64;
    let kinds = &total.kinds;
    assert_eq!(
        [
            kinds.commit.objects,
            kinds.tag.objects,
            kinds.tree.objects,
            kinds.blob.objects
        ],
        ["commit", "tag", "tree", "blob"].map(of)
    );
    let bytes: u64 = listed
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    let beside = stats.git.as_ref().unwrap();
    assert_eq!(
        (beside.objects, beside.missing, beside.bytes),
        (total.objects, 0, bytes)
    );
    assert!(stats.ratio().unwrap() > 0.0);

    let all = kinds.each().map(|(_, kind)| kind);
    assert_eq!(all.iter().map(|it| it.objects).sum::<u64>(), total.objects);
    assert_eq!(
        all.iter().map(|it| it.raw_bytes).sum::<u64>(),
        total.raw_bytes
    );
    for kind in all {
        assert_eq!(kind.objects, kind.whole + kind.deltas + kind.deltas_across);
    }
    assert!(
        kinds.blob.deltas > 0 && kinds.blob.deltas_across > 0,
        "{kinds:?}"
    );
    let refs = git(&repo, &["for-each-ref"]).lines().count() as u64;
    assert_eq!(total.refs, refs);
    let disk: u64 = stats
        .layers
        .iter()
        .map(|layer| {
            let path = out.join("layers").join(layer.id.as_deref().unwrap());
            let files = std::fs::read_dir(path).unwrap();
            files
                .map(|it| it.unwrap().metadata().unwrap().len())
                .sum::<u64>()
        })
        .sum();
    assert_eq!(
        disk,
        total.stored_bytes + total.index_bytes + total.refs_bytes
    );
}

#[test]
fn a_repository_that_lacks_objects_gives_no_ratio() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 4);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 900, Order::DepthFirst);
    let stats = read(&out, Some(dir.path().join("empty").as_path()));
    assert!(stats.is_err(), "no repository");
    let empty = dir.path().join("empty");
    git(dir.path(), &["init", "-q", empty.to_str().unwrap()]);
    let stats = read(&out, Some(&empty)).unwrap();
    let size = stats.git.clone().unwrap();
    assert_eq!((size.objects, size.missing), (0, stats.total.objects));
    assert_eq!(stats.ratio(), None);
    // Loose objects count with their files.
    let loose = dir.path().join("loose");
    git(dir.path(), &["init", "-q", loose.to_str().unwrap()]);
    std::fs::write(loose.join("empty"), "").unwrap();
    git(&loose, &["add", "empty"]);
    let size = read(&out, Some(&loose)).unwrap().git.unwrap();
    assert_eq!((size.objects, size.bytes > 0), (1, true));
}
