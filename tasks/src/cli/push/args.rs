//! The arguments of `mug push`.

/// Push refs, and what they need, to another repository
///
/// What the server lacks is sent in increments that it keeps, so that a line that breaks costs no
/// more than one of them; what is small is one push, as git's. The refs move at the end, together
/// with the last increment.
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "options are given or not")]
#[command(arg_required_else_help = false)]
pub(in crate::cli) struct PushArgs {
    /// The remote, or a URL; if not given, the one that the branch is configured for
    pub(super) remote: Option<String>,

    /// What to push: `<src>:<dst>`, as `git push` takes it
    #[arg(value_name = "REFSPEC")]
    pub(super) refspecs: Vec<String>,

    /// Whatever the server's refs lose
    #[arg(short, long)]
    pub(super) force: bool,

    /// Whatever they lose, if they are what you think they are
    ///
    /// `<ref>:<expect>` says it of one ref, `<ref>` means its remote-tracking ref, and the option
    /// alone means those of all refs.
    #[arg(
        long,
        value_name = "REF[:EXPECT]",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub(super) force_with_lease: Vec<String>,

    /// Push all tags, too
    #[arg(long)]
    pub(super) tags: bool,

    /// Push the annotated tags of what is pushed, too
    #[arg(long)]
    pub(super) follow_tags: bool,

    /// Delete the refs that are named
    #[arg(short, long, conflicts_with = "tags", requires = "refspecs")]
    pub(super) delete: bool,

    /// Change all refs or none
    #[arg(long)]
    pub(super) atomic: bool,

    /// Only say what would be pushed
    #[arg(short = 'n', long, conflicts_with = "resume")]
    pub(super) dry_run: bool,

    /// Tell this to the server's hooks
    #[arg(short = 'o', long = "push-option", value_name = "OPTION")]
    pub(super) push_options: Vec<String>,

    /// Let the branches that are pushed follow the server's
    #[arg(short = 'u', long)]
    pub(super) set_upstream: bool,

    /// Do not ask the hook `pre-push`
    #[arg(long)]
    pub(super) no_verify: bool,

    /// Send no pack of more bytes; k, m and g are understood
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(super) max_increment: Option<u64>,

    /// Continue this operation
    #[arg(long, value_name = "OP-ID")]
    pub(super) resume: Option<String>,

    /// Delete temporary refs from the server whose operations are gone from this repository
    ///
    /// `all` means those of other repositories as well, some of which may be pushing just now.
    #[arg(
        long,
        value_name = "WHOSE",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "ours",
        requires = "remote",
        conflicts_with_all = ["refspecs", "resume", "dry_run"]
    )]
    pub(super) clean: Option<Whose>,
}

/// Whose temporary refs are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Whose {
    /// Those of this repository.
    Ours,
    /// Whoever's they are.
    All,
}

/// A number of bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let number = number.and_then(|it| it.checked_mul(factor));
    number
        .filter(|it| *it > 0)
        .ok_or_else(|| "give a number of bytes above zero, such as 100m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_their_unit() {
        assert_eq!(bytes("5"), Ok(5));
        assert_eq!(bytes("2k"), Ok(2048));
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for bad in ["", "0", "k", "-1", "1t", "99999999999g"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
