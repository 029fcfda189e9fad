//! Downloads a file over HTTP, byte range by byte range, however often the line
//! breaks.
//!
//! ```text
//! cargo run -p examples --example download
//! ```
//!
//! This serves 64 MiB from a server of its own on the loopback interface, which
//! drops every connection sooner or later, and checks the digest at the end; the file
//! is `download.bin` in the temporary directory, or the one that is given. Stop
//! it with Ctrl-C or `kill -9`, and continue with the id that it says at the start:
//!
//! ```text
//! cargo run -p examples --example download -- --resume op-...
//! ```
//!
//! A real server does as well: `-- <file> http://host/path [--sha256 HEX]`.
//!
//! What to look at: the cursor of `Fetch` is the committed length of the file and
//! nothing else; the open connection is kept from slice to slice but never relied
//! upon; what each process builds anew (the client, and here the server's port) is
//! the machine's `Env`; and states that version 1 stored are still understood.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use examples::command::{self, Common, Error};
use examples::http::{Body, Client, Content, HttpError, Server};
use resume_runtime::{
    Checkpoint, Context, Database, ReadFile, RestoreError, Resumable, Scheduler, Start, Step,
    StepError, StepResult, Transition, path_text,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const PART: &str = "body.part";

/// What to do; stored once, when the operation is created.
#[derive(Serialize, Deserialize)]
struct Input {
    url: String,
    #[serde(with = "path_text")]
    to: PathBuf,
    sha256: Option<String>,
}

#[derive(Resumable)]
#[resumable(kind = "download", version = 2, input = Input, output = u64, env = Client,
            migrate(1 => v1::upgrade))]
enum Download {
    #[step(start)]
    Probe(Probe),
    #[step]
    Fetch(Fetch),
    #[step]
    Verify(Verify),
    #[step(effect)]
    Install(Install),
}

/// Asks what there is.
#[derive(Default, Serialize, Deserialize)]
struct Probe {}

impl Step<Download> for Probe {
    async fn run(self, cx: &mut Context<'_, Download>) -> StepResult<Download> {
        let found = cx.env().head(&cx.input().url);
        let Some(found) = cx.or_pause(found).await else {
            return Transition::to(self);
        };
        let found = found.map_err(classed)?;
        cx.append_file(PART).await?.restart().await?;
        Transition::to(Fetch {
            len: found.len,
            tag: found.tag,
        })
    }
}

/// The cursor is the durable length of `PART`; `tag` ties all ranges to one body.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Fetch {
    len: u64,
    tag: String,
}

impl Step<Download> for Fetch {
    async fn run(self, cx: &mut Context<'_, Download>) -> StepResult<Download> {
        let mut done = cx.append_file(PART).await?.len();
        if done > self.len {
            return Err(StepError::fatal("more bytes than announced"));
        }
        if done == self.len {
            return Transition::to(Verify {});
        }
        let mut body: Body = if let Some(open) = cx.take_local() {
            open // the connection of the slice before
        } else {
            let asked = cx.env().get(&cx.input().url, done, &self.tag);
            match cx.or_pause(asked).await {
                None => return Transition::to(self),
                Some(Ok(Some(body))) => body,
                Some(Ok(None)) => {
                    let changed = StepError::transient("the body has changed: from the start");
                    return Transition::retry(Probe {}, changed);
                }
                Some(Err(e)) => return Err(classed(e)),
            }
        };
        loop {
            let Some(chunk) = cx.or_pause(body.chunk()).await else {
                return Transition::to(self);
            };
            match chunk {
                Ok(Some(bytes)) => {
                    let mut part = cx.append_file(PART).await?;
                    part.write_all(&bytes).await?;
                    done = part.len();
                }
                Ok(None) if done >= self.len => return Transition::to(self),
                Ok(None) => {
                    let short = StepError::transient("the server sent less than it has");
                    return Transition::retry(self, short);
                }
                // Keep what arrived, then back off.
                Err(e) => return Transition::retry(self, e.into()),
            }
            cx.report_bytes(done, Some(self.len));
            if cx.should_yield() {
                cx.keep_local(body);
                return Transition::to(self);
            }
        }
    }
}

