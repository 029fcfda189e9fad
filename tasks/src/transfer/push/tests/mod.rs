#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod crashes;
mod history;
mod packs;
