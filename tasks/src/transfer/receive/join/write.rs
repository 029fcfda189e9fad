//! Writes the joined pack.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use gix_hash::ObjectId;

use super::source::{Place, Source, number, rank};
use crate::{
    disk::Disk,
    pack::{
        git_idx::Row,
        git_pack::{Form, GitPack, Unfit},
        source::NONE,
    },
    transfer::receive::{
        ReceiveError, Received, copy,
        head::{Form as Base, Head},
        parser::TRAILER,
        place,
    },
};

/// Packs that are being joined. It takes 44 bytes of memory an object.
pub struct Joining {
    sources: Vec<Source>,
    objects: u32,
    pack: GitPack,
    rows: Vec<Row>,
    /// The pack that is being written, its entries, and the next of them.
    source: usize,
    places: Vec<Place>,
    next: usize,
    hash: Option<ObjectId>,
    bytes: u64,
}

impl Joining {
    /// Begins to join these packs, each with its index beside it. Their order is that of the joined
    /// pack; the same order gives the same bytes.
    pub fn begin(packs: &[PathBuf]) -> Result<Self, ReceiveError> {
        let sources = packs.iter().map(|path| Source::open(path));
        let mut sources = sources.collect::<Result<Vec<_>, _>>()?;
        let objects = number(&mut sources)?;
        let places = sources.first().map(Source::places).unwrap_or_default();
        Ok(Self {
            sources,
            objects,
            pack: GitPack::begin(objects),
            rows: Vec::with_capacity(objects as usize),
            source: 0,
            places,
            next: 0,
            hash: None,
            bytes: 0,
        })
    }

