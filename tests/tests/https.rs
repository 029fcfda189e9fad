//! Over TLS: who is not vouched for is not talked to, and all else is as it is without.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::PathBuf;

use end_to_end::server::{Fault, HttpServer, Kind, PackMap, Project};
use end_to_end::{Cloning, Scratch, assert_cloned};

const PROJECT: Project = Project {
    commits: 100,
    files: 100,
};

/// A server with a project, and the authority that vouches for it in a file.
fn setup() -> (Scratch, HttpServer, PathBuf) {
    let scratch = Scratch::fast(1 << 30);
    let path = PROJECT.make(&scratch, "project.git");
    scratch.git(&path, &["config", "http.receivepack", "true"]);
    let server = HttpServer::start_tls(&scratch);
    std::fs::write(scratch.join("authority"), HttpServer::authority()).expect("a file");
    (scratch, server, path)
}

/// A clone by git.
fn by_git(scratch: &Scratch, url: &str) {
    let authority = scratch.join("authority");
    let trust = format!("http.sslCAInfo={}", authority.display());
    scratch.git(".", &["-c", &trust, "clone", "-q", url, "theirs"]);
}

/// A configuration with these lines.
fn configured(scratch: &Scratch, name: &str, lines: &str) -> PathBuf {
    let path = scratch.join(name);
    std::fs::write(&path, format!("[http]\n{lines}")).expect("a configuration");
    path
}

#[test]
fn who_is_not_vouched_for_is_refused() {
    let (scratch, server, _) = setup();
    let url = server.tls_url("project.git");
    let refused = Cloning::new(&scratch, &url, "refused", &[]).start().wait();
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(refused.stderr.contains("certificate"), "{refused}");
    assert!(!scratch.join("refused/.git/refs/heads/main").exists());
    assert_eq!(server.served().len(), 0, "it was asked for something");
    by_git(&scratch, &url);
    // Who says so trusts whoever answers.
    for (name, lines) in [
        (
            "file",
            format!("\tsslCAInfo = {}\n", scratch.join("authority").display()),
        ),
        ("nobody", "\tsslVerify = false\n".to_owned()),
    ] {
        let mut cloning = Cloning::new(&scratch, &url, name, &[]);
        cloning = cloning.global(configured(&scratch, &format!("trust-{name}"), &lines));
        cloning.finish();
        assert_cloned(&scratch, &scratch.join(name), &scratch.join("theirs"));
    }
}

#[test]
fn cut_and_killed_and_pushed_back() {
    let (scratch, server, path) = setup();
    let url = server.tls_url("project.git");
    let lines = format!("\tsslCAInfo = {}\n", scratch.join("authority").display());
    let trust = configured(&scratch, "trust", &lines);
    by_git(&scratch, &url);
    let map = PackMap::of(&scratch, &scratch.join("theirs/.git"));
    server.forget();
    server.once(Kind::Fetch, 0, Fault::CutPack(map.behind(0.5)));
    server.once(Kind::Fetch, 1, Fault::Hold(0));
    let mut cloning = Cloning::new(&scratch, &url, "ours", &[]).global(trust.clone());
    let process = cloning.start();
    server.wait_holding();
    let output = process.kill();
    cloning.note(&output);
    server.behave();
    cloning.finish();
    assert_cloned(&scratch, &scratch.join("ours"), &scratch.join("theirs"));
    let share = server.pack_sent() as f64 / map.length as f64;
    println!("{share:.3} of a clone");
    // Whoever begins anew has 1.5.
    assert!(share <= 1.25, "{share:.3} of a clone was sent");
    let commit = ["commit", "-q", "--allow-empty", "-m", "ours"];
    scratch.git("ours", &commit);
    let mut push = scratch.command(end_to_end::binary(), "ours");
    push.args(["push", "origin", "HEAD:refs/heads/back"]);
    push.env("GIT_CONFIG_GLOBAL", trust);
    assert!(push.status().expect("mug runs").success());
    assert_eq!(
        scratch.git(&path, &["rev-parse", "back"]),
        scratch.git("ours", &["rev-parse", "HEAD"])
    );
}
