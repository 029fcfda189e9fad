//! The refs of a layer: what the repository's `HEAD` and refs were when it was made.
//!
//! Text, one line each: `# mug refs 1`, then `HEAD` (absent if there was none), then the refs sorted
//! by the bytes of their names. A line is `<oid> <name>`, or `ref: <target> <name>` for a symbolic
//! ref; an annotated tag's line has the oid of the tag object.
//!
//! Between `HEAD` and the refs stand, where there are any, first the lines `shallow <oid>`, then the
//! lines `missing <oid>`, each sorted: the commits whose parents were cut off, as Git's own
//! `shallow` file has them, and the objects that the packed refs reach and that were left out on
//! request. The refs of the newest layer speak for the whole pack.

use std::collections::HashSet;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::{FormatError, VERSION};

const MAGIC: &[u8] = b"# mug refs ";
const HEAD: &[u8] = b"HEAD";
const SHALLOW: &[u8] = b"shallow ";
const MISSING: &[u8] = b"missing ";
/// No name of a ref begins with this.
const SYMBOLIC: &[u8] = b"ref: ";
/// The largest file that is read: some millions of refs.
pub(super) const MAX_BYTES: u64 = 1 << 30;

/// What a ref points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefTarget {
    /// An object.
    Object(ObjectId),
    /// Another ref, by its full name; it need not exist (an unborn `HEAD`).
    Symbolic(BString),
}

/// `HEAD` and the refs of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// What `HEAD` points to.
    pub head: Option<RefTarget>,
    /// Full names (`refs/...`) with their targets, sorted by name.
    pub refs: Vec<(BString, RefTarget)>,
    /// The commits whose parents are not in the pack, sorted.
    pub shallow: Vec<ObjectId>,
    /// The objects that the refs reach and that are not in the pack on request, sorted.
    pub missing: Vec<ObjectId>,
}

impl Refs {
    /// Sorts the refs by name, as the file has them; nothing is shallow, nothing missing.
    pub fn new(head: Option<RefTarget>, mut refs: Vec<(BString, RefTarget)>) -> Self {
        refs.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            head,
            refs,
            ..Self::default()
        }
    }

    /// The file's bytes. A name that readers would refuse is refused here; `path` is only named in
    /// errors.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, FormatError> {
        self.check()
            .map_err(|reason| FormatError::inconsistent(path, reason))?;
        let mut out = format!("# mug refs {VERSION}\n").into_bytes();
        if let Some(target) = &self.head {
            write_line(&mut out, HEAD, target);
        }
        for (key, ids) in [(SHALLOW, &self.shallow), (MISSING, &self.missing)] {
            for id in ids {
                out.extend_from_slice(&[key, id.to_string().as_bytes(), b"\n"].concat());
            }
        }
        for (name, target) in &self.refs {
            write_line(&mut out, name, target);
        }
        Ok(out)
    }

    /// Parses and checks the file's bytes; `path` is only named in errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, FormatError> {
        let damaged = |reason: String| FormatError::damaged(path, reason);
        let end = bytes
            .find_byte(b'\n')
            .ok_or_else(|| damaged("the first line is cut".into()))?;
        let version = bytes[..end]
            .strip_prefix(MAGIC)
            .ok_or_else(|| damaged("it does not list refs".into()))?;
        match version
            .to_str()
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
        {
            Some(found) if found > u64::from(VERSION) => {
                return Err(FormatError::Newer {
                    path: path.to_owned(),
                    found,
                    known: VERSION,
                });
            }
            Some(_) if version == VERSION.to_string().as_bytes() => {}
            _ => return Err(damaged("the first line names no version".into())),
        }
        let mut refs = Self::default();
        let mut rest = &bytes[end + 1..];
        let mut number = 1;
        while !rest.is_empty() {
            number += 1;
            let end = rest
                .find_byte(b'\n')
                .ok_or_else(|| damaged(format!("line {number} is cut")))?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if let Some((ids, id)) = refs.cut_off(line) {
                let id = id.ok_or_else(|| damaged(format!("line {number} has no object's id")))?;
                ids.push(id);
                if !refs.refs.is_empty() || (line.starts_with(SHALLOW) && !refs.missing.is_empty())
                {
                    return Err(damaged(format!("line {number} is out of order")));
                }
                continue;
            }
            let (name, target) = parse_line(line).ok_or_else(|| {
                damaged(format!(
                    "line {number} is neither an object's nor a symbolic ref's"
                ))
            })?;
            if name == HEAD {
                if number != 2 {
                    return Err(damaged(format!("line {number}: HEAD is not the first")));
                }
                refs.head = Some(target);
            } else {
                refs.refs.push((name, target));
            }
        }
        refs.check().map_err(damaged)?;
        Ok(refs)
    }

    /// Of a line that is no ref's: the list that its object belongs to, and the object.
    fn cut_off(&mut self, line: &[u8]) -> Option<(&mut Vec<ObjectId>, Option<ObjectId>)> {
        if let Some(id) = line.strip_prefix(SHALLOW) {
            Some((&mut self.shallow, parse_id(id)))
        } else {
            let id = line.strip_prefix(MISSING)?;
            Some((&mut self.missing, parse_id(id)))
        }
    }

    fn check(&self) -> Result<(), String> {
        for (what, ids) in [("shallow", &self.shallow), ("missing", &self.missing)] {
            if let Some([_, second]) = ids.windows(2).find(|pair| pair[0] >= pair[1]) {
                return Err(format!("{what} {second} is out of order or listed twice"));
            }
        }
        if let Some(RefTarget::Symbolic(to)) = &self.head {
            check_name(to.as_bstr())?;
        }
        let mut names: HashSet<&[u8]> = HashSet::with_capacity(self.refs.len());
        let mut last: Option<&BString> = None;
        for (name, target) in &self.refs {
            check_name(name.as_bstr())?;
            if let RefTarget::Symbolic(to) = target {
                check_name(to.as_bstr())?;
            }
            if last.is_some_and(|last| last >= name) {
                return Err(format!("{name:?} is out of order or listed twice"));
            }
            last = Some(name);
            // Sorted by bytes, a name comes after each name that is a directory of it.
            let mut parents = name.find_iter("/").map(|at| &name[..at]);
            if let Some(parent) = parents.find(|parent| names.contains(parent)) {
                return Err(format!(
                    "{:?} and {name:?} can't both be refs",
                    parent.as_bstr()
                ));
            }
            names.insert(name);
        }
        Ok(())
    }
}

