//! The text that a bundle begins with.

use gix::bstr::ByteSlice as _;
use gix_hash::ObjectId;

/// It is no longer than this.
const MOST: usize = 16 << 20;
/// How it begins.
const BEGINNINGS: [&[u8]; 2] = [b"# v2 git bundle\n", b"# v3 git bundle\n"];

/// What a bundle says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many bytes it takes.
    pub(super) length: usize,
    /// What must be here.
    pub(super) needs: Vec<ObjectId>,
    /// What its refs name.
    pub(super) refs: Vec<ObjectId>,
}

/// Reads the text that `bytes` begin with; none as long as there is more of it to come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let begins = |beginning: &&[u8]| {
        let known = bytes.len().min(beginning.len());
        bytes[..known] == beginning[..known]
    };
    if !BEGINNINGS.iter().any(begins) {
        return Err("it is no bundle");
    }
    let Some(end) = bytes.find(b"\n\n") else {
        return if bytes.len() > MOST {
            Err("the text that it begins with has no end")
        } else {
            Ok(None)
        };
    };
    let mut head = Head {
        length: end + 2,
        needs: Vec::new(),
        refs: Vec::new(),
    };
    for line in bytes[..end].split(|byte| *byte == b'\n').skip(1) {
        if let Some(ability) = line.strip_prefix(b"@") {
            match ability {
                b"object-format=sha1" => {}
                _ if ability.starts_with(b"filter=") => return Err("it leaves objects out"),
                _ => return Err("it asks for what is not understood"),
            }
            continue;
        }
        let (list, line) = match line.strip_prefix(b"-") {
            Some(rest) => (&mut head.needs, rest),
            None => (&mut head.refs, line),
        };
        let hex = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let oid = ObjectId::from_hex(hex).ok();
        let oid = oid.filter(|it| it.kind() == gix_hash::Kind::Sha1);
        list.push(oid.ok_or("the text that it begins with makes no sense")?);
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_once_all_of_it_is_there() {
        let id = |byte: u8| ObjectId::Sha1([byte; 20]);
        for version in ["2", "3\n@object-format=sha1"] {
            let (version, format) = version.split_at(1);
            let text = format!(
                "# v{version} git bundle{format}\n-{} a subject\n{} refs/heads/a b\n{} HEAD\n\nPACK\n\n",
                id(1),
                id(2),
                id(3)
            );
            let length = text.len() - 6;
            for end in 0..length {
                assert_eq!(parse(&text.as_bytes()[..end]), Ok(None), "{end}");
            }
            let head = Head {
                length,
                needs: vec![id(1)],
                refs: vec![id(2), id(3)],
            };
            assert_eq!(parse(text.as_bytes()), Ok(Some(head)));
        }
        let empty = parse(b"# v2 git bundle\n\n").unwrap().unwrap();
        assert_eq!((empty.length, empty.refs.len()), (17, 0));
    }

    #[test]
    fn what_is_none_is_refused_at_once() {
        let id = "1".repeat(40);
        for text in [
            "<html>",
            "# v4 git bundle\n",
            "# v2 git bundles",
            "[bundle]\n",
            &format!("# v2 git bundle\n{} x\n\n", &id[1..]),
            &format!("# v2 git bundle\n--{id} x\n\n"),
            "# v3 git bundle\n@object-format=sha256\n\n",
            "# v3 git bundle\n@filter=blob:none\n\n",
            "# v3 git bundle\n@other\n\n",
            &format!("# v2 git bundle\n{}", "x".repeat(MOST)),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:.60}");
        }
    }
}
