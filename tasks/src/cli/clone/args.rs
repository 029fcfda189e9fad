//! What can be asked of `mug clone`.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice as _};
use mug::transfer::refs::{CloneDefaults, CloneOptions};

use crate::cli::error::Error;
use crate::cli::path::word;

/// Arguments of `mug clone`.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of git clone")]
pub(in crate::cli) struct CloneArgs {
    /// The repository: a URL, user@host:path, a path, or a pack directory
    #[arg(required_unless_present = "resume")]
    pub(super) url: Option<OsString>,
    /// The repository to make; named after the URL by default. The directory may exist if it is
    /// empty
    pub(super) dir: Option<PathBuf>,
    /// Check out this branch or tag, instead of what the remote's HEAD points to
    #[arg(short, long, value_name = "NAME")]
    pub(super) branch: Option<OsString>,
    /// Clone the history of one branch only
    #[arg(long, overrides_with = "no_single_branch")]
    pub(super) single_branch: bool,
    /// Clone all branches, even with `--depth`
    #[arg(long)]
    pub(super) no_single_branch: bool,
    /// Make a bare repository
    #[arg(long)]
    pub(super) bare: bool,
    /// Make a bare repository with all refs as the remote has them
    #[arg(long)]
    pub(super) mirror: bool,
    /// Cut history off after so many commits; implies `--single-branch`
    #[arg(long, value_name = "N")]
    pub(super) depth: Option<NonZero<u32>>,
    /// Leave objects out until they are needed; `blob:none` is what there is
    #[arg(long, value_name = "SPEC")]
    pub(super) filter: Option<String>,
    /// Clone no tags
    #[arg(long)]
    pub(super) no_tags: bool,
    /// Write no working tree
    #[arg(short, long)]
    pub(super) no_checkout: bool,
    /// The remote's name; `origin` by default
    #[arg(short, long, value_name = "NAME")]
    pub(super) origin: Option<String>,
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
    pub(super) tries: NonZeroTries,
    /// Continue an operation that was paused, interrupted or failed; the URL need not be repeated
    #[arg(long, value_name = "OP-ID")]
    pub(super) resume: Option<String>,

    #[arg(long, alias = "recursive", hide = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = ".")]
    recurse_submodules: Option<OsString>,
    #[arg(long, hide = true, value_name = "DATE")]
    shallow_since: Option<OsString>,
    #[arg(long, hide = true, value_name = "REVISION")]
    shallow_exclude: Option<OsString>,
    #[arg(long, hide = true, value_name = "N")]
    deepen: Option<OsString>,
}

/// A number of tries, ten by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NonZeroTries(pub(super) NonZero<u32>);

impl Default for NonZeroTries {
    fn default() -> Self {
        Self(const { NonZero::new(10).unwrap() })
    }
}

impl std::str::FromStr for NonZeroTries {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl CloneArgs {
    /// Refuses what git can and this can't.
    pub(super) fn check(&self) -> Result<(), Error> {
        let given = |given: bool, option, instead| {
            if given {
                let error = Error::usage(format!("`{option}` is not supported yet"));
                Err(error.hint(instead))
            } else {
                Ok(())
            }
        };
        given(
            self.recurse_submodules.is_some(),
            "--recurse-submodules",
            "clone without it, then `git submodule update --init --recursive`",
        )?;
        given(
            self.shallow_since.is_some(),
            "--shallow-since",
            "`--depth <N>` cuts history off after so many commits",
        )?;
        given(
            self.shallow_exclude.is_some(),
            "--shallow-exclude",
            "`--depth <N>` cuts history off after so many commits",
        )?;
        given(
            self.deepen.is_some(),
            "--deepen",
            "clone with `--depth <N>`, then `git fetch --deepen=<N>`",
        )?;
        if let Some(filter) = &self.filter
            && filter != "blob:none"
        {
            let error = Error::usage(format!(
                "the filter `{}` is not supported",
                filter.escape_debug()
            ));
            return Err(error.hint("`blob:none` is what there is"));
        }
        if let Some(origin) = &self.origin {
            let name = BString::from(format!("refs/remotes/{origin}/x"));
            if gix::validate::reference::name(name.as_bstr()).is_err() {
                return Err(Error::usage(format!(
                    "`{}` is no name for a remote",
                    origin.escape_debug()
                )));
            }
        }
        Ok(())
    }

