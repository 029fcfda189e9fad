//! What stands in for ssh: it runs the command on this machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::Scratch;

/// A program for `GIT_SSH_COMMAND`.
#[derive(Debug)]
pub struct Shim {
    dir: PathBuf,
}

/// Its last argument is the command. `cuts` holds, one a line, after how many bytes
/// each connection from the first one on breaks; `-` lets it be.
const SCRIPT: &str = r#"#!/bin/sh
dir=$(dirname "$0")
printf '%s\n' "$*" >> "$dir/calls"
printf '%s\n' "$GIT_PROTOCOL" >> "$dir/protocols"
for command do :; done
PATH=$(git --exec-path):$PATH
cut=$(head -n 1 "$dir/cuts")
sed -i 1d "$dir/cuts"
sent=$(mktemp "$dir/sent.XXXXXX")
case $cut in
'' | -) sh -c "$command" | tee "$sent" ;;
*)
    sh -c "$command" 2>/dev/null | stdbuf -o0 head -c "$cut" | tee "$sent"
    echo 'Connection to host closed by remote host.' >&2
    exit 255
    ;;
esac
"#;

impl Shim {
    /// Makes one in `scratch`.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn new(scratch: &Scratch) -> Self {
        let dir = scratch.join("shim");
        std::fs::create_dir(&dir).expect("a directory");
        let script = dir.join("ssh");
        std::fs::write(&script, SCRIPT).expect("a script");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700))
            .expect("it can be run");
        std::fs::write(dir.join("cuts"), "").expect("a file");
        Self { dir }
    }

    /// Has `command` use it.
    pub fn apply(&self, command: &mut Command) {
        command.env("GIT_SSH_COMMAND", self.dir.join("ssh"));
    }

    /// Breaks the next connections, each after so many bytes; `None` lets one be.
    ///
    /// # Panics
    ///
    /// When that cannot be written down.
    pub fn cut(&self, places: &[Option<u64>]) {
        let line = |place: &Option<u64>| match place {
            Some(place) => format!("{place}\n"),
            None => "-\n".to_owned(),
        };
        let lines: String = places.iter().map(line).collect();
        std::fs::write(self.dir.join("cuts"), lines).expect("a file");
    }

    /// The arguments of each call so far.
    pub fn calls(&self) -> Vec<String> {
        self.lines("calls")
    }

    /// What `GIT_PROTOCOL` was at each call.
    pub fn protocols(&self) -> Vec<String> {
        self.lines("protocols")
    }

    /// The bytes that were sent in all.
    ///
    /// # Panics
    ///
    /// When they cannot be counted.
    pub fn sent(&self) -> u64 {
        let files = crate::files(&self.dir).into_iter();
        let sent = files.filter(|(path, _)| path.to_string_lossy().starts_with("sent."));
        sent.filter_map(|(_, length)| length).sum()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
