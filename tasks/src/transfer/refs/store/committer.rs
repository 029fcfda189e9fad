//! Who writes into reflogs.

use gix::bstr::{BStr, BString, ByteSlice as _};

/// Who moves a ref, and when: `Name <email> 1700000000 +0100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committer(BString);

impl Committer {
    /// The one that `repo` is configured for, now; where nothing is configured, the user of this
    /// machine.
    pub fn of(repo: &gix::Repository) -> Self {
        let (mut name, mut email, mut time) = (None, None, None);
        if let Some(Ok(set)) = repo.committer() {
            let clean = |part: &BStr| BString::from(part.replace([b'<', b'>', b'\n'], b""));
            name = Some(clean(set.name.trim().as_bstr()));
            email = Some(clean(set.email.trim().as_bstr()));
            time = Some(set.time.to_owned());
        }
        let config = repo.config_snapshot();
        let name = name
            .or_else(|| config.string("user.name"))
            .unwrap_or_else(user);
        let email = email
            .or_else(|| config.string("user.email"))
            .unwrap_or_else(|| format!("{}@{}", user(), host()).into());
        let time = time.unwrap_or_else(|| gix::date::Time::now_local_or_utc().to_string());
        Self(format!("{name} <{email}> {time}").into())
    }

    /// The line's part.
    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }
}

fn user() -> BString {
    let set = ["USER", "LOGNAME"].iter().find_map(std::env::var_os);
    let set = set.and_then(|name| gix::path::os_string_into_bstring(name).ok());
    set.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".into())
}

fn host() -> String {
    let known = std::env::var("HOSTNAME").ok();
    let known = known.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    known.map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
}
