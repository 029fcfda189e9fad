//! Tests against what servers might say, and of addresses and settings.

mod address;
mod history;
mod hostile;
mod talk;
