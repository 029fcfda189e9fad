//! `mug rebase` beside `git rebase`: killed at any moment, continued by both.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use end_to_end::{Scratch, files};

/// Commits on the branch that is rebased.
const COMMITS: usize = 60;
/// Files that both branches know.
const FILES: usize = 24;
/// Processes that are killed.
const KILLS: usize = 100;
/// As many in commands, and on the way back.
const MORE_KILLS: usize = 15;

/// The lines of a file, with some of them changed.
fn text(changed: &[(usize, String)]) -> String {
    let mut out = String::new();
    for n in 0..30 {
        match changed.iter().find(|(at, _)| *at == n) {
            Some((_, new)) => out.extend([new.as_str(), "\n"]),
            None => {
                let _ = writeln!(out, "line {n}");
            }
        }
    }
    out
}

/// `main` and `side` change the same files in other places; two commits of `side` conflict where
/// `conflicts`.
fn repository(scratch: &Scratch, name: &str, conflicts: bool) -> PathBuf {
    let path = scratch.join(name);
    scratch.git(".", &["init", "--quiet", "--initial-branch=main", name]);
    let mut stream = String::new();
    let mut mark = 0;
    let mut commit = |stream: &mut String,
                      branch: &str,
                      from: Option<&str>,
                      said: &str,
                      files: &[(String, String)]| {
        mark += 1;
        let _ = write!(
            stream,
            "commit refs/heads/{branch}\nmark :{mark}\nauthor O'Brien <o@example.org> {} +0200\n\
             committer A U Thor <author@example.com> {} +0000\ndata {}\n{said}\n",
            1_500_000_000 + mark * 60,
            1_600_000_000 + mark * 60,
            said.len(),
        );
        if let Some(from) = from {
            let _ = writeln!(stream, "from {from}");
        }
        for (name, content) in files {
            let _ = write!(
                stream,
                "M 100644 inline {name}\ndata {}\n{content}\n",
                content.len()
            );
        }
    };
    let name = |n: usize| format!("dir-{}/file-{n}", n % 5);
    let all: Vec<_> = (0..FILES).map(|n| (name(n), text(&[]))).collect();
    commit(&mut stream, "main", None, "base\n", &all);
    for n in 0..FILES {
        let content = text(&[(2, format!("main {n}"))]);
        let changed = [
            (name(n), content),
            (format!("of-main/{n}"), format!("{n}\n")),
        ];
        let from = (n == 0).then_some(":1");
        commit(&mut stream, "main", from, &format!("main {n}\n"), &changed);
    }
    let mut lines: Vec<Vec<(usize, String)>> = vec![Vec::new(); FILES];
    for n in 0..COMMITS {
        let at = n % FILES;
        let line = if conflicts && (n == 20 || n == 41) {
            2
        } else {
            10 + n / FILES * 6
        };
        lines[at].push((line, format!("side {n}")));
        let changed = [
            (name(at), text(&lines[at])),
            (format!("of-side/{n}"), format!("{n}\n")),
        ];
        let from = (n == 0).then_some(":1");
        commit(
            &mut stream,
            "side",
            from,
            &format!("side {n}\n\nbody {n}\n"),
            &changed,
        );
    }
    stream += "done\n";
    let mut command = scratch.command("git", &path);
    command
        .args(["fast-import", "--quiet", "--done"])
        .stdin(Stdio::piped());
    let mut child = command.spawn().expect("git runs");
    let mut pipe = child.stdin.take().expect("it was asked for");
    std::io::Write::write_all(&mut pipe, stream.as_bytes()).expect("git reads");
    drop(pipe);
    assert!(child.wait().expect("git ends").success());
    scratch.git(&path, &["switch", "--quiet", "side"]);
    path
}

fn copy(scratch: &Scratch, from: &Path, name: &str) -> PathBuf {
    let to = scratch.join(name);
    let status = scratch
        .command("cp", ".")
        .arg("-a")
        .arg(from)
        .arg(&to)
        .status();
    assert!(status.expect("cp runs").success());
    let _ = scratch
        .command("git", &to)
        .args(["update-index", "-q", "--refresh"])
        .status();
    to
}

