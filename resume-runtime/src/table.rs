//! Ordered tables that belong to one operation and are committed with its state.

use std::marker::PhantomData;

use crate::path::RelPath;

/// A named, ordered table of an operation. Declare it as a constant; the rows
/// live in the store, uncommitted ones in memory.
///
/// ```
/// use resume_runtime::Table;
/// const SIZES: Table<String, u64> = Table::new("sizes");
/// ```
pub struct Table<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Table<K, V> {
    /// The table of this name. The name is stored: letters, digits, `-`, `_`,
    /// at most 64 of them.
    ///
    /// # Panics
    ///
    /// On a name that is empty or longer; at compile time, in a constant.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= 64,
            "a table's name has 1 to 64 characters"
        );
        Self {
            name,
            types: PhantomData,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A key whose bytes sort as the key does.
pub trait TableKey: Sized {
    /// The key's bytes.
    fn to_key(&self) -> Vec<u8>;
    /// The key back; `None` where the bytes are no such key.
    fn from_key(bytes: &[u8]) -> Option<Self>;
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl TableKey for $type {
            fn to_key(&self) -> Vec<u8> {
                self.to_be_bytes().to_vec()
            }

            fn from_key(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64, u128);

impl TableKey for String {
    fn to_key(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_key(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl TableKey for Vec<u8> {
    fn to_key(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_key(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

impl<const N: usize> TableKey for [u8; N] {
    fn to_key(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn from_key(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
}

impl TableKey for RelPath {
    fn to_key(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_key(bytes: &[u8]) -> Option<Self> {
        Self::from_stored(bytes).ok()
    }
}
