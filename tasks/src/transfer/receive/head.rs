//! The header of an entry in a Git pack.

use crate::pack::source::{Kind, Oid};

/// What an entry is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A whole object.
    Whole(Kind),
    /// A delta against the entry that begins so many bytes before.
    Before(u64),
    /// A delta against the object with this id.
    Of(Oid),
}

/// An entry's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// What the content is.
    pub(super) form: Form,
    /// The size of the content when inflated.
    pub(super) size: u64,
    /// The length of the header itself.
    pub(super) len: usize,
}

/// No header is longer: ten bytes of size, and an id or a distance.
pub(super) const LONGEST: usize = 32;

const HUGE: &str = "an entry states an impossible size";
const FAR: &str = "a delta states an impossible distance to its base";

impl Head {
    /// Reads the header that `bytes` begin with; `None` where there are too few of them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let mut rest = bytes.iter().copied();
        let mut next = || rest.next();
        let Some(mut byte) = next() else {
            return Ok(None);
        };
        let number = byte >> 4 & 7;
        let mut size = u64::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            let Some(more) = next() else {
                return Ok(None);
            };
            byte = more;
            let part = u64::from(byte & 0x7f);
            if shift > 60 || part << shift >> shift != part {
                return Err(HUGE);
            }
            size |= part << shift;
            shift += 7;
        }
        let form = match number {
            6 => {
                let mut distance = 0_u64;
                loop {
                    let Some(byte) = next() else {
                        return Ok(None);
                    };
                    if distance >= 1 << 56 {
                        return Err(FAR);
                    }
                    distance = distance << 7 | u64::from(byte & 0x7f);
                    if byte & 0x80 == 0 {
                        break;
                    }
                    distance += 1;
                }
                Form::Before(distance)
            }
            7 => {
                let mut id = Oid::default();
                for byte in &mut id {
                    let Some(next) = next() else {
                        return Ok(None);
                    };
                    *byte = next;
                }
                Form::Of(id)
            }
            number => Form::Whole(Kind::from_number(number).ok_or("an entry has an unknown type")?),
        };
        let len = bytes.len() - rest.len();
        Ok(Some(Self { form, size, len }))
    }
}

#[cfg(test)]
mod tests {
    use gix_pack::data::entry::Header;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_is_read_of_a_part() {
        let id = [7; 20];
        let forms = [
            (Form::Whole(Kind::Tag), Header::Tag),
            (
                Form::Of(id),
                Header::RefDelta {
                    base_id: gix_hash::ObjectId::Sha1(id),
                },
            ),
        ];
        let distances = [1, 127, 128, 16_511, 16_512, 1 << 40];
        let before = distances.map(|n| (Form::Before(n), Header::OfsDelta { base_distance: n }));
        for (form, header) in forms.into_iter().chain(before) {
            for size in [0, 15, 16, 2047, 2048, 1 << 40, u64::MAX] {
                let mut bytes = Vec::new();
                header.write_to(size, &mut bytes).unwrap();
                let len = bytes.len();
                assert!(len <= LONGEST);
                for end in 0..len {
                    assert_eq!(Head::decode(&bytes[..end]), Ok(None));
                }
                bytes.extend([0xff; 9]);
                assert_eq!(Head::decode(&bytes), Ok(Some(Head { form, size, len })));
            }
        }
    }

    #[test]
    fn impossible_numbers_are_refused() {
        assert!(Head::decode(&[0xbf; 40]).is_err(), "a size");
        assert!(
            Head::decode(&[&[0x60], &[0xff; 40][..]].concat()).is_err(),
            "a distance"
        );
        for number in [0, 5] {
            assert!(Head::decode(&[number << 4]).is_err(), "type {number}");
        }
    }
}
