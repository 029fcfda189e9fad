//! New objects, kept in memory until the operation commits.
