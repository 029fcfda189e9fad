//! `git http-backend`, for one request.

use std::io::{self, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::http::{Head, Request};
use super::state::Shared;

/// One that runs. Dropped, it is killed.
pub(super) struct Backend {
    child: Child,
    pub(super) head: Head,
    pub(super) body: BufReader<ChildStdout>,
}

impl Backend {
    /// Hands it a request, and reads the head of its answer.
    pub(super) fn start(
        shared: &Shared,
        request: &Request,
        protocol: Option<&str>,
    ) -> io::Result<Self> {
        let mut command = Command::new("git");
        command
            .arg("http-backend")
            .env_clear()
            .envs(shared.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&shared.root)
            .env("GIT_PROJECT_ROOT", &shared.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("REQUEST_METHOD", &request.method)
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("CONTENT_LENGTH", request.body.len().to_string());
        let passed = [
            ("CONTENT_TYPE", request.header("content-type")),
            ("HTTP_CONTENT_ENCODING", request.header("content-encoding")),
            ("GIT_PROTOCOL", protocol),
        ];
        for (name, value) in passed {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut body = BufReader::new(stdout.ok_or(io::ErrorKind::BrokenPipe)?);
        // It answers only when it has read all: the pipes cannot both be full.
        if let Some(mut stdin) = stdin {
            // It may refuse to read on.
            let _ = stdin.write_all(&request.body);
        }
        let head = Head::read(&mut body)?;
        Ok(Self { child, head, body })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
