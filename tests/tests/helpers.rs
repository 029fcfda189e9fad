//! The helpers of the other tests do what they say.

use end_to_end::{Scratch, Shape, Signal, wait_until};

#[test]
fn a_repository_is_whole_and_the_same_every_time() {
    let scratch = Scratch::new();
    let bare = scratch.repository("bare.git", true, Shape::SMALL);
    let plain = scratch.repository("plain", false, Shape::SMALL);
    scratch.git(&bare, &["fsck", "--full", "--strict"]);
    let refs = |path| scratch.git(path, &["for-each-ref"]);
    assert_eq!(refs(&bare), refs(&plain));
    assert_eq!(refs(&bare).lines().count(), 4);
    assert_eq!(scratch.git(&plain, &["status", "--porcelain"]), "");
    assert_eq!(scratch.git(&plain, &["rev-list", "--count", "main"]), "5");
}

#[test]
fn the_machines_own_configuration_is_not_seen() {
    let scratch = Scratch::new();
    assert_eq!(scratch.git(".", &["config", "--list"]), "");
    let author = scratch.git(".", &["var", "GIT_AUTHOR_IDENT"]);
    assert_eq!(author, "A U Thor <author@example.com> 1700000000 +0000");
}

#[test]
fn a_running_command_is_watched_and_signalled() {
    let scratch = Scratch::new();
    let mut command = scratch.command("sh", ".");
    command.args([
        "-c",
        "trap 'echo caught; exit 7' INT; echo up; while :; do sleep 0.01; done",
    ]);
    let running = end_to_end::Running::start(command, scratch.path());
    wait_until("it is up", || running.stdout() == "up\n");
    assert!(running.is_running());
    running.signal(Signal::INT);
    let output = running.wait().exits(7);
    assert_eq!(output.stdout, "up\ncaught\n");
}

#[test]
fn the_binary_runs() {
    let scratch = Scratch::new();
    let output = scratch.mug(".", &["--version"]).ok();
    assert!(output.stdout.starts_with("mug "), "{output}");
}
