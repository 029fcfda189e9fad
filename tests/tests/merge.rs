//! `mug merge` as users meet it: beside `git merge`, with conflicts, and with all that refuses.

use std::path::{Path, PathBuf};

use end_to_end::{Output, Scratch};

/// A repository with a branch `topic` that conflicts with `main` in `f` if so wanted.
fn repository(scratch: &Scratch, name: &str, conflict: bool) -> PathBuf {
    let repo = scratch.join(name);
    scratch.git(".", &["init", "-q", "-b", "main", name]);
    put(&repo, "f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    put(&repo, "other", "base\n");
    commit(scratch, &repo, "base");
    scratch.git(&repo, &["switch", "-q", "-c", "topic"]);
    put(&repo, "f", "1\n2 theirs\n3\n4\n5\n6\n7\n8\n9\n");
    put(&repo, "d/new", "new\n");
    commit(scratch, &repo, "theirs");
    scratch.git(&repo, &["switch", "-q", "main"]);
    let ours = if conflict {
        "1\n2 ours\n3\n4\n5\n6\n7\n8\n9\n"
    } else {
        "1\n2\n3\n4\n5\n6\n7\n8 ours\n9\n"
    };
    put(&repo, "f", ours);
    commit(scratch, &repo, "ours");
    repo
}

fn put(repo: &Path, name: &str, content: &str) {
    let path = repo.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("it is made");
    std::fs::write(path, content).expect("a file is written");
}

fn commit(scratch: &Scratch, repo: &Path, message: &str) {
    scratch.git(repo, &["add", "-A"]);
    scratch.git(repo, &["commit", "-q", "-m", message]);
}

/// The line that continues what waits for the user.
#[track_caller]
fn printed(output: &Output) -> String {
    let rest = output.stderr.split_once("continue with:\n\n");
    let (_, rest) = rest.unwrap_or_else(|| panic!("nothing to continue with: {output}"));
    rest.lines().next().unwrap_or_default().trim().to_owned()
}

/// The words of a line that was printed, without the program.
fn words(line: &str) -> Vec<String> {
    let words = line.split(' ').skip(1);
    words.map(str::to_owned).collect()
}

#[test]
fn a_merge_is_the_commit_that_git_makes() {
    let scratch = Scratch::new();
    let (ours, gits) = (
        repository(&scratch, "ours", false),
        repository(&scratch, "gits", false),
    );
    scratch.git(&gits, &["merge", "-q", "--no-edit", "topic"]);
    let output = scratch.mug(&ours, &["merge", "topic"]).ok();
    assert!(output.stdout.contains("merged topic"), "{output}");
    for args in [
        &["rev-parse", "HEAD"][..],
        &["status", "--porcelain", "--branch"],
        &["ls-files", "-s"],
        &["reflog"],
    ] {
        assert_eq!(scratch.git(&ours, args), scratch.git(&gits, args));
    }
    scratch.git(&ours, &["fsck", "--full", "--strict"]);
    let output = scratch.mug(&ours, &["merge", "topic"]).ok();
    assert_eq!(output.stdout, "already up to date\n");
}

#[test]
fn a_conflict_waits_for_the_user_and_goes_on() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", true);
    let output = scratch.mug(&repo, &["merge", "topic"]);
    assert_eq!(output.code(), Some(3), "{output}");
    assert!(output.stderr.contains("conflicts in \"f\""), "{output}");
    let status = scratch.git(&repo, &["status"]);
    assert!(status.contains("both modified:   f"), "{status}");
    let line = printed(&output);
    let id = scratch.operations(&repo, &[])[0].id().to_owned();
    let shown = scratch.mug(&repo, &["resume", "show", &id]).ok();
    for part in ["merging topic into main conflicts in \"f\"", "waits for"] {
        assert!(shown.stdout.contains(part), "{shown}");
    }
    // Another one has to wait; what is not resolved is said.
    let busy = scratch.mug(&repo, &["merge", "topic~0"]);
    assert_eq!(busy.code(), Some(1), "{busy}");
    assert!(busy.stderr.contains("a merge is in progress"), "{busy}");
    let again = scratch.mug(&repo, &words(&line));
    assert_eq!(again.code(), Some(3), "{again}");
    put(&repo, "f", "both\n");
    scratch.git(&repo, &["add", "f"]);
    scratch.mug(&repo, &words(&line)).ok();
    let parents = scratch.git(&repo, &["log", "-1", "--format=%P|%B"]);
    let wanted = scratch.git(&repo, &["rev-parse", "HEAD^1", "topic"]);
    assert_eq!(
        parents.trim_end(),
        format!("{}|Merge branch 'topic'", wanted.replace('\n', " "))
    );
    assert_eq!(scratch.git(&repo, &["status", "--porcelain"]), "");
    assert_eq!(scratch.operations(&repo, &[])[0].status(), "completed");
}

