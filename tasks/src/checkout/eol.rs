//! Which line ends a file gets: the attributes `text`, `crlf` and `eol`, and `core.autocrlf` and
//! `core.eol` where they say nothing.

use gix::attrs::StateRef;
use gix::filter::plumbing::eol::{AttributesDigest as Digest, AutoCrlf, Configuration, Mode};

/// Sums up the attributes as [`gix::filter::plumbing::eol::convert_to_worktree`] takes them.
pub(super) fn digest(
    text: StateRef<'_>,
    crlf: StateRef<'_>,
    eol: StateRef<'_>,
    config: Configuration,
) -> Digest {
    let eol = eol.as_bstr().and_then(|value| match &**value {
        b"lf" => Some(Mode::Lf),
        b"crlf" => Some(Mode::CrLf),
        _ => None,
    });
    // `crlf` is what `text` was called before.
    let digest = kind(text).or_else(|| kind(crlf));
    match (digest, eol) {
        (Some(Digest::Binary), _) => Digest::Binary,
        (Some(Digest::TextAuto), Some(Mode::Lf)) => Digest::TextAutoInput,
        (Some(Digest::TextAuto), Some(Mode::CrLf)) => Digest::TextAutoCrlf,
        (_, Some(Mode::Lf)) => Digest::TextInput,
        (_, Some(Mode::CrLf)) => Digest::TextCrlf,
        (Some(Digest::Text), None) => match config.to_eol() {
            Mode::CrLf => Digest::TextCrlf,
            Mode::Lf => Digest::TextInput,
        },
        (Some(digest), None) => digest,
        (None, None) => match config.auto_crlf {
            AutoCrlf::Disabled => Digest::Binary,
            AutoCrlf::Enabled => Digest::TextAutoCrlf,
            AutoCrlf::Input => Digest::TextAutoInput,
        },
    }
}

fn kind(state: StateRef<'_>) -> Option<Digest> {
    match state {
        StateRef::Set => Some(Digest::Text),
        StateRef::Unset => Some(Digest::Binary),
        StateRef::Unspecified => None,
        StateRef::Value(value) => match &**value.as_bstr() {
            b"auto" => Some(Digest::TextAuto),
            b"input" => Some(Digest::TextInput),
            _ => None,
        },
    }
}
