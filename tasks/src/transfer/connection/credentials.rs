//! Passwords, by Git's own helpers.

use gix::bstr::BString;
use gix::credentials::helper::{Action, Cascade, NextAction};

use super::Settings;

/// Asks the helpers that the configuration names, and the user when they know nothing.
pub(super) struct Credentials {
    settings: Settings,
    cascade: Option<Cascade>,
}

/// What was found. It has no `Debug`: nothing of it is to be seen.
pub(super) struct Found {
    pub(super) user: String,
    pub(super) password: String,
    next: NextAction,
    approved: bool,
}

impl Credentials {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            cascade: None,
        }
    }

    /// Finds a login for `url`; `Err` says why there is none.
    pub(super) fn find(
        &mut self,
        url: &str,
        user: Option<&str>,
        challenges: &[String],
    ) -> Result<Found, String> {
        // What these errors say may repeat what a helper said.
        let failed = |_: gix::Error| "no credential helper has one".to_owned();
        let mut url = gix::url::parse(gix::bstr::BStr::new(url)).map_err(failed)?;
        url.set_user(user.map(str::to_owned));
        let helpers = gix::config::credential_helpers(
            url,
            &self.settings.config,
            true,
            super::settings::trusted,
            gix::open::permissions::Environment::all(),
            false,
        );
        let (mut cascade, mut action, prompt) = helpers.map_err(failed)?;
        // The terminal belongs to the bars; what a helper has to say, it says in its answer.
        cascade.stderr = false;
        if let Action::Get(context) = &mut action {
            context.www_authenticate = challenges
                .iter()
                .map(|it| BString::from(it.as_str()))
                .collect();
        }
        let prompt = prompt.apply_environment(true, true, true);
        let outcome = cascade.invoke(action, prompt).map_err(failed)?;
        self.cascade = Some(cascade);
        let outcome = outcome.ok_or("no credential helper has one")?;
        Ok(Found {
            user: outcome.identity.username,
            password: outcome.identity.password,
            next: outcome.next,
            approved: false,
        })
    }

    /// The server took it: the helpers may keep it.
    pub(super) fn approve(&mut self, found: &mut Found) {
        if !std::mem::replace(&mut found.approved, true) {
            self.tell(found.next.clone().store());
        }
    }

    /// The server refused it: the helpers are to forget it.
    pub(super) fn reject(&mut self, found: Found) {
        self.tell(found.next.erase());
    }

    fn tell(&mut self, action: Action) {
        if let Some(cascade) = &mut self.cascade {
            // A helper that does not listen harms nobody.
            let _ = cascade.invoke(action, gix::prompt::Options::default());
        }
    }
}
