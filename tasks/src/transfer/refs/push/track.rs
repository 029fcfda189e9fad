//! What a push leaves behind here: remote-tracking refs, and the upstream of branches.

use gix::bstr::{BStr, BString, ByteSlice};

use super::spec::mapped;

/// The remote-tracking ref of a server's ref, by the refspecs that its remote is fetched with.
pub fn tracking(fetch: &[BString], name: &BStr) -> Option<BString> {
    let excluded = fetch.iter().any(|spec| {
        let excluded = spec.strip_prefix(b"^").map(ByteSlice::as_bstr);
        excluded.is_some_and(|it| mapped(it, it, name).is_some())
    });
    if excluded {
        return None;
    }
    fetch.iter().find_map(|spec| {
        let spec = spec.strip_prefix(b"+").unwrap_or(spec);
        let (from, to) = spec.split_once_str(":")?;
        if to.is_empty() {
            return None;
        }
        mapped(from.as_bstr(), to.as_bstr(), name)
    })
}