    /// Goes on where another process stopped: `begun` objects are in the joined pack, of which
    /// `written` is all there is.
    pub fn resume(
        packs: &[PathBuf],
        begun: u32,
        written: impl Read,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, ReceiveError> {
        let mut joining = Self::begin(packs)?;
        if begun == 0 {
            return Ok(joining);
        }
        // Where everything comes to lie is found without a hash; then what is there is hashed.
        while joining.begun() < begun {
            if stopped() {
                return Err(ReceiveError::Stopped);
            }
            let written = joining.entry(&mut io::sink());
            if !written.map_err(ReceiveError::io(Path::new("nowhere")))?? {
                return Err(joining.unfit());
            }
        }
        let end = joining.pack.end();
        let offsets = joining.pack.offsets().to_vec();
        let pack = GitPack::resume(offsets, written.take(end), stopped);
        joining.pack = match pack {
            Ok(pack) if pack.end() == end => pack,
            Ok(_) | Err(Unfit::Offsets) => return Err(joining.unfit()),
            Err(Unfit::Stopped) => return Err(ReceiveError::Stopped),
            Err(Unfit::Io(error)) => {
                return Err(ReceiveError::io(Path::new("the joined pack"))(error));
            }
        };
        Ok(joining)
    }

    fn unfit(&self) -> ReceiveError {
        let why = "what was joined before does not fit it";
        match self.sources.first() {
            Some(source) => source.wrong(why),
            None => ReceiveError::Join {
                path: PathBuf::new(),
                why: why.to_owned(),
            },
        }
    }

    /// The objects of the joined pack.
    pub const fn objects(&self) -> u32 {
        self.objects
    }

    /// How many of them are written.
    pub fn begun(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    /// Writes entries until there are no more, which is `true`, or until there is `enough`. Then all
    /// that was written can be committed, together with [`begun`](Self::begun).
    pub fn advance(
        &mut self,
        out: &mut impl Write,
        enough: &dyn Fn() -> bool,
    ) -> Result<bool, ReceiveError> {
        let error = ReceiveError::io(Path::new("the joined pack"));
        let more = loop {
            match self.entry(out) {
                Ok(Ok(true)) if enough() => break true,
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break false,
                Ok(Err(error)) => return Err(error),
                Err(failed) => return Err(error(failed)),
            }
        };
        let flushed = self.pack.flush(out).and_then(|()| {
            if more || self.begun() < self.objects {
                return Ok(());
            }
            // The pack is not gone on with.
            let pack = std::mem::replace(&mut self.pack, GitPack::begin(0));
            self.bytes = pack.end() + TRAILER as u64;
            let hash = pack.finish();
            self.hash = Some(hash);
            out.write_all(hash.as_slice())
        });
        flushed.map_err(error)?;
        Ok(!more)
    }

    /// Writes the next entry; `false` if there are no more.
    fn entry(&mut self, out: &mut impl Write) -> io::Result<Result<bool, ReceiveError>> {
        let (place, end) = loop {
            let Some(source) = self.sources.get(self.source) else {
                return Ok(Ok(false));
            };
            let Some(place) = self.places.get(self.next).copied() else {
                self.source += 1;
                self.next = 0;
                let source = self.sources.get(self.source);
                self.places = source.map(Source::places).unwrap_or_default();
                continue;
            };
            self.next += 1;
            if source.ranks[place.position as usize] != NONE {
                let next = self.places.get(self.next).map(|next| next.offset);
                break (place, next.unwrap_or(source.data.pack_end() as u64));
            }
        };
        let source = &self.sources[self.source];
        let at = place.offset;
        let wrong = |why: &str| Ok(Err(source.wrong(format!("at offset {at}, {why}"))));
        let Some(bytes) = source.data.entry_slice(at..end.max(at)) else {
            return wrong("it is cut short");
        };
        let crc = source.index.crc32_at_index(place.position);
        if crc.is_some_and(|crc| crc != crc32fast::hash(bytes)) {
            return wrong("the checksum of an entry is not the one in the index");
        }
        let Ok(Some(head)) = Head::decode(bytes) else {
            return wrong("there is no entry");
        };
        let form = match head.form {
            Base::Whole(kind) => Form::Whole(kind),
            base => match self.base(source, at, base) {
                Some(form) => form,
                None => return wrong("there is a delta whose base is in none of the packs"),
            },
        };
        let oid = source.oid(place.position);
        let Some(header) = self.pack.entry(form, head.size) else {
            return wrong("there is a delta whose base cannot be found");
        };
        let row = copy::append(&mut self.pack, out, header, &bytes[head.len..], oid)?;
        self.rows.push(row);
        Ok(Ok(true))
    }

    /// How the delta at `at` names its base in the joined pack.
    fn base(&self, source: &Source, at: u64, base: Base) -> Option<Form> {
        let oid = match base {
            Base::Before(distance) => {
                let offset = at.checked_sub(distance)?;
                let places = &self.places;
                let place = places.binary_search_by_key(&offset, |place| place.offset);
                let position = places[place.ok()?].position;
                let own = source.ranks[position as usize];
                if own != NONE {
                    return Some(Form::Before(own as usize));
                }
                source.oid(position)
            }
            Base::Of(oid) => oid,
            Base::Whole(_) => return None,
        };
        let rank = rank(&self.sources, &oid)?;
        // One that comes later has no offset yet.
        let before = (rank as usize) < self.rows.len();
        Some(if before {
            Form::Before(rank as usize)
        } else {
            Form::Of(oid)
        })
    }

    /// Gives the joined pack, which is all written to the file `raw`, its name in the directory
    /// `packs`, and its index. The packs that it was made of stay: [`discard`](super::discard) them
    /// once the new one is known to be used. All of `raw` must be committed before.
    pub fn publish(
        mut self,
        raw: &Path,
        packs: &Path,
        disk: &dyn Disk,
    ) -> Result<Received, ReceiveError> {
        let Some(hash) = self.hash else {
            return Err(self.unfit());
        };
        self.rows.sort_unstable_by_key(|row| (row.oid, row.offset));
        let pack = place::pack_path(packs, &hash);
        place::link(raw, &pack)?;
        place::index(&pack, hash, || self.rows.iter().map(|row| Ok(*row)), disk)?;
        Ok(Received {
            objects: self.objects,
            bytes: self.bytes,
            added: 0,
            lost: 0,
            hash: Some(hash),
            pack: Some(pack),
        })
    }
}

/// Removes packs that others replace, with what belongs to them; never `kept`. Packs that are gone
/// already are no error.
pub fn discard(packs: &[PathBuf], kept: &Path, disk: &dyn Disk) -> Result<(), ReceiveError> {
    for pack in packs.iter().filter(|pack| *pack != kept) {
        // Without its index a pack is not looked at.
        for extension in ["idx", "rev", "promisor", "pack"] {
            place::remove(&pack.with_extension(extension))?;
        }
    }
    match packs.first().and_then(|pack| pack.parent()) {
        Some(dir) => disk.sync(dir).map_err(ReceiveError::io(dir)),
        None => Ok(()),
    }
}

impl std::fmt::Debug for Joining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joining")
            .field("objects", &self.objects)
            .field("begun", &self.begun())
            .finish_non_exhaustive()
    }
}
