//! The body of an answer on its way out: counted, and stopped where it is to stop.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::Fault;
use super::packets::{Packets, Part, pack_packet};
use super::state::Shared;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it was sent.
    Whole,
    /// It was cut on purpose.
    Cut,
    /// The client has gone, or the server stops.
    Gone,
}

/// One body.
pub(super) struct Delivery<'a, W> {
    shared: &'a Shared,
    number: usize,
    fault: Option<Fault>,
    out: W,
    packets: Packets,
    sent: u64,
    pack: u64,
    /// The answer has been held and let go.
    held: bool,
}

/// Why it goes no further.
enum Stop {
    Cut,
    Gone,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl<'a, W: Write> Delivery<'a, W> {
    pub(super) fn new(shared: &'a Shared, number: usize, fault: Option<Fault>, out: W) -> Self {
        Self {
            shared,
            number,
            fault,
            out,
            packets: Packets::default(),
            sent: 0,
            pack: 0,
            held: false,
        }
    }

    /// Sends all of `body`, or as much as is to be.
    pub(super) fn send(mut self, body: &mut dyn Read) -> (End, W) {
        let end = match self.blocks(body).and_then(|()| Ok(self.out.flush()?)) {
            Ok(()) => End::Whole,
            Err(Stop::Cut) => {
                // What was sent before is to arrive.
                let _ = self.out.flush();
                End::Cut
            }
            Err(Stop::Gone) => End::Gone,
        };
        (end, self.out)
    }

    fn blocks(&mut self, body: &mut dyn Read) -> Result<(), Stop> {
        let mut block = vec![0; 16 << 10];
        // All but its last bytes have been sent.
        let mut tail = VecDeque::new();
        loop {
            let read = body.read(&mut block)?;
            if read == 0 {
                break;
            }
            if let Some(Fault::CutEnd(keep)) = self.fault {
                tail.extend(&block[..read]);
                let ready = tail.len().saturating_sub(usize(keep));
                let ready: Vec<u8> = tail.drain(..ready).collect();
                self.parts(&ready)?;
            } else {
                self.parts(&block[..read])?;
            }
            self.out.flush()?;
            if let Some(Fault::Throttle(rate)) = self.fault {
                std::thread::sleep(Duration::from_secs_f64(read as f64 / rate as f64));
            }
        }
        match self.fault {
            Some(Fault::CutEnd(_)) => Err(Stop::Cut),
            _ => Ok(()),
        }
    }

    fn parts(&mut self, mut block: &[u8]) -> Result<(), Stop> {
        while !block.is_empty() {
            if self.packets.between() {
                self.begin_packet()?;
            }
            let (take, part) = self.packets.next(block);
            let (now, rest) = block.split_at(take);
            self.part(now, part)?;
            block = rest;
        }
        Ok(())
    }

    /// What goes wrong where a packet begins.
    fn begin_packet(&mut self) -> Result<(), Stop> {
        match self.fault {
            Some(Fault::CutLength(from)) if self.sent >= from => {
                self.out(b"00", 0)?;
                Err(Stop::Cut)
            }
            Some(Fault::Endless(from)) if self.pack > 0 && self.pack >= from => loop {
                let packet = pack_packet(&[0; 8 << 10]);
                self.out(&packet, 8 << 10)?;
                self.out.flush()?;
            },
            _ => Ok(()),
        }
    }

    fn part(&mut self, bytes: &[u8], part: Part) -> Result<(), Stop> {
        let is_pack = part == Part::Pack;
        let (at, pack_at) = (self.sent, self.pack);
        if let Some(Fault::Corrupt(place)) = self.fault
            && is_pack
            && (pack_at..pack_at + bytes.len() as u64).contains(&place)
        {
            let mut bytes = bytes.to_vec();
            bytes[usize(place - pack_at)] ^= 0xff;
            return self.out(&bytes, bytes.len());
        }
        // How much may go before something happens.
        let (room, hold) = match self.fault {
            Some(Fault::Cut(place)) => (Some(place.saturating_sub(at)), false),
            Some(Fault::CutPack(place)) if is_pack => (Some(place.saturating_sub(pack_at)), false),
            Some(Fault::Hold(place)) if !self.held => (Some(place.saturating_sub(at)), true),
            Some(Fault::HoldPack(place)) if !self.held && is_pack => {
                (Some(place.saturating_sub(pack_at)), true)
            }
            _ => (None, false),
        };
        let cut = self.shared.lock().before_cut(self.number);
        if let Some(cut) = cut
            && cut < bytes.len() as u64
        {
            let now = usize(cut);
            self.out(&bytes[..now], if is_pack { now } else { 0 })?;
            self.shared.change(|state| state.cuts.pop_front());
            return Err(Stop::Cut);
        }
        let Some(room) = room.filter(|room| *room < bytes.len() as u64) else {
            return self.out(bytes, if is_pack { bytes.len() } else { 0 });
        };
        let (now, rest) = bytes.split_at(usize(room));
        self.out(now, if is_pack { now.len() } else { 0 })?;
        if !hold {
            return Err(Stop::Cut);
        }
        self.out.flush()?;
        self.hold()?;
        self.out(rest, if is_pack { rest.len() } else { 0 })
    }

    /// Stands still until it is let go.
    fn hold(&mut self) -> Result<(), Stop> {
        self.held = true;
        let releases = self.shared.change(|state| {
            state.holding += 1;
            state.releases
        });
        self.shared.wait(|state| state.releases > releases);
        self.shared.change(|state| state.holding -= 1);
        if self.shared.lock().stopped {
            return Err(Stop::Gone);
        }
        Ok(())
    }

    fn out(&mut self, bytes: &[u8], pack: usize) -> Result<(), Stop> {
        self.out.write_all(bytes)?;
        self.sent += bytes.len() as u64;
        self.pack += pack as u64;
        self.shared
            .change(|state| state.count(self.number, bytes.len() as u64, pack as u64));
        Ok(())
    }
}

fn usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
