//! What git would do is what is planned.

use std::{collections::BTreeSet, process::Command};

use gix::bstr::BStr;
use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use crate::{
    pack::testing::GitRepo,
    transfer::{
        RemoteRef,
        push::{here::Here, store::Store},
        refs::push::{
            Asked, Lease, Local, PushError, Spec, Status, Update,
            decide::{Rules, decide},
            defaults, lease, pairs, track,
        },
    },
};

/// A repository and its remote `origin`, which differ in all ways.
fn fixture() -> GitRepo {
    let repo = GitRepo::new();
    let remote = repo.beside("remote.git");
    let remote = remote.to_str().unwrap();
    repo.git(&["init", "-q", "--bare", "-b", "main", remote]);
    repo.git(&["remote", "add", "origin", remote]);
    repo.git(&["remote", "add", "other", remote]);
    for i in 0..3 {
        repo.write("a", format!("{i}"));
        repo.commit(&format!("{i}"));
    }
    for branch in ["same", "behind", "apart", "unseen", "gone"] {
        repo.git(&["branch", branch]);
    }
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "-am", "x", "moved"]);
    repo.git(&["push", "-q", "origin", "--all"]);
    repo.git(&["push", "-q", "origin", "--tags"]);
    repo.git(&["tag", "-fam", "y", "moved"]);
    repo.git(&["branch", "-f", "behind", "HEAD~1"]);
    repo.git(&["checkout", "-q", "apart"]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.write("b", "b");
    repo.commit("apart");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-qD", "gone"]);
    repo.write("a", "new");
    repo.commit("new");
    repo.git(&["branch", "new"]);
    repo.git(&["tag", "new-tag"]);
    repo.git(&["tag", "same"]);
    repo.git(&["branch", "--set-upstream-to=origin/main"]);
    // Somebody else pushes.
    let elsewhere = repo.beside("elsewhere");
    let at = elsewhere.to_str().unwrap();
    repo.git(&["clone", "-q", remote, at]);
    repo.git(&["-C", at, "checkout", "-q", "unseen"]);
    repo.git(&["-C", at, "commit", "-q", "--allow-empty", "-m", "z"]);
    repo.git(&["-C", at, "push", "-q", "origin", "unseen"]);
    repo
}

/// What git says it would do, by the server's refs; none where it does not begin.
fn gits(repo: &GitRepo, arguments: &[&str]) -> Option<BTreeSet<String>> {
    let mut command = Command::new("git");
    command
        .args(["push", "--dry-run", "--porcelain"])
        .args(arguments);
    let out = command.current_dir(repo.path()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let mut lines = BTreeSet::new();
    for line in text.lines() {
        let parts: Vec<_> = line.split('\t').collect();
        if let [flag, refs, summary] = parts[..] {
            let reason = summary.rsplit_once(" (").map_or("", |it| it.1);
            lines.insert(format!("{flag} {refs} {}", reason.trim_end_matches(')')));
        }
    }
    (out.status.success() || !lines.is_empty()).then_some(lines)
}

/// The same of ours.
fn ours(repo: &GitRepo, arguments: &[&str]) -> Result<BTreeSet<String>, PushError> {
    let gix = gix::open_opts(repo.path(), gix::open::Options::isolated()).unwrap();
    let (mut asked, mut rules, mut leases) = (Asked::default(), Rules::default(), Vec::new());
    let mut name = None;
    for word in arguments {
        match *word {
            "--force" => rules.force = true,
            "--atomic" => rules.atomic = true,
            "--delete" => asked.delete = true,
            "--tags" => asked.tags = true,
            "--force-with-lease" => leases.push(Lease::All),
            it if it.starts_with("--force-with-lease=") => {
                leases.push(Lease::parse(it.split_once('=').map(|it| BStr::new(it.1))));
            }
            it if name.is_none() => name = Some(BStr::new(it)),
            it => asked.refspecs.push(it.into()),
        }
    }
    let local = Local::of(&gix)?;
    let remote = defaults::remote(&gix, &local, name)?;
    let (specs, _): (Vec<Spec>, _) = defaults::specs(&gix, &local, &remote, &asked)?;
    let listed = repo.git(&["ls-remote", "origin"]);
    let there: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, name)| !name.ends_with("^{}"))
        .map(|(id, name)| RemoteRef::new(name, ObjectId::from_hex(id.as_bytes()).unwrap()))
        .collect();
    let object = |name: &BStr| gix.rev_parse_single(name).ok().map(gix::Id::detach);
    let tracked = |name: &BStr| {
        let name = track::tracking(&remote.fetch, name)?;
        local.refs.get(&name).copied()
    };
    let pairs = pairs(&specs, &local, &there, &object)?;
    let expected = lease::expected(&leases, pairs.iter().map(|it| &it.to), &tracked, &object)?;
    let store = Store::at(&repo.git_dir().join("objects")).unwrap();
    let shallow = HashSet::default();
    let here = Here {
        store: &store,
        shallow: &shallow,
    };
    let updates = decide(&pairs, &expected, rules, &there, &here);
    Ok(updates.iter().map(line).collect())
}

