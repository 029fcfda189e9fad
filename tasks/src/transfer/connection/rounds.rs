//! The rounds in which both sides find out what they have in common.

use std::collections::HashSet;

use gix_hash::ObjectId;

use super::advertisement::Capabilities;
use super::answer::{self, Heard};
use super::ask::Question;
use super::packet::Packets;
use super::{ConnectionError, Request};

/// So many objects are named in the first round.
const FIRST: usize = 16;
/// A round has no more than this in a conversation, and than this where the server forgets.
const MOST: usize = 1 << 10;
const MOST_TO_THE_FORGETFUL: usize = 16 << 10;
/// When something is known to be common, so many more that are not end it.
const IN_VAIN: usize = 256;

/// What is here, a little at a time: commits, the likely ones first.
pub trait Haves {
    /// Up to `most` further ones; fewer mean that there are no more.
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError>;

    /// The server has this one as well, with all that is older.
    fn common(&mut self, oid: ObjectId) -> Result<(), ConnectionError>;
}

/// Nothing is here but what the request names.
pub(super) struct Nothing;

impl Haves for Nothing {
    fn next(&mut self, _: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        Ok(Vec::new())
    }

    fn common(&mut self, _: ObjectId) -> Result<(), ConnectionError> {
        Ok(())
    }
}

/// Asks for what `request` names, round by round, until the pack is to come.
pub(super) fn negotiate(
    packets: &mut Packets,
    version: u8,
    capabilities: &Capabilities,
    request: &Request,
    haves: &mut dyn Haves,
) -> Result<Heard, ConnectionError> {
    let question = Question::new(version, capabilities, request)?;
    // With version 2 every question stands for itself.
    let whole = version == 2 || packets.wire.forgets();
    let several = capabilities.has("multi_ack_detailed") || capabilities.has("multi_ack");
    let largest = if whole { MOST_TO_THE_FORGETFUL } else { MOST };
    let mut window = FIRST;
    let (mut in_vain, mut first, mut ready) = (0, true, false);
    let mut all = Heard::default();
    let mut seen = HashSet::new();
    loop {
        let batch = if ready {
            Vec::new()
        } else {
            haves.next(window)?
        };
        let found = !all.common.is_empty();
        in_vain += batch.len();
        let last = ready || batch.len() < window || (found && in_vain >= IN_VAIN);
        let mut text = Vec::new();
        if first || whole {
            text.extend_from_slice(&question.start);
            Question::haves(&mut text, &request.haves);
            Question::haves(&mut text, &all.common);
        }
        Question::haves(&mut text, &batch);
        if last {
            question.done(&mut text);
        } else {
            Question::round(&mut text);
        }
        packets.ask(text)?;
        let heard = if version == 2 {
            answer::of_2(packets)?
        } else {
            let expected = answer::Expected {
                shallow: request.depth.is_some() && (first || whole),
                last,
                several,
                // An old server has said it already.
                silent: last && !several && found && !whole,
            };
            answer::of_old(packets, expected)?
        };
        if !heard.common.is_empty() {
            in_vain = 0;
        }
        ready |= heard.ready;
        for oid in heard.common {
            if seen.insert(oid) {
                haves.common(oid)?;
                all.common.push(oid);
            }
        }
        if !heard.shallow.is_empty() {
            all.shallow = heard.shallow;
        }
        if heard.pack {
            return Ok(all);
        }
        if last {
            return Err(ConnectionError::protocol("no pack where one should come"));
        }
        first = false;
        window = (window * 2).min(largest);
    }
}
