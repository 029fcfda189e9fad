//! The same repository merged by git and by the operation: nothing may differ.

use std::fs;
use std::path::Path;

use super::super::FastForward;
use super::fixture::{Store, copy, input, repository, seen};
use crate::history::engine::Favor;
use crate::history::testing::{command, commit, git, put};

/// What is asked of both.
struct Asked {
    commit: &'static str,
    args: &'static [&'static str],
}

/// Merges with both, and compares; gives whether git was done without the user.
#[track_caller]
fn compare(name: &str, make: impl FnOnce(&Path), asked: &Asked) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path());
    make(&repo);
    let other = dir.path().join("git");
    copy(&repo, &other);
    let mut args = vec!["merge", "--no-edit"];
    args.extend(asked.args);
    args.push(asked.commit);
    let by_git = command(&other, &args).output().unwrap();

    let mut input = input(&repo, asked.commit);
    for arg in asked.args {
        match *arg {
            "--no-ff" => input.fast_forward = Some(FastForward::Never),
            "--ff" => input.fast_forward = Some(FastForward::Allowed),
            "--ff-only" => input.fast_forward = Some(FastForward::Only),
            "--squash" => input.squash = true,
            "--no-commit" => input.no_commit = true,
            "-Xours" => input.favor = Favor::Ours,
            "-Xtheirs" => input.favor = Favor::Theirs,
            "--allow-unrelated-histories" => input.allow_unrelated = true,
            message => input.message = Some(message.strip_prefix("-m").unwrap().to_owned()),
        }
    }
    let (_, result) = Store::new().start(input);
    let said = String::from_utf8_lossy(&by_git.stdout).into_owned()
        + &String::from_utf8_lossy(&by_git.stderr);
    assert_eq!(
        result.is_ok(),
        by_git.status.success(),
        "{name}: {result:?}\n{said}"
    );
    let (mut ours, mut theirs) = (seen(&repo), seen(&other));
    if theirs["MERGE_MSG"] == "None" && !by_git.status.success() {
        // Refused. Git leaves these behind.
        for name in ["ORIG_HEAD", "AUTO_MERGE", "git reflog --all"] {
            ours.remove(name);
            theirs.remove(name);
        }
    }
    for (what, theirs) in &theirs {
        assert_eq!(
            ours.get(what),
            Some(theirs),
            "{name}: {what}\n{result:?}\n{said}"
        );
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
    by_git.status.success()
}

const TOPIC: Asked = Asked {
    commit: "topic",
    args: &[],
};

fn lines(change: &[(usize, &str)]) -> String {
    let mut lines: Vec<String> = (1..=40).map(|n| format!("line {n}")).collect();
    for (at, text) in change {
        lines[*at] = (*text).to_owned();
    }
    lines.join("\n") + "\n"
}

/// A base, and one change on each side.
fn sides(
    base: impl FnOnce(&Path),
    ours: impl FnOnce(&Path),
    theirs: impl FnOnce(&Path),
) -> impl FnOnce(&Path) {
    move |repo| {
        put(repo, "always", "here\n");
        base(repo);
        commit(repo, "base");
        git(repo, &["switch", "-q", "-c", "topic"]);
        theirs(repo);
        commit(repo, "theirs");
        git(repo, &["switch", "-q", "main"]);
        ours(repo);
        commit(repo, "ours");
    }
}

fn clean() -> impl FnOnce(&Path) {
    sides(
        |repo| {
            put(repo, "f", lines(&[]));
            put(repo, "d/gone", "gone\n");
        },
        |repo| put(repo, "f", lines(&[(3, "ours")])),
        |repo| {
            put(repo, "f", lines(&[(30, "theirs")]));
            fs::remove_file(repo.join("d/gone")).unwrap();
            put(repo, "e/new", "new\n");
        },
    )
}

fn conflicting() -> impl FnOnce(&Path) {
    sides(
        |repo| put(repo, "f", lines(&[])),
        |repo| {
            put(repo, "f", lines(&[(3, "ours")]));
            put(repo, "mine", "mine\n");
        },
        |repo| {
            put(repo, "f", lines(&[(3, "theirs")]));
            put(repo, "new", "new\n");
        },
    )
}

#[test]
fn clean_merges() {
    let with = |args| Asked {
        commit: "topic",
        args,
    };
    assert!(compare("clean", clean(), &TOPIC));
    assert!(compare("no commit", clean(), &with(&["--no-commit"])));
    assert!(compare("squash", clean(), &with(&["--squash"])));
    assert!(compare("message", clean(), &with(&["-mone  \n\n\n\ntwo"])));
    assert!(!compare(
        "only fast-forward",
        clean(),
        &with(&["--ff-only"])
    ));
    let detached = |repo: &Path| {
        clean()(repo);
        git(repo, &["switch", "-q", "--detach"]);
    };
    assert!(compare("detached", detached, &TOPIC));
    let elsewhere = |repo: &Path| {
        clean()(repo);
        git(repo, &["switch", "-q", "-c", "other"]);
        git(repo, &["update-ref", "refs/remotes/origin/topic", "topic"]);
        git(repo, &["tag", "-a", "-m", "what\n\nit is", "v1", "topic"]);
    };
    assert!(compare("into another branch", elsewhere, &TOPIC));
    for commit in [
        "origin/topic",
        "v1",
        "topic~0",
        "refs/heads/topic",
        "topic^{commit}",
    ] {
        assert!(compare(commit, elsewhere, &Asked { commit, args: &[] }));
    }
}

