//! Packet lines, and the pack in them.

use std::ops::Range;

/// Which part of a packet bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The four digits of its length.
    Length,
    /// Content of the pack.
    Pack,
    /// Anything else.
    Other,
}

/// Follows a stream of packets, however it is divided into blocks.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Digits of the length so far.
    length: Vec<u8>,
    /// What is left of the packet.
    left: usize,
    /// Whether its content has begun, and is pack.
    band: Option<bool>,
    /// Whether this is not a stream of packets at all.
    lost: bool,
}

impl Packets {
    /// The first bytes of a block that belong together, and what they are.
    pub(super) fn next(&mut self, block: &[u8]) -> (usize, Part) {
        if self.lost {
            return (block.len(), Part::Other);
        }
        if self.left == 0 {
            let take = block.len().min(4 - self.length.len());
            self.length.extend_from_slice(&block[..take]);
            if self.length.len() == 4 {
                let text = std::str::from_utf8(&self.length).unwrap_or_default();
                match usize::from_str_radix(text, 16) {
                    Ok(length) => self.left = length.saturating_sub(4),
                    Err(_) => self.lost = true,
                }
                self.length.clear();
                self.band = None;
            }
            return (take, Part::Length);
        }
        let Some(pack) = self.band else {
            self.band = Some(block[0] == 1);
            self.left -= 1;
            return (1, Part::Other);
        };
        let take = block.len().min(self.left);
        self.left -= take;
        (take, if pack { Part::Pack } else { Part::Other })
    }

    /// Whether a packet is to begin now.
    pub(super) fn between(&self) -> bool {
        self.left == 0 && self.length.is_empty()
    }
}

/// The content of each packet in a whole stream; delimiters have none.
pub(super) fn lines(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let digits = stream.get(at..at + 4)?;
        let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        let content: Range<usize> = at + 4..at + length.max(4);
        at = content.end;
        stream.get(content)
    })
}

/// One packet.
pub(super) fn packet(content: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", content.len() + 4).into_bytes();
    packet.extend_from_slice(content);
    packet
}

/// One packet with content of the pack.
pub(super) fn pack_packet(content: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}\x01", content.len() + 5).into_bytes();
    packet.extend_from_slice(content);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pack_is_found_however_the_stream_is_divided() {
        let mut stream = packet(b"packfile\n");
        stream.extend(pack_packet(b"PACK content"));
        stream.extend(packet(b"\x02progress"));
        stream.extend(pack_packet(b", more"));
        stream.extend(b"0000");
        for size in 1..stream.len() {
            let mut packets = Packets::default();
            let (mut pack, mut lengths) = (Vec::new(), 0);
            for mut block in stream.chunks(size) {
                while !block.is_empty() {
                    let (take, part) = packets.next(block);
                    match part {
                        Part::Pack => pack.extend_from_slice(&block[..take]),
                        Part::Length => lengths += take,
                        Part::Other => (),
                    }
                    block = &block[take..];
                }
            }
            assert_eq!(pack, b"PACK content, more");
            assert_eq!(lengths, 20);
            assert!(packets.between());
        }
        assert_eq!(lines(&stream).count(), 5);
    }
}
