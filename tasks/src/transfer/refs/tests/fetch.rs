//! Fetches with each option and configuration, beside those of git.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::fixture::{Plain, bring_objects, command, commit, git, git_dir, init, listed, state};
use crate::transfer::RemoteRef;
use crate::transfer::refs::fetch::report::{self, Style};
use crate::transfer::refs::fetch::{
    FetchOptions, FetchPlan, Fetched, Kind, Outcome, Refused, Remote, Tags, Writing, apply_fetch,
    fetch_head, for_fetch,
};
use crate::transfer::refs::{Committer, Local, NotMoved, Objects, RefsError};

/// A remote, and a clone of it that is older by some commits, branches and tags of all kinds.
struct Pair {
    dir: tempfile::TempDir,
    remote: PathBuf,
}

impl Pair {
    /// `before` and `after` the clone is made, git does these words in the remote.
    fn new(before: &[&str], after: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let remote = init(dir.path(), "remote");
        commit(&remote, "one");
        commit(&remote, "two");
        for words in before {
            git(&remote, words);
        }
        let url = format!("file://{}", remote.display());
        git(dir.path(), &format!("clone -q {url} cloned"));
        for words in after {
            git(&remote, words);
        }
        Self { dir, remote }
    }

    /// Two copies of the clone, in which git has done these words.
    fn here(&self, words: &[&str]) -> &Self {
        for path in [self.theirs(), self.ours()] {
            let _ = fs::remove_dir_all(path);
        }
        self.copy("cloned", "theirs");
        for words in words {
            git(&self.theirs(), &words.replace("URL", &self.url()));
        }
        self.copy("theirs", "ours");
        self
    }

    fn copy(&self, from: &str, to: &str) {
        let mut copy = std::process::Command::new("cp");
        let copy = copy.args(["-a", from, to]).current_dir(self.dir.path());
        assert!(copy.status().unwrap().success());
    }

    fn theirs(&self) -> PathBuf {
        self.dir.path().join("theirs")
    }

    fn ours(&self) -> PathBuf {
        self.dir.path().join("ours")
    }

    fn url(&self) -> String {
        format!("file://{}", self.remote.display())
    }

    /// Fetches with git and with us, and compares all that is there in the end and what was said;
    /// how they differ.
    fn difference(&self, words: &str) -> Option<String> {
        let words = words.replace("URL", &self.url());
        let mut run = command(&self.theirs());
        let run = run.arg("fetch").args(words.split_whitespace());
        let out = run.output().unwrap();
        let mut said: Vec<String> = String::from_utf8_lossy(&out.stderr)
            .lines()
            .map(str::to_owned)
            .collect();
        let (fetched, lines) = match self.fetch(&words) {
            Ok(fetched) => fetched,
            Err(error) => return Some(format!("{error}, where git says {said:#?}")),
        };
        if words.contains("--dry-run") {
            // git tells the tags twice then.
            let mut seen = std::collections::HashSet::new();
            said.retain(|line| seen.insert(line.clone()));
        }
        let show = |repo: &Path, said: &[String], failed: bool| {
            let head = fs::read(git_dir(repo).join("FETCH_HEAD")).unwrap_or_default();
            let state = state(repo);
            let head = head.as_bstr();
            format!("{state}-- FETCH_HEAD\n{head}\n-- said\n{said:#?}\n-- failed {failed}")
        };
        let theirs = show(&self.theirs(), &said, !out.status.success());
        let ours = show(&self.ours(), &lines, fetched.has_failures());
        let differ: Vec<_> = theirs
            .lines()
            .map(|line| format!("git  {line}"))
            .filter(|line| !ours.lines().any(|it| it == &line[5..]))
            .chain(
                ours.lines()
                    .map(|line| format!("ours {line}"))
                    .filter(|line| !theirs.lines().any(|it| it == &line[5..])),
            )
            .collect();
        (theirs != ours).then(|| differ.join("\n"))
    }

