//! Writes a pack anew: without what is of no use, and with what it lacks.

use std::io::{self, Write};

use gix_hash::ObjectId;

use super::{
    ReceiveError, copy,
    head::Head,
    resolve::Outside,
    table::{Link, Table, UNKNOWN},
};
use crate::{
    compress::{Compressor as _, FlateCompressor},
    pack::{
        git_idx::Row,
        git_pack::{Form, GitPack},
        source::{NONE, Oid},
    },
};

/// Why a pack could not be written.
pub(super) enum Unwritten {
    /// The system said no.
    Io(io::Error),
    /// Anything else.
    Other(ReceiveError),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A pack that was written, all but its index.
pub(super) struct Written {
    /// Its objects, by their ids.
    pub(super) rows: Vec<Row>,
    /// The hash at its end.
    pub(super) hash: ObjectId,
    /// Its length.
    pub(super) bytes: u64,
}

/// Writes the entries of `table` whose objects are known, with their bytes from `raw`, and the
/// objects `bases` from outside behind them.
///
/// The compressed content of an entry stays what it was, and so do its bytes unless the distance to
/// its base changes. An object that came and is one of `bases` too, which are in the order of ids, is
/// written once, as the base: it may be made, itself, of what is made of the base.
pub(super) fn rewrite(
    mut out: impl Write,
    raw: &gix_pack::data::File,
    table: &Table,
    bases: &[Oid],
    outside: Option<&Outside>,
    stopped: &dyn Fn() -> bool,
) -> Result<Written, Unwritten> {
    let changed = || Unwritten::Other(ReceiveError::Changed(raw.path().to_owned()));
    let kept = |oid: &Oid| *oid != UNKNOWN && bases.binary_search(oid).is_err();
    let count = table.oids.iter().filter(|oid| kept(oid)).count();
    let count = u32::try_from(count + bases.len()).map_err(|_| changed())?;
    let mut pack = GitPack::begin(count);
    let mut rows = Vec::with_capacity(count as usize);
    let mut ranks: Vec<u32> = Vec::with_capacity(table.len() as usize);
    let mut rank = 0;
    for entry in 0..table.len() {
        let oid = table.oids[entry as usize];
        if !kept(&oid) {
            ranks.push(NONE);
            continue;
        }
        ranks.push(rank);
        rank += 1;
        let range = table.offset(entry)..table.end_of(entry);
        let bytes = raw.entry_slice(range).ok_or_else(changed)?;
        let head = Head::decode(bytes).ok().flatten().ok_or_else(changed)?;
        let form = match table.link(entry) {
            Link::Whole(kind) => Form::Whole(kind),
            Link::Entry(base) => match ranks[base as usize] {
                // What is made of an entry is known only if that is.
                NONE => Form::Of(table.oids[base as usize]),
                rank => Form::Before(rank as usize),
            },
            Link::Object(base) => Form::Of(table.bases[base as usize].0),
        };
        if stopped() {
            return Err(Unwritten::Other(ReceiveError::Stopped));
        }
        let header = pack.entry(form, head.size).ok_or_else(changed)?;
        let content = &bytes[head.len..];
        rows.push(copy::append(&mut pack, &mut out, header, content, oid)?);
    }
    if let Some(outside) = outside {
        let mut deflate = FlateCompressor::new(FlateCompressor::LEVEL);
        let (mut content, mut bytes) = (Vec::new(), Vec::new());
        for oid in bases {
            let lost = |why: &str| {
                let (id, why) = (ObjectId::Sha1(*oid), why.to_owned());
                Unwritten::Other(ReceiveError::Base { id, why })
            };
            let kind = outside.read(oid, &mut content).map_err(Unwritten::Other)?;
            let kind = kind.ok_or_else(|| lost("it is no longer there"))?;
            let deflated = deflate.compress(&content, &mut bytes);
            deflated.map_err(|error| lost(&error.to_string()))?;
            let header = pack.entry(Form::Whole(kind), content.len() as u64);
            let header = header.ok_or_else(changed)?;
            rows.push(copy::append(&mut pack, &mut out, header, &bytes, *oid)?);
        }
    }
    pack.flush(&mut out)?;
    let bytes = pack.end() + 20;
    let hash = pack.finish();
    out.write_all(hash.as_slice())?;
    out.flush()?;
    rows.sort_unstable_by_key(|row| (row.oid, row.offset));
    Ok(Written { rows, hash, bytes })
}
