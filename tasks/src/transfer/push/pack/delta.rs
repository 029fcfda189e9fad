//! Finding what one object has of another, as Git's delta instructions.
//!
//! The base is cut into blocks of 16 bytes, which are kept by their hash. A window of the same
//! length moves over the object that is to be made; where its hash is known, the longest match is
//! copied, and what lies between two copies is inserted.

/// The length of a block.
const BLOCK: usize = 16;
/// The multiplier of the rolling hash.
const FACTOR: u32 = 0x0100_0193;
/// What takes the oldest byte of a window out again: `FACTOR` to the power of `BLOCK`.
const LEAVING: u32 = power(BLOCK);
/// So many blocks of one hash are looked at.
const CANDIDATES: usize = 48;
/// A match of this length is taken without a look at the others.
const LONG: usize = 4096;
/// An instruction copies no more.
const COPY: usize = 0x1_0000;
/// An instruction inserts no more.
const INSERT: usize = 0x7f;

const fn power(n: usize) -> u32 {
    let (mut value, mut i) = (1_u32, 0);
    while i < n {
        value = value.wrapping_mul(FACTOR);
        i += 1;
    }
    value
}

/// The hash of a window.
fn hash(window: &[u8]) -> u32 {
    window.iter().fold(0, |hash: u32, byte| {
        hash.wrapping_mul(FACTOR).wrapping_add(u32::from(*byte) + 1)
    })
}

/// The hash of the window that begins a byte later.
fn roll(hash: u32, out: u8, into: u8) -> u32 {
    let gone = (u32::from(out) + 1).wrapping_mul(LEAVING);
    let next = hash.wrapping_mul(FACTOR).wrapping_add(u32::from(into) + 1);
    next.wrapping_sub(gone)
}

/// The blocks of a base by their hash. It takes 8 bytes for 16 of the base.
pub(crate) struct Index {
    /// Where the blocks of each bucket begin.
    buckets: Vec<u32>,
    /// Where the blocks lie in the base.
    places: Vec<u32>,
    shift: u32,
}

impl Index {
    /// Indexes `base`; none where it is shorter than a block or longer than 4 GB.
    pub(crate) fn of(base: &[u8]) -> Option<Self> {
        let blocks = base.len() / BLOCK;
        if blocks == 0 || u32::try_from(base.len()).is_err() {
            return None;
        }
        let bits = (usize::BITS - (blocks / 2).leading_zeros()).clamp(4, 24);
        let shift = u32::BITS - bits;
        let mut hashes = Vec::with_capacity(blocks);
        let mut before = None;
        for block in base.chunks_exact(BLOCK) {
            let hash = hash(block);
            // Of a run of equal blocks the first stands for all.
            hashes.push((before != Some(hash)).then(|| bucket(hash, shift)));
            before = Some(hash);
        }
        let mut buckets = vec![0_u32; (1 << bits) + 1];
        for bucket in hashes.iter().flatten() {
            buckets[bucket + 1] += 1;
        }
        for i in 1..buckets.len() {
            buckets[i] += buckets[i - 1];
        }
        let mut places = vec![0_u32; buckets[buckets.len() - 1] as usize];
        let mut next = buckets.clone();
        for (i, bucket) in hashes.iter().enumerate() {
            if let Some(bucket) = bucket {
                places[next[*bucket] as usize] = u32::try_from(i * BLOCK).ok()?;
                next[*bucket] += 1;
            }
        }
        Some(Self {
            buckets,
            places,
            shift,
        })
    }

    fn candidates(&self, hash: u32) -> &[u32] {
        let bucket = bucket(hash, self.shift);
        let (from, to) = (self.buckets[bucket], self.buckets[bucket + 1]);
        let all = &self.places[from as usize..to as usize];
        &all[..all.len().min(CANDIDATES)]
    }

    /// The longest match in `base` for what `target` begins with: where, and how long.
    fn longest(&self, base: &[u8], target: &[u8], hash: u32) -> Option<(usize, usize)> {
        let mut best = None;
        let mut longest = BLOCK - 1;
        for place in self.candidates(hash) {
            let place = *place as usize;
            let length = common(&base[place..], target);
            if length > longest {
                (best, longest) = (Some(place), length);
                if length >= LONG {
                    break;
                }
            }
        }
        best.map(|place| (place, longest))
    }
}

fn bucket(hash: u32, shift: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> shift) as usize
}

/// How many bytes two slices have in common at their beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        if a != b {
            break;
        }
        at += 16;
    }
    at + a[at..]
        .iter()
        .zip(&b[at..])
        .take_while(|(a, b)| a == b)
        .count()
}

