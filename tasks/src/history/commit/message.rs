//! What commits say.

use gix::bstr::ByteSlice;

/// What is taken off a message (`commit.cleanup`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing.
    Verbatim,
    /// Space at the ends of lines, empty lines at the beginning and the end, and those that follow
    /// another one.
    Whitespace,
    /// Lines that are comments, too.
    Strip,
}

impl Cleanup {
    /// What the configuration asks for. `edited`: whether somebody had the message in an editor, so
    /// that there may be comments.
    pub fn of(repository: &gix::Repository, edited: bool) -> Self {
        let usual = if edited {
            Self::Strip
        } else {
            Self::Whitespace
        };
        Self::configured(repository, edited).unwrap_or(usual)
    }

    /// What the configuration asks for of commits that are made from others, whose messages stay as they
    /// are where it says nothing.
    pub fn of_copies(repository: &gix::Repository) -> Self {
        Self::configured(repository, false).unwrap_or(Self::Verbatim)
    }

    fn configured(repository: &gix::Repository, edited: bool) -> Option<Self> {
        let config = repository.config_snapshot();
        let set = config.string("commit.cleanup")?;
        match set.as_slice() {
            b"verbatim" => Some(Self::Verbatim),
            b"whitespace" => Some(Self::Whitespace),
            b"strip" => Some(Self::Strip),
            b"scissors" if !edited => Some(Self::Whitespace),
            _ => None,
        }
    }
}

/// The byte that comments begin with (`core.commentChar`).
pub fn comment_mark(repository: &gix::Repository) -> Vec<u8> {
    let config = repository.config_snapshot();
    let set = config
        .string("core.commentString")
        .or_else(|| config.string("core.commentChar"));
    match set {
        Some(mark) if !mark.is_empty() && mark != "auto" => mark.to_vec(),
        _ => b"#".to_vec(),
    }
}

/// The message without what is taken off.
pub fn clean(message: &[u8], cleanup: Cleanup, comment: &[u8]) -> Vec<u8> {
    if cleanup == Cleanup::Verbatim {
        return message.to_vec();
    }
    let mut out = Vec::with_capacity(message.len());
    let mut empty = false;
    for line in message.lines() {
        if cleanup == Cleanup::Strip && line.starts_with(comment) {
            continue;
        }
        let line = line.trim_end();
        if line.is_empty() {
            empty = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut empty) {
            out.push(b'\n');
        }
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// The first paragraph as one line.
pub fn subject(message: &[u8]) -> Vec<u8> {
    let lines = message.lines().map(ByteSlice::trim_end);
    let lines = lines.skip_while(|line| line.is_empty());
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    lines.join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cleaned_as_by_git() {
        let message = b"\n\n  a  \t\n\n\n# c\nb\n#d\n\n";
        let clean = |cleanup| String::from_utf8(clean(message, cleanup, b"#")).unwrap();
        assert_eq!(clean(Cleanup::Whitespace), "  a\n\n# c\nb\n#d\n");
        assert_eq!(clean(Cleanup::Strip), "  a\n\nb\n");
        assert_eq!(clean(Cleanup::Verbatim).as_bytes(), message);
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(subject(b"\na \nb\n\nc\n"), b"a b");
        assert_eq!(subject(b""), b"");
    }
}
