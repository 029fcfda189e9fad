//! Signatures of commits, by the program that Git would call.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use gix::bstr::{BString, ByteSlice as _};

use super::CommitError;

/// Signs `payload` as `gpg.format`, `gpg.program` and `user.signingKey` say; `who` is the key where
/// none is set.
pub(super) fn sign(
    repository: &gix::Repository,
    payload: &[u8],
    who: &str,
) -> Result<BString, CommitError> {
    let config = repository.config_snapshot();
    let text = |key: &str| config.string(key).map(|it| it.to_str_lossy().into_owned());
    let format = text("gpg.format").unwrap_or_else(|| "openpgp".to_owned());
    let program = text(&format!("gpg.{format}.program"));
    let key = text("user.signingKey").filter(|key| !key.is_empty());
    match format.as_str() {
        "openpgp" | "x509" => {
            let usual = if format == "x509" { "gpgsm" } else { "gpg" };
            let old = (format == "openpgp").then(|| text("gpg.program")).flatten();
            let program = program.or(old).unwrap_or_else(|| usual.to_owned());
            let key = key.unwrap_or_else(|| who.to_owned());
            let mut command = Command::new(&program);
            command.args(["--status-fd=2", "-bsau", &key]);
            let output = run(&program, command, payload)?;
            let made = output
                .stderr
                .lines()
                .any(|line| line.starts_with(b"[GNUPG:] SIG_CREATED "));
            if !output.status.success() || !made || output.stdout.is_empty() {
                return Err(failed(&program, &output.stderr));
            }
            Ok(without_returns(&output.stdout))
        }
        "ssh" => {
            let program = program.unwrap_or_else(|| "ssh-keygen".to_owned());
            let key = key.ok_or_else(|| CommitError::Sign {
                program: program.clone(),
                reason: "user.signingKey is not set".to_owned(),
            })?;
            ssh(&program, &key, payload)
        }
        other => Err(CommitError::Sign {
            program: other.to_owned(),
            reason: "this gpg.format is not known".to_owned(),
        }),
    }
}

fn ssh(program: &str, key: &str, payload: &[u8]) -> Result<BString, CommitError> {
    let mut command = Command::new(program);
    command.args(["-Y", "sign", "-n", "git", "-f"]);
    let literal = key
        .strip_prefix("key::")
        .or(key.starts_with("ssh-").then_some(key));
    let file = if let Some(key) = literal {
        // Only the agent has it: the file names it.
        let file = Named::new(key)?;
        command.arg(&file.0).arg("-U");
        Some(file)
    } else {
        command.arg(expand(key));
        None
    };
    // Without a file to sign it reads standard input and writes to standard output.
    let output = run(program, command, payload)?;
    drop(file);
    if !output.status.success() || output.stdout.is_empty() {
        return Err(failed(program, &output.stderr));
    }
    Ok(without_returns(&output.stdout))
}

/// A file with a key's public part, which goes when it is dropped.
struct Named(std::path::PathBuf);

impl Named {
    fn new(key: &str) -> Result<Self, CommitError> {
        let name = format!(
            "mug-key-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create_new(&path).map_err(CommitError::io(&path))?;
        let named = Self(path);
        file.write_all(key.as_bytes())
            .map_err(CommitError::io(&named.0))?;
        Ok(named)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn expand(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), gix::path::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

fn run(program: &str, mut command: Command, payload: &[u8]) -> Result<Output, CommitError> {
    let mut call = || -> std::io::Result<Output> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that fails says so itself.
            let _ = stdin.write_all(payload);
        }
        child.wait_with_output()
    };
    call().map_err(|error| CommitError::Sign {
        program: program.to_owned(),
        reason: error.to_string(),
    })
}

fn failed(program: &str, said: &[u8]) -> CommitError {
    let lines = said.lines().filter(|line| !line.starts_with(b"[GNUPG:]"));
    let text: Vec<_> = lines.map(|line| line.to_str_lossy().into_owned()).collect();
    let text: String = text
        .join("; ")
        .chars()
        .filter(|c| !c.is_control())
        .take(500)
        .collect();
    CommitError::Sign {
        program: program.to_owned(),
        reason: text,
    }
}

fn without_returns(signature: &[u8]) -> BString {
    let lines = signature.replace("\r\n", "\n");
    // A header's value has no line's end of its own.
    lines.trim_end().into()
}