/// The instructions that make `target` of `base`, of at most `longest` bytes; none if they are
/// longer.
pub(crate) fn encode(index: &Index, base: &[u8], target: &[u8], longest: usize) -> Option<Vec<u8>> {
    let mut delta = Vec::with_capacity(longest.min(1 << 12));
    size(&mut delta, base.len());
    size(&mut delta, target.len());
    // What comes before is done.
    let mut done = 0;
    let mut at = 0;
    let mut window = target.get(..BLOCK).map(hash);
    while let Some(hash) = window {
        let Some((mut place, mut length)) = index.longest(base, &target[at..], hash) else {
            window = target
                .get(at + BLOCK)
                .map(|into| roll(hash, target[at], *into));
            at += 1;
            // It gets too long whatever follows.
            if at - done + delta.len() > longest {
                return None;
            }
            continue;
        };
        // What was passed may belong to it.
        let back = base[..place]
            .iter()
            .rev()
            .zip(target[done..at].iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        (place, length) = (place - back, length + back);
        insert(&mut delta, &target[done..at - back]);
        copy(&mut delta, place, length);
        if delta.len() > longest {
            return None;
        }
        at = at - back + length;
        done = at;
        window = target.get(at..at + BLOCK).map(self::hash);
    }
    insert(&mut delta, &target[done..]);
    (delta.len() <= longest).then_some(delta)
}

/// The lowest byte of a number.
const fn byte(value: usize) -> u8 {
    value.to_le_bytes()[0]
}

fn size(delta: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        delta.push(byte(value & 0x7f) | 0x80);
        value >>= 7;
    }
    delta.push(byte(value));
}

fn insert(delta: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(INSERT) {
        delta.push(byte(piece.len()));
        delta.extend_from_slice(piece);
    }
}

fn copy(delta: &mut Vec<u8>, mut place: usize, mut length: usize) {
    while length > 0 {
        let now = length.min(COPY);
        let head = delta.len();
        delta.push(0x80);
        let stated = if now == COPY { 0 } else { now };
        let fields = [(place, 0..4_u8), (stated, 4..7)];
        for (value, bits) in fields {
            for (i, bit) in bits.enumerate() {
                let byte = byte(value >> (8 * i));
                if byte != 0 {
                    delta[head] |= 1 << bit;
                    delta.push(byte);
                }
            }
        }
        (place, length) = (place + now, length - now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;
    use crate::pack::delta::apply;

    /// Bytes without a pattern.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        };
        (0..length).map(|_| next()).collect()
    }

    fn made(base: &[u8], target: &[u8]) -> Vec<u8> {
        let index = Index::of(base).unwrap();
        let delta = encode(&index, base, target, usize::MAX).unwrap();
        let mut out = Vec::new();
        apply(base, &delta, &mut out, |_, _, _| {}).unwrap();
        assert_eq!(out, target);
        delta
    }

    #[test]
    fn a_delta_makes_its_target_and_holds_little_more_than_what_is_new() {
        let base = noise(1, 300_000);
        for at in [0, 1, 17, 70_000, 299_990, 300_000] {
            let target = [&base[..at], b"something new", &base[at..]].concat();
            assert!(made(&base, &target).len() < 100, "{at}");
            let target = [&base[at..], &base[..at]].concat();
            assert!(made(&base, &target).len() < 100, "{at}");
        }
        assert!(made(&base, &base).len() < 60);
        assert!(made(&base, &[]).len() < 10);
    }

    #[test]
    fn what_has_nothing_in_common_is_inserted() {
        let (base, target) = (noise(2, 5000), noise(3, 5000));
        let delta = made(&base, &target);
        assert!(delta.len() > 5000 && delta.len() < 5100);
        let index = Index::of(&base).unwrap();
        assert_eq!(encode(&index, &base, &target, 4000), None);
        assert!(Index::of(&base[..15]).is_none());
    }

    #[test]
    fn runs_and_small_objects_come_back() {
        for (base, target) in [
            (vec![0; 100_000], vec![0; 70_000]),
            (vec![7; 16], vec![7; 40]),
            (noise(4, 16), noise(4, 16)),
            (b"abc".repeat(5000), b"abc".repeat(9000)),
        ] {
            made(&base, &target);
        }
        for seed in 0..200 {
            let base = noise(seed, 400);
            let mut target = base.clone();
            for cut in noise(seed + 1, 6) {
                let cut = usize::from(cut);
                target.splice(cut..cut + 3, noise(seed ^ 5, 5));
            }
            made(&base, &target);
        }
    }
}