#[test]
fn a_conflict_can_be_given_up() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", true);
    put(&repo, "other", "mine\n");
    let before = scratch.git(&repo, &["status", "--porcelain=v2", "--branch"]);
    assert_eq!(scratch.mug(&repo, &["merge", "topic"]).code(), Some(3));
    let output = scratch.mug(&repo, &["merge", "--abort"]).ok();
    assert!(output.stdout.contains("all is as it was"), "{output}");
    let after = scratch.git(&repo, &["status", "--porcelain=v2", "--branch"]);
    assert_eq!(after, before);
    assert!(!repo.join(".git/MERGE_HEAD").exists());
    let output = scratch.mug(&repo, &["merge", "--abort"]);
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("no merge to give up"), "{output}");
}

#[test]
fn what_git_went_on_with_is_noticed() {
    let scratch = Scratch::new();
    for (name, finish) in [("finished", true), ("aborted", false)] {
        let repo = repository(&scratch, name, true);
        let output = scratch.mug(&repo, &["merge", "topic"]);
        let line = printed(&output);
        if finish {
            put(&repo, "f", "both\n");
            scratch.git(&repo, &["add", "f"]);
            scratch.git(&repo, &["commit", "-q", "--no-edit"]);
        } else {
            scratch.git(&repo, &["merge", "--abort"]);
        }
        let head = scratch.git(&repo, &["rev-parse", "HEAD"]);
        let output = scratch.mug(&repo, &words(&line)).ok();
        let said = if finish {
            "committed already"
        } else {
            "given up already"
        };
        assert!(output.stdout.contains(said), "{output}");
        assert_eq!(scratch.git(&repo, &["rev-parse", "HEAD"]), head);
        assert_eq!(scratch.operations(&repo, &[])[0].status(), "completed");
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", false);
    let bare = scratch.join("bare.git");
    scratch.git(".", &["clone", "-q", "--bare", "repo", "bare.git"]);
    let output = scratch.mug(&bare, &["merge", "topic"]);
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("bare"), "{output}");
    let output = scratch.mug(&repo, &["merge", "nothing"]);
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("\"nothing\" is not something"),
        "{output}"
    );
    assert!(scratch.operations(&repo, &[]).is_empty());
    let output = scratch.mug(&repo, &["merge", "--ff-only", "topic"]);
    assert_eq!(output.code(), Some(1), "{output}");
    let status = scratch.git(&repo, &["status", "--porcelain"]);
    assert_eq!(status, "");

    // What would be lost stops it; out of the way, it goes on.
    put(&repo, "d/new", "mine\n");
    let output = scratch.mug(&repo, &["merge", "topic"]);
    assert_eq!(output.code(), Some(3), "{output}");
    assert!(output.stderr.contains("\"d/new\""), "{output}");
    assert_eq!(
        std::fs::read_to_string(repo.join("d/new")).expect("it is there"),
        "mine\n"
    );
    std::fs::remove_file(repo.join("d/new")).expect("it is removed");
    scratch.mug(&repo, &words(&printed(&output))).ok();
}

