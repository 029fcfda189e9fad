//! What can be asked of `mug fetch`.

use std::ffi::OsString;
use std::num::NonZero;

use gix::bstr::BString;
use mug::transfer::refs::fetch::{FetchOptions, Tags};

use crate::cli::error::Error;

/// Arguments of `mug fetch`.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of git fetch")]
pub(in crate::cli) struct FetchArgs {
    /// The remote: its name, a URL or a path; what the current branch tracks by default
    pub(super) remote: Option<String>,
    /// What to fetch, and where to: `main`, `+main:refs/x/main`, `tag v1`, `^refs/heads/wip/*`, an
    /// object's id; what is configured by default
    pub(super) refspecs: Vec<String>,
    /// Fetch all tags
    #[arg(short, long, overrides_with = "no_tags")]
    pub(super) tags: bool,
    /// Fetch no tags but those that are named
    #[arg(short, long, overrides_with = "tags")]
    pub(super) no_tags: bool,
    /// Remove refs that the remote no longer has
    #[arg(short, long, overrides_with = "no_prune")]
    pub(super) prune: bool,
    /// Remove none, whatever is configured
    #[arg(long, overrides_with = "prune")]
    pub(super) no_prune: bool,
    /// With `--prune`: remove tags that the remote no longer has, and move those that it has moved
    #[arg(short = 'P', long)]
    pub(super) prune_tags: bool,
    /// Move refs where that is no fast-forward, and tags
    #[arg(short, long)]
    pub(super) force: bool,
    /// Make history end after so many commits
    #[arg(long, value_name = "N")]
    pub(super) depth: Option<NonZero<u32>>,
    /// Fetch from all remotes
    #[arg(long)]
    pub(super) all: bool,
    /// Take all arguments for remotes, or groups of them
    #[arg(short, long, conflicts_with = "all")]
    pub(super) multiple: bool,
    /// Write nothing, and say what would be
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Move no ref if one can't be
    #[arg(long)]
    pub(super) atomic: bool,
    /// Add to `FETCH_HEAD`, instead of writing it anew
    #[arg(short, long)]
    pub(super) append: bool,
    /// Move the branch, too, that is checked out
    #[arg(short, long)]
    pub(super) update_head_ok: bool,
    /// Ask for history first and for files in batches: loses least on a line that breaks often, and
    /// costs the server more
    #[arg(long)]
    pub(super) staged: bool,
    /// How many threads to use; all processors by default
    #[arg(long, value_name = "N", env = "MUG_THREADS", hide_env_values = true)]
    pub(super) threads: Option<NonZero<usize>>,
    /// After how many tries in a row that gained nothing the run ends, to be continued later
    #[arg(
        long,
        value_name = "N",
        env = "MUG_TRIES",
        default_value = "10",
        hide_env_values = true
    )]
    pub(super) tries: NonZero<u32>,
    /// Continue an operation that was paused, interrupted or failed; the rest need not be repeated
    #[arg(long, value_name = "OP-ID")]
    pub(super) resume: Option<String>,

    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "yes")]
    pub(super) recurse_submodules: Option<OsString>,
    #[arg(long, hide = true, value_name = "DATE")]
    pub(super) shallow_since: Option<OsString>,
    #[arg(long, hide = true, value_name = "REVISION")]
    pub(super) shallow_exclude: Option<OsString>,
    #[arg(long, hide = true, value_name = "N")]
    pub(super) deepen: Option<OsString>,
    #[arg(long, hide = true)]
    pub(super) unshallow: bool,
    #[arg(long, hide = true)]
    pub(super) refetch: bool,
    #[arg(long, hide = true, value_name = "SPEC")]
    pub(super) filter: Option<OsString>,
}

