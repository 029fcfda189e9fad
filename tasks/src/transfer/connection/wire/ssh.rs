//! The ssh that the user has set, and the options of its kind.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gix::bstr::{BString, ByteSlice as _};

use super::super::address::Place;
use super::super::{Address, ConnectionError, Service, Settings};
use super::process::{by_shell, start};
use super::stream::Stream;
use super::watch::Watch;

/// Talks to a server through ssh.
pub(super) fn connect(
    address: &Address,
    service: Service,
    settings: &Settings,
    watch: Watch,
) -> Result<Stream, ConnectionError> {
    let Place::Ssh {
        user,
        host,
        port,
        path,
    } = &address.place
    else {
        return Err(ConnectionError::protocol("no address for ssh"));
    };
    let (mut command, name) = ssh_command(settings);
    let variant = Variant::of(settings, &name, host);
    if variant == Variant::Ssh && service.version(settings) > 0 {
        command.args(["-o", "SendEnv=GIT_PROTOCOL"]);
    }
    if let Some(port) = port {
        match variant {
            Variant::Ssh => command.arg("-p").arg(port.to_string()),
            Variant::Plink => command.arg("-P").arg(port.to_string()),
            Variant::Simple => {
                let what = "the ssh program can't be given a port; set ssh.variant".into();
                return Err(ConnectionError::Unsupported { what });
            }
        };
    }
    // An address of version 6 stands in brackets, which are no part of it.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    command.arg(match user {
        Some(user) => format!("{user}@{host}"),
        None => host.to_owned(),
    });
    let program = settings.of_remote(service.program_key());
    let mut remote = program.unwrap_or_else(|| service.program().into());
    remote.push(b' ');
    remote.extend_from_slice(&quoted(path));
    command.arg(OsStr::from_bytes(&remote));
    start(command, address, service, settings, watch)
}

/// The kinds of ssh, by their options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Ssh,
    Plink,
    Simple,
}

impl Variant {
    fn of(settings: &Settings, program: &OsStr, host: &str) -> Self {
        let set = std::env::var("GIT_SSH_VARIANT").ok();
        let set = set.or_else(|| settings.string("ssh.variant").map(|it| it.to_string()));
        match set.as_deref() {
            Some("ssh") => return Self::Ssh,
            Some("simple") => return Self::Simple,
            Some("plink" | "putty" | "tortoiseplink") => return Self::Plink,
            _ => {}
        }
        let stem = Path::new(program).file_stem().and_then(OsStr::to_str);
        match stem.map(str::to_ascii_lowercase).as_deref() {
            Some("ssh") => Self::Ssh,
            Some("plink" | "putty" | "tortoiseplink") => Self::Plink,
            // OpenSSH under another name prints its configuration; others fail.
            _ => {
                let mut probe = ssh_command(settings).0;
                probe.arg("-G").arg(host);
                for set in [Command::stdin, Command::stdout, Command::stderr] {
                    set(&mut probe, Stdio::null());
                }
                match probe.status() {
                    Ok(status) if status.success() => Self::Ssh,
                    _ => Self::Simple,
                }
            }
        }
    }
}

/// The ssh to use, and the name by which its kind is known.
fn ssh_command(settings: &Settings) -> (Command, OsString) {
    let by_environment = std::env::var_os("GIT_SSH_COMMAND").filter(|it| !it.is_empty());
    let text = by_environment.map(|it| BString::from(it.as_bytes()));
    if let Some(text) = text.or_else(|| settings.string("core.sshCommand")) {
        let words = text.to_str().ok().and_then(shlex::split);
        let first = words.and_then(|words| words.into_iter().next());
        return (by_shell(&text), first.unwrap_or_default().into());
    }
    let program = std::env::var_os("GIT_SSH").filter(|it| !it.is_empty());
    let program = program.unwrap_or_else(|| "ssh".into());
    (Command::new(&program), program)
}

/// `text` as one word of a shell.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for &byte in text {
        match byte {
            b'\'' | b'!' => out.extend_from_slice(&[b'\'', b'\\', byte, b'\'']),
            byte => out.push(byte),
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for path in ["/x y", "a'b", "~me/x!", "$(touch z)", "\n", ""] {
            let quoted = quoted(path.as_bytes());
            let script = format!("printf %s {}", quoted.to_str_lossy());
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(output.stdout.to_str_lossy(), path);
        }
    }
}
