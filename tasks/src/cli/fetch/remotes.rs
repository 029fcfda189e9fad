//! Of which remotes is fetched.

use gix::bstr::BStr;
use mug::transfer::refs::fetch::{all_remotes, group, is_configured};

use super::FetchArgs;
use crate::cli::error::Error;

/// What is fetched from.
pub(super) enum From {
    /// One remote, as the arguments have it.
    One,
    /// Several, one after the other.
    Several(Vec<String>),
}

/// The remotes that the arguments mean.
pub(super) fn of(args: &FetchArgs, repo: &gix::Repository) -> Result<From, Error> {
    if args.resume.is_some() {
        return Ok(From::One);
    }
    let all = repo.config_snapshot().boolean("fetch.all").unwrap_or(false);
    if args.all || (all && args.remote.is_none()) {
        return Ok(From::Several(all_remotes(repo)));
    }
    let Some(first) = &args.remote else {
        return Ok(From::One);
    };
    if !args.multiple {
        let members = group(repo, first);
        if members.len() > 1 && !args.refspecs.is_empty() {
            return Err(Error::usage(format!(
                "`{first}` is a group of remotes, and takes no refspecs"
            )));
        }
        return Ok(if members.is_empty() {
            From::One
        } else {
            From::Several(members)
        });
    }
    let mut names: Vec<String> = Vec::new();
    for given in std::iter::once(first).chain(&args.refspecs) {
        let mut members = group(repo, given);
        if members.is_empty() {
            if !is_configured(repo, BStr::new(given.as_bytes())) {
                return Err(
                    Error::failed(format!("there is no remote and no group `{given}`"))
                        .hint("`git remote` lists the remotes"),
                );
            }
            members.push(given.clone());
        }
        for member in members {
            if !names.contains(&member) {
                names.push(member);
            }
        }
    }
    Ok(From::Several(names))
}

/// What the logs of refs say where git fetches from one of several remotes.
pub(super) fn action(args: &FetchArgs, remote: &str) -> String {
    let mut action = "fetch --append --no-auto-gc --no-write-commit-graph".to_owned();
    for (given, flag) in [
        (args.dry_run, "--dry-run"),
        (args.prune, "--prune"),
        (args.no_prune, "--no-prune"),
        (args.prune_tags, "--prune-tags"),
        (args.update_head_ok, "--update-head-ok"),
        (args.force, "--force"),
        (args.tags, "--tags"),
        (args.no_tags, "--no-tags"),
    ] {
        if given {
            action.push(' ');
            action.push_str(flag);
        }
    }
    format!("{action} {remote}")
}
