//! The server for `git://`.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::deliver::Delivery;
use super::listener::{Listener, close};
use super::state::{Busy, Shared};
use super::{Control, Fault, Kind, Served};
use crate::Scratch;

/// Serves the repositories of a [`Scratch`] by `git daemon`, one process a
/// connection, until it is dropped. It listens itself, as inetd does: so its port
/// is surely its own, and what is sent can be counted and cut.
#[derive(Debug)]
pub struct GitServer {
    listener: Listener,
    control: Control,
}

impl GitServer {
    /// Starts one on a port of its own.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn start(scratch: &Scratch) -> Self {
        let shared = Arc::new(Shared::new(
            scratch.path().to_owned(),
            scratch.environment(),
        ));
        Self {
            listener: Listener::start(Arc::clone(&shared), connection),
            control: Control { shared },
        }
    }

    /// The URL of the repository at `path` in the scratch directory.
    pub fn url(&self, path: &str) -> String {
        format!("git://127.0.0.1:{}/{path}", self.listener.port())
    }
}

impl Deref for GitServer {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

fn connection(shared: &Shared, stream: &TcpStream) -> io::Result<()> {
    let served = Served::new(Kind::Fetch, String::new());
    let (number, fault) = shared.change(|state| state.begin(served));
    let _busy = Busy::new(shared);
    if fault == Some(Fault::HangUp) {
        close(stream);
        return Ok(());
    }
    let root = shared.root.to_string_lossy();
    let mut child = Command::new("git")
        .args(["daemon", "--inetd", "--export-all", "--informative-errors"])
        .arg(format!("--base-path={root}"))
        .env_clear()
        .envs(shared.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let questions = stream.try_clone()?;
    let asking = std::thread::spawn(move || {
        // Either side may end it.
        stdin.map(|stdin| pass_on(questions, stdin))
    });
    if let Some(mut stdout) = stdout {
        let output = BufWriter::new(stream.try_clone()?);
        let (end, _) = Delivery::new(shared, number, fault, output).send(&mut stdout);
        shared.change(|state| state.served[number].whole = end == super::deliver::End::Whole);
    }
    close(stream);
    let _ = child.kill();
    let _ = child.wait();
    let _ = asking.join();
    Ok(())
}

/// Writes what comes as it comes.
fn pass_on(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut block = [0; 8 << 10];
    loop {
        let read = from.read(&mut block)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&block[..read])?;
    }
}
