//! What needs no server.

use gix::bstr::BStr;
use gix_hash::ObjectId;

use crate::transfer::{
    RemoteRef,
    refs::push::{
        Ancestry, Expected, Lease, Local, Pair, Spec, Status,
        decide::{Rules, decide},
        follow_tags, lease, pairs, track,
    },
};

fn oid(digit: u8) -> ObjectId {
    ObjectId::from_hex(&[digit; 40]).unwrap()
}

#[test]
fn refspecs_are_read_as_git_reads_them() {
    let pair = |src: &str, dst: Option<&str>, force| Spec::Pair {
        src: src.into(),
        dst: dst.map(Into::into),
        force,
    };
    for (text, spec) in [
        ("main", pair("main", None, false)),
        ("+main", pair("main", None, true)),
        ("a:b", pair("a", Some("b"), false)),
        (":b", pair("", Some("b"), false)),
        ("@:refs/heads/x", pair("HEAD", Some("refs/heads/x"), false)),
        (
            "refs/heads/*:refs/heads/a/*",
            pair("refs/heads/*", Some("refs/heads/a/*"), false),
        ),
        (":", Spec::Matching { force: false }),
        ("+:", Spec::Matching { force: true }),
        ("^refs/heads/x*", Spec::Negative("refs/heads/x*".into())),
    ] {
        assert_eq!(Spec::parse(text.into()).unwrap(), spec, "{text}");
    }
    for text in [
        "",
        "+",
        "a:",
        "a*:b",
        "a:b*",
        "a*b*:c*d*",
        "a:b..c",
        "^",
        "^a:b",
        "a:b c",
    ] {
        assert!(Spec::parse(BStr::new(text)).is_err(), "{text}");
    }
    for text in ["a:b", ":a", "", "+a"] {
        assert!(Spec::delete(BStr::new(text)).is_err(), "{text}");
    }
}

/// Objects with this first digit are unknown here.
const UNKNOWN: u8 = b'e';

struct Line;

impl Ancestry for Line {
    fn has(&self, id: ObjectId) -> bool {
        id != oid(UNKNOWN)
    }
    fn commit(&self, id: ObjectId) -> Option<ObjectId> {
        Some(id)
    }
    fn contains(&self, new: ObjectId, old: ObjectId) -> bool {
        old <= new
    }
}

fn status(new: Option<u8>, old: Option<u8>, lease: Option<&Option<u8>>, rules: Rules) -> Status {
    let pair = Pair {
        from: new.map(|_| "refs/heads/a".into()),
        new: new.map(oid),
        to: "refs/heads/a".into(),
        force: false,
    };
    let expected: Vec<_> = lease
        .map(|old| Expected {
            to: "refs/heads/a".into(),
            old: old.map(oid),
        })
        .into_iter()
        .collect();
    let there: Vec<_> = old
        .map(|old| RemoteRef::new("refs/heads/a", oid(old)))
        .into_iter()
        .collect();
    decide(&[pair], &expected, rules, &there, &Line)
        .remove(0)
        .status
}

#[test]
fn a_lease_decides_alone_and_force_decides_over_it() {
    let plain = Rules::default();
    let force = Rules {
        force: true,
        ..plain
    };
    let (a, b, c) = (Some(b'a'), Some(b'b'), Some(b'c'));
    for (new, old, lease, rules, expected) in [
        (b, a, None, plain, Status::Send),
        (a, b, None, plain, Status::NonFastForward),
        (a, b, None, force, Status::Send),
        (a, b, Some(&b), plain, Status::Send),
        (a, b, Some(&c), plain, Status::Stale),
        (a, b, Some(&c), force, Status::Send),
        (b, a, Some(&None), plain, Status::Stale),
        (b, None, Some(&None), plain, Status::Send),
        (b, None, Some(&a), plain, Status::Stale),
        (None, a, Some(&a), plain, Status::Send),
        (None, a, Some(&b), plain, Status::Stale),
        (None, None, None, plain, Status::Done),
        (b, b, Some(&a), plain, Status::UpToDate),
        (a, Some(UNKNOWN), None, plain, Status::FetchFirst),
        (a, Some(UNKNOWN), Some(&Some(UNKNOWN)), plain, Status::Send),
    ] {
        let found = status(new, old, lease, rules);
        assert_eq!(found, expected, "{new:?} {old:?} {lease:?} {rules:?}");
    }
    let rules = Rules {
        no_delete: true,
        ..plain
    };
    assert_eq!(status(None, a, None, rules), Status::NoDelete);
}

