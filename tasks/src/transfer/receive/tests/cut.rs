//! Packs that were cut off, anywhere, and what is kept of them.

use super::*;

/// The entries of a whole pack: where each ends and which object it is, and the ids that it needs.
fn entries(bytes: &[u8]) -> Vec<(u64, String)> {
    let case = Case::new();
    let received = case.finish(bytes).unwrap();
    let pack = received.pack.unwrap();
    let listed = git(
        case.dir.path(),
        &["verify-pack", "-v", pack.to_str().unwrap()],
    );
    let mut entries: Vec<(u64, String)> = Vec::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [id, _, _, length, offset, ..] = words[..]
            && id.len() == 40
        {
            let end = offset.parse::<u64>().unwrap() + length.parse::<u64>().unwrap();
            entries.push((end, id.to_owned()));
        }
    }
    entries.sort();
    entries
}

#[test]
fn every_cut_keeps_every_whole_object() {
    let repo = GitRepo::history(2);
    let bytes = packed(&repo, &["--all", "--delta-base-offset"], "");
    let entries = entries(&bytes);
    let case = Case::new();
    let mut before = BTreeSet::new();
    for cut in 0..bytes.len() {
        let mut parsed = case.parse(&bytes[..cut], 4096);
        assert!(!parsed.is_whole() && parsed.fault().is_none());
        let error = case.to(1, |to| finish(&case.raw(), &mut parsed, to));
        assert!(matches!(error, Err(ReceiveError::Cut { .. })), "{cut}");
        let kept = case.to(1, |to| salvage(&case.raw(), &mut parsed, to));
        let kept = kept.unwrap();
        let whole = entries.iter().filter(|(end, _)| *end <= cut as u64);
        let whole: BTreeSet<_> = whole.map(|(_, id)| id.clone()).collect();
        assert_eq!(kept.objects as usize, whole.len(), "{cut}");
        if whole.len() == before.len() {
            continue;
        }
        assert_eq!(case.ids(&kept), whole, "{cut}");
        let pack = kept.pack.unwrap();
        let index = fs::read(pack.with_extension("idx")).unwrap();
        assert!(
            index == git_index(&case, &fs::read(&pack).unwrap()),
            "{cut}"
        );
        before = whole;
    }
    assert_eq!(before.len(), entries.len());
}

#[test]
fn what_lacks_its_base_is_left_out_and_what_follows_is_kept() {
    // Without offsets a base may come behind its delta.
    let repo = GitRepo::history(9);
    let bytes = packed(&repo, &["--all"], "");
    let entries = entries(&bytes);
    let all: BTreeSet<_> = entries.iter().map(|(_, id)| id.clone()).collect();
    for (end, _) in &entries {
        let case = Case::new();
        let kept = case.salvage(&bytes[..usize::try_from(*end).unwrap()]);
        let ids = case.ids(&kept);
        assert!(ids.is_subset(&all));
        assert_eq!(kept.lost, (all.len() - ids.len()) as u64);
    }
    // A thin pack without the repository that it is for: deltas by name and by offset on top.
    let thin = packed(&repo, &["--thin", "--delta-base-offset"], "main\n^main~3\n");
    let case = Case::new();
    let kept = case.salvage(&thin[..thin.len() - 30]);
    assert!(kept.lost > 0 && kept.objects > 0);
    assert!(
        case.ids(&kept)
            .is_subset(&repo.reachable(&["main", "^main~3"]))
    );
    // With it, all that came.
    let case = Case::with(&repo);
    let kept = case.salvage(&thin[..thin.len() - 20]);
    assert_eq!(kept.lost, 0);
    assert!(
        case.ids(&kept)
            .is_superset(&repo.reachable(&["main", "^main~3"]))
    );
}

#[test]
fn no_flip_makes_a_wrong_object() {
    let repo = GitRepo::history(2);
    let bytes = packed(&repo, &["--all", "--delta-base-offset"], "");
    let all = repo.reachable(&["--all"]);
    let mut heads: Vec<usize> = vec![12];
    heads.extend(
        entries(&bytes)
            .iter()
            .map(|(end, _)| usize::try_from(*end).unwrap()),
    );
    let case = Case::new();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        let mut parsed = case.parse(&bad, 4096);
        let error = case.to(1, |to| finish(&case.raw(), &mut parsed, to));
        assert!(error.is_err(), "{at}");
        let kept = case.to(1, |to| salvage(&case.raw(), &mut parsed, to));
        let kept = kept.unwrap();
        let Some(pack) = &kept.pack else { continue };
        let ids = ids_of(&fs::read(pack.with_extension("idx")).unwrap());
        // The same content as another type, or what is made of that, is what nobody asked for.
        assert!(ids.is_subset(&all) || heads.contains(&at), "{at}");
        if at % 61 == 0 {
            case.ids(&kept);
        }
    }
}