    /// Fetches with us; what git has received is what we do.
    fn fetch(&self, words: &str) -> Result<(Fetched, Vec<String>), RefsError> {
        self.fetch_meanwhile(words, |_| {})
    }

    /// The same, where something happens between the plan and its end.
    fn fetch_meanwhile(
        &self,
        words: &str,
        meanwhile: impl Fn(&Path),
    ) -> Result<(Fetched, Vec<String>), RefsError> {
        let ours = self.ours();
        let repo = open(&ours);
        let options = options(words);
        let remote = Remote::find(&repo, &options)?;
        let objects = git_dir(&ours).join("objects");
        let plan = for_fetch(
            &sent(&self.remote, &remote),
            &remote,
            &Local::read(&repo)?,
            &Objects::at(&objects)?,
            options.update_head_ok,
        )?;
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<FetchPlan>(&text).unwrap(), plan);
        bring_objects(&self.theirs(), &ours);
        meanwhile(&ours);
        let objects = Objects::at(&objects)?;
        let late = if plan.include_tags {
            plan.late_tags(&objects)
        } else {
            Vec::new()
        };
        let verbose = words.split(' ').any(|it| it == "-v");
        let after = fetch_head::length(&git_dir(&ours)).filter(|_| options.append);
        // Twice: done again after a kill, it is the same and says the same.
        let mut fetched: Vec<_> = (0..2)
            .map(|_| {
                apply(
                    &ours,
                    &plan,
                    &late,
                    &objects,
                    &options,
                    words,
                    &self.url(),
                    after,
                )
            })
            .collect::<Result<_, _>>()?;
        let (last, first) = (fetched.pop().unwrap(), fetched.pop().unwrap());
        let style = Style {
            verbose,
            columns: 80,
            dry_run: options.dry_run,
        };
        let short = |oid: &ObjectId| oid.to_hex_with_len(7).to_string();
        let lines = report::lines(&first, &self.url(), style, &short);
        assert_eq!(report::lines(&last, &self.url(), style, &short), lines);
        assert!(
            !git_dir(&ours).join("mug/locks").exists() || empty(&git_dir(&ours).join("mug/locks"))
        );
        fs::remove_dir_all(git_dir(&ours).join("mug")).ok();
        Ok((first, lines))
    }
}

#[expect(clippy::too_many_arguments, reason = "a test's own")]
fn apply(
    ours: &Path,
    plan: &FetchPlan,
    late: &[crate::transfer::refs::fetch::Entry],
    objects: &Objects,
    options: &FetchOptions,
    words: &str,
    url: &str,
    after: Option<u64>,
) -> Result<Fetched, RefsError> {
    let repo = open(ours);
    let said = words
        .split_whitespace()
        .map(crate::transfer::refs::url::anonymous);
    let action = said.fold("fetch".to_owned(), |action, word| {
        format!("{action} {word}")
    });
    let writing = Writing {
        repo: &repo,
        objects,
        own: &git_dir(ours).join("mug"),
        disk: &Plain,
        committer: &Committer::of(&repo),
        action: &action,
        url,
        append_after: after.unwrap_or(0),
        update_head_ok: options.update_head_ok,
        atomic: options.atomic,
        dry_run: options.dry_run,
    };
    apply_fetch(plan, late, &writing)
}

fn empty(dir: &Path) -> bool {
    let mut entries = fs::read_dir(dir).unwrap();
    entries.all(|it| {
        let path = it.unwrap().path();
        path.is_dir() && empty(&path)
    })
}

fn open(dir: &Path) -> gix::Repository {
    let options = gix::open::Options::isolated().config_overrides([
        "user.name=A",
        "user.email=a@x",
        "gitoxide.commit.committerDate=1700000000 +0000",
    ]);
    gix::open_opts(dir, options).unwrap()
}

