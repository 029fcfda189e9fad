//! Who logs in.

use curl::easy::Auth;

use super::super::super::credentials::{Credentials, Found};
use super::super::super::{Address, ConnectionError, Settings};
use super::answer::Head;
use super::options::Options;

/// A user and a password.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: String,
    /// The server takes no plain password.
    digest: bool,
}

impl Account {
    /// How it is told to the server.
    pub(super) fn method(&self) -> Auth {
        let mut auth = Auth::new();
        if self.digest {
            auth.digest(true);
        } else {
            auth.basic(true);
        }
        auth
    }
}

/// The login of a connection: of the address at first, then of the credential helpers.
pub(super) struct Login {
    credentials: Credentials,
    /// What the address says, until it was tried.
    given: Option<(String, String)>,
    user: Option<String>,
    found: Option<Found>,
    account: Option<Account>,
    /// It is another server than the user has named.
    foreign: bool,
}

/// The login of a proxy whose URL names the user alone.
pub(super) struct ProxyLogin {
    credentials: Credentials,
    found: Option<Found>,
}

impl ProxyLogin {
    /// Finds the password, and has `options` use it.
    pub(super) fn find(
        settings: &Settings,
        options: &mut Options,
    ) -> Result<Option<Self>, ConnectionError> {
        let Some((url, user)) = options.half_a_login() else {
            return Ok(None);
        };
        let mut credentials = Credentials::new(settings);
        let found = credentials.find(&url, Some(&user), &[]);
        let found = found.map_err(|reason| ConnectionError::Denied {
            address: "the proxy".into(),
            reason: format!("it wants a login, and {reason}"),
        })?;
        options.log_in_at_proxy(url, &found.user, &found.password);
        Ok(Some(Self {
            credentials,
            found: Some(found),
        }))
    }

    /// The proxy took it.
    pub(super) fn approve(&mut self) {
        if let Some(found) = self.found.as_mut() {
            self.credentials.approve(found);
        }
    }

    /// The proxy refused it.
    pub(super) fn reject(&mut self) {
        if let Some(found) = self.found.take() {
            self.credentials.reject(found);
        }
    }
}

impl Login {
    pub(super) fn new(address: &Address, settings: &Settings) -> Self {
        let (user, password) = address.login();
        let user = user.filter(|it| !it.is_empty()).map(str::to_owned);
        let given = user.clone().zip(password.map(str::to_owned));
        Self {
            credentials: Credentials::new(settings),
            given,
            user,
            found: None,
            account: None,
            foreign: address.foreign,
        }
    }

    /// What to log in with at the moment.
    pub(super) fn current(&self) -> Option<Account> {
        self.account.clone()
    }

    /// The server wants a login, or another one.
    pub(super) fn find(
        &mut self,
        base: &str,
        address: &str,
        head: &Head,
    ) -> Result<(), ConnectionError> {
        let challenges: Vec<String> = head.all("www-authenticate").map(str::to_owned).collect();
        let names = |method: &str| {
            let begins = |it: &String| {
                it.get(..method.len())
                    .is_some_and(|it| it.eq_ignore_ascii_case(method))
            };
            challenges.iter().any(begins)
        };
        let digest = names("digest") && !names("basic");
        let denied = |reason: &str| ConnectionError::Denied {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        if let Some((user, password)) = self.given.take() {
            self.account = Some(Account {
                user,
                password,
                digest,
            });
            return Ok(());
        }
        if let Some(found) = self.found.take() {
            self.credentials.reject(found);
            return Err(denied(
                "the login that the credential helpers gave is refused",
            ));
        }
        if self.account.take().is_some() {
            return Err(denied("the login of the address is refused"));
        }
        if self.foreign {
            return Err(denied("it wants a login"));
        }
        let found = self
            .credentials
            .find(base, self.user.as_deref(), &challenges);
        let found = found.map_err(|reason| denied(&format!("it wants a login, and {reason}")))?;
        self.account = Some(Account {
            user: found.user.clone(),
            password: found.password.clone(),
            digest,
        });
        self.found = Some(found);
        Ok(())
    }

    /// The server took it.
    pub(super) fn approve(&mut self) {
        if let Some(found) = self.found.as_mut() {
            self.credentials.approve(found);
        }
    }

    /// Logs in no more with what there is.
    pub(super) fn forget(&mut self) {
        (self.given, self.found, self.account) = (None, None, None);
    }
}