impl FetchArgs {
    /// Refuses what git can and this can't.
    pub(super) fn check(&self) -> Result<(), Error> {
        let depth = "`--depth <N>` makes history end after so many commits";
        for (given, option, instead) in [
            (
                self.recurse_submodules.is_some(),
                "--recurse-submodules",
                "fetch without it, then `git submodule update --init --recursive`",
            ),
            (self.shallow_since.is_some(), "--shallow-since", depth),
            (self.shallow_exclude.is_some(), "--shallow-exclude", depth),
            (self.deepen.is_some(), "--deepen", depth),
            (
                self.unshallow,
                "--unshallow",
                "`git fetch --unshallow` does it",
            ),
            (self.refetch, "--refetch", "`git fetch --refetch` does it"),
            (
                self.filter.is_some(),
                "--filter",
                "a clone with `--filter` keeps its filter: fetch without it",
            ),
        ] {
            if given {
                let error = Error::usage(format!("`{option}` is not supported yet"));
                return Err(error.hint(instead));
            }
        }
        if self.all && (self.remote.is_some() || !self.refspecs.is_empty()) {
            return Err(Error::usage("`--all` takes no remote and no refspecs"));
        }
        Ok(())
    }

    /// What is asked for.
    pub(super) fn options(&self) -> FetchOptions {
        let either = |yes: bool, no: bool| (yes || no).then_some(yes);
        FetchOptions {
            remote: self.remote.clone(),
            refspecs: self
                .refspecs
                .iter()
                .map(|it| BString::from(it.as_str()))
                .collect(),
            tags: match (self.tags, self.no_tags) {
                (true, _) => Some(Tags::All),
                (_, true) => Some(Tags::None),
                _ => None,
            },
            prune: either(self.prune, self.no_prune),
            prune_tags: self.prune_tags.then_some(true),
            force: self.force,
            update_head_ok: self.update_head_ok,
            append: self.append,
            dry_run: self.dry_run,
            atomic: self.atomic,
            depth: self.depth.map(NonZero::get),
        }
    }

    /// The words that continue it, with the remote as it may be stored.
    pub(super) fn command(&self, remote: Option<&str>) -> Vec<String> {
        let mut words = ["mug", "fetch"].map(str::to_owned).to_vec();
        for (given, flag) in [
            (self.tags, "--tags"),
            (self.no_tags, "--no-tags"),
            (self.prune, "--prune"),
            (self.no_prune, "--no-prune"),
            (self.prune_tags, "--prune-tags"),
            (self.force, "--force"),
            (self.dry_run, "--dry-run"),
            (self.atomic, "--atomic"),
            (self.append, "--append"),
            (self.update_head_ok, "--update-head-ok"),
            (self.staged, "--staged"),
        ] {
            if given {
                words.push(flag.to_owned());
            }
        }
        if let Some(depth) = self.depth {
            words.push(format!("--depth={depth}"));
        }
        if let Some(threads) = self.threads {
            words.push(format!("--threads={threads}"));
        }
        if self.tries.get() != 10 {
            words.push(format!("--tries={}", self.tries));
        }
        words.extend(remote.map(str::to_owned));
        words.extend(self.refspecs.iter().cloned());
        words
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Args;
    use crate::cli::args::Command;

    fn parse(line: &str) -> FetchArgs {
        match Args::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::Fetch(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_stored_command_parses_again_as_what_it_was() {
        for line in [
            "mug fetch",
            "mug fetch -t -p -P -f -a -u --dry-run --atomic --depth 3 origin main +a:b ^refs/x tag v1",
            "mug fetch -n --no-prune --staged --threads 2 --tries 3 https://host/x",
        ] {
            let args = parse(line);
            let words = args.command(args.remote.as_deref());
            let again = parse(&words.join(" "));
            assert_eq!(format!("{again:?}"), format!("{args:?}"), "{words:?}");
        }
    }

    #[test]
    fn what_comes_later_is_refused_with_what_to_do_instead() {
        for (line, word) in [
            ("mug fetch --recurse-submodules", "submodule update"),
            ("mug fetch --recurse-submodules=yes", "submodule update"),
            ("mug fetch --shallow-since=2020", "--depth"),
            ("mug fetch --deepen=3", "--depth"),
            ("mug fetch --unshallow", "git fetch --unshallow"),
        ] {
            let error = parse(line).check().unwrap_err();
            assert!(error.hints()[0].contains(word), "{line}: {error:?}");
        }
        assert!(parse("mug fetch --all origin").check().is_err());
        parse("mug fetch --all").check().unwrap();
    }
}