/// What a server sends of its refs when it is asked as we do.
fn sent(server: &Path, remote: &Remote) -> Vec<RemoteRef> {
    let prefixes = remote.prefixes();
    let asked =
        |name: &BString| prefixes.is_empty() || prefixes.iter().any(|it| name.starts_with(it));
    listed(server)
        .into_iter()
        .filter(|it| asked(&it.name))
        .collect()
}

fn options(words: &str) -> FetchOptions {
    let mut options = FetchOptions::default();
    for word in words.split_whitespace() {
        match word {
            "-v" => {}
            "--tags" => options.tags = Some(Tags::All),
            "--no-tags" => options.tags = Some(Tags::None),
            "--prune" => options.prune = Some(true),
            "--no-prune" => options.prune = Some(false),
            "--prune-tags" => options.prune_tags = Some(true),
            "--force" => options.force = true,
            "--update-head-ok" => options.update_head_ok = true,
            "--append" => options.append = true,
            "--dry-run" => options.dry_run = true,
            "--atomic" => options.atomic = true,
            word if options.remote.is_none() => options.remote = Some(word.to_owned()),
            word => options.refspecs.push(word.into()),
        }
    }
    options
}

const BEFORE: &[&str] = &[
    "branch other",
    "branch zz/deep",
    "branch gone",
    "tag old",
    "tag moves",
    "tag -a -m x away",
];

/// The remote moves on, forward and sideways, with new refs of all kinds.
const AFTER: &[&str] = &[
    "commit -q --allow-empty -m three",
    "tag light",
    "tag -a -m x anno",
    "tag -a -m y nested anno",
    "checkout -q other",
    "reset -q --hard HEAD~1",
    "commit -q --allow-empty -m sideways",
    "tag -a -m z side",
    "checkout -q -b new",
    "commit -q --allow-empty -m four",
    "checkout -q main",
    "branch -D gone",
    "tag -f moves",
    "tag -d away",
    "update-ref refs/notes/x HEAD",
    "update-ref refs/pull/1/head other",
];