/// Takes the branch's lines where there are conflicts.
fn resolve(scratch: &Scratch, repo: &Path) {
    let paths = scratch.git(repo, &["diff", "--name-only", "--diff-filter=U"]);
    for path in paths.lines() {
        let content = std::fs::read_to_string(repo.join(path)).expect("the file is there");
        let mut out = String::new();
        let mut ours = false;
        for line in content.lines() {
            match line.get(..7) {
                Some("<<<<<<<") => ours = true,
                Some("=======") => ours = false,
                Some(">>>>>>>") => {}
                _ if ours => {}
                _ => out.extend([line, "\n"]),
            }
        }
        std::fs::write(repo.join(path), out).expect("it can be written");
        scratch.git(repo, &["add", path]);
    }
}

/// Git rebases to the end.
fn by_git(scratch: &Scratch, repo: &Path) {
    let mut args = vec!["rebase", "main"];
    loop {
        let mut command = scratch.command("git", repo);
        let done = command
            .env("GIT_EDITOR", "true")
            .args(&args)
            .output()
            .expect("git runs");
        if done.status.success() {
            return;
        }
        resolve(scratch, repo);
        args = vec!["rebase", "--continue"];
    }
}

/// Refs, logs, files and status are the same.
#[track_caller]
fn assert_same(scratch: &Scratch, mug: &Path, git: &Path) {
    for args in [
        &["log", "--format=raw", "main..side"][..],
        &["for-each-ref"],
        &["symbolic-ref", "HEAD"],
        &["status", "--porcelain"],
        &["reflog", "--format=%H %gs"],
        &["reflog", "--format=%H %gs", "side"],
        &["rev-parse", "ORIG_HEAD"],
    ] {
        assert_eq!(scratch.git(mug, args), scratch.git(git, args), "{args:?}");
    }
    let tree = |repo: &Path| {
        let mut found = files(repo);
        found.retain(|path, _| !path.starts_with(".git"));
        found
    };
    assert_eq!(tree(mug), tree(git));
    assert_eq!(scratch.git(mug, &["fsck", "--no-dangling", "--full"]), "");
    for left in [
        "rebase-merge",
        "REBASE_HEAD",
        "index.lock",
        "HEAD.lock",
        "refs/heads/side.lock",
    ] {
        assert!(!mug.join(".git").join(left).exists(), "{left}");
    }
}

/// The id of the rebase that is not completed, if its record was written.
fn begun(scratch: &Scratch, repo: &Path) -> Option<String> {
    let list = scratch.mug(repo, &["resume", "list", "--json"]).ok().json();
    let all = list.as_array().expect("a list").clone();
    let open = all
        .iter()
        .find(|op| op["kind"] == "rebase" && op["status"] != "completed");
    open.map(|op| op["id"].as_str().expect("an id").to_owned())
}

#[test]
fn a_rebase_is_the_same_as_by_git() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", false);
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    by_git(&scratch, &git);
    let done = scratch.mug(&mug, &["rebase", "main"]).ok();
    assert!(done.stdout.starts_with("side: 60 commits picked"), "{done}");
    assert_same(&scratch, &mug, &git);
    let again = scratch.mug(&mug, &["rebase", "main"]).ok();
    assert!(again.stdout.contains("up to date"), "{again}");
    assert_same(&scratch, &mug, &git);
}

#[test]
fn a_new_root_is_the_same_as_by_git() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", false);
    // Flattened, all but the first commit are made anew.
    scratch.git(
        &original,
        &["merge", "--quiet", "--no-edit", "-m", "both", "main"],
    );
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    scratch.git(&git, &["rebase", "--quiet", "--root"]);
    scratch.mug(&mug, &["rebase", "--root"]).ok();
    assert_same(&scratch, &mug, &git);
    let args = ["rebase", "--root", "main", "side"];
    let refused = scratch.mug(&mug, &args).exits(2);
    assert!(refused.stderr.contains("give the branch"), "{refused}");
}

