//! Git's hooks.
