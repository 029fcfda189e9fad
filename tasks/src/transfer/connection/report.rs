//! What a server says became of a push.

use gix::bstr::{BString, ByteSlice as _};

use super::ConnectionError;
use super::message::{Lines, Sink, cleaned};
use super::packet::{Packet, Packets, refusal};

const WHERE: &str = "before it said what became of the push";
/// A report is no longer than this.
const MOST: usize = 64 << 20;

/// What became of a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Why the objects were not taken; none if they were.
    pub unpack: Option<String>,
    /// What became of each ref, in the server's order.
    pub refs: Vec<RefReport>,
}

/// What became of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefReport {
    /// Its name, as it was asked for.
    pub name: BString,
    /// Why it was not changed; none if it was.
    pub refused: Option<String>,
    /// The ref that was changed in its place, if the server says so.
    pub instead: Option<BString>,
}

/// Reads it. What the server's hooks say goes to `sink`.
pub(super) fn read(
    packets: &mut Packets,
    banded: bool,
    address: &str,
    sink: &Sink,
) -> Result<Report, ConnectionError> {
    let mut lines = Vec::new();
    let mut messages = Lines::default();
    let mut size = 0;
    let mut inner = Vec::new();
    loop {
        let packet = packets.next(WHERE)?;
        let data = match packet {
            Packet::Flush => break,
            Packet::Data(data) => data,
            _ => return Err(ConnectionError::protocol("a delimiter in a report")),
        };
        size += data.len();
        if size > MOST {
            return Err(ConnectionError::protocol("its report has no end"));
        }
        if !banded {
            lines.push(data.to_vec());
            continue;
        }
        match data.split_first() {
            Some((1, more)) => inner.extend_from_slice(more),
            Some((2, said)) => {
                // What hooks say has no bound.
                size -= data.len();
                messages.take(said, sink);
            }
            Some((3, said)) => {
                return Err(match refusal(address, said.trim_ascii()) {
                    ConnectionError::Refused { said } => ConnectionError::GaveUp { said },
                    other => other,
                });
            }
            None => {}
            Some(_) => return Err(ConnectionError::protocol("an odd band in a report")),
        }
    }
    messages.finish(sink);
    if banded {
        lines = inner_lines(&inner)?;
    }
    parse(&lines)
}

/// The packets within the first band.
fn inner_lines(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, ConnectionError> {
    let broken = || ConnectionError::protocol("a broken report");
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        let digits = bytes.get(..4).and_then(|it| std::str::from_utf8(it).ok());
        let length = digits.and_then(|it| usize::from_str_radix(it, 16).ok());
        match length.ok_or_else(broken)? {
            0 => break,
            length => {
                lines.push(bytes.get(4..length).ok_or_else(broken)?.to_vec());
                bytes = &bytes[length..];
            }
        }
    }
    Ok(lines)
}

fn parse(lines: &[Vec<u8>]) -> Result<Report, ConnectionError> {
    let mut report = Report::default();
    let mut lines = lines.iter().map(|it| it.strip_suffix(b"\n").unwrap_or(it));
    let first = lines.next().and_then(|it| it.strip_prefix(b"unpack "));
    let first = first.ok_or_else(|| ConnectionError::protocol("no word of the objects"))?;
    report.unpack = (first != b"ok").then(|| cleaned(first));
    for line in lines {
        if let Some(name) = line.strip_prefix(b"ok ") {
            report.refs.push(RefReport {
                name: name.into(),
                refused: None,
                instead: None,
            });
        } else if let Some(rest) = line.strip_prefix(b"ng ") {
            let (name, why) = rest.split_once_str(" ").unwrap_or((rest, b"refused"));
            report.refs.push(RefReport {
                name: name.into(),
                refused: Some(cleaned(why)),
                instead: None,
            });
        } else if let Some(option) = line.strip_prefix(b"option ") {
            if let (Some(name), Some(last)) =
                (option.strip_prefix(b"refname "), report.refs.last_mut())
            {
                last.instead = Some(name.into());
            }
        } else {
            let line = cleaned(&line[..line.len().min(80)]);
            return Err(ConnectionError::protocol(format!("'{line}' in a report")));
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<Vec<u8>> {
        text.iter().map(|it| it.as_bytes().to_vec()).collect()
    }

    #[test]
    fn each_ref_has_an_outcome() {
        let report = parse(&lines(&[
            "unpack ok\n",
            "ok refs/heads/a\n",
            "option refname refs/heads/b\n",
            "option forced-update\n",
            "ng refs/heads/c non-fast-forward \u{1b}[1m\n",
        ]))
        .unwrap();
        assert_eq!(report.unpack, None);
        assert_eq!(report.refs[0].instead, Some("refs/heads/b".into()));
        assert_eq!(report.refs[0].refused, None);
        assert_eq!(report.refs[1].name, "refs/heads/c");
        assert_eq!(report.refs[1].refused.as_deref(), Some("non-fast-forward"));
        let report = parse(&lines(&["unpack index-pack abnormal exit\n"])).unwrap();
        assert_eq!(report.unpack.as_deref(), Some("index-pack abnormal exit"));
        for bad in [&[][..], &["ok refs/heads/a\n"], &["unpack ok\n", "what\n"]] {
            assert!(parse(&lines(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn packets_within_a_band_are_bounded() {
        let whole = inner_lines(b"000eunpack ok\n0005x0000rest").unwrap();
        assert_eq!(whole, lines(&["unpack ok\n", "x"]));
        for bad in [&b"0003"[..], b"00", b"0010short", b"zzzz"] {
            assert!(inner_lines(bad).is_err());
        }
    }
}
