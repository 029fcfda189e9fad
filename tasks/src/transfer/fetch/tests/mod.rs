//! Fetches whose line is cut and whose process dies.

mod crashes;
mod fixture;
mod lines;