#[test]
fn fast_forwards() {
    let ahead = |repo: &Path| {
        put(repo, "f", "1\n");
        commit(repo, "one");
        git(repo, &["switch", "-q", "-c", "topic"]);
        put(repo, "f", "2\n");
        put(repo, "g", "2\n");
        commit(repo, "two");
        put(repo, "f", "3\n");
        commit(repo, "three\n\nwith a body");
        git(repo, &["switch", "-q", "main"]);
    };
    let with = |args| Asked {
        commit: "topic",
        args,
    };
    assert!(compare("ahead", ahead, &TOPIC));
    assert!(compare("ff only", ahead, &with(&["--ff-only"])));
    assert!(compare("no ff", ahead, &with(&["--no-ff"])));
    assert!(compare(
        "no ff, no commit",
        ahead,
        &with(&["--no-ff", "--no-commit"])
    ));
    assert!(compare("no commit", ahead, &with(&["--no-commit"])));
    assert!(compare("squash", ahead, &with(&["--squash"])));
    let early = Asked {
        commit: "topic~1",
        args: &["--no-ff"],
    };
    assert!(compare("early part", ahead, &early));
    let configured = |repo: &Path| {
        ahead(repo);
        git(repo, &["config", "merge.ff", "false"]);
    };
    assert!(compare("configured", configured, &TOPIC));
    let behind = |repo: &Path| {
        ahead(repo);
        git(repo, &["switch", "-q", "-c", "other", "topic~1"]);
    };
    let main = Asked {
        commit: "main",
        args: &[],
    };
    assert!(compare("up to date", behind, &main));
    let unborn = |repo: &Path| {
        ahead(repo);
        git(repo, &["switch", "-q", "--orphan", "fresh"]);
    };
    assert!(compare("unborn", unborn, &TOPIC));
}

#[test]
fn what_is_configured_is_heeded() {
    let with = |key: &'static str, value: &'static str| {
        move |repo: &Path| {
            clean()(repo);
            git(repo, &["switch", "-q", "topic"]);
            put(repo, "more", "more\n");
            commit(repo, "more\n\nbody");
            git(repo, &["switch", "-q", "main"]);
            git(repo, &["config", key, value]);
        }
    };
    for (key, value) in [
        ("merge.log", "true"),
        ("merge.log", "1"),
        ("merge.suppressDest", ""),
        ("commit.cleanup", "verbatim"),
        ("i18n.commitEncoding", "iso-8859-1"),
        ("branch.main.mergeOptions", "--no-commit --log"),
        ("branch.main.mergeOptions", "--squash"),
        ("core.logAllRefUpdates", "false"),
    ] {
        assert!(compare(key, with(key, value), &TOPIC), "{key}");
        let asked = Asked {
            commit: "topic",
            args: &["-mone\n\n\ntwo"],
        };
        assert!(compare(key, with(key, value), &asked), "{key}");
    }
    assert!(!compare("only", with("merge.ff", "only"), &TOPIC));
    let fetched = |repo: &Path| {
        clean()(repo);
        git(repo, &["fetch", "-q", ".", "topic"]);
        git(repo, &["switch", "-q", "topic"]);
        git(repo, &["switch", "-q", "main"]);
    };
    for commit in ["FETCH_HEAD", "@{-1}", "-"] {
        assert!(compare(commit, fetched, &Asked { commit, args: &[] }));
    }
}

