//! The file `packed-refs`.

use gix::bstr::BString;
use gix_hash::ObjectId;

/// A ref in the file, with what it leads to if it is an annotated tag.
pub(in super::super) struct Packed<'a> {
    pub(in super::super) name: &'a BString,
    pub(in super::super) oid: ObjectId,
    pub(in super::super) peeled: Option<ObjectId>,
}

/// The file with these refs, which are sorted by name.
pub(in super::super) fn render<'a>(refs: impl IntoIterator<Item = Packed<'a>>) -> Vec<u8> {
    let mut out = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
    for Packed { name, oid, peeled } in refs {
        out.extend_from_slice(format!("{oid} ").as_bytes());
        out.extend_from_slice(name);
        out.push(b'\n');
        if let Some(peeled) = peeled {
            out.extend_from_slice(format!("^{peeled}\n").as_bytes());
        }
    }
    out
}