#[test]
fn every_option_leaves_what_git_leaves() {
    let pair = Pair::new(BEFORE, AFTER);
    let mut differences = String::new();
    for words in [
        "",
        "-v",
        "origin",
        "--tags",
        "--tags -v origin",
        "--no-tags origin",
        "--prune",
        "-v --prune origin",
        "--prune --prune-tags origin",
        "--prune --tags --force",
        "--append",
        "--dry-run",
        "--dry-run --prune -v",
        "--atomic",
        "--atomic --tags",
        "--force --atomic --tags",
        "origin main",
        "origin main other",
        "origin other:mine",
        "origin +other:refs/x/y main:tags/here",
        "origin main:",
        "origin tag anno",
        "origin tag moves",
        "--force origin tag moves",
        "origin refs/notes/x",
        "origin refs/notes/*:refs/notes/*",
        "origin refs/pull/*:refs/pull/*",
        "origin refs/pull/*:refs/pull/* ^refs/pull/1/head",
        "origin +refs/heads/*:refs/copy/* ^refs/heads/zz/*",
        "--prune origin refs/heads/*:refs/remotes/origin/*",
        "--no-tags origin light side",
        "origin HEAD",
        "origin @:refs/heads/at",
        "URL",
        "URL main",
        "URL main:refs/x/main",
        "URL other:refs/remotes/origin/other",
        "--tags URL",
        "--tags URL main",
        "--prune URL refs/heads/*:refs/remotes/origin/*",
    ] {
        let found = pair.here(&[]).difference(words);
        differences.extend(found.map(|it| format!("\n=== {words}\n{it}")));
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_configuration_leaves_what_git_leaves() {
    let pair = Pair::new(BEFORE, AFTER);
    let mut differences = String::new();
    for (here, words) in [
        (&["config remote.origin.tagOpt --no-tags"][..], ""),
        (&["config remote.origin.tagOpt --tags"], ""),
        (&["config remote.origin.prune true"], "--no-prune"),
        (&["config remote.origin.prune true"], ""),
        (
            &[
                "config fetch.prune true",
                "config remote.origin.prune false",
            ],
            "",
        ),
        (
            &["config fetch.prune true", "config fetch.pruneTags true"],
            "",
        ),
        (
            &["config --add remote.origin.fetch ^refs/heads/other"],
            "--prune",
        ),
        (
            &["config --add remote.origin.fetch refs/notes/*:refs/notes/*"],
            "",
        ),
        (&["config --unset remote.origin.fetch"], ""),
        (
            &["config --unset remote.origin.fetch", "checkout -q --detach"],
            "",
        ),
        (
            &["config remote.origin.fetch +refs/heads/main:refs/remotes/origin/main"],
            "",
        ),
        (
            &["config remote.origin.fetch refs/heads/*:refs/remotes/origin/*"],
            "",
        ),
        (&["config branch.main.merge refs/heads/other"], ""),
        (&["config --add branch.main.merge refs/heads/other"], ""),
        (&["config branch.main.merge refs/heads/not-there"], ""),
        (
            &["config remote.origin.fetch +refs/heads/other:refs/remotes/origin/other"],
            "",
        ),
        (
            &[
                "checkout -q --detach",
                "config remote.origin.fetch refs/heads/new:refs/remotes/origin/new",
            ],
            "",
        ),
        (&["config core.logAllRefUpdates always"], "--tags --force"),
        (&["config core.logAllRefUpdates false"], ""),
        (&["pack-refs --all"], "--prune"),
        (&["remote add second URL"], "second"),
        (
            &["remote add second URL", "config branch.main.remote second"],
            "",
        ),
        (
            &["checkout -q --detach", "update-ref -d refs/heads/main"],
            "origin +refs/heads/*:refs/heads/*",
        ),
        (&[], "--update-head-ok origin main:main"),
        (
            &["update-ref refs/remotes/origin/new/below HEAD"],
            "--prune",
        ),
        (
            &[
                "update-ref -d refs/remotes/origin/gone",
                "update-ref refs/remotes/origin/gone/below HEAD",
                "pack-refs --all",
            ],
            "--prune",
        ),
        (
            &["symbolic-ref refs/remotes/origin/new refs/remotes/origin/main"],
            "",
        ),
        (
            &["symbolic-ref refs/remotes/origin/s refs/remotes/origin/main"],
            "URL main:refs/remotes/origin/s",
        ),
        (&["remote set-head origin gone"], "--prune"),
    ] {
        let found = pair.here(here).difference(words);
        differences.extend(found.map(|it| format!("\n=== {here:?} {words}\n{it}")));
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn what_git_refuses_is_refused() {
    let pair = Pair::new(BEFORE, AFTER);
    for (here, words, ours) in [
        (&[][..], "origin main:main", "checked out in"),
        (
            &["worktree add -q ../linked -b side"],
            "origin main:side",
            "../linked",
        ),
        (
            &["checkout -q --orphan fresh"],
            "origin main:fresh",
            "checked out in",
        ),
        (&[], "origin nothing", "has no ref 'nothing'"),
        (
            &[],
            "origin main:x other:x",
            "can't both go to 'refs/heads/x'",
        ),
        (&[], "origin a..b", "is no refspec"),
        (&[], "origin tag", "needs the name of a tag"),
    ] {
        let _ = fs::remove_dir_all(pair.dir.path().join("linked"));
        pair.here(here);
        let before = state(&pair.ours());
        let mut run = command(&pair.theirs());
        let theirs = run.arg("fetch").args(words.split_whitespace()).output();
        assert!(!theirs.unwrap().status.success(), "{words}");
        let error = pair.fetch(words).map(|it| it.1).unwrap_err().to_string();
        let ours = ours.trim_start_matches("../");
        assert!(error.contains(ours), "{words}: {error}");
        assert_eq!(state(&pair.ours()), before, "{words}");
    }
}

fn outcomes(fetched: &Fetched) -> Vec<(String, Outcome)> {
    let all = fetched.told.iter();
    all.map(|it| (it.local.to_string(), it.outcome.clone()))
        .collect()
}

#[test]
fn what_others_do_meanwhile_is_kept_and_told() {
    let pair = Pair::new(BEFORE, AFTER);
    pair.here(&[]);
    git(&pair.theirs(), "fetch -q origin");
    let there = |name: &str| git(&pair.ours(), &format!("rev-parse {name}"));
    let (fetched, said) = pair
        .fetch_meanwhile("origin", |ours| {
            // As another fetch of a newer state would have it.
            git(ours, "commit -q --allow-empty -m elsewhere");
            git(ours, "update-ref refs/remotes/origin/main HEAD");
            git(ours, "update-ref refs/remotes/origin/other HEAD~1");
            git(ours, "update-ref refs/remotes/origin/new HEAD");
            git(ours, "tag light HEAD");
            // What was fetched already is no news.
            git(ours, "update-ref refs/tags/anno refs/tags/old");
        })
        .unwrap();
    let found = outcomes(&fetched);
    let is = |name: &str| found.iter().find(|it| it.0 == name).unwrap().1.clone();
    for name in ["main", "new"] {
        let name = format!("refs/remotes/origin/{name}");
        assert_eq!(is(&name), Outcome::Refused(Refused::Moved), "{said:#?}");
        assert_eq!(there(&name), there("HEAD"));
    }
    // Forced here, but nobody asked to give up what another one put there.
    assert_eq!(is("refs/tags/light"), Outcome::Refused(Refused::Tag));
    assert_eq!(is("refs/tags/anno"), Outcome::Refused(Refused::Tag));
    assert_eq!(is("refs/tags/nested"), Outcome::New(Kind::Tag));
    assert_eq!(there("refs/tags/light"), there("HEAD"));
    assert!(
        said.iter()
            .any(|it| it.contains("moved by another process"))
    );
}

#[test]
fn a_lock_of_another_process_is_left_to_it() {
    let pair = Pair::new(BEFORE, AFTER);
    for (words, moved) in [("origin", true), ("--atomic origin", false)] {
        pair.here(&[]);
        git(&pair.theirs(), "fetch -q origin");
        let before = state(&pair.ours());
        let lock = git_dir(&pair.ours()).join("refs/remotes/origin/main.lock");
        let (fetched, said) = pair
            .fetch_meanwhile(words, |_| fs::write(&lock, "").unwrap())
            .unwrap();
        assert!(lock.exists(), "{words}");
        assert!(fetched.has_failures());
        assert!(
            said.iter()
                .any(|it| it.contains("unable to update local ref")),
            "{said:#?}"
        );
        fs::remove_file(&lock).unwrap();
        assert_eq!(state(&pair.ours()) != before, moved, "{words}");
        let new = outcomes(&fetched)
            .into_iter()
            .find(|it| it.0.ends_with("/new"));
        let expected = if moved {
            Outcome::New(Kind::Branch)
        } else {
            Outcome::NotMoved(NotMoved::Others)
        };
        assert_eq!(new.unwrap().1, expected);
    }
}

#[test]
fn locks_that_this_operation_left_when_it_died_are_its_own() {
    let pair = Pair::new(BEFORE, AFTER);
    pair.here(&[]);
    git(&pair.theirs(), "fetch --prune origin");
    let (fetched, said) = pair
        .fetch_meanwhile("--prune origin", |ours| {
            let git_dir = git_dir(ours);
            for name in [
                "packed-refs",
                "refs/remotes/origin/main",
                "refs/remotes/origin/new",
            ] {
                let ours = git_dir.join("mug/locks").join(format!("{name}.lock"));
                fs::create_dir_all(ours.parent().unwrap()).unwrap();
                fs::write(&ours, "half").unwrap();
                fs::hard_link(&ours, git_dir.join(format!("{name}.lock"))).unwrap();
            }
        })
        .unwrap();
    assert!(!fetched.has_failures(), "{said:#?}");
    assert_eq!(state(&pair.ours()), state(&pair.theirs()));
}
