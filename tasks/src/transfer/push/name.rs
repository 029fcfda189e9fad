//! What of a path says which objects resemble one another.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Orders objects so that those of one path come together, and next to them those whose paths end
/// alike: in `Cargo.toml`, in `.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PathKey {
    /// The last bytes of the path, the last one first.
    end: u128,
    /// All of it.
    whole: u32,
}

impl PathKey {
    /// The key of a path.
    pub(crate) fn of(path: &[u8]) -> Self {
        let end = path.iter().rev().take(16);
        let end = end.fold((0_u128, 120), |(value, shift), byte| {
            (
                value | u128::from(*byte) << shift,
                if shift == 0 { 0 } else { shift - 8 },
            )
        });
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        Self {
            end: end.0,
            whole: (hasher.finish() >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_end_alike_are_neighbours() {
        let mut paths = [
            "a/Cargo.toml",
            "b.rs",
            "b/Cargo.toml",
            "README",
            "src/deep/down/a.rs",
        ];
        paths.sort_by_key(|path| PathKey::of(path.as_bytes()));
        let place = |path| paths.iter().position(|it| *it == path).unwrap_or_default();
        assert_eq!(place("a/Cargo.toml").abs_diff(place("b/Cargo.toml")), 1);
        assert_eq!(place("b.rs").abs_diff(place("src/deep/down/a.rs")), 1);
        assert_eq!(PathKey::of(b"a/b"), PathKey::of(b"a/b"));
    }
}
