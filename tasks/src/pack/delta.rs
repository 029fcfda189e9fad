//! Git's delta instructions: copy a range of the base, or insert bytes.

/// Base size, result size, and where the instructions begin.
pub(crate) fn sizes(delta: &[u8]) -> Result<(u64, u64, usize), &'static str> {
    let mut at = 0;
    let mut size = || {
        let mut value = 0_u64;
        let mut shift = 0;
        loop {
            let byte = *delta.get(at).ok_or(SHORT)?;
            at += 1;
            if shift > 56 {
                return Err("its delta states an impossible size");
            }
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    };
    Ok((size()?, size()?, at))
}

const SHORT: &str = "its delta is cut short";

/// Appends the object that `delta` makes of `base` to `out`, which is empty.
///
/// `copied(to, from, length)` is told of each range that was taken over from the base.
pub(crate) fn apply(
    base: &[u8],
    delta: &[u8],
    out: &mut Vec<u8>,
    mut copied: impl FnMut(usize, usize, usize),
) -> Result<(), &'static str> {
    let (base_size, size, mut at) = sizes(delta)?;
    if base_size != base.len() as u64 {
        return Err("its delta belongs to another base");
    }
    let size = usize::try_from(size)
        .ok()
        .filter(|size| out.try_reserve(*size).is_ok())
        .ok_or("the object does not fit into memory")?;
    while let Some(&instruction) = delta.get(at) {
        at += 1;
        let bytes = if instruction & 0x80 != 0 {
            let mut field = |bits: std::ops::Range<u8>| {
                let mut value = 0_usize;
                for (place, bit) in bits.enumerate() {
                    if instruction & (1 << bit) != 0 {
                        value |= usize::from(*delta.get(at).ok_or(SHORT)?) << (8 * place);
                        at += 1;
                    }
                }
                Ok::<_, &'static str>(value)
            };
            let offset = field(0..4)?;
            let length = match field(4..7)? {
                0 => 0x1_0000,
                length => length,
            };
            copied(out.len(), offset, length);
            base.get(offset..offset + length)
                .ok_or("its delta copies from beyond the base")?
        } else if instruction != 0 {
            let length = usize::from(instruction);
            let bytes = delta.get(at..at + length).ok_or(SHORT)?;
            at += length;
            bytes
        } else {
            return Err("its delta holds an unknown instruction");
        };
        if bytes.len() > size - out.len() {
            return Err("its delta makes more than it states");
        }
        out.extend_from_slice(bytes);
    }
    if out.len() == size {
        Ok(())
    } else {
        Err("its delta makes less than it states")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base of 10 bytes; copy 2..8, insert "xyz", copy 0..4.
    const DELTA: &[u8] = &[10, 13, 0x91, 2, 6, 3, b'x', b'y', b'z', 0x90, 4];

    #[test]
    fn copies_and_inserts_in_order_and_tells_of_the_copies() {
        let (mut out, mut copies) = (Vec::new(), Vec::new());
        let made = apply(b"0123456789", DELTA, &mut out, |to, from, length| {
            copies.push((to, from, length));
        });
        assert_eq!(made, Ok(()));
        assert_eq!(out, b"234567xyz0123");
        assert_eq!(copies, [(0, 2, 6), (9, 0, 4)]);
    }

    #[test]
    fn cut_and_lying_deltas_are_refused() {
        for end in 0..DELTA.len() {
            assert!(apply(b"0123456789", &DELTA[..end], &mut Vec::new(), |_, _, _| {}).is_err());
        }
        for (at, value) in [(0, 9), (1, 12), (1, 14), (3, 5), (5, 0)] {
            let mut bad = DELTA.to_vec();
            bad[at] = value;
            assert!(
                apply(b"0123456789", &bad, &mut Vec::new(), |_, _, _| {}).is_err(),
                "byte {at}"
            );
        }
    }
}
