//! What a server has to say to people.

use std::sync::Arc;

/// More of one line is not shown.
const MOST: usize = 1_000;

/// A line of what the server says, without control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The text.
    pub text: &'a str,
    /// It is of the moment, and the next one takes its place: a count that goes up.
    pub passing: bool,
}

/// Where the server's messages go; it is called from whichever thread reads.
pub type Sink = Arc<dyn Fn(Message<'_>) + Send + Sync>;

/// Makes lines out of the pieces that come.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes the next piece, and gives `sink` each line that it ends.
    pub(super) fn take(&mut self, bytes: &[u8], sink: &Sink) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(false, sink),
                b'\r' => self.end(true, sink),
                _ if self.line.len() < MOST => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// Gives what is left.
    pub(super) fn finish(&mut self, sink: &Sink) {
        self.end(false, sink);
    }

    fn end(&mut self, passing: bool, sink: &Sink) {
        let text = cleaned(&self.line);
        self.line.clear();
        if !text.is_empty() {
            let text = text.as_str();
            sink(Message { text, passing });
        }
    }
}

/// What a server says, fit for a terminal and an error: one line without control characters and
/// escape sequences, of bounded length.
pub(super) fn cleaned(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            // A sequence such as `ESC [ 31 m`: all of it goes.
            '\u{1b}' => {
                if chars.clone().next() == Some('[') {
                    chars.next();
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
            }
            '\t' | '\n' | '\r' => out.push(' '),
            // Marks that turn the direction of text, which hide what is written.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.trim_end().to_owned()
}
