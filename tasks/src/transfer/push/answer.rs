//! What the server says of what was sent.

use gix::bstr::BString;

use crate::transfer::connection::Report;

/// What became of a ref.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    Refused(String),
    None,
}

/// What the server says of a ref.
pub(super) fn answer(report: &Report, name: &BString) -> Answer {
    match report.refs.iter().find(|it| it.name == *name) {
        Some(it) => match &it.refused {
            None => Answer::Taken,
            Some(why) => Answer::Refused(why.clone()),
        },
        None => Answer::None,
    }
}

/// Whether a server complains of a pack's length.
pub(super) fn says_too_long(said: &[String]) -> bool {
    const WORDS: [&str; 5] = [
        "maximum allowed size",
        "pack exceeds",
        "exceeds maximum",
        "too large",
        "status 413",
    ];
    said.iter().any(|line| {
        let line = line.to_lowercase();
        WORDS.iter().any(|words| line.contains(words))
    })
}
