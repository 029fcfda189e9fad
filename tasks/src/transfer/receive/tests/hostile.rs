//! Servers that lie.

use super::*;

const BLOB: u8 = 3;

fn fault(bytes: &[u8]) -> String {
    let case = Case::new();
    let parsed = case.parse(bytes, 1000);
    assert!(!parsed.is_whole());
    let fault = parsed.fault().map(ToString::to_string);
    fault.unwrap_or_else(|| "cut".to_owned())
}

#[test]
fn what_is_no_pack_is_refused() {
    for (bytes, why) in [
        (&b"<html>no such repository</html>"[..], "it is no pack"),
        (b"PACX", "it is no pack"),
        (
            b"PACK\0\0\0\x04\0\0\0\x01",
            "its version is neither 2 nor 3",
        ),
        (b"PAC", "cut"),
    ] {
        assert!(fault(bytes).contains(why), "{}", fault(bytes));
    }
}

#[test]
fn claims_take_no_memory() {
    let mut bytes = pack_of(
        u32::MAX,
        &[entry(BLOB, 26, b"", b"abcdefghijklmnopqrstuvwxyz")],
    );
    bytes.truncate(bytes.len() - 20);
    let case = Case::new();
    let parsed = case.parse(&bytes, 5);
    assert_eq!(parsed.seen().announced, u32::MAX);
    assert_eq!(parsed.seen().objects, 1);
    let kept = case.salvage(&bytes);
    assert_eq!((kept.objects, kept.lost), (1, u64::from(u32::MAX) - 1));

    let whole = entry(BLOB, 1 << 40, b"", b"abc");
    assert!(fault(&pack_of(1, &[whole])).contains("less than it states"));
    // Ten megabytes of zeros that are said to be a few.
    let bomb = entry(BLOB, 100, b"", &vec![0; 10 << 20]);
    assert!(fault(&pack_of(1, &[bomb])).contains("more than it states"));
}

#[test]
fn deltas_that_lie_make_nothing() {
    let base = entry(BLOB, 3, b"", b"abc");
    let distance = u8::try_from(base.len()).unwrap();
    for (delta, why) in [
        (&[4, 3, 0x90, 3][..], "belongs to another base"),
        (&[3, 4, 0x90, 4], "copies from beyond the base"),
        (&[3, 9, 0x90, 3], "makes less than it states"),
        (&[3, 2, 0x90, 3], "makes more than it states"),
        (&[3, 3, 0], "unknown instruction"),
        (
            &[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x90, 3],
            "more than 2 GiB",
        ),
        (&[3, 0xff], "cut short"),
    ] {
        let delta = entry(6, delta.len() as u64, &[distance], delta);
        let bytes = pack_of(2, &[base.clone(), delta]);
        let case = Case::new();
        let error = case.finish(&bytes).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        let kept = case.salvage(&bytes);
        assert_eq!((kept.objects, kept.lost), (1, 1));
        assert_eq!(case.ids(&kept).len(), 1);
    }
}

#[test]
fn bases_that_are_none_are_refused() {
    let base = entry(BLOB, 3, b"", b"abc");
    let delta = [3, 3, 0x90, 3];
    for distance in [0, 1, u8::try_from(base.len()).unwrap() + 1, 127] {
        let delta = entry(6, 4, &[distance], &delta);
        let bytes = pack_of(2, &[base.clone(), delta]);
        assert!(fault(&bytes).contains("base is no entry"), "{distance}");
    }
    // Two that stand on each other, and one on itself.
    let ids = [[1; 20], [2; 20], [3; 20]];
    let ring = [0, 1, 2].map(|n: usize| entry(7, 4, &ids[n], &delta));
    let error = Case::new().finish(&pack_of(3, &ring)).unwrap_err();
    assert!(
        matches!(error, ReceiveError::NoBase { count: 3, .. }),
        "{error}"
    );
}

#[test]
fn what_follows_the_end_is_refused_and_a_wrong_end_too() {
    let mut bytes = pack_of(1, &[entry(BLOB, 3, b"", b"abc")]);
    bytes.push(b'!');
    assert!(fault(&bytes).contains("bytes follow the end"));
    bytes.pop();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(fault(&bytes).contains("the hash at its end"));
    let case = Case::new();
    assert_eq!(case.salvage(&bytes).objects, 1);
    // Announced are more, or fewer, than come.
    let two = pack_of(2, &[entry(BLOB, 3, b"", b"abc")]);
    assert_ne!(fault(&two), "cut");
    let one = [entry(BLOB, 3, b"", b"abc"), entry(BLOB, 3, b"", b"xyz")];
    assert!(fault(&pack_of(1, &one)).contains("the hash at its end"));
}

#[test]
fn a_flood_is_ended_where_it_makes_no_sense() {
    let mut incoming = Incoming::new().unwrap();
    let mut fed = 0_u64;
    let flood = vec![7; 1 << 20];
    incoming.feed(b"PACK\0\0\0\x02\xff\xff\xff\xff").unwrap();
    while incoming.feed(&flood).is_ok() {
        fed += flood.len() as u64;
        assert!(fed < 1 << 30, "nobody says stop");
    }
    assert!(incoming.end().unwrap().fault().is_some());
}

#[test]
fn a_stop_is_heard_while_deltas_are_resolved() {
    let repo = GitRepo::history(5);
    let bytes = packed(&repo, &["--all"], "");
    let case = Case::new();
    let mut parsed = case.parse(&bytes, 4096);
    let to = To {
        objects: &case.objects,
        packs: &case.packs(),
        threads: 2,
        progress: &|_| {},
        stopped: &AtomicBool::new(true),
        disk: &Plain,
    };
    let stopped = finish(&case.raw(), &mut parsed, to);
    assert!(matches!(stopped, Err(ReceiveError::Stopped)));
    let finished = case.to(2, |to| finish(&case.raw(), &mut parsed, to));
    assert_eq!(case.ids(&finished.unwrap()), repo.reachable(&["--all"]));
}
