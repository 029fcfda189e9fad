//! Repositories of every sort: cut off, promised, borrowed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use gix_hash::ObjectId;

use super::{Input, create, input, packed, ref_lines, verified};
use crate::pack::{
    format::{PackDir, Refs},
    testing::{GitRepo, git_in},
};

/// What git prints, in any directory.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_in(dir, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// What git finds reachable there; what is missing is not listed.
fn reachable(dir: &Path) -> BTreeSet<String> {
    let args = [
        "rev-list",
        "--objects",
        "--no-object-names",
        "--all",
        "HEAD",
    ];
    let listed = git(dir, &[&args[..], &["--missing=allow-promisor"]].concat());
    listed.lines().map(str::to_owned).collect()
}

fn refs(output: &Path) -> Refs {
    let layers = PackDir::open(output).unwrap().layers().unwrap();
    layers.last().unwrap().refs().clone()
}

fn names(ids: &[ObjectId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

struct Clone {
    repo: GitRepo,
    dir: PathBuf,
    input: Input,
}

impl Clone {
    /// A clone of a history of some commits, made with these options.
    fn with(options: &[&str]) -> Self {
        let repo = GitRepo::history(9);
        repo.git(&["config", "uploadpack.allowFilter", "true"]);
        repo.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let url = format!("file://{}", repo.path().display());
        let args = [&["clone", "-q"], options, &[&url, "../clone"]].concat();
        repo.git(&args);
        let dir = repo.beside("clone");
        let input = Input {
            repository: dir.join(".git"),
            ..input(&repo, &repo.beside("out"), &[])
        };
        Self { repo, dir, input }
    }

    async fn create(&self) -> Result<super::Summary, String> {
        let made = create(self.input.clone(), 2).await;
        made.map_err(|error| error.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_clone_is_packed_as_such_and_grows_layer_by_layer() {
    let clone = Clone::with(&["--depth=2"]);
    let output = &clone.input.output;
    let shallow = || lines(&fs::read_to_string(clone.dir.join(".git/shallow")).unwrap());
    let remarks = clone.input.check().unwrap();
    assert!(
        remarks.iter().any(|remark| remark.contains("shallow")),
        "{remarks:?}"
    );
    for (round, depth) in ["2", "2", "4", "6"].iter().enumerate() {
        git(&clone.dir, &["fetch", "-q", "--depth", depth]);
        let summary = clone.create().await.unwrap();
        assert_eq!(summary.unchanged, round == 1);
        assert_eq!(names(&refs(output).shallow), shallow(), "depth {depth}");
        assert_eq!(packed(output), reachable(&clone.dir), "depth {depth}");
        verified(output);
    }
    git(&clone.dir, &["fetch", "-q", "--unshallow"]);
    clone.create().await.unwrap();
    assert!(refs(output).shallow.is_empty());
    assert_eq!(packed(output), reachable(&clone.dir));
    verified(output);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_top_of_a_whole_pack_a_shallow_clone_cuts_nothing_off() {
    let clone = Clone::with(&["--depth=2"]);
    let output = &clone.input.output;
    create(input(&clone.repo, output, &[]), 2).await.unwrap();
    fs::write(clone.dir.join("new"), "above the cut").unwrap();
    git(&clone.dir, &["add", "new"]);
    git(&clone.dir, &["commit", "-q", "-m", "new"]);
    let summary = clone.create().await.unwrap();
    assert_eq!((summary.layers, summary.objects), (2, 3));
    assert!(refs(output).shallow.is_empty());
    verified(output);
    // Below the cut of a shallow pack nothing is known, whatever a clone has.
    let other = Clone::with(&["--depth=2"]);
    let output = &other.input.output;
    other.create().await.unwrap();
    let cut = refs(output).shallow;
    git(&other.dir, &["fetch", "-q", "--depth=4"]);
    let only = Input {
        refs: vec!["refs/heads/main".into()],
        ..other.input.clone()
    };
    create(only, 2).await.unwrap();
    assert_ne!(refs(output).shallow, cut);
    verified(output);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_is_refused_or_left_out_on_request() {
    for filter in ["--filter=blob:none", "--filter=tree:0"] {
        let mut clone = Clone::with(&[filter, "--no-checkout"]);
        let output = clone.input.output.clone();
        let missing = || -> BTreeSet<String> {
            let args = ["rev-list", "--objects", "--all", "--missing=print"];
            let listed = git(&clone.dir, &args);
            let missing = listed.lines().filter_map(|line| line.strip_prefix('?'));
            missing.map(str::to_owned).collect()
        };
        let expected = missing();
        assert!(expected.len() > 5, "{filter}");
        let error = clone.create().await.unwrap_err();
        let count = format!("{} objects in all", expected.len());
        assert!(error.contains(&count), "{error}");
        assert!(expected.iter().any(|id| error.contains(id)), "{error}");
        assert!(error.contains("--missing=allow-promisor"), "{error}");
        assert!(!output.join("manifest.json").exists());
        fs::remove_dir_all(&output).unwrap();

        let dir = clone.dir.clone();
        clone.input.allow_promised = true;
        clone.create().await.unwrap();
        assert_eq!(names(&refs(&output).missing), expected, "{filter}");
        assert_eq!(packed(&output), reachable(&dir), "{filter}");
        verified(&output);
        assert!(clone.create().await.unwrap().unchanged);

        // Local work upon it, and a few of those that were missing.
        let some: Vec<&String> = expected.iter().take(3).collect();
        for id in &some {
            git(&dir, &["cat-file", "-p", id]);
        }
        git(&dir, &["checkout", "-q", "main"]);
        fs::write(dir.join("readme"), "of my own").unwrap();
        git(&dir, &["commit", "-q", "-a", "-m", "mine"]);
        git(&dir, &["repack", "-q", "-a", "-d"]);
        clone.create().await.unwrap();
        let now = names(&refs(&output).missing);
        assert!(now.len() < expected.len(), "{filter}");
        assert!(some.iter().all(|id| !now.contains(*id)));
        assert_eq!(packed(&output), reachable(&dir), "{filter}");
        verified(&output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pack_has_is_not_missing() {
    let mut clone = Clone::with(&["--filter=blob:none", "--no-checkout"]);
    let output = clone.input.output.clone();
    let whole = create(input(&clone.repo, &output, &[]), 2).await.unwrap();
    assert_eq!(whole.layers, 1);
    clone.create().await.unwrap();
    assert!(refs(&output).missing.is_empty());
    verified(&output);
    // What is neither promised nor there is an error, also with leave.
    fs::remove_dir_all(&output).unwrap();
    clone.input.allow_promised = true;
    let tree = git(&clone.dir, &["rev-parse", "main^{tree}"]);
    let lost = clone.repo.git(&["rev-parse", "main:readme"]);
    let listing = format!("100644 blob {}\tlost\n", lost.replace(&lost[..4], "0000"));
    fs::write(clone.dir.join("listing"), listing).unwrap();
    let made = format!(
        "git mktree --missing < listing > tree && git update-ref refs/heads/broken \
         $(git commit-tree -m broken -p main $(cat tree)) && test -n {tree}"
    );
    let mut sh = std::process::Command::new("sh");
    sh.current_dir(&clone.dir).args(["-ec", &made]);
    sh.envs([
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@a"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@a"),
    ]);
    assert!(sh.status().unwrap().success());
    let broken = git(&clone.dir, &["rev-parse", "broken"]);
    let error = clone.create().await.unwrap_err();
    let named = format!("(in commit {broken}, as \"lost\")");
    assert!(error.contains(&named) && error.contains("0000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn object_directories_of_the_environment() {
    let repo = GitRepo::history(4);
    repo.git(&["repack", "-q", "-a", "-d"]);
    let objects = repo.git_dir().join("objects");
    let (own, other) = (repo.beside("own"), repo.beside("other"));
    fs::rename(&objects, &other).unwrap();
    fs::create_dir_all(objects.join("info")).unwrap();
    fs::create_dir_all(&own).unwrap();
    let without = input(&repo, &repo.beside("out"), &[]);
    let error = create(without.clone(), 1).await.unwrap_err().to_string();
    assert!(error.contains("does not have"), "{error}");
    fs::remove_dir_all(&without.output).unwrap();
    for (objects, alternates) in [(Some(other.clone()), vec![]), (Some(own), vec![other])] {
        let output = repo.beside(&format!("out{}", alternates.len()));
        let with = Input {
            objects,
            alternates,
            output: output.clone(),
            ..without.clone()
        };
        // As it is stored, so it is taken up.
        let stored = serde_json::to_string(&with).unwrap();
        create(serde_json::from_str(&stored).unwrap(), 1)
            .await
            .unwrap();
        verified(&output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_may_not_expect_is_said() {
    let repo = GitRepo::history(3);
    let output = repo.beside("out");
    let said = |input: &Input| input.check().unwrap().join("\n");
    assert_eq!(said(&input(&repo, &output, &[])), "");
    repo.git(&["worktree", "add", "-q", "--detach", "../linked", "HEAD~1"]);
    let detached = repo.git(&["rev-parse", "HEAD~1"]);
    let all = said(&input(&repo, &output, &[]));
    assert!(all.contains(&detached) && all.contains("linked"), "{all}");
    assert_eq!(said(&input(&repo, &output, &["main"])), "");
    let linked = Input {
        repository: repo.git_dir().join("worktrees/linked"),
        ..input(&repo, &output, &[])
    };
    assert_eq!(said(&linked), "", "main is on a branch");
    repo.git(&["replace", "HEAD", "HEAD~1"]);
    fs::create_dir_all(repo.git_dir().join("info")).unwrap();
    fs::write(repo.git_dir().join("info/grafts"), format!("{detached}\n")).unwrap();
    let gone = repo.beside("gone");
    fs::write(
        repo.git_dir().join("objects/info/alternates"),
        format!("{}\n", gone.display()),
    )
    .unwrap();
    let all = said(&input(&repo, &output, &["main"]));
    for word in ["refs/replace", "info/grafts", "gone"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    create(input(&repo, &output, &[]), 1).await.unwrap();
    // The object as it is, and the replacement as a ref.
    assert!(
        ref_lines(&refs(&output))
            .iter()
            .any(|line| line.contains("refs/replace/"))
    );
    fs::remove_file(repo.git_dir().join("info/grafts")).unwrap();
    fs::remove_file(repo.git_dir().join("objects/info/alternates")).unwrap();
    let raw = git_in(
        &repo.path(),
        &[
            "--no-replace-objects",
            "rev-list",
            "--objects",
            "--no-object-names",
            "--all",
        ],
    );
    let raw = lines(&String::from_utf8(raw.stdout).unwrap());
    assert_eq!(packed(&output), raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_by_date_and_without_the_excluded() {
    let repo = GitRepo::new();
    repo.write("file", "content");
    repo.commit("first");
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    for date in [100, 200, 300] {
        let commit =
            format!("tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> {date} +0000\n\nx\n");
        repo.write("commit", commit);
        let id = repo.git(&["hash-object", "-t", "commit", "-w", "commit"]);
        repo.git(&["update-ref", &format!("refs/heads/at-{date}"), &id]);
        repo.git(&["tag", "-a", "-m", "t", &format!("tag-{date}"), &id]);
    }
    repo.git(&["tag", "of-tree", &tree]);
    repo.git(&["pack-refs", "--all"]);
    repo.git(&["repack", "-q", "-a", "-d"]);
    let output = repo.beside("out");
    let chosen = Input {
        since: Some(200),
        exclude: vec!["main".into(), "tag-3*".into()],
        ..input(&repo, &output, &[])
    };
    create(chosen.clone(), 1).await.unwrap();
    let found = refs(&output);
    assert_eq!(found.head, None, "main is excluded");
    let found: Vec<String> = found
        .refs
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    let expected = [
        "refs/heads/at-200",
        "refs/heads/at-300",
        "refs/tags/tag-200",
    ];
    assert_eq!(found, expected);
    assert_eq!(packed(&output), repo.reachable(&expected));
    let none = Input {
        since: Some(1 << 40),
        ..chosen
    };
    let error = none.check().unwrap_err().to_string();
    assert!(error.contains("no ref is left"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_pack_has_large_frames_and_can_have_layers_of_another_size() {
    let repo = GitRepo::history(3);
    let output = repo.beside("out");
    let small = |small| Input {
        small,
        ..input(&repo, &output, &[])
    };
    create(small(true), 2).await.unwrap();
    repo.grow(5);
    create(small(false), 2).await.unwrap();
    let layers = PackDir::open(&output).unwrap().layers().unwrap();
    let sizes: Vec<u32> = layers
        .iter()
        .map(|layer| layer.index().frame_size())
        .collect();
    assert_eq!(sizes, [16 << 20, 4 << 20]);
    verified(&output);
}