fn write_line(out: &mut Vec<u8>, name: &[u8], target: &RefTarget) {
    match target {
        RefTarget::Object(oid) => out.extend_from_slice(oid.to_string().as_bytes()),
        RefTarget::Symbolic(to) => out.extend_from_slice(&[SYMBOLIC, to].concat()),
    }
    out.extend_from_slice(&[b" ".as_slice(), name, b"\n"].concat());
}

fn parse_line(line: &[u8]) -> Option<(BString, RefTarget)> {
    if let Some(rest) = line.strip_prefix(SYMBOLIC) {
        let (to, name) = rest.split_once_str(" ")?;
        return Some((name.into(), RefTarget::Symbolic(to.into())));
    }
    let (oid, name) = line.split_once_str(" ")?;
    Some((name.into(), RefTarget::Object(parse_id(oid)?)))
}

/// An id as it is written: 40 hex digits, in lower case.
fn parse_id(digits: &[u8]) -> Option<ObjectId> {
    let canonical = digits
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ObjectId::from_hex(digits).ok().filter(|_| canonical)
}

fn check_name(name: &BStr) -> Result<(), String> {
    if !name.starts_with(b"refs/") {
        return Err(format!("{name:?} does not begin with refs/"));
    }
    gix::validate::reference::name(name)
        .map_err(|error| format!("{name:?} is not a ref's name: {error}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(byte: u8) -> RefTarget {
        RefTarget::Object(ObjectId::Sha1([byte; 20]))
    }

    fn sample() -> Refs {
        Refs::new(
            Some(RefTarget::Symbolic("refs/heads/main".into())),
            vec![
                ("refs/tags/v1".into(), oid(2)),
                ("refs/heads/main".into(), oid(1)),
                ("refs/heads/main-2".into(), oid(0xab)),
                (
                    "refs/remotes/origin/HEAD".into(),
                    RefTarget::Symbolic("refs/remotes/origin/main".into()),
                ),
            ],
        )
    }

    /// Refs of a shallow and partial repository.
    fn cut_off() -> Refs {
        Refs {
            shallow: vec![ObjectId::Sha1([1; 20]), ObjectId::Sha1([2; 20])],
            missing: vec![ObjectId::Sha1([0; 20]), ObjectId::Sha1([3; 20])],
            ..sample()
        }
    }

    fn parse(bytes: &[u8]) -> Result<Refs, FormatError> {
        Refs::parse(bytes, Path::new("refs"))
    }

    #[test]
    fn round_trips() {
        for refs in [
            sample(),
            Refs::default(),
            Refs::new(Some(oid(7)), vec![]),
            cut_off(),
            Refs {
                head: None,
                missing: vec![],
                ..cut_off()
            },
            Refs {
                head: None,
                refs: vec![],
                ..cut_off()
            },
        ] {
            let bytes = refs.to_bytes(Path::new("refs")).unwrap();
            assert_eq!(parse(&bytes).unwrap(), refs);
        }
        let text = String::from_utf8(sample().to_bytes(Path::new("refs")).unwrap()).unwrap();
        assert!(
            text.starts_with("# mug refs 1\nref: refs/heads/main HEAD\n0101"),
            "{text}"
        );
        assert!(!text.contains("shallow") && !text.contains("missing"));
        let text = String::from_utf8(cut_off().to_bytes(Path::new("refs")).unwrap()).unwrap();
        let keys = text
            .lines()
            .map(|line| line.split(' ').next().unwrap_or(""));
        let keys: Vec<&str> = keys.take(7).collect();
        assert_eq!(
            keys[..6],
            ["#", "ref:", "shallow", "shallow", "missing", "missing"],
            "{text}"
        );
    }

    #[test]
    fn what_is_cut_off_has_its_place_and_order() {
        let id = |byte: &str| byte.repeat(20);
        let (one, two) = (id("01"), id("02"));
        for (lines, why) in [
            (format!("shallow {two}\nshallow {one}\n"), "out of order"),
            (format!("missing {one}\nmissing {one}\n"), "listed twice"),
            (format!("missing {one}\nshallow {one}\n"), "out of order"),
            (
                format!("{one} refs/heads/a\nshallow {one}\n"),
                "out of order",
            ),
            (
                format!("{one} refs/heads/a\nmissing {one}\n"),
                "out of order",
            ),
            (
                format!("shallow {one}\n{one} HEAD\n"),
                "HEAD is not the first",
            ),
            (format!("shallow {}\n", &one[1..]), "no object's id"),
            (format!("shallow {}\n", id("AB")), "no object's id"),
            (format!("missing {one} refs/heads/a\n"), "no object's id"),
            ("missing \n".into(), "no object's id"),
        ] {
            let error = parse(format!("# mug refs 1\n{lines}").as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{lines:?}: {error}");
        }
        let unsorted = Refs {
            shallow: vec![ObjectId::Sha1([2; 20]), ObjectId::Sha1([1; 20])],
            ..Refs::default()
        };
        assert!(unsorted.to_bytes(Path::new("refs")).is_err());
    }

    #[test]
    fn names_that_escape_or_clash_are_refused() {
        let line = |name: &str| format!("{} {name}\n", "ab".repeat(20));
        for (lines, why) in [
            (line("refs/heads/../../../etc/passwd"), "not a ref's name"),
            (line("refs/heads/.hidden"), "not a ref's name"),
            (line("refs/heads/a\x1b[31m"), "not a ref's name"),
            (line("refs/heads/x.lock"), "not a ref's name"),
            (line("config"), "does not begin with refs/"),
            (line("/refs/heads/a"), "does not begin with refs/"),
            (line("refs/heads/b") + &line("refs/heads/a"), "out of order"),
            (
                line("refs/heads/a") + &line("refs/heads/a"),
                "out of order or listed twice",
            ),
            (
                line("refs/heads/a") + &line("refs/heads/a-b") + &line("refs/heads/a/b"),
                "can't both",
            ),
            (
                line("refs/heads/a") + &line("HEAD"),
                "HEAD is not the first",
            ),
            ("ref: ../x HEAD\n".into(), "does not begin with refs/"),
            (line("refs/heads/a").to_uppercase(), "neither"),
            ("abc refs/heads/a\n".into(), "neither"),
        ] {
            let error = parse(format!("# mug refs 1\n{lines}").as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{lines:?}: {error}");
            assert!(
                !error.contains('\x1b'),
                "control characters must not reach the terminal: {error:?}"
            );
        }
        let bad = Refs::new(None, vec![("refs/heads/a..b".into(), oid(1))]);
        assert!(matches!(
            bad.to_bytes(Path::new("refs")),
            Err(FormatError::Inconsistent { .. })
        ));
    }

    #[test]
    fn a_newer_version_is_named() {
        assert!(matches!(
            parse(b"# mug refs 2\nwhatever"),
            Err(FormatError::Newer { found: 2, .. })
        ));
        assert!(parse(b"# mug refs 01\n").is_err());
    }

    #[test]
    fn cuts_and_flips_never_panic() {
        let bytes = cut_off().to_bytes(Path::new("refs")).unwrap();
        for end in 0..bytes.len() {
            // A cut between two lines is left to the digest in the manifest.
            assert_eq!(
                parse(&bytes[..end]).is_ok(),
                end > 0 && bytes[end - 1] == b'\n',
                "cut at {end}"
            );
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped).map_or(true, |read| read != cut_off()));
            }
        }
    }
}
