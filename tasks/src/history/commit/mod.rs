//! Commits: who made them and when, and what they say.
