//! Servers that lie, ramble or break off.

use gix_hash::ObjectId;

use super::super::advertisement::Advertisement;
use super::super::packet::Packet;
use super::super::rounds::{Nothing, negotiate};
use super::super::{ConnectionError, Haves, Request, Service, refs, report};
use super::talk::{conversation, packets, script, silent};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn oid(hex: &str) -> ObjectId {
    ObjectId::from_hex(hex.as_bytes()).unwrap()
}

fn said(bytes: impl Into<Vec<u8>>) -> Result<Advertisement, ConnectionError> {
    Advertisement::read(&mut packets(bytes), Service::UploadPack)
}

#[track_caller]
fn is_a_lie<T>(outcome: Result<T, ConnectionError>) {
    match outcome {
        Err(ConnectionError::Protocol { .. }) => {}
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was believed"),
    }
}

#[track_caller]
fn is_a_cut<T>(outcome: Result<T, ConnectionError>) {
    match outcome {
        Err(ConnectionError::Lost { .. }) => {}
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken for whole"),
    }
}

#[test]
fn lengths_are_hex_digits_and_bounded() {
    for bad in [
        "0003", "+004", " 004", "zzzz", "fff1", "ffff", "-001", "\x1b[2J",
    ] {
        is_a_lie(packets(bad).next("here"));
    }
    let mut longest = b"fff0".to_vec();
    longest.resize(65_520, b'x');
    let mut it = packets([longest, b"0004".to_vec()].concat());
    assert_eq!(it.next("here").unwrap(), Packet::Data(&vec![b'x'; 65_516]));
    assert_eq!(it.next("here").unwrap(), Packet::Data(b""));
    is_a_cut(it.next("here"));
    for cut in ["0", "000", "0009", "0009abc"] {
        is_a_cut(packets(cut).next("here"));
    }
}

#[test]
fn what_came_of_a_packet_of_the_pack_is_there_before_the_rest() {
    // Of nine bytes three come, and the line breaks.
    let mut it = packets(b"000e\x01abc".as_slice());
    assert_eq!(it.enter("here").unwrap(), Some(9));
    let mut got = Vec::new();
    let mut byte = [0];
    while it.raw(&mut byte).unwrap() == 1 {
        got.push(byte[0]);
    }
    assert_eq!(got, b"abc");
    // All others are whole or nothing.
    let mut it = packets(b"0008\x02ab\n0000".as_slice());
    assert_eq!(it.enter("here").unwrap(), None);
    assert_eq!(it.next("here").unwrap(), Packet::Data(b"\x02ab\n"));
    assert_eq!(it.enter("here").unwrap(), None);
    assert_eq!(it.next("here").unwrap(), Packet::Flush);
    is_a_cut(packets("0005").enter("here"));
    is_a_lie(packets("+005").enter("here"));
}

#[test]
fn all_three_versions_are_understood() {
    let head = format!("{A} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=x\n");
    let main = format!("{A} refs/heads/main\n");
    let (tag, peeled) = (
        format!("{B} refs/tags/v1\n"),
        format!("{A} refs/tags/v1^{{}}\n"),
    );
    let lines = [head.as_str(), &main, &tag, &peeled];
    for before in [
        &[][..],
        &["version 1\n"],
        &["# service=git-upload-pack\n", "0000"],
        &["# service=git-upload-pack\n", "0000", "version 1\n"],
    ] {
        let it = said(script(&[before, &lines[..], &["0000"]].concat())).unwrap();
        assert_eq!(it.version, u8::from(before.contains(&"version 1\n")));
        let refs = it.refs.unwrap();
        assert_eq!(refs.len(), 3);
        assert_eq!(refs[0].symref, Some("refs/heads/main".into()));
        assert_eq!(refs[2].peeled, Some(oid(A)));
        assert!(it.capabilities.has("multi_ack"));
        assert!(!it.capabilities.has("symref=HEAD:refs/heads/main"));
    }
    let it = said(script(&[
        "version 2\n",
        "ls-refs=unborn\n",
        "fetch=shallow filter\n",
        "0000",
    ]));
    let it = it.unwrap();
    assert_eq!((it.version, it.refs), (2, None));
    assert!(it.capabilities.lists("fetch", "filter"));
    assert!(!it.capabilities.lists("fetch", "filte"));
    // Nothing at all, and nothing but what it can do.
    assert_eq!(said(script(&["0000"])).unwrap().refs, Some(vec![]));
    let null = "0000000000000000000000000000000000000000 capabilities^{}\0atomic";
    let it = said(script(&[null, "0000"])).unwrap();
    assert_eq!(it.refs, Some(vec![]));
    assert!(it.capabilities.has("atomic"));
    let have = format!("{A} .have\0atomic");
    let shallow = format!("shallow {B}");
    let it = said(script(&[&have, &shallow, "0000"])).unwrap();
    assert_eq!((it.extra, it.shallow), (vec![oid(A)], vec![oid(B)]));
}

