//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("MUG_BINARY") {
    Some(path) => path.into(),
    None => build(),
});

/// The `mug` under test: `$MUG_BINARY`, or the one of this workspace, built as
/// this test was (once in a process; building again what is built takes little).
///
/// # Panics
///
/// When it cannot be built.
pub fn binary() -> &'static Path {
    &BINARY
}

fn build() -> PathBuf {
    // <target>/<profile>/deps/<this test>
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("tests are below target/<profile>/deps");
    let target = profile.parent().expect("a profile is below target");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "mug", "--bin", "mug"])
        .args(["--profile", name, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "mug was not built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    profile.join("mug")
}
