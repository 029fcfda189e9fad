//! The pack directory, format version 1: what is on disk, and the only code that reads or writes it.
//!
//! ```text
//! <pack>/
//!   manifest.json                       written last; lists the layers, oldest first
//!   layers/<layer id>/frames-0000 ...   concatenated zstd frames, each file at most 1 GiB
//!   layers/<layer id>/index
//!   layers/<layer id>/refs
//! ```
//!
//! **The stream.** The payloads of all entries (the inflated bytes of a Git pack entry: a whole
//! object, or a delta's instructions) joined in the pack's order. An entry's place in that order is
//! its *rank*. A base comes before its deltas.
//!
//! **Frames** partition the stream. An entry of at most the frame size never straddles two frames;
//! a larger one starts a frame, is cut into pieces of exactly the frame size (the last one shorter)
//! and shares its frames with nothing. No frame is empty. A [`Group`] is what can be read on its
//! own: one frame with its entries, or one large entry with its frames.
//!
//! **The index** ([`index`]) maps oids to ranks and ranks to frames, **refs** ([`refs`]) names the
//! tips, **the manifest** ([`manifest`]) ties the files together. A layer's id is the blake3 digest
//! of its index's and refs' digests, and the index holds the digest of every frame: who trusts the
//! manifest can check every byte.
//!
//! Nothing in the directory depends on the clock, the host, the user or a path. Readers treat all of
//! it as hostile: lengths are bounded before memory is taken, file names are fixed by the format,
//! and what is not accounted for is refused.

pub mod digest;
pub mod dir;
pub mod error;
pub mod frame;
pub mod index;
mod leb128;
pub mod manifest;
pub(in crate::pack) mod open;
pub mod refs;

pub use digest::{Digest, FileDigest, HashingWriter, layer_id};
pub use dir::{Examined, Layer, PackDir};
pub use error::FormatError;
pub use frame::FrameReader;
pub use index::{
    Base, BaseRef, Entry, EntryRef, FrameRow, Group, Index, IndexSource, Kind, write_index,
};
pub use manifest::{FrameFile, LayerManifest, Manifest};
pub use refs::{RefTarget, Refs};

/// The version that this build writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// The frame size of packs that this build writes by default, in bytes of the stream.
pub const DEFAULT_FRAME_SIZE: u32 = 4 << 20;
/// The frame size of packs that are to be small, in bytes of the stream.
pub const SMALL_FRAME_SIZE: u32 = 16 << 20;
/// The largest frame size that readers accept, in bytes of the stream.
pub const MAX_FRAME_SIZE: u32 = 64 << 20;
/// The largest frame file, in bytes.
pub const MAX_FRAME_FILE: u64 = 1 << 30;
/// The most layers that a pack can have.
pub const MAX_LAYERS: usize = 1 << 16;
/// The name of the manifest within a pack directory.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The name of the directory of layers within a pack directory.
pub const LAYERS_NAME: &str = "layers";
/// The name of a layer's index.
pub const INDEX_NAME: &str = "index";
/// The name of a layer's refs.
pub const REFS_NAME: &str = "refs";

/// The name of a layer's `number`th frame file.
pub fn frame_file_name(number: u32) -> String {
    format!("frames-{number:04}")
}