#[test]
fn without_git_what_only_git_can_decide_is_a_clear_stop() {
    let scratch = Scratch::new();
    let clean = repository(&scratch, "clean", false);
    let conflict = repository(&scratch, "conflict", true);
    let empty = scratch.join("tmp");
    let run = |repo: &Path| {
        let mut command = scratch.mug_command(repo, &["merge", "topic"]);
        command.env("PATH", &empty).output().expect("mug runs")
    };
    assert!(run(&clean).status.success());
    let output = run(&conflict);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("this merge needs git"), "{said}");
    assert_eq!(scratch.git(&conflict, &["status", "--porcelain"]), "");
}

#[test]
fn a_linked_worktree_has_a_merge_of_its_own() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", true);
    scratch.git(
        &repo,
        &["worktree", "add", "-q", "-b", "side", "../side", "main"],
    );
    let side = scratch.join("side");
    let output = scratch.mug(&side, &["merge", "topic"]);
    assert_eq!(output.code(), Some(3), "{output}");
    let status = scratch.git(&side, &["status", "--porcelain"]);
    assert!(status.contains("UU f"), "{status}");
    assert_eq!(scratch.git(&repo, &["status", "--porcelain"]), "");
    put(&side, "f", "both\n");
    scratch.git(&side, &["add", "f"]);
    scratch.mug(&side, &words(&printed(&output))).ok();
    let subject = scratch.git(&side, &["log", "-1", "--format=%s"]);
    assert_eq!(subject, "Merge branch 'topic' into side");
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let scratch = Scratch::new();
    let repos = ["ours", "gits"].map(|name| {
        let repo = repository(&scratch, name, false);
        scratch.git(&repo, &["sparse-checkout", "set", "--no-cone", "/f"]);
        repo
    });
    scratch.mug(&repos[0], &["merge", "topic"]).ok();
    scratch.git(&repos[1], &["merge", "-q", "--no-edit", "topic"]);
    for args in [
        &["rev-parse", "HEAD"][..],
        &["status", "--porcelain"],
        &["ls-files", "-t"],
    ] {
        assert_eq!(scratch.git(&repos[0], args), scratch.git(&repos[1], args));
    }
    assert!(!repos[0].join("d/new").exists());
}

#[test]
fn commits_are_signed_where_that_is_configured() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", false);
    let mut keygen = scratch.command("ssh-keygen", ".");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    if !keygen.status().is_ok_and(|status| status.success()) {
        // There is no ssh here.
        return;
    }
    let key = scratch.join("key.pub");
    let public = std::fs::read_to_string(&key).expect("a key");
    let allowed = scratch.join("allowed");
    std::fs::write(&allowed, format!("author@example.com {public}")).expect("it is written");
    for (name, value) in [
        ("commit.gpgSign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().expect("text")),
        (
            "gpg.ssh.allowedSignersFile",
            allowed.to_str().expect("text"),
        ),
    ] {
        scratch.git(&repo, &["config", name, value]);
    }
    scratch.mug(&repo, &["merge", "topic"]).ok();
    scratch.git(&repo, &["verify-commit", "HEAD"]);
    scratch.git(&repo, &["fsck", "--strict"]);
}

