//! Words: data without control characters, commands that a shell takes back.

use std::fmt::Write as _;

/// `text` with everything made visible that would move the cursor, change
/// colours or reverse the direction of writing.
pub(in crate::cli) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_direction(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// As [`plain`], with lines kept, each after the first behind an indent.
pub(in crate::cli) fn lines(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain).collect();
    lines.join(&format!("\n{indent}"))
}

/// Marks that change the direction of what follows.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The words as a line that a shell takes as just these words.
pub(in crate::cli) fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    words.join(" ")
}

fn quote(word: &str) -> String {
    // `$'…'` is understood by bash, zsh, ksh and, since 2024, POSIX.
    if word.chars().any(|c| c.is_control() || is_direction(c)) {
        let mut quoted = "$'".to_owned();
        for c in word.chars() {
            match c {
                '\'' | '\\' => quoted.extend(['\\', c]),
                c if c.is_control() || is_direction(c) => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        // Writing to a string cannot fail.
                        let _ = write!(quoted, "\\{byte:03o}");
                    }
                }
                c => quoted.push(c),
            }
        }
        return quoted + "'";
    }
    let quoted = shlex::Quoter::new().allow_nul(true).quote(word);
    quoted.map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// The beginning of an id, long enough for people.
pub(in crate::cli) fn short(id: &str) -> String {
    plain(id.get(..11).unwrap_or(id))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(plain("a\x1b[2Jb\n\u{202e}ü"), "a\\u{1b}[2Jb\\n\\u{202e}ü");
        assert_eq!(lines("a\nb\x07", "  "), "a\n  b\\u{7}");
    }

    #[test]
    fn a_shell_takes_quoted_words_back() {
        let words = [
            "plain",
            "",
            "two words",
            "it's",
            "$HOME",
            "a\\b",
            "*",
            "~",
            "-x",
            "ü",
            "a\nb",
            "\x1b[m'\\",
            "!x",
            "a=b",
            "#",
        ];
        for word in words {
            let line = format!("printf %s {}", command(&[word.to_owned()]));
            assert!(!line.chars().any(char::is_control), "{line:?}");
            let output = Command::new("bash").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{line}");
        }
    }

    #[test]
    fn short_ids() {
        assert_eq!(short("op-01234567-89ab"), "op-01234567");
        assert_eq!(short("op-é"), "op-é");
    }
}
