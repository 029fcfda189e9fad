//! What a program or a server means by its last words.

use super::super::ConnectionError;

const NO_REPOSITORY: &[&str] = &[
    "not appear to be a git repository",
    "not a git repository",
    "repository not exported",
    "repository not found",
    "no such repository",
    "project you were looking for could not be found",
];
const DENIED: &[&str] = &[
    "permission denied",
    "access denied",
    "host key verification failed",
    "dubious ownership",
    "authentication failed",
    "too many authentication failures",
];
const NO_WAY: &[&str] = &[
    "could not resolve",
    "connection refused",
    "timed out",
    "connection reset",
    "connection closed",
    "no route to host",
    "unreachable",
    "broken pipe",
    "closed by remote host",
    "kex_exchange_identification",
];

/// What ended before anything came, by what was said.
pub(in super::super) fn meaning(address: &str, said: &str) -> Option<ConnectionError> {
    let text = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|it| text.contains(it));
    let (address, reason) = (address.to_owned(), said.to_owned());
    if has(NO_REPOSITORY) {
        return Some(ConnectionError::NotFound { address, reason });
    }
    if has(NO_WAY) {
        let host = address;
        return Some(ConnectionError::Unreachable { host, reason });
    }
    if has(DENIED) {
        return Some(ConnectionError::Denied { address, reason });
    }
    None
}