#[test]
fn what_is_not_done_here_is_refused_by_name() {
    let scratch = Scratch::new();
    let repo = repository(&scratch, "repo", false);
    let before = scratch.git(&repo, &["rev-parse", "HEAD"]);
    let refused = scratch.mug(&repo, &["merge", "topic", "topic~0"]).exits(2);
    assert!(refused.stderr.contains("more than two sides"), "{refused}");
    scratch.git(&repo, &["config", "merge.verifySignatures", "true"]);
    let refused = scratch.mug(&repo, &["merge", "topic"]).exits(1);
    assert!(
        refused.stderr.contains("merge.verifySignatures"),
        "{refused}"
    );
    scratch.git(&repo, &["config", "--unset", "merge.verifySignatures"]);
    scratch.git(&repo, &["config", "merge.autoStash", "true"]);
    let tracked = scratch.git(&repo, &["ls-files"]);
    let tracked = tracked.lines().next().expect("a file");
    put(&repo, tracked, "mine\n");
    let refused = scratch.mug(&repo, &["merge", "topic"]).exits(1);
    assert!(refused.stderr.contains("merge.autoStash"), "{refused}");
    let kept = std::fs::read_to_string(repo.join(tracked)).expect("it is there");
    assert_eq!(kept, "mine\n");
    scratch.git(&repo, &["checkout", "-q", "--", tracked]);
    // Both sides have the submodule at other commits.
    scratch.git(&repo, &["checkout", "-q", "-b", "submodules"]);
    let submodule = |at: &str| {
        let info = format!("160000,{at},module");
        scratch.git(&repo, &["update-index", "--add", "--cacheinfo", &info]);
        scratch.git(&repo, &["commit", "-q", "-m", "submodule"]);
    };
    submodule(&"1".repeat(40));
    scratch.git(&repo, &["branch", "other"]);
    submodule(&"2".repeat(40));
    scratch.git(&repo, &["checkout", "-q", "other"]);
    submodule(&"3".repeat(40));
    let head = scratch.git(&repo, &["rev-parse", "HEAD"]);
    let refused = scratch.mug(&repo, &["merge", "submodules"]).exits(1);
    assert!(
        refused
            .stderr
            .contains("the submodule \"module\" conflicts"),
        "{refused}"
    );
    assert_eq!(scratch.git(&repo, &["rev-parse", "HEAD"]), head);
    assert_eq!(scratch.git(&repo, &["rev-parse", "main"]), before);
}

#[test]
fn other_programs_sign_as_they_do_for_git() {
    use std::os::unix::fs::PermissionsExt as _;

    let scratch = Scratch::new();
    // What it was told and given is its signature.
    let script = "#!/bin/sh\nsum=$(sha1sum)\necho '[GNUPG:] SIG_CREATED x' >&2\n\
                  printf -- '-----BEGIN PGP SIGNATURE-----\\r\\n\\r\\n%s: %s\\r\\n' \"$*\" \"$sum\"\n\
                  echo '-----END PGP SIGNATURE-----'\n";
    let program = scratch.join("sign");
    std::fs::write(&program, script).expect("it is written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let program = program.to_str().expect("text");
    for (number, (key, format, id)) in [
        ("gpg.program", "openpgp", None),
        ("gpg.openpgp.program", "openpgp", Some("0xkey")),
        ("gpg.x509.program", "x509", Some("a key")),
    ]
    .into_iter()
    .enumerate()
    {
        let heads = ["git", "mug"].map(|who| {
            let repo = repository(&scratch, &format!("{who}-{number}"), false);
            scratch.git(&repo, &["config", "commit.gpgSign", "true"]);
            scratch.git(&repo, &["config", "gpg.format", format]);
            scratch.git(&repo, &["config", key, program]);
            if let Some(id) = id {
                scratch.git(&repo, &["config", "user.signingKey", id]);
            }
            let mut command = match who {
                "git" => scratch.command("git", &repo),
                _ => scratch.mug_command(&repo, &["merge", "topic"]),
            };
            if who == "git" {
                command.args(["merge", "-q", "--no-edit", "topic"]);
            }
            for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
                command.env(date, "1700000000 +0100");
            }
            let output = command.output().expect("it runs");
            assert!(output.status.success(), "{output:?}");
            scratch.git(&repo, &["cat-file", "commit", "HEAD"])
        });
        assert_eq!(heads[0], heads[1]);
        assert!(heads[0].contains("gpgsig -----BEGIN"), "{}", heads[0]);
    }
}