#[test]
fn what_is_no_advertisement_is_told_from_one_that_is_cut() {
    let main = format!("{A} refs/heads/main\0x");
    for lines in [
        &["<html>"][..],
        &["# service=git-receive-pack\n", "0000", "0000"],
        &["# service=git-upload-pack\n", "version 2"],
        &["version 2", "fetch", "0001", "0000"],
        &["version 3", "0000"],
        &[&main, "0001", "0000"],
        &[&main, "abc refs/heads/x", "0000"],
        &[&main, A, "0000"],
        &[
            &main,
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb refs/tags/v1^{}",
            "0000",
        ],
    ] {
        is_a_lie(said(script(lines)));
    }
    for lines in [&[][..], &["version 2"], &["version 2", "fetch"], &[&main]] {
        is_a_cut(said(script(lines)));
    }
    let endless = vec!["fetch"; 2_000];
    is_a_lie(said(script(&[&["version 2"][..], &endless].concat())));
}

#[test]
fn errors_that_a_server_names_keep_their_meaning() {
    let error = |line: &str| match said(script(&[line])) {
        Err(error) => error,
        Ok(_) => panic!("it was believed"),
    };
    let missing = error("ERR access denied or repository not exported: /x\n");
    assert!(
        matches!(missing, ConnectionError::NotFound { .. }),
        "{missing:?}"
    );
    let unknown = error(&format!("ERR upload-pack: not our ref {B}"));
    assert!(matches!(unknown, ConnectionError::UnknownWant { oid: Some(it), .. } if it == oid(B)));
    let filter = error("ERR filter 'tree' not supported");
    assert!(matches!(filter, ConnectionError::FilterRefused { .. }));
    let other = error("ERR \x1b[31mno\x1b[0m\nway\x07");
    assert_eq!(
        other,
        ConnectionError::Refused {
            said: "no way".into()
        }
    );
}

#[test]
fn refs_of_version_2_are_read_word_by_word() {
    let capabilities = said(script(&["version 2", "ls-refs", "0000"]))
        .unwrap()
        .capabilities;
    let list = |lines: &[&str]| refs::list(&mut packets(script(lines)), &capabilities, &[]);
    let line = format!("{B} refs/tags/v peeled:{A} new-word:x\n");
    let found = list(&["unborn HEAD symref-target:refs/heads/main\n", &line, "0000"]).unwrap();
    assert_eq!((found[0].target, found[1].peeled), (None, Some(oid(A))));
    assert_eq!(found[0].symref, Some("refs/heads/main".into()));
    for bad in [
        &["unborn", "0000"][..],
        &[A, "0000"],
        &["x HEAD", "0000"],
        &["0001", "0000"],
    ] {
        is_a_lie(list(bad));
    }
    is_a_cut(list(&[&line]));
}

/// What is here, and what of it was acknowledged.
struct Here(Vec<ObjectId>, Vec<ObjectId>);

impl Haves for Here {
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        let take = self.0.len().min(most);
        Ok(self.0.drain(..take).collect())
    }

    fn common(&mut self, oid: ObjectId) -> Result<(), ConnectionError> {
        self.1.push(oid);
        Ok(())
    }
}

fn commits(count: u8) -> Vec<ObjectId> {
    (0..count).map(|it| ObjectId::Sha1([it + 1; 20])).collect()
}

