//! Applies Git's delta instructions.

/// What is wrong with a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// The lengths or an instruction are cut short, or an instruction has no meaning.
    #[error("its instructions can't be read")]
    Malformed,
    /// It was made against something else.
    #[error("it does not fit its base")]
    WrongBase,
    /// The instructions give more or fewer bytes than announced.
    #[error("its instructions do not give the length that it announces")]
    WrongLength,
    /// The object is larger than the caller takes.
    #[error("its object would have {0} bytes, too many to rebuild in memory")]
    TooLarge(u64),
}

/// Replaces `out` by what `delta` makes of `base`, at most `limit` bytes.
pub(crate) fn apply(
    base: &[u8],
    delta: &[u8],
    limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), DeltaError> {
    use DeltaError::{Malformed, TooLarge, WrongBase, WrongLength};
    let mut at = 0;
    let base_length = length(delta, &mut at).ok_or(Malformed)?;
    let announced = length(delta, &mut at).ok_or(Malformed)?;
    if base_length != base.len() as u64 {
        return Err(WrongBase);
    }
    let target = usize::try_from(announced)
        .ok()
        .filter(|_| announced <= limit)
        .ok_or(TooLarge(announced))?;
    out.clear();
    // Memory is taken for what the instructions give, not for what the delta claims.
    out.reserve(target.min(delta.len().max(base.len()).saturating_mul(2)));
    while let Some(&command) = delta.get(at) {
        at += 1;
        let piece = if command & 0x80 != 0 {
            let offset = operand(delta, &mut at, command, 0, 4).ok_or(Malformed)?;
            let size = match operand(delta, &mut at, command, 4, 3).ok_or(Malformed)? {
                0 => 0x1_0000,
                size => size,
            };
            base.get(offset..)
                .and_then(|rest| rest.get(..size))
                .ok_or(WrongBase)?
        } else if command == 0 {
            return Err(Malformed);
        } else {
            let size = usize::from(command);
            let piece = delta.get(at..at + size).ok_or(Malformed)?;
            at += size;
            piece
        };
        if piece.len() > target - out.len() {
            return Err(WrongLength);
        }
        out.extend_from_slice(piece);
    }
    if out.len() == target {
        Ok(())
    } else {
        Err(WrongLength)
    }
}

/// A length in the delta's head: seven bits a byte, lowest first.
fn length(delta: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0u32);
    loop {
        let byte = *delta.get(*at)?;
        *at += 1;
        let low = u64::from(byte & 0x7f);
        if shift >= 64 || low << shift >> shift != low {
            return None;
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// The little-endian number whose present bytes are marked in `command` from bit `first` on.
fn operand(delta: &[u8], at: &mut usize, command: u8, first: u32, bytes: u32) -> Option<usize> {
    let mut value = 0;
    for byte in 0..bytes {
        if command & (1 << (first + byte)) != 0 {
            value |= usize::from(*delta.get(*at)?) << (8 * byte);
            *at += 1;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, DeltaError> {
        let mut out = vec![9; 3];
        apply(base, delta, LIMIT, &mut out).map(|()| out)
    }

    #[test]
    fn copies_and_inserts_are_joined() {
        // 6 bytes from 11: copy 4 from 2, insert "xy".
        let delta = [11, 6, 0x91, 2, 4, 2, b'x', b'y'];
        assert_eq!(
            applied(b"hello world", &delta).as_deref(),
            Ok(b"llo xy".as_slice())
        );
        assert_eq!(applied(b"", &[0, 0]).as_deref(), Ok(b"".as_slice()));
    }

    #[test]
    fn a_copy_without_a_size_takes_64_kib() {
        let base = vec![7; 0x1_0000];
        let delta = [0x80, 0x80, 0x04, 0x80, 0x80, 0x04, 0x80];
        assert_eq!(applied(&base, &delta).as_ref(), Ok(&base));
    }

    #[test]
    fn wrong_deltas_are_told_apart() {
        let base = b"hello world";
        assert_eq!(
            applied(b"short", &[11, 1, 1, b'x']),
            Err(DeltaError::WrongBase)
        );
        assert_eq!(
            applied(base, &[11, 4, 0x91, 9, 4]),
            Err(DeltaError::WrongBase),
            "behind the base's end"
        );
        assert_eq!(
            applied(base, &[11, 3, 0x91, 2, 4]),
            Err(DeltaError::WrongLength)
        );
        assert_eq!(
            applied(base, &[11, 5, 0x91, 2, 4]),
            Err(DeltaError::WrongLength)
        );
        assert_eq!(applied(base, &[11, 5, 0]), Err(DeltaError::Malformed));
        assert_eq!(applied(base, &[11, 5, 5, b'x']), Err(DeltaError::Malformed));
        assert_eq!(applied(base, &[0xff; 12]), Err(DeltaError::Malformed));
        let huge = [11, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x91, 2, 4];
        assert!(matches!(applied(base, &huge), Err(DeltaError::TooLarge(_))));
    }
}