#[test]
fn conflicts() {
    assert!(!compare("content", conflicting(), &TOPIC));
    for args in [&["-Xours"][..], &["-Xtheirs"]] {
        let asked = Asked {
            commit: "topic",
            args,
        };
        assert!(compare("favor", conflicting(), &asked));
    }
    let squash = Asked {
        commit: "topic",
        args: &["--squash"],
    };
    assert!(!compare("squash", conflicting(), &squash));
    for style in ["diff3", "zdiff3"] {
        let styled = |repo: &Path| {
            conflicting()(repo);
            git(repo, &["config", "merge.conflictStyle", style]);
        };
        assert!(!compare(style, styled, &TOPIC));
    }
    let long = lines(&[]);
    let make = sides(
        |repo| put(repo, "f", lines(&[])),
        |repo| put(repo, "f", lines(&[(3, "ours")])),
        |repo| fs::remove_file(repo.join("f")).unwrap(),
    );
    assert!(!compare("modify/delete", make, &TOPIC));
    let make = sides(
        |_| {},
        |repo| put(repo, "d/f", "ours\n"),
        |repo| put(repo, "d/f", "theirs\n"),
    );
    assert!(!compare("add/add", make, &TOPIC));
    let (a, b) = (long.clone(), long.clone());
    let make = sides(
        move |repo| put(repo, "f", a),
        |repo| fs::rename(repo.join("f"), repo.join("ours")).unwrap(),
        |repo| fs::rename(repo.join("f"), repo.join("theirs")).unwrap(),
    );
    assert!(!compare("rename/rename", make, &TOPIC));
    let make = sides(
        move |repo| put(repo, "f", b),
        |repo| fs::remove_file(repo.join("f")).unwrap(),
        |repo| fs::rename(repo.join("f"), repo.join("theirs")).unwrap(),
    );
    assert!(!compare("rename/delete", make, &TOPIC));
    let make = sides(
        |_| {},
        |repo| put(repo, "x", "a file\n"),
        |repo| put(repo, "x/y", "in a directory\n"),
    );
    assert!(!compare("file/directory", make, &TOPIC));
    let make = sides(
        |_| {},
        |repo| put(repo, "x/y", "in a directory\n"),
        |repo| put(repo, "x", "a file\n"),
    );
    assert!(!compare("directory/file", make, &TOPIC));
    let make = sides(
        |repo| put(repo, "b", b"\0base"),
        |repo| put(repo, "b", b"\0ours"),
        |repo| put(repo, "b", b"\0theirs"),
    );
    assert!(!compare("binary", make, &TOPIC));
    let link = |to: &'static str| {
        move |repo: &Path| {
            let _ = fs::remove_file(repo.join("l"));
            std::os::unix::fs::symlink(to, repo.join("l")).unwrap();
        }
    };
    assert!(!compare(
        "symlink",
        sides(link("base"), link("ours"), link("theirs")),
        &TOPIC
    ));
}

#[test]
fn what_only_git_decides() {
    let mode = |repo: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(repo.join("f"), fs::Permissions::from_mode(mode)).unwrap();
    };
    let make = sides(
        |repo| put(repo, "f", lines(&[])),
        |repo| mode(repo, 0o755),
        |repo| put(repo, "f", lines(&[(3, "theirs")])),
    );
    assert!(compare("mode and content", make, &TOPIC));
    let make = sides(
        |repo| put(repo, "f", lines(&[])),
        |repo| fs::rename(repo.join("f"), repo.join("g")).unwrap(),
        |repo| put(repo, "f", lines(&[(3, "theirs")])),
    );
    assert!(compare("a file that was renamed", make, &TOPIC));
    let make = sides(
        |repo| {
            for name in ["d/a", "d/b", "d/c"] {
                put(repo, name, lines(&[(1, name)]));
            }
        },
        |repo| fs::rename(repo.join("d"), repo.join("e")).unwrap(),
        |repo| put(repo, "d/new", "new\n"),
    );
    assert!(!compare("a directory that was renamed", make, &TOPIC));
    let crossed = |repo: &Path| {
        sides(
            |repo| put(repo, "f", lines(&[])),
            |repo| put(repo, "f", lines(&[(3, "ours")])),
            |repo| put(repo, "f", lines(&[(30, "theirs")])),
        )(repo);
        git(repo, &["branch", "was"]);
        git(repo, &["merge", "-q", "--no-edit", "topic"]);
        git(repo, &["switch", "-q", "topic"]);
        git(repo, &["merge", "-q", "--no-edit", "was"]);
        put(repo, "g", "more\n");
        commit(repo, "more");
        git(repo, &["switch", "-q", "main"]);
        put(repo, "f", lines(&[(20, "again")]));
        commit(repo, "again");
    };
    assert!(compare("criss-cross", crossed, &TOPIC));
    let unrelated = |repo: &Path| {
        put(repo, "f", "ours\n");
        commit(repo, "ours");
        git(repo, &["switch", "-q", "--orphan", "topic"]);
        put(repo, "g", "theirs\n");
        commit(repo, "theirs");
        git(repo, &["switch", "-q", "main"]);
    };
    assert!(!compare("unrelated", unrelated, &TOPIC));
    let allowed = Asked {
        commit: "topic",
        args: &["--allow-unrelated-histories"],
    };
    assert!(compare("unrelated, allowed", unrelated, &allowed));
    let union = |repo: &Path| {
        put(repo, ".gitattributes", "f merge=union\n");
        conflicting()(repo);
    };
    assert!(compare("a driver", union, &TOPIC));
}

#[test]
fn what_would_be_lost_is_refused() {
    let dirty = |name: &'static str| {
        move |repo: &Path| {
            clean()(repo);
            put(repo, name, "mine\n");
        }
    };
    assert!(!compare("a changed file", dirty("f"), &TOPIC));
    assert!(!compare("an untracked file", dirty("e/new"), &TOPIC));
    assert!(compare("another file", dirty("always"), &TOPIC));
    assert!(compare("another untracked file", dirty("e/other"), &TOPIC));
    let staged = |repo: &Path| {
        clean()(repo);
        put(repo, "always", "staged\n");
        git(repo, &["add", "always"]);
    };
    assert!(!compare("something staged", staged, &TOPIC));
}
