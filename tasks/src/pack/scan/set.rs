//! Sets of objects.

/// A set of object numbers, a bit each.
#[derive(Clone)]
pub struct Set(Vec<u64>);

impl Set {
    /// The empty set of numbers below `n`.
    pub fn new(n: u32) -> Self {
        Self(vec![0; n as usize / 64 + 1])
    }

    /// Whether `id` is in the set.
    pub fn has(&self, id: u32) -> bool {
        self.0[id as usize / 64] >> (id % 64) & 1 == 1
    }

    /// Puts `id` in; whether it was not there before.
    pub fn put(&mut self, id: u32) -> bool {
        let fresh = !self.has(id);
        self.0[id as usize / 64] |= 1 << (id % 64);
        fresh
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Takes out whatever is in `other` too, which is for as many numbers.
    pub fn remove_all(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
    }

    /// All numbers below `n` that are not in the set.
    pub(super) fn complement(&self, n: u32) -> Self {
        let mut all = Self(self.0.iter().map(|word| !word).collect());
        let (full, rest) = (n as usize / 64, n % 64);
        for (at, word) in all.0.iter_mut().enumerate().skip(full) {
            *word &= if at == full { (1 << rest) - 1 } else { 0 };
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complement_has_all_the_others_and_nothing_beyond() {
        for n in [0, 1, 63, 64, 65, 130] {
            let mut set = Set::new(n);
            for id in (0..n).step_by(3) {
                assert!(set.put(id) && !set.put(id));
            }
            let rest = set.complement(n);
            assert_eq!(set.len() + rest.len(), n);
            assert!((0..n).all(|id| set.has(id) != rest.has(id)));
            let mut none = rest.clone();
            none.remove_all(&rest);
            assert!(none.is_empty() && rest.is_empty() == (n < 2));
        }
    }
}
