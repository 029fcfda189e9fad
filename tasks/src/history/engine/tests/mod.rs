//! Against `git merge-tree`.

mod generated;
mod labels;
