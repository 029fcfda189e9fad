//! The `working-tree-encoding` attribute: from UTF-8 to what the working tree is to have.
//!
//! Unicode's own encodings are written here, with byte order marks as Git writes them with glibc's
//! iconv; `encoding_rs`, which knows all others, has no encoder for them.

use gix::bstr::BStr;
use gix::filter::plumbing::encoding::{EncoderResult, Encoding};

/// What stands in the way of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It is not known here.
    Unknown,
    /// The content is no UTF-8, or has characters that it has not.
    Content,
}

/// Whether the attribute's value asks for nothing: Git's content is UTF-8 already.
pub(super) fn is_default(label: &BStr) -> bool {
    label.eq_ignore_ascii_case(b"utf-8") || label.eq_ignore_ascii_case(b"utf8")
}

/// `content` in the encoding `label`.
pub(super) fn encode(label: &BStr, content: &[u8]) -> Result<Vec<u8>, Failed> {
    let upper = label.to_ascii_uppercase();
    let form = Unicode::of(&upper);
    let text = std::str::from_utf8(content).map_err(|_| Failed::Content)?;
    if let Some(form) = form {
        return Ok(form.encode(text));
    }
    if matches!(&*upper, b"US-ASCII" | b"ASCII") {
        return narrow(text, 0x7f);
    }
    // What browsers read under these names is another encoding.
    if matches!(
        &*upper,
        b"ISO-8859-1" | b"ISO8859-1" | b"ISO_8859-1" | b"LATIN1" | b"LATIN-1" | b"L1"
    ) {
        return narrow(text, 0xff);
    }
    let encoding = Encoding::for_label(label).ok_or(Failed::Unknown)?;
    if encoding.output_encoding() != encoding {
        return Err(Failed::Unknown);
    }
    let mut encoder = encoding.new_encoder();
    let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
    let mut out = vec![0; room.ok_or(Failed::Content)?];
    match encoder.encode_from_utf8_without_replacement(text, &mut out, true) {
        (EncoderResult::InputEmpty, _, written) => {
            out.truncate(written);
            Ok(out)
        }
        _ => Err(Failed::Content),
    }
}

/// One byte a character, up to `last`.
fn narrow(text: &str, last: u8) -> Result<Vec<u8>, Failed> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).ok().filter(|byte| *byte <= last))
        .collect::<Option<_>>()
        .ok_or(Failed::Content)
}

/// An encoding of Unicode in units of two or four bytes.
#[derive(Clone, Copy)]
struct Unicode {
    wide: bool,
    big: bool,
    mark: bool,
}

impl Unicode {
    /// By its name in capitals.
    fn of(label: &[u8]) -> Option<Self> {
        let rest = label.strip_prefix(b"UTF")?;
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        let (wide, rest) = match rest.strip_prefix(b"16") {
            Some(rest) => (false, rest),
            None => (true, rest.strip_prefix(b"32")?),
        };
        let (big, mark) = match (rest, wide) {
            (b"", _) | (b"LE-BOM", false) => (false, true),
            (b"LE", _) => (false, false),
            (b"BE", _) => (true, false),
            (b"BE-BOM", false) => (true, true),
            _ => return None,
        };
        Some(Self { wide, big, mark })
    }

    fn encode(self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2 + 4);
        let mark = self.mark.then_some('\u{feff}');
        for c in mark.into_iter().chain(text.chars()) {
            if self.wide {
                let unit = u32::from(c);
                out.extend(if self.big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                });
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend(if self.big {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    });
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_has_its_marks() {
        let encode = |label: &str| encode(label.into(), "aä𝄞".as_bytes()).unwrap();
        assert_eq!(encode("utf-16le"), b"a\0\xe4\0\x34\xd8\x1e\xdd");
        assert_eq!(encode("UTF-16LE-BOM"), b"\xff\xfea\0\xe4\0\x34\xd8\x1e\xdd");
        assert_eq!(encode("UTF-16BE"), b"\0a\0\xe4\xd8\x34\xdd\x1e");
        assert_eq!(encode("UTF16")[..4], *b"\xff\xfea\0");
        assert_eq!(encode("UTF-32BE")[..8], *b"\0\0\0a\0\0\0\xe4");
        assert_eq!(encode("UTF-32").len(), 16);
    }

    #[test]
    fn others_by_name() {
        let encode = |label: &str, text: &str| encode(label.into(), text.as_bytes());
        assert_eq!(encode("latin1", "ä").unwrap(), b"\xe4");
        assert_eq!(encode("ISO-8859-1", "€"), Err(Failed::Content));
        assert_eq!(encode("windows-1252", "€").unwrap(), b"\x80");
        assert_eq!(encode("ISO-8859-15", "€").unwrap(), b"\xa4");
        assert_eq!(encode("SHIFT-JIS", "あ").unwrap(), b"\x82\xa0");
        assert_eq!(encode("no-such-thing", "a"), Err(Failed::Unknown));
        assert_eq!(
            super::encode("UTF-16".into(), b"\xff"),
            Err(Failed::Content)
        );
        assert!(is_default("UTF8".into()) && is_default("utf-8".into()));
    }
}
