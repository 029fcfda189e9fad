//! Against git.
