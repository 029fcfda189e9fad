//! A request for objects, as the server reads it.

use std::io::Read as _;

use super::Kind;
use super::packets::lines;

/// What a client asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The objects.
    pub wants: Vec<String>,
    /// How many it says it has.
    pub haves: usize,
    /// What is to be left out.
    pub filter: Option<String>,
    /// How deep.
    pub deepen: Option<String>,
    /// Whether it was asked in the words of protocol version 2.
    pub v2: bool,
}

/// What the body of a POST is for, and what it asks.
pub(super) fn read(body: &[u8], gzip: bool) -> (Kind, Question) {
    let mut text = Vec::new();
    if gzip {
        // What is not gzip is for git to refuse.
        let _ = flate2::read::GzDecoder::new(body).read_to_end(&mut text);
    } else {
        text.extend_from_slice(body);
    }
    let mut question = Question::default();
    let mut kind = None;
    for line in lines(&text) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if let Some(command) = line.strip_prefix("command=") {
            question.v2 = true;
            kind = Some(match command {
                "ls-refs" => Kind::Refs,
                "fetch" => Kind::Fetch,
                _ => Kind::Other,
            });
        } else if let Some(want) = line.strip_prefix("want ") {
            // Without the abilities that follow the first one in the old protocols.
            let id = want.split(' ').next().unwrap_or_default();
            question.wants.push(id.to_owned());
        } else if line.starts_with("have ") {
            question.haves += 1;
        } else if let Some(filter) = line.strip_prefix("filter ") {
            question.filter = Some(filter.to_owned());
        } else if line.starts_with("deepen") {
            question.deepen = Some(line.to_owned());
        }
    }
    (kind.unwrap_or(Kind::Fetch), question)
}
