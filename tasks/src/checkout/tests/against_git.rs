//! The same files, modes and links as git writes, and an index that git finds nothing to do with.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use gix::index::entry::Stat;

use super::super::Written;
use super::fixture::{Input, check_out, commit, git, git_fed, init, tree};

/// Clones `repo` twice, with git's own checkout and with ours, and holds them against each other.
async fn same(dir: &Path, repo: &Path, config: &[&str]) -> Written {
    let clone = |name: &str, option: &str| {
        let mut args = vec!["clone", "-q", option];
        for setting in config {
            args.extend(["-c", setting]);
        }
        let to = dir.join(name);
        args.extend([repo.to_str().unwrap(), to.to_str().unwrap()]);
        git(dir, &args);
        to
    };
    let theirs = clone("theirs", "--quiet");
    let ours = clone("ours", "--no-checkout");
    let written = check_out(Input::of_head(&ours)).await.unwrap();
    let (expected, found) = (tree(&theirs), tree(&ours));
    for (path, file) in &expected {
        let path_shown = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), Some(file), "{path_shown}");
    }
    assert_eq!(found.len(), expected.len());
    let state = |dir: &Path| git(dir, &["ls-files", "--stage", "-z"]);
    assert_eq!(state(&ours), state(&theirs));
    // Before anything refreshes the index.
    assert_stat(&ours);
    // Not everything that attributes make of a file can be undone: git may find its own files
    // modified, where it looks into them.
    let status = |dir: &Path| git(dir, &["status", "--porcelain"]);
    if status(&theirs).is_empty() {
        assert_eq!(status(&ours), "");
    }
    assert!(!ours.join(".git/scratch").exists());
    written
}

/// The index has the stat data of the files, and is younger than they are: with that git need not
/// look into any file.
fn assert_stat(repo: &Path) {
    let path = repo.join(".git/index");
    let options = gix::index::decode::Options::default();
    let index = gix::index::File::at(&path, gix_hash::Kind::Sha1, false, options).unwrap();
    let stat = |path: &Path| {
        Stat::from_fs(&gix::index::fs::Metadata::from_path_no_follow(path).unwrap()).unwrap()
    };
    let written = stat(&path).mtime;
    for entry in index.entries() {
        let name = entry.path(&index);
        let file = repo.join(OsStr::from_bytes(name));
        assert_eq!(entry.stat, stat(&file), "{name}");
        assert!(entry.stat.mtime <= written, "{name}");
    }
}

