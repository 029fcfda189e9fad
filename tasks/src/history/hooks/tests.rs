use std::fs;

use super::*;

fn repository(dir: &Path) -> gix::Repository {
    gix::create::into(
        dir,
        gix::create::Kind::WithWorktree,
        gix::create::Options::default(),
    )
    .unwrap();
    gix::open_opts(dir, gix::open::Options::isolated()).unwrap()
}

fn put(dir: &Path, name: &str, script: &str, mode: u32) {
    let path = dir.join(".git/hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_hook_is_told_what_git_tells_it_and_what_it_prints_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let hooks = Hooks::of(&repository(dir.path()));
    let own = dir.path().join("own");
    let never = AtomicBool::new(false);
    let run = |name, stdin| hooks.run(name, &["x".as_ref()], stdin, &own, &never);
    assert_eq!(run("post-merge", None).unwrap(), None);
    put(dir.path(), "post-merge", "echo no", 0o644);
    assert_eq!(run("post-merge", None).unwrap(), None);
    let script = "pwd; echo $1 $GIT_DIR; cat; printf 'a\\033b\\n' >&2";
    put(dir.path(), "post-merge", script, 0o755);
    let said = run("post-merge", Some(b"in\n")).unwrap().unwrap();
    let top = dir.path().display();
    assert_eq!(said, format!("{top}\nx {top}/.git\nin\nab\n"));
    put(dir.path(), "post-merge", "echo why; exit 3", 0o755);
    let error = run("post-merge", None).unwrap_err();
    assert!(error.to_string().ends_with(": why"), "{error}");
}

#[test]
fn a_hook_that_hangs_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let hooks = Hooks::of(&repository(dir.path()));
    put(dir.path(), "commit-msg", "while :; do :; done", 0o755);
    let asked = AtomicBool::new(true);
    let ran = hooks.run("commit-msg", &[], None, dir.path(), &asked);
    assert!(matches!(ran, Err(HookError::Interrupted { .. })), "{ran:?}");
}
