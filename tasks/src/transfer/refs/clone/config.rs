//! The configuration of a new repository, byte by byte as `git clone` writes it.

use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};

use super::{ClonePlan, NewHead};

/// The file `config` of a repository on the file system of `dir`.
pub(super) fn config(plan: &ClonePlan, dir: &Path) -> Vec<u8> {
    let options = &plan.options;
    let mut out = Vec::new();
    core(&mut out, plan, dir);
    section(&mut out, "remote", options.origin.as_bytes().as_bstr());
    value(&mut out, "url", options.url.as_bytes());
    if options.no_tags {
        value(&mut out, "tagOpt", b"--no-tags");
    }
    if let Some(fetch) = &plan.fetch {
        value(&mut out, "fetch", fetch);
        if options.mirror {
            value(&mut out, "mirror", b"true");
        }
    }
    if let Some(filter) = &options.filter {
        value(&mut out, "promisor", b"true");
        value(&mut out, "partialclonefilter", filter.as_bytes());
    }
    let tracked = match &plan.head {
        NewHead::Branch(to) => Some(&to.name),
        NewHead::Unborn(name) => Some(name),
        NewHead::Detached(_) => None,
    };
    let short = tracked.and_then(|name| name.strip_prefix(b"refs/heads/"));
    if let (Some(full), Some(short), false) = (tracked, short, options.is_bare()) {
        section(&mut out, "branch", short.as_bstr());
        value(&mut out, "remote", options.origin.as_bytes());
        value(&mut out, "merge", full);
        if options.defaults.rebase {
            value(&mut out, "rebase", b"true");
        }
    }
    out
}

fn core(out: &mut Vec<u8>, plan: &ClonePlan, dir: &Path) {
    let able = gix::fs::Capabilities::probe(dir);
    let bare = plan.options.is_bare();
    let flag = |set: bool| if set { b"true".as_slice() } else { b"false" };
    out.extend_from_slice(b"[core]\n");
    let version: &[u8] = if plan.options.filter.is_some() {
        b"1"
    } else {
        b"0"
    };
    value(out, "repositoryformatversion", version);
    value(out, "filemode", flag(able.executable_bit));
    value(out, "bare", flag(bare));
    if !bare && plan.options.defaults.logging.is_none() {
        value(out, "logallrefupdates", flag(true));
    }
    if !able.symlink {
        value(out, "symlinks", flag(false));
    }
    if able.ignore_case {
        value(out, "ignorecase", flag(true));
    }
    if able.precompose_unicode {
        value(out, "precomposeunicode", flag(true));
    }
}

fn section(out: &mut Vec<u8>, name: &str, subsection: &BStr) {
    let quoted = subsection.replace(b"\\", b"\\\\").replace(b"\"", b"\\\"");
    out.extend_from_slice(format!("[{name} \"").as_bytes());
    out.extend_from_slice(&quoted);
    out.extend_from_slice(b"\"]\n");
}

fn value(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let edges = value.starts_with(b" ") || value.ends_with(b" ");
    let quote: &[u8] = if edges || value.find_byteset(b";#\r").is_some() {
        b"\""
    } else {
        b""
    };
    let mut escaped = BString::default();
    for byte in value {
        match byte {
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\t' => escaped.extend_from_slice(b"\\t"),
            b'"' | b'\\' => escaped.extend_from_slice(&[b'\\', *byte]),
            _ => escaped.push(*byte),
        }
    }
    out.extend_from_slice(format!("\t{key} = ").as_bytes());
    for part in [quote, &escaped, quote, b"\n"] {
        out.extend_from_slice(part);
    }
}