    /// Whether anything is asked for that a pack directory can't give.
    pub(super) fn asks_more_than_bare(&self) -> bool {
        let flags = [
            self.single_branch,
            self.no_single_branch,
            self.mirror,
            self.no_tags,
            self.no_checkout,
            self.staged,
        ];
        flags.contains(&true)
            || self.branch.is_some()
            || self.depth.is_some()
            || self.filter.is_some()
            || self.origin.is_some()
    }

    /// What is asked for, of the repository at `url`.
    pub(super) fn options(&self, url: String, defaults: CloneDefaults) -> CloneOptions {
        let mut options = CloneOptions::new(url, defaults);
        if let Some(origin) = &self.origin {
            options.origin.clone_from(origin);
        }
        options.branch = self.branch.as_ref().map(|name| bytes(name));
        options.single_branch = match (self.single_branch, self.no_single_branch) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        options.bare = self.bare;
        options.mirror = self.mirror;
        options.no_tags = self.no_tags;
        options.no_checkout = self.no_checkout;
        options.depth = self.depth.map(NonZero::get);
        options.filter.clone_from(&self.filter);
        options
    }

    /// The words that continue it, with the URL as it may be stored.
    pub(super) fn command(&self, url: &str, dir: &std::path::Path) -> Option<Vec<String>> {
        let mut words = ["mug", "clone"].map(str::to_owned).to_vec();
        for (given, flag) in [
            (self.single_branch, "--single-branch"),
            (
                self.no_single_branch && !self.single_branch,
                "--no-single-branch",
            ),
            (self.bare, "--bare"),
            (self.mirror, "--mirror"),
            (self.no_tags, "--no-tags"),
            (self.no_checkout, "--no-checkout"),
            (self.staged, "--staged"),
        ] {
            if given {
                words.push(flag.to_owned());
            }
        }
        if let Some(branch) = &self.branch {
            words.push(format!("--branch={}", branch.to_str()?));
        }
        if let Some(depth) = self.depth {
            words.push(format!("--depth={depth}"));
        }
        if let Some(filter) = &self.filter {
            words.push(format!("--filter={filter}"));
        }
        if let Some(origin) = &self.origin {
            words.push(format!("--origin={origin}"));
        }
        if let Some(threads) = self.threads {
            words.push(format!("--threads={threads}"));
        }
        if self.tries != NonZeroTries::default() {
            words.push(format!("--tries={}", self.tries.0));
        }
        words.push(word(std::path::Path::new(url))?);
        words.push(word(dir)?);
        Some(words)
    }
}

/// The bytes of a word.
pub(super) fn bytes(word: &std::ffi::OsStr) -> BString {
    use std::os::unix::ffi::OsStrExt as _;
    word.as_bytes().into()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Args;
    use crate::cli::args::Command;

    fn parse(line: &str) -> CloneArgs {
        let words = line.split_whitespace();
        match Args::try_parse_from(words).unwrap().command {
            Command::Clone(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_stored_command_parses_again_as_what_it_was() {
        for line in [
            "mug clone https://host/x dir",
            "mug clone -b topic --single-branch --bare -o up --depth 3 --filter=blob:none u d",
            "mug clone --mirror --no-tags -n --staged --no-single-branch --threads 2 --tries 3 u d",
        ] {
            let args = parse(line);
            let url = args.url.clone().unwrap();
            let dir = args.dir.clone().unwrap();
            let words = args.command(url.to_str().unwrap(), &dir).unwrap();
            let again = parse(&words.join(" "));
            assert_eq!(format!("{again:?}"), format!("{args:?}"), "{words:?}");
        }
    }

    #[test]
    fn what_comes_later_is_refused_with_what_to_do_instead() {
        for (line, word) in [
            ("mug clone --recurse-submodules u", "submodule update"),
            ("mug clone --recurse-submodules=x u", "submodule update"),
            ("mug clone --recursive u", "submodule update"),
            ("mug clone --shallow-since=2020 u", "--depth"),
            ("mug clone --shallow-exclude=v1 u", "--depth"),
            ("mug clone --deepen=3 u", "--deepen"),
            ("mug clone --filter=tree:0 u", "blob:none"),
        ] {
            let error = parse(line).check().unwrap_err();
            assert!(error.hints()[0].contains(word), "{line}: {error:?}");
        }
        parse("mug clone --filter=blob:none u").check().unwrap();
        assert!(parse("mug clone -o a..b u").check().is_err());
    }
}