#[test]
fn killed_at_any_moment_it_ends_as_by_git() {
    let scratch = Scratch::fast(256 << 20);
    let original = repository(&scratch, "original", true);
    let git = copy(&scratch, &original, "git");
    by_git(&scratch, &git);
    let mut random = fastrand::Rng::with_seed(5);
    let (mut kills, mut round) = (0, 0);
    while kills < KILLS {
        round += 1;
        let mug = copy(&scratch, &original, &format!("mug-{round}"));
        let mut edited = None;
        // Longer each time, so that it comes to an end.
        let mut longest = 60;
        loop {
            let args = match begun(&scratch, &mug) {
                Some(id) => vec!["rebase".to_owned(), "--resume".to_owned(), id],
                None => vec!["rebase".to_owned(), "main".to_owned()],
            };
            let running = scratch.spawn(&mug, &args);
            std::thread::sleep(Duration::from_millis(random.u64(5..longest)));
            longest += 12;
            let was_running = running.is_running();
            let output = running.kill();
            match output.code() {
                Some(0) => break,
                Some(3) if output.stderr.contains("conflicts in") => resolve(&scratch, &mug),
                // What the user edited meanwhile is in the way, and still there; at the very
                // beginning a rebase is refused for it.
                Some(1 | 3) => {
                    let edit: Option<(PathBuf, String)> = edited.take();
                    let (path, content) = edit.unwrap_or_else(|| panic!("no edit, but {output}"));
                    let there = std::fs::read_to_string(mug.join(&path)).expect("it is there");
                    assert_eq!(there, content, "{output}");
                    scratch.git(
                        &mug,
                        &["checkout", "--quiet", "--", path.to_str().expect("text")],
                    );
                }
                None if was_running => {
                    kills += 1;
                    let lock = mug.join(".git/index.lock");
                    if edited.is_none() && round % 3 == 0 && kills % 3 == 0 && !lock.exists() {
                        let path = PathBuf::from("dir-0/file-0");
                        let content = format!("mine {kills}\n");
                        std::fs::write(mug.join(&path), &content).expect("it can be written");
                        edited = Some((path, content));
                    }
                }
                _ => panic!("{output}"),
            }
        }
        if let Some((path, content)) = edited {
            // It was edited once the new file had its name.
            let there = std::fs::read_to_string(mug.join(&path)).expect("it is there");
            assert_eq!(there, content);
            scratch.git(
                &mug,
                &["checkout", "--quiet", "--", path.to_str().expect("text")],
            );
        }
        assert_same(&scratch, &mug, &git);
        std::fs::remove_dir_all(&mug).expect("it can be removed");
    }
}

#[test]
fn a_conflict_is_told_shown_and_taken_further_by_git() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", true);
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    by_git(&scratch, &git);
    let stopped = scratch.mug(&mug, &["rebase", "main"]).exits(3);
    for said in [
        "(side 20): conflicts in \"dir-0/file-20\"",
        "git add",
        "--resume op-",
    ] {
        assert!(stopped.stderr.contains(said), "{said}: {stopped}");
    }
    let id = begun(&scratch, &mug).expect("it is paused");
    let shown = scratch.mug(&mug, &["resume", "show", &id]).ok();
    assert!(shown.stdout.contains("side 20"), "{shown}");
    assert!(shown.stdout.contains("dir-0/file-20"), "{shown}");
    assert!(
        scratch
            .git(&mug, &["status"])
            .contains("rebase in progress"),
        "git knows"
    );
    resolve(&scratch, &mug);
    // Git goes on to the next one, and to the end.
    let mut args = vec!["rebase", "--continue"];
    while !scratch
        .command("git", &mug)
        .env("GIT_EDITOR", "true")
        .args(&args)
        .output()
        .expect("git runs")
        .status
        .success()
    {
        resolve(&scratch, &mug);
        args = vec!["rebase", "--continue"];
    }
    let done = scratch.mug(&mug, &["rebase", "--resume", &id]).ok();
    assert!(done.stdout.contains("finished with git"), "{done}");
    assert_same(&scratch, &mug, &git);
}

