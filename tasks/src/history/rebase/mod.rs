//! `mug rebase`.