#[test]
fn one_that_is_rejected_stops_all_of_an_atomic_push() {
    let pair = |name: &str, new| Pair {
        from: Some(name.into()),
        new: Some(oid(new)),
        to: name.into(),
        force: false,
    };
    let pairs = [pair("refs/heads/a", b'a'), pair("refs/heads/b", b'b')];
    let there = [RemoteRef::new("refs/heads/a", oid(b'c'))];
    let rules = Rules {
        atomic: true,
        ..Rules::default()
    };
    let updates = decide(&pairs, &[], rules, &there, &Line);
    assert_eq!(updates[0].status, Status::NonFastForward);
    assert_eq!(updates[1].status, Status::AtomicFailed);
    let updates = decide(&pairs, &[], Rules::default(), &there, &Line);
    assert_eq!(updates[1].status, Status::Send);
}

#[test]
fn what_a_lease_expects_comes_from_where_it_says() {
    let parse = |text: &str| Lease::parse(Some(text.into()));
    let names = [
        "refs/heads/a".into(),
        "refs/heads/b".into(),
        "refs/heads/c".into(),
    ];
    let leases = [Lease::All, parse("a:x"), parse("b:")];
    let tracked = |_: &BStr| Some(oid(b'1'));
    let object = |name: &BStr| (name == "x").then(|| oid(b'2'));
    let found = lease::expected(&leases, names.iter(), &tracked, &object).unwrap();
    let olds: Vec<_> = found.iter().map(|it| it.old).collect();
    assert_eq!(olds, [Some(oid(b'2')), None, Some(oid(b'1'))]);
    assert!(lease::expected(&[parse("a:y")], names.iter(), &tracked, &object).is_err());
    let none = lease::expected(&[parse("c")], names[..1].iter(), &tracked, &object);
    assert_eq!(none.unwrap(), []);
}

#[test]
fn tags_follow_what_is_pushed() {
    let mut local = Local::default();
    for (name, digit) in [("main", b'c'), ("x", b'9')] {
        local
            .refs
            .insert(format!("refs/heads/{name}").into(), oid(digit));
    }
    for (name, digit) in [
        ("annotated", b'5'),
        ("light", b'6'),
        ("there", b'5'),
        ("later", b'd'),
    ] {
        local
            .refs
            .insert(format!("refs/tags/{name}").into(), oid(digit));
    }
    let there = [RemoteRef::new("refs/tags/there", oid(b'5'))];
    let specs = [Spec::parse("main:main".into()).unwrap()];
    let mut found = pairs(&specs, &local, &there, &|_| None).unwrap();
    let leads = |id| (id != oid(b'6')).then_some(id);
    follow_tags(&mut found, &local, &there, &leads, &|commit, tips| {
        tips.iter().any(|tip| commit <= *tip)
    });
    let names: Vec<_> = found.iter().map(|it| it.to.to_string()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/tags/annotated"]);
}

#[test]
fn tracking_refs_follow_the_refspecs_of_fetch() {
    let fetch = [
        "+refs/heads/*:refs/remotes/o/*".into(),
        "^refs/heads/secret".into(),
    ];
    let found = |name: &str| track::tracking(&fetch, name.into()).map(|it| it.to_string());
    assert_eq!(found("refs/heads/a/b").unwrap(), "refs/remotes/o/a/b");
    assert_eq!(found("refs/heads/secret"), None);
    assert_eq!(found("refs/tags/a"), None);
}