#[test]
fn it_is_skipped_and_given_up_without_an_id() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", true);
    let before = scratch.git(&original, &["rev-parse", "side"]);
    scratch.mug(&original, &["rebase", "main"]).exits(3);
    let next = scratch.mug(&original, &["rebase", "--skip"]).exits(3);
    assert!(next.stderr.contains("(side 41)"), "{next}");
    let done = scratch.mug(&original, &["rebase", "--abort"]).ok();
    assert!(done.stdout.contains("is back at"), "{done}");
    assert_eq!(scratch.git(&original, &["rev-parse", "HEAD"]), before);
    assert_eq!(scratch.git(&original, &["status", "--porcelain"]), "");
    let none = scratch.mug(&original, &["rebase", "--abort"]).exits(1);
    assert!(none.stderr.contains("no rebase is paused"), "{none}");
}

#[test]
fn what_is_in_the_way_is_said_before_anything_begins() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", false);
    std::fs::write(repo.join("dir-0/file-0"), "mine\n").expect("it can be written");
    let refused = scratch.mug(&repo, &["rebase", "main"]).exits(1);
    assert!(refused.stderr.contains("unstaged changes"), "{refused}");
    assert_eq!(begun(&scratch, &repo), None);
    scratch.git(&repo, &["checkout", "--quiet", "--", "."]);
    std::fs::write(repo.join(".git/index.lock"), "").expect("it can be written");
    let locked = scratch.mug(&repo, &["rebase", "main"]).exits(3);
    assert!(locked.stderr.contains("index.lock"), "{locked}");
    std::fs::remove_file(repo.join(".git/index.lock")).expect("it can be removed");
    let id = begun(&scratch, &repo).expect("it waits");
    scratch.mug(&repo, &["rebase", "--resume", &id]).ok();
    assert_eq!(scratch.git(&repo, &["status", "--porcelain"]), "");
}

/// What is there beside the Git directory, and the branches.
fn seen(scratch: &Scratch, repo: &Path) -> (String, String, Vec<(PathBuf, String)>) {
    let mut all = files(repo);
    all.retain(|path, _| !path.starts_with(".git"));
    let all = all.into_iter().map(|(path, it)| (path, format!("{it:?}")));
    (
        scratch.git(repo, &["for-each-ref"]),
        scratch.git(repo, &["status", "--porcelain"]),
        all.collect(),
    )
}

#[test]
fn killed_on_the_way_back_it_comes_back() {
    let scratch = Scratch::fast(256 << 20);
    let original = repository(&scratch, "original", true);
    let wanted = seen(&scratch, &original);
    let mut random = fastrand::Rng::with_seed(7);
    let (mut kills, mut round) = (0, 0);
    while kills < MORE_KILLS {
        round += 1;
        assert!(round < 100, "{kills} kills");
        let mug = copy(&scratch, &original, &format!("mug-{round}"));
        scratch.mug(&mug, &["rebase", "main"]).exits(3);
        let id = begun(&scratch, &mug).expect("it waits");
        for most in (60..).step_by(15) {
            let running = scratch.spawn(&mug, &["rebase", "--resume", &id, "--abort"]);
            std::thread::sleep(Duration::from_millis(random.u64(5..most)));
            let was_running = running.is_running();
            let output = running.kill();
            match output.code() {
                Some(0) => break,
                None if was_running => kills += 1,
                None => {}
                _ => panic!("{output}"),
            }
            if begun(&scratch, &mug).is_none() {
                break;
            }
        }
        assert_eq!(seen(&scratch, &mug), wanted);
        std::fs::remove_dir_all(&mug).expect("it can be removed");
    }
}

