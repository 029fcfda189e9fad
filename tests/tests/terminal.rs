//! What a user sees in a real terminal: bars, Ctrl-C, the list, and the rest of
//! the work.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::{Large, Scratch, Undisturbed, assert_same, wait_until};

/// A terminal of its own, in a server of its own.
struct Terminal<'a> {
    scratch: &'a Scratch,
    socket: PathBuf,
}

impl<'a> Terminal<'a> {
    /// One of 120 columns, with a shell in `dir`; none where there is no tmux.
    fn open(scratch: &'a Scratch, dir: &Path) -> Option<Self> {
        let found = scratch.command("tmux", ".").arg("-V").output();
        if !found.is_ok_and(|found| found.status.success()) {
            return None;
        }
        let terminal = Self {
            scratch,
            socket: scratch.join("tmux"),
        };
        let dir = dir.to_str().expect("a scratch path is text");
        let mut command = terminal.command();
        command
            .env("PS1", "$ ")
            .args([
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "120",
                "-y",
                "40",
                "-c",
                dir,
            ])
            .arg("sh");
        let output = command.output().expect("tmux runs");
        assert!(output.status.success(), "{output:?}");
        Some(terminal)
    }

    fn command(&self) -> Command {
        let mut command = self.scratch.command("tmux", ".");
        command
            .env("TERM", "xterm-256color")
            .arg("-S")
            .arg(&self.socket);
        command
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("tmux runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What is to be seen now.
    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-J"])
    }

    fn type_line(&self, line: &str) {
        self.run(&["send-keys", "-l", line]);
        self.run(&["send-keys", "Enter"]);
    }

    /// Waits until the screen is as `seen` wants it, and gives it.
    #[track_caller]
    fn wait(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let what = format!("the terminal shows {what}");
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&what, || {
                screen = self.screen();
                seen(&screen)
            });
        }));
        assert!(waited.is_ok(), "waited in vain until {what}:\n{screen}");
        screen
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}

#[test]
fn bars_ctrl_c_list_and_the_rest() {
    let scratch = Scratch::fast(1 << 30);
    let shape = Large {
        files: 250,
        commits: 3_000,
    };
    let repository = shape.make(&scratch, "large.git");
    let undisturbed = Undisturbed::run(&scratch, &repository, "undisturbed");
    let Some(terminal) = Terminal::open(&scratch, &repository) else {
        println!("skipped: there is no tmux on this machine");
        return;
    };
    let mug = end_to_end::binary().display();
    terminal.type_line(&format!(
        "PATH={}:$PATH",
        end_to_end::binary()
            .parent()
            .expect("a directory")
            .display()
    ));
    println!("with {mug}");

    terminal.type_line("mug pack create ../out --threads 1");
    let screen = terminal.wait("a bar of the frames with its rate", |screen| {
        let bar = screen.lines().find(|line| line.contains("frames"));
        bar.is_some_and(|line| line.contains('%') && line.contains("/s"))
    });
    println!("{}", screen.trim());
    assert!(screen.contains("Ctrl-C pauses it"), "{screen}");

    terminal.run(&["send-keys", "C-c"]);
    let screen = terminal.wait("the command that continues it", |screen| {
        screen.contains("continue it with:") && screen.contains("--resume op-")
    });
    println!("{}", screen.trim());
    assert!(screen.contains("is paused at"), "{screen}");
    let line = screen
        .lines()
        .find(|line| line.contains("--resume op-"))
        .expect("the line")
        .trim()
        .to_owned();
    terminal.type_line("echo \"code $?\"");
    terminal.wait("the exit code", |screen| screen.contains("code 130"));

    terminal.type_line("clear; mug resume");
    let screen = terminal.wait("the list", |screen| {
        screen.contains("ID") && screen.contains("paused")
    });
    println!("{}", screen.trim());

    terminal.type_line(&format!("clear; {line}"));
    let screen = terminal.wait("the end", |screen| screen.contains("objects, "));
    println!("{}", screen.trim());
    assert!(screen.contains("continuing op-"), "{screen}");
    terminal.type_line("echo \"code $?\"");
    terminal.wait("the exit code", |screen| screen.contains("code 0"));
    assert_same(&scratch.join("out"), &undisturbed.pack);
}