/// A hasher cannot be stored: in one process it is kept from slice to slice, in
/// the next it starts anew.
#[derive(Serialize, Deserialize)]
struct Verify {}

impl Step<Download> for Verify {
    async fn run(self, cx: &mut Context<'_, Download>) -> StepResult<Download> {
        let digest = cx.blocking(|b| {
            let (mut hash, mut file): (Sha256, ReadFile) = match b.take_local() {
                Some(kept) => kept,
                None => (Sha256::new(), b.read_file(PART)?),
            };
            let mut buf = vec![0; 1 << 20];
            loop {
                match file.read(&mut buf)? {
                    0 => return Ok(Some(faster_hex::hex_string(&hash.finalize()))),
                    n => hash.update(&buf[..n]),
                }
                if b.should_yield() {
                    b.keep_local((hash, file));
                    return Ok(None);
                }
            }
        });
        let Some(digest) = digest.await? else {
            return Transition::to(self);
        };
        if let Some(expected) = &cx.input().sha256
            && !digest.eq_ignore_ascii_case(expected)
        {
            return Err(StepError::needs_user(
                format!("the digest is {digest}, not {expected}"),
                "delete the operation and start again with the right --sha256",
            ));
        }
        Transition::to(Install {
            len: cx.append_file(PART).await?.len(),
        })
    }
}

/// Puts the file in its place.
#[derive(Serialize, Deserialize)]
struct Install {
    len: u64,
}

impl Step<Download> for Install {
    async fn run(self, cx: &mut Context<'_, Download>) -> StepResult<Download> {
        cx.install(PART, &cx.input().to).await?; // safe to repeat
        Transition::done(self.len)
    }
}

fn classed(error: HttpError) -> StepError {
    if error.may_pass() {
        StepError::transient(error)
    } else {
        StepError::needs_user(error, "check the address")
    }
}

/// Version 1 took bodies without a tag.
mod v1 {
    use super::{Checkpoint, Deserialize, Download, Fetch, Install, Probe, RestoreError, Verify};

    #[derive(Deserialize)]
    struct OldFetch {
        len: u64,
        etag: Option<String>,
    }

    pub(super) fn upgrade(old: &Checkpoint) -> Result<Download, RestoreError> {
        Ok(match old.step.as_str() {
            "probe" => old.body_as::<Probe>()?.into(),
            "fetch" => match old.body_as()? {
                OldFetch {
                    len,
                    etag: Some(tag),
                } => Fetch { len, tag }.into(),
                OldFetch { etag: None, .. } => Probe {}.into(),
            },
            "verify" => old.body_as::<Verify>()?.into(),
            "install" => old.body_as::<Install>()?.into(),
            other => return Err(RestoreError::UnknownStep(other.to_owned())),
        })
    }
}

/// Downloads a file over HTTP, however often the line breaks
#[derive(clap::Parser)]
struct Args {
    /// The file to write
    #[arg(default_value_os_t = std::env::temp_dir().join("download.bin"))]
    to: PathBuf,
    /// Where to get it; a bad server of its own if not given
    url: Option<String>,
    /// The digest that it must have
    #[arg(long, value_name = "HEX", requires = "url")]
    sha256: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What the bad server serves, and how fast in bytes a second.
const DEMO: Content = Content { len: 64 << 20 };
const DEMO_URL: &str = "http://demo/body";
const DEMO_RATE: Option<NonZeroU32> = NonZeroU32::new(16 << 20);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let common = args.common.clone();
    command::exit(run(args).await, &common)
}

