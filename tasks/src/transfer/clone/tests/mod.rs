//! Clones from scripted servers.

mod crashes;
mod fixture;
mod lines;
