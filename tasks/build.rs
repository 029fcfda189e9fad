//! Finds the commit that is built, for `mug --version`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        // Not built from a clone: from an archive of the sources, say.
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=MUG_VERSION={version}");
}

/// The commit, abbreviated, with its date.
fn commit() -> Option<String> {
    // Some other repository around these sources says nothing of them.
    let prefix = git(&["rev-parse", "--show-prefix"])?;
    if prefix != "tasks/" {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        // Watching what does not exist would build each time.
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["log", "-1", "--abbrev=10", "--format=%h %cs"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