async fn run(args: Args) -> Result<(), Error> {
    let server = Server::start(DEMO, DEMO_RATE).await?;
    let client = Client::default().resolve("demo", server.address());
    let scheduler = Scheduler::builder(Database::open(&args.common.state)?)
        .register::<Download>(move |_| Ok(client.clone()))
        .build();
    let handle = if let Some(id) = args.common.resume {
        scheduler.resume::<Download>(&id)?
    } else {
        let (url, sha256) = match args.url {
            Some(url) => (url, args.sha256),
            None => (DEMO_URL.to_owned(), Some(DEMO.sha256())),
        };
        let input = Input {
            url,
            to: std::path::absolute(args.to)?,
            sha256,
        };
        scheduler.start::<Download>(input, Start::new()).await?
    };
    let len = command::watch(&scheduler, handle).await?;
    let connections = server.connections();
    command::say(&format!("{len} bytes"));
    if connections > 0 {
        command::say(&format!("the server took {connections} connections"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    use resume_runtime::testing::Case;
    use resume_runtime::{Handle, RetryPolicy, Stopped};

    const BODY: Content = Content { len: 24_000_001 };

    /// A process: its own server at its own port, its own scheduler, over `db`.
    async fn process(db: &Database, dir: &Path) -> (Server, Scheduler) {
        let server = Server::start(BODY, None).await.unwrap();
        let client = Client::default().resolve("demo", server.address());
        let quick = RetryPolicy {
            first: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        let scheduler = Scheduler::builder(db.clone())
            .register::<Download>(move |_| Ok(client.clone()))
            .folder(dir.join("ops"))
            .retry(quick)
            .build();
        (server, scheduler)
    }

    fn input(dir: &Path, sha256: String) -> Input {
        Input {
            url: DEMO_URL.to_owned(),
            to: dir.join("body"),
            sha256: Some(sha256),
        }
    }

    /// Waits until bytes have arrived that `handle` had not when it started.
    async fn some_bytes(handle: &Handle<u64>, more_than: u64) {
        while handle.progress().bytes <= more_than {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_download_survives_its_server_and_its_processes() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::in_memory().unwrap();
        let (server, scheduler) = process(&db, dir.path()).await;
        let input = input(dir.path(), BODY.sha256());
        let handle = scheduler
            .start::<Download>(input, Start::new())
            .await
            .unwrap();
        let id = handle.id().to_owned();
        some_bytes(&handle, 0).await;
        let at = handle.progress().bytes;
        handle.pause();
        assert!(matches!(handle.await, Err(Stopped::Paused { .. })));
        drop((server, scheduler));
        assert!(!dir.path().join("body").exists());

        let (_server, scheduler) = process(&db, dir.path()).await;
        let handle = scheduler.resume::<Download>(&id).unwrap();
        some_bytes(&handle, at).await;
        assert_eq!(handle.await.unwrap(), BODY.len);
        let got = std::fs::read(dir.path().join("body")).unwrap();
        assert_eq!(faster_hex::hex_string(&Sha256::digest(&got)), BODY.sha256());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_happens_to_it_the_whole_body_arrives() {
        let body = Content { len: 300_001 };
        let server = Server::start(body, None).await.unwrap();
        let client = Client::default().resolve("demo", server.address());
        let case = Case::<Download>::with_env(
            move |scratch| input(scratch, body.sha256()),
            move |_, _| Ok(client.clone()),
        )
        .states_may_differ();
        case.check().await;
    }

    #[tokio::test]
    async fn a_wrong_digest_waits_for_the_user() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::in_memory().unwrap();
        let (_server, scheduler) = process(&db, dir.path()).await;
        let input = input(dir.path(), "00".repeat(32));
        let handle = scheduler
            .start::<Download>(input, Start::new())
            .await
            .unwrap();
        let Err(Stopped::NeedsUser { error, .. }) = handle.await else {
            panic!("the digest is wrong");
        };
        assert!(error.hint().unwrap().contains("--sha256"));
        assert!(!dir.path().join("body").exists());
    }

    #[test]
    fn states_of_version_1_are_understood() {
        let old = |step: &str, body: &str| Checkpoint {
            step: step.to_owned(),
            version: 1,
            body: serde_json::from_str(body).unwrap(),
        };
        let restored = Download::restore(&old("fetch", r#"{"len":5,"etag":"\"a\""}"#)).unwrap();
        let Download::Fetch(fetch) = restored else {
            panic!("a fetch stays one");
        };
        assert_eq!((fetch.len, fetch.tag.as_str()), (5, "\"a\""));
        let untied = Download::restore(&old("fetch", r#"{"len":5,"etag":null}"#)).unwrap();
        assert!(matches!(untied, Download::Probe(_)));
        assert!(Download::restore(&old("walk", "{}")).is_err());
    }
}
