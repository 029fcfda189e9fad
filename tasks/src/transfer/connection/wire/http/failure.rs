//! What curl's failures mean.

use std::time::Duration;

use super::super::super::ConnectionError;
use super::options::Options;

/// What a failure of a request to `url` means; `told`: its answer had begun.
pub(super) fn meaning(
    error: &curl::Error,
    url: &str,
    options: &Options,
    told: bool,
) -> ConnectionError {
    let detail = error.extra_description().filter(|it| !it.is_empty());
    let mut reason = detail.unwrap_or(error.description()).to_owned();
    for secret in options.secrets() {
        reason = reason.replace(secret.as_str(), "***");
    }
    let reason = super::super::super::message::cleaned(reason.as_bytes());
    let host = host(url);
    if error.is_peer_failed_verification()
        || error.is_ssl_cacert_badfile()
        || error.is_ssl_certproblem()
        || error.is_ssl_issuer_error()
    {
        return ConnectionError::Certificate { host, reason };
    }
    if error.is_operation_timedout() && told {
        let after = Duration::from_secs(options.low_speed_time.max(1));
        return ConnectionError::Stalled { after };
    }
    if error.is_unsupported_protocol() || error.is_url_malformed() {
        return ConnectionError::Unsupported { what: reason };
    }
    if error.is_too_many_redirects() {
        return super::redirect::endless();
    }
    // It was reached: it answers too little, or none at all.
    let reached = error.is_got_nothing() || error.is_recv_error() || error.is_send_error();
    if told || reached {
        return ConnectionError::Lost { reason };
    }
    ConnectionError::Unreachable { host, reason }
}

/// The server of a URL.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}
