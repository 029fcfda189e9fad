//! The counts and names of a part of the scan, as bytes.

use std::sync::{PoisonError, atomic::Ordering::Relaxed};

use super::{Scan, ScanError, state::Fault};

/// LEB128, as used throughout the pack.
fn put(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn get(input: &mut &[u8]) -> Result<u32, ScanError> {
    let (mut value, mut shift) = (0_u32, 0);
    loop {
        let (byte, rest) = input.split_first().ok_or(ScanError::Slice)?;
        *input = rest;
        if shift > 28 {
            return Err(ScanError::Slice);
        }
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// Writes numbers that grow, each with a value.
fn put_pairs(out: &mut Vec<u8>, pairs: &[(u32, u32)]) {
    put(out, length(pairs.len()));
    let mut last = 0;
    for (id, value) in pairs {
        put(out, id - last);
        put(out, *value);
        last = *id;
    }
}

fn get_pairs(
    input: &mut &[u8],
    mut found: impl FnMut(u32, u32) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    let mut id = 0_u32;
    for _ in 0..get(input)? {
        id = id.checked_add(get(input)?).ok_or(ScanError::Slice)?;
        found(id, get(input)?)?;
    }
    Ok(())
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than there are objects")
}

impl Scan {
    /// Appends what was found since the last export to `out`, and forgets it.
    ///
    /// The slices of a scan can be absorbed in any order; their sum is the scan.
    pub fn export(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 8]);
        let counts: Vec<(u32, u32)> = (0..)
            .zip(&self.counts)
            .filter_map(|(id, count)| match count.swap(0, Relaxed) {
                0 => None,
                count => Some((id, count)),
            })
            .collect();
        put_pairs(out, &counts);
        let (names, pairs) = self.names.drain();
        put(out, length(names.len()));
        for name in names {
            put(out, length(name.len()));
            out.extend_from_slice(&name);
        }
        put_pairs(out, &pairs);
        let mut faults =
            std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner));
        faults.sort_unstable();
        let faults = faults
            .into_iter()
            .map(|(id, fault)| (id, u32::from(fault == Fault::Damaged)));
        put_pairs(out, &faults.collect::<Vec<_>>());
        let size = (out.len() - start - 8) as u64;
        out[start..start + 8].copy_from_slice(&size.to_le_bytes());
    }

    /// Adds up what [`Self::export`] wrote, any number of slices one after the other.
    pub fn absorb(&self, mut slices: &[u8]) -> Result<(), ScanError> {
        while let Some((size, rest)) = slices.split_first_chunk() {
            let size = usize::try_from(u64::from_le_bytes(*size)).map_err(|_| ScanError::Slice)?;
            let (slice, rest) = rest.split_at_checked(size).ok_or(ScanError::Slice)?;
            self.absorb_one(slice)?;
            slices = rest;
        }
        if slices.is_empty() {
            Ok(())
        } else {
            Err(ScanError::Slice)
        }
    }

    fn absorb_one(&self, mut input: &[u8]) -> Result<(), ScanError> {
        let known = |id: u32| {
            if (id as usize) < self.counts.len() {
                Ok(())
            } else {
                Err(ScanError::Slice)
            }
        };
        get_pairs(&mut input, |id, count| {
            self.add(id, count);
            known(id)
        })?;
        if self.overflow.load(Relaxed) {
            return Err(ScanError::Overflow);
        }
        let mut names = Vec::new();
        for _ in 0..get(&mut input)? {
            let n = get(&mut input)? as usize;
            let (name, rest) = input.split_at_checked(n).ok_or(ScanError::Slice)?;
            names.push((name, self.names.number(name)));
            input = rest;
        }
        get_pairs(&mut input, |id, number| {
            let (name, number) = (number as usize)
                .checked_sub(1)
                .and_then(|at| names.get(at))
                .ok_or(ScanError::Slice)?;
            self.names.give_number(id, *number, name);
            known(id)
        })?;
        let mut faults = Vec::new();
        get_pairs(&mut input, |id, damaged| {
            let fault = match damaged {
                0 => Fault::Broken,
                _ => Fault::Damaged,
            };
            faults.push((id, fault));
            known(id)
        })?;
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&mut faults);
        Ok(())
    }
}
