//! A list of objects as bytes, for a file of an operation.

use gix_hash::ObjectId;

/// The bytes of an id.
const WIDTH: usize = 20;

/// The ids one after the other.
pub fn to_bytes(ids: &[ObjectId]) -> Vec<u8> {
    ids.iter().flat_map(ObjectId::as_slice).copied().collect()
}

/// A list that [`to_bytes`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List<'a>(&'a [[u8; WIDTH]]);

/// The stored list of objects cannot be what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored list of missing objects is damaged: {bytes} bytes are no whole number of ids")]
pub struct ListError {
    /// How long it is.
    pub bytes: usize,
}

impl<'a> List<'a> {
    /// Reads what [`to_bytes`] wrote, any number of times.
    pub fn of(bytes: &'a [u8]) -> Result<Self, ListError> {
        match bytes.as_chunks() {
            (ids, []) => Ok(Self(ids)),
            _ => Err(ListError { bytes: bytes.len() }),
        }
    }

    /// The number of objects.
    pub const fn len(self) -> u64 {
        self.0.len() as u64
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The objects from position `first` on; none where that is beyond the end.
    pub fn from(self, first: u64) -> impl Iterator<Item = ObjectId> + 'a {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let ids = self.0.get(first..).unwrap_or_default();
        ids.iter().map(|id| ObjectId::Sha1(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_survives_its_bytes_and_a_cut_one_is_refused() {
        let ids: Vec<ObjectId> = (0..3).map(|n| ObjectId::Sha1([n; WIDTH])).collect();
        let bytes = to_bytes(&ids);
        for end in 0..=bytes.len() {
            match List::of(&bytes[..end]) {
                Ok(list) => {
                    let all: Vec<ObjectId> = list.from(0).collect();
                    assert_eq!(all, ids[..end / WIDTH]);
                    assert_eq!((end % WIDTH, list.len()), (0, all.len() as u64));
                }
                Err(error) => assert!(end % WIDTH != 0 && error.bytes == end),
            }
        }
        let list = List::of(&bytes).expect("whole ids");
        assert_eq!(list.from(2).collect::<Vec<_>>(), ids[2..]);
        assert_eq!(list.from(3).count() + list.from(u64::MAX).count(), 0);
        assert!(!list.is_empty() && List::of(b"").is_ok_and(List::is_empty));
    }
}
