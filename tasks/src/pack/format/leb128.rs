//! Unsigned LEB128: seven bits a byte, lowest first; only the shortest form is read.

/// The longest encoding of a `u64`.
pub(super) const MAX_LEN: u64 = 10;

/// Appends `value`.
pub(super) fn write(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Reads the value at `*at` and moves `*at` behind it; `None` if it is cut, too large or padded.
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return (byte != 0 || shift == 0).then_some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let (mut bytes, mut at) = (Vec::new(), 0);
            write(&mut bytes, value);
            assert!(bytes.len() as u64 <= MAX_LEN);
            assert_eq!(read(&bytes, &mut at), Some(value));
            assert_eq!(at, bytes.len());
            assert_eq!(read(&bytes[..bytes.len() - 1], &mut 0), None, "cut");
        }
    }

    #[test]
    fn padded_and_oversized_values_are_refused() {
        assert_eq!(read(&[0x80, 0x00], &mut 0), None);
        assert_eq!(read(&[0xff; 10], &mut 0), None);
        assert_eq!(
            read(
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                &mut 0
            ),
            None
        );
    }
}