#[test]
fn rounds_end_when_both_sides_know_enough() {
    let first = "0101010101010101010101010101010101010101";
    let caps = |lines: &[&str]| said(script(lines)).unwrap().capabilities;
    let v2 = caps(&["version 2", "fetch=shallow", "0000"]);
    let old = |words: &str| caps(&[&format!("{A} HEAD\0{words}"), "0000"]);
    let (ack, ready) = (format!("ACK {first}"), format!("ACK {first} ready"));
    let common = format!("ACK {first} common");
    let nak = ["acknowledgments", "NAK", "0000"];
    let several = old("multi_ack_detailed side-band-64k");
    let single = old("side-band");
    // Of a hundred commits there are 16 in the first round, 32 in the second, and then the rest.
    for (version, capabilities, lines, questions) in [
        (
            2,
            &v2,
            vec!["acknowledgments", &ack, "ready", "0001", "packfile"],
            1,
        ),
        (2, &v2, vec!["acknowledgments", &ack, "0000", "packfile"], 2),
        (2, &v2, [&nak[..], &nak, &["packfile"]].concat(), 3),
        (0, &several, vec![&common, "NAK", &common, "NAK", &ack], 3),
        (0, &several, vec![&common, &ready, "NAK", &ack], 2),
        (0, &several, vec!["NAK", "NAK", "NAK"], 3),
        // Who names but one says nothing more.
        (0, &single, vec![&ack], 2),
        (0, &single, vec!["NAK", &ack], 3),
        (0, &single, vec!["NAK", "NAK", "NAK"], 3),
    ] {
        let (mut packets, server) = conversation(script(&lines));
        let mut here = Here(commits(100), vec![]);
        let request = Request::new(vec![oid(A)]);
        let heard = negotiate(&mut packets, version, capabilities, &request, &mut here);
        assert!(heard.is_ok(), "{version} {lines:?} {heard:?}");
        let acknowledged = lines.iter().any(|it| it.contains(first));
        assert_eq!(here.1.len(), usize::from(acknowledged), "{lines:?}");
        drop(packets);
        let text = String::from_utf8(server.join().unwrap()).unwrap();
        let ends = if version == 2 {
            "command=fetch"
        } else {
            "\n0000"
        };
        let rounds = text.matches(ends).count();
        // Of the old versions what is asked for ends like a round, and the last one with a word.
        assert_eq!(rounds, questions, "{version} {lines:?} {text}");
        // Version 2 may end it by itself.
        let done = version != 2 || questions == 3;
        assert_eq!(text.contains("0009done\n"), done, "{lines:?}");
    }
}

#[test]
fn odd_answers_before_a_pack_are_lies() {
    let v2 = said(script(&["version 2", "fetch=shallow", "0000"]))
        .unwrap()
        .capabilities;
    let line = format!("{A} HEAD\0multi_ack_detailed shallow");
    let old = said(script(&[&line, "0000"])).unwrap().capabilities;
    let ask = |version, lines: &[&str]| {
        let capabilities = if version == 2 { &v2 } else { &old };
        let request = Request {
            depth: Some(1),
            ..Request::new(vec![oid(A)])
        };
        let mut packets = packets(script(lines));
        negotiate(&mut packets, version, capabilities, &request, &mut Nothing)
    };
    let shallow = format!("shallow {B}");
    for lines in [
        &["0000"][..],
        &["packs"][..],
        &["acknowledgments", "what", "0000"],
        &["shallow-info", "shallow x", "0001"],
        &["0002"],
    ] {
        match ask(2, lines) {
            // A section that nobody knows ends with the line.
            Err(ConnectionError::Lost { .. }) if lines == ["packs"] => {}
            outcome => is_a_lie(outcome),
        }
    }
    for lines in [
        &["NAK"][..],
        &["0000", "what"],
        &["0000", "ACK x"],
        &["0000", "ACK bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb maybe"],
        &["0001"],
    ] {
        is_a_lie(ask(0, lines));
    }
    let heard = ask(0, &[&shallow, "0000", "NAK"]).unwrap();
    assert_eq!(heard.shallow.len(), 1);
    is_a_cut(ask(0, &[&shallow]));
    is_a_cut(ask(2, &["shallow-info", &shallow, "0001"]));
}

#[test]
fn a_report_may_come_in_pieces() {
    let whole = script(&["unpack ok\n", "ok refs/heads/a\n", "0000"]);
    let mut bands = Vec::new();
    for piece in whole.chunks(7) {
        bands.extend(script(&[&format!(
            "\x01{}",
            String::from_utf8_lossy(piece)
        )]));
        bands.extend(script(&["\x02hook\n", ""]));
    }
    bands.extend_from_slice(b"0000");
    let report = report::read(&mut packets(bands), true, "the server", &silent()).unwrap();
    assert_eq!(report.refs.len(), 1);
    let bare = report::read(&mut packets(whole.clone()), false, "the server", &silent());
    assert_eq!(bare.unwrap(), report);
    let cut = &whole[..whole.len() - 4];
    is_a_cut(report::read(
        &mut packets(cut),
        false,
        "the server",
        &silent(),
    ));
    let band = script(&["\x07x", "0000"]);
    is_a_lie(report::read(
        &mut packets(band),
        true,
        "the server",
        &silent(),
    ));
}
