//! One conversation, over a socket or the pipes of a process.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::super::ConnectionError;
use super::process::Process;
use super::watch::{GLANCE, Watch};

/// The two ends of a conversation.
pub(in super::super) struct Stream {
    // In this order: a process sees its pipes close before it is waited for.
    input: OwnedFd,
    output: Option<OwnedFd>,
    process: Option<Process>,
    watch: Watch,
    /// Something came.
    heard: bool,
}

impl Stream {
    /// From what is read and what is written to.
    pub(super) fn new(
        input: OwnedFd,
        output: OwnedFd,
        process: Option<Process>,
        watch: Watch,
    ) -> Result<Self, ConnectionError> {
        for end in [&input, &output] {
            let flags = fcntl_getfl(end).map_err(lost)?;
            fcntl_setfl(end, flags | OFlags::NONBLOCK).map_err(lost)?;
        }
        Ok(Self {
            input,
            output: Some(output),
            process,
            watch,
            heard: false,
        })
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        let since = Instant::now();
        loop {
            match rustix::io::read(&self.input, &mut *into) {
                Ok(read) => {
                    self.heard |= read > 0;
                    return Ok(read);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(lost(error)),
            }
            self.wait(since, PollFlags::IN)?;
        }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), ConnectionError> {
        let mut since = Instant::now();
        while !bytes.is_empty() {
            let Some(output) = &self.output else {
                return Err(ConnectionError::cut("before it was asked"));
            };
            match rustix::io::write(output, bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    since = Instant::now();
                    continue;
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                // What it said before it went is worth more.
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(self.ended("while it was asked")),
                Err(error) => return Err(lost(error)),
            }
            self.wait(since, PollFlags::OUT)?;
        }
        Ok(())
    }

    /// Lets the other side end by itself.
    pub(super) fn finish(&mut self) {
        self.output = None;
        // What it says yet is of no use; its end is.
        let mut rest = [0; 1 << 10];
        while let Ok(1..) = self.read(&mut rest) {}
        if let Some(process) = &mut self.process {
            process.finish(&self.watch);
        }
    }

    /// Why it ended.
    pub(super) fn ended(&mut self, where_: &str) -> ConnectionError {
        let heard = self.heard;
        let why = match &mut self.process {
            Some(process) => process.ended(where_, heard),
            None => ConnectionError::cut(where_),
        };
        // What interrupts us may have ended the other side, too.
        self.watch.check(Instant::now()).err().unwrap_or(why)
    }

    fn wait(&self, since: Instant, flags: PollFlags) -> Result<(), ConnectionError> {
        self.watch.check(since)?;
        let left = self.watch.stall().saturating_sub(since.elapsed());
        let time = timespec(GLANCE.min(left));
        let end = match &self.output {
            Some(output) if flags == PollFlags::OUT => output,
            _ => &self.input,
        };
        match poll(&mut [PollFd::new(end, flags)], Some(&time)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(lost(error)),
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn lost(error: Errno) -> ConnectionError {
    ConnectionError::Lost {
        reason: std::io::Error::from(error).to_string(),
    }
}