#[test]
fn a_command_that_ended_is_not_run_again() {
    let scratch = Scratch::fast(256 << 20);
    let original = repository(&scratch, "original", false);
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    let build = "git rev-parse HEAD >> .git/built";
    scratch.git(&git, &["rebase", "--quiet", "--exec", build, "main"]);
    let mut random = fastrand::Rng::with_seed(11);
    let mut kills = 0;
    loop {
        let args = match begun(&scratch, &mug) {
            Some(id) => vec!["rebase".to_owned(), "--resume".to_owned(), id],
            None => ["rebase", "--exec", build, "main"]
                .map(str::to_owned)
                .to_vec(),
        };
        let running = scratch.spawn(&mug, &args);
        if kills < MORE_KILLS {
            std::thread::sleep(Duration::from_millis(random.u64(50..250)));
            kills += usize::from(running.is_running());
            let output = running.kill();
            assert!(matches!(output.code(), None | Some(0)), "{output}");
            if output.code() == Some(0) {
                break;
            }
        } else {
            let output = running.wait();
            assert_eq!(output.code(), Some(0), "{output}");
            break;
        }
    }
    assert_same(&scratch, &mug, &git);
    let seen = |repo: &Path| {
        let seen = std::fs::read_to_string(repo.join(".git/built")).expect("it was built");
        seen.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (mut ours, theirs) = (seen(&mug), seen(&git));
    assert!(ours.len() <= theirs.len() + kills, "{} builds", ours.len());
    // Only the one that was interrupted ran again, at once.
    ours.dedup();
    assert_eq!(ours, theirs);
}

#[test]
fn while_one_is_going_on_no_other_begins() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", false);
    let wait = "touch .git/begun; while test ! -f .git/go; do sleep 0.05; done";
    let running = scratch.spawn(&repo, &["rebase", "--exec", wait, "main"]);
    let begun = repo.join(".git/begun");
    end_to_end::wait_until("the command runs", || begun.exists());
    for other in [&["rebase", "main"][..], &["merge", "main"]] {
        let refused = scratch.mug(&repo, other).exits(1);
        assert!(refused.stderr.contains("rebase"), "{refused}");
    }
    std::fs::write(repo.join(".git/go"), "").expect("it can be written");
    let output = running.wait();
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(scratch.git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn what_was_picked_survives_gc() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", false);
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    by_git(&scratch, &git);
    // All is picked, and nothing can be moved.
    let lock = mug.join(".git/index.lock");
    std::fs::write(&lock, "").expect("it can be written");
    scratch.mug(&mug, &["rebase", "main"]).exits(3);
    let id = begun(&scratch, &mug).expect("it waits");
    // The logs are old.
    scratch.git(&mug, &["config", "gc.reflogExpire", "never"]);
    scratch.git(&mug, &["gc", "--quiet", "--prune=now"]);
    std::fs::remove_file(&lock).expect("it can be removed");
    scratch.mug(&mug, &["rebase", "--resume", &id]).ok();
    assert_same(&scratch, &mug, &git);
    let mut packs = files(&mug.join(".git/objects/pack"));
    packs.retain(|path, _| path.extension().is_some_and(|it| it == "keep"));
    assert!(packs.is_empty(), "{:?}", packs.keys());
}

#[test]
fn a_pause_ends_a_command_which_is_run_again() {
    let scratch = Scratch::new();
    let original = repository(&scratch, "original", false);
    let [git, mug] = ["git", "mug"].map(|name| copy(&scratch, &original, name));
    by_git(&scratch, &git);
    let hang = "test -f .git/go || { sleep 600 & echo $! > .git/pid; touch .git/begun; wait; }";
    let running = scratch.spawn(&mug, &["rebase", "--exec", hang, "main"]);
    let has_begun = mug.join(".git/begun");
    end_to_end::wait_until("the command runs", || has_begun.exists());
    running.signal(end_to_end::Signal::INT);
    let output = running.wait();
    assert_eq!(output.code(), Some(130), "{output}");
    // So has what it had started.
    let pid = std::fs::read_to_string(mug.join(".git/pid")).expect("a number");
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    end_to_end::wait_until("it ends", || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
    let status = scratch.git(&mug, &["status"]);
    assert!(status.contains("rebase in progress"), "{status}");
    std::fs::write(mug.join(".git/go"), "").expect("it can be written");
    let id = begun(&scratch, &mug).expect("it is paused");
    scratch.mug(&mug, &["rebase", "--resume", &id]).ok();
    assert_same(&scratch, &mug, &git);
}