fn write(repo: &Path, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
    let path = repo.join(name.as_ref());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn executable(repo: &Path, name: &str) {
    fs::set_permissions(repo.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn files_links_modes_and_names_of_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    write(&repo, "empty", "");
    write(&repo, "large", vec![7; 3 << 20]);
    write(&repo, "run.sh", "#!/bin/sh\n");
    executable(&repo, "run.sh");
    for number in 0..200 {
        let name = format!("d{}/e{}/file-{number}", number % 7, number % 3);
        write(&repo, name, format!("{number}\n"));
    }
    // The order of an index is not that of its trees.
    for name in ["a", "a.b", "a-b/c", "a0", "ab/c", "a.d/e"] {
        write(&repo, format!("order/{name}"), name);
    }
    symlink("run.sh", repo.join("link")).unwrap();
    symlink("d1/e1", repo.join("link-to-dir")).unwrap();
    symlink("/nowhere/at/all", repo.join("dangling")).unwrap();
    symlink("..", repo.join("d1/up")).unwrap();
    for name in [
        &b"\xff\xfe not text"[..],
        b"new\nline",
        b"\x1b[31mred",
        b"back\\slash",
        b"colon:",
        b" ",
        b"...",
        "\u{e4}\u{308}".as_bytes(),
        b"-",
    ] {
        write(&repo, OsStr::from_bytes(name), name);
    }
    write(&repo, ".gitmodules", "# none\n");
    // Longer than a path may be in one piece, once the target's is before it.
    let long = vec!["x".repeat(200); 19].join("/");
    git_fed(
        &repo,
        &["update-index", "--add", "--index-info"],
        format!(
            "100644 {}\t{long}\n",
            git_fed(&repo, &["hash-object", "-w", "--stdin"], b"deep").trim()
        )
        .as_bytes(),
    );
    git(&repo, &["commit", "-qm", "a long path"]);
    git(&repo, &["reset", "-q", "--hard"]);
    let head = git(&repo, &["rev-parse", "HEAD"]);
    let link = format!("160000,{},d2/module", head.trim());
    git(&repo, &["update-index", "--add", "--cacheinfo", &link]);
    fs::create_dir(repo.join("d2/module")).unwrap();
    commit(&repo);
    let written = same(dir.path(), &repo, &[]).await;
    assert_eq!(written.left_out, 0, "{:?}", written.remarks);
    let files = git(&repo, &["ls-files", "-z"]).matches('\0').count();
    assert_eq!(written.files, files as u64 - 1);
}

const ATTRIBUTES: &str = "\
*.crlf text eol=crlf
*.lf text eol=lf
*.auto text=auto
*.autocrlf text=auto eol=crlf
*.autolf text=auto eol=lf
*.text text
*.bin -text
*.old crlf
*.input crlf=input
*.id ident
*.both ident text eol=crlf
[attr]wide working-tree-encoding=UTF-16LE-BOM
*.u16 wide
*.u16le text working-tree-encoding=UTF-16LE eol=crlf
*.u16be working-tree-encoding=utf-16be
*.u16any working-tree-encoding=UTF-16
*.u32 working-tree-encoding=UTF-32
*.latin working-tree-encoding=ISO-8859-1
*.latin15 working-tree-encoding=ISO-8859-15
*.sjis working-tree-encoding=SHIFT-JIS
*.utf8 working-tree-encoding=UTF8
*.up filter=up
*.quiet filter=fails
*.nothing filter=unknown
*.upid filter=up ident text eol=crlf
";

const CONTENTS: [&[u8]; 8] = [
    b"one\ntwo\n",
    b"one\r\ntwo\r\n",
    b"one\r\ntwo\nthree\rfour",
    b"no end",
    b"\0binary\n\0\n",
    b"$Id$ and $Id: 0123 $ and $Id: by me 7 $ and $Id:\n$ and $Id$\n",
    "ä ö ü\nあ\n€\n".as_bytes(),
    b"a\xffb\n",
];

#[tokio::test]
async fn attributes_and_filters() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let endings: Vec<&str> = ATTRIBUTES
        .lines()
        .filter_map(|line| line.strip_prefix("*.")?.split(' ').next())
        .chain(["none"])
        .collect();
    for ending in endings {
        for (number, content) in CONTENTS.iter().enumerate() {
            write(&repo, format!("{number}.{ending}"), content);
            write(&repo, format!("sub/dir/{number}.{ending}"), content);
        }
    }
    write(&repo, "empty.up", "");
    // As they are: what the attributes would make of them is not what is to be tested.
    git(&repo, &["add", "-A"]);
    write(&repo, ".gitattributes", ATTRIBUTES);
    write(
        &repo,
        "sub/.gitattributes",
        "*.crlf -text\n*.none text eol=crlf\n/dir/0.* !text !eol\n",
    );
    executable(&repo, "sub/.gitattributes");
    git(&repo, &["add", ".gitattributes", "sub/.gitattributes"]);
    git(&repo, &["commit", "-qm", "all"]);
    for (number, config) in [
        &["core.autocrlf=false"][..],
        &["core.autocrlf=true"],
        &["core.autocrlf=input", "core.eol=crlf"],
        &["core.eol=crlf"],
    ]
    .into_iter()
    .enumerate()
    {
        let dir = dir.path().join(number.to_string());
        fs::create_dir(&dir).unwrap();
        let config = [
            config,
            &[
                "filter.up.smudge=tr a-z A-Z && echo %f",
                "filter.up.clean=cat",
                "filter.up.required=true",
                "filter.fails.smudge=echo wrong; exit 1",
                "filter.nothing.clean=cat",
            ],
        ]
        .concat();
        let written = same(&dir, &repo, &config).await;
        assert_eq!(written.left_out, 0, "{:?}", written.remarks);
    }
}

#[tokio::test]
async fn a_filter_that_runs_for_many_files() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    write(&repo, ".gitattributes", "*.rot filter=rot\n");
    for number in 0..60 {
        write(&repo, format!("{number}.rot"), format!("file {number}\n"));
        write(&repo, format!("{number}.plain"), "plain\n");
    }
    commit(&repo);
    let script = dir.path().join("rot.py");
    fs::write(&script, ROT).unwrap();
    let process = format!("filter.rot.process=python3 {}", script.display());
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let config = [&*process, "filter.rot.required=true"];
    let written = same(dir.path(), &repo, &config).await;
    assert_eq!(written.left_out, 0, "{:?}", written.remarks);
    let file = fs::read_to_string(dir.path().join("ours/7.rot")).unwrap();
    assert_eq!(file, "svyr 7\n");
}

/// A filter process that speaks the long-running protocol.
const ROT: &str = r#"
import codecs, sys
r, w = sys.stdin.buffer, sys.stdout.buffer
def get():
    n = r.read(4)
    if not n: sys.exit()
    n = int(n, 16)
    return r.read(n - 4) if n else None
def many():
    out = []
    while (p := get()) is not None: out.append(p)
    return out
def put(b): w.write(b"%04x" % (len(b) + 4) + b)
def flush():
    w.write(b"0000"); w.flush()
many()
for line in (b"git-filter-server\n", b"version=2\n"): put(line)
flush()
many()
put(b"capability=clean\n"); put(b"capability=smudge\n")
flush()
while True:
    many()
    content = b"".join(many())
    put(b"status=success\n"); flush()
    put(codecs.encode(content.decode(), "rot13").encode()); flush()
    flush()
"#;

#[tokio::test]
async fn an_empty_tree() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    git(&repo, &["commit", "-q", "--allow-empty", "-m", "nothing"]);
    assert_eq!(same(dir.path(), &repo, &[]).await, Written::default());
}

#[tokio::test]
async fn links_as_files_and_no_modes() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    write(&repo, "run", "x");
    executable(&repo, "run");
    symlink("run", repo.join("link")).unwrap();
    commit(&repo);
    let config = ["core.symlinks=false", "core.fileMode=false"];
    let written = same(dir.path(), &repo, &config).await;
    assert_eq!(written.files, 2);
}