fn line(update: &Update) -> String {
    let told = update.told();
    let from = match &update.pair.from {
        Some(name) => name.to_string(),
        None if update.status.is_failure() => "(delete)".into(),
        None => String::new(),
    };
    let reason = told.reason.unwrap_or_default();
    format!("{} {from}:{} {reason}", told.flag, update.pair.to)
}

#[test]
fn every_command_line_is_planned_as_git_plans_it() {
    let repo = fixture();
    let configurations: &[(&[&str], &[&[&str]])] = &[
        (
            &[],
            &[
                &[],
                &["origin"],
                &["other"],
                &["origin", "main"],
                &["origin", "HEAD"],
                &["origin", "@:fresh"],
                &["origin", "HEAD:refs/heads/x/y"],
                &["origin", "main~1:refs/heads/older"],
                &["origin", "main~1:older"],
                &[
                    "origin",
                    "main",
                    "behind",
                    "apart",
                    "unseen",
                    "new",
                    "heads/same",
                ],
                &["origin", "same"],
                &["origin", "+apart", "unseen"],
                &["origin", "--force", "apart", "unseen", "moved"],
                &["origin", "--atomic", "apart", "new"],
                &["origin", "--tags"],
                &["origin", "--tags", "main"],
                &["origin", "tag", "new-tag"],
                &["origin", "moved", "light", "new-tag"],
                &["origin", "+moved"],
                &["origin", ":"],
                &["origin", "+:"],
                &["origin", ":gone"],
                &["origin", ":nothing"],
                &["origin", ":refs/heads/nothing"],
                &["origin", "--delete", "gone", "light"],
                &["origin", "--delete", ":gone"],
                &["origin", "nothing"],
                &["origin", "main:gone", "new:gone"],
                &["origin", "main:gone", "main:gone"],
                &["origin", "refs/heads/*:refs/heads/*"],
                &["origin", "refs/heads/*:refs/copies/*"],
                &["origin", "+refs/heads/*", "^refs/heads/apart"],
                &[
                    "origin",
                    "refs/heads/*:refs/heads/*",
                    "main:refs/heads/apart",
                ],
                &["origin", "--force-with-lease", "apart", "unseen", "new"],
                &["origin", "--force-with-lease=apart", "apart", "unseen"],
                &["origin", "--force-with-lease=apart:main~3", "apart"],
                &["origin", "--force-with-lease=apart:main~1", "apart"],
                &[
                    "origin",
                    "--force-with-lease=apart:same",
                    "--force",
                    "apart",
                ],
                &["origin", "--force-with-lease=new:", "new", "main"],
                &["origin", "--force-with-lease=apart:nonsense", "apart"],
                &["origin", "light:refs/heads/light"],
                &["origin", "main:HEAD"],
                &["origin", "main^{tree}:refs/heads/tree"],
                &["origin", "main^{tree}:refs/trees/tree"],
                &["origin", "main^{tree}:same"],
                &["origin", "apart:refs/tags/light"],
                &["origin", "main:x..y"],
            ],
        ),
        (&["push.default", "matching"], &[&["origin"]]),
        (&["push.default", "current"], &[&["origin"], &["other"]]),
        (
            &["push.default", "upstream"],
            &[&["origin"], &["other"], &["origin", "apart"]],
        ),
        (
            &["push.default", "nothing"],
            &[&["origin"], &["origin", "new"]],
        ),
        (&["push.default", "nonsense"], &[&["origin"]]),
        (
            &["branch.main.merge", "refs/heads/same"],
            &[&["origin"], &["other"], &["origin", "main"]],
        ),
        (&["branch.main.remote", "other"], &[&["origin"], &[]]),
        (&["branch.main.pushRemote", "other"], &[&[]]),
        (&["remote.pushDefault", "other"], &[&[], &["origin"]]),
        (
            &["remote.origin.push", "refs/heads/*:refs/heads/mine/*"],
            &[&["origin"], &["origin", "main"], &["origin", "--tags"], &[]],
        ),
        (
            &["remote.origin.push", "+apart:fresh"],
            &[&["origin"], &["origin", "apart"]],
        ),
    ];
    let mut wrong = Vec::new();
    for (configuration, command_lines) in configurations {
        let before = repo.git(&["config", "--local", "--list"]);
        let former = configuration
            .first()
            .and_then(|key| {
                before
                    .lines()
                    .rfind(|line| line.starts_with(&format!("{}=", key.to_lowercase())))
            })
            .and_then(|line| line.split_once('='))
            .map(|it| it.1.to_owned());
        if let [key, value] = configuration {
            repo.git(&["config", "--replace-all", key, value]);
        }
        for arguments in *command_lines {
            let (git, ours) = (gits(&repo, arguments), ours(&repo, arguments));
            let what = format!("{configuration:?} {arguments:?}");
            match (git, ours) {
                (None, Err(_)) => {}
                (Some(git), Ok(ours)) if git == ours => {}
                (git, ours) => wrong.push(format!("{what}: git {git:?}, ours {ours:?}")),
            }
        }
        match (configuration, former) {
            ([key, _], Some(value)) => drop(repo.git(&["config", "--replace-all", key, &value])),
            ([key, _], None) => drop(repo.git(&["config", "--unset-all", key])),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!Status::Send.is_failure());
}
