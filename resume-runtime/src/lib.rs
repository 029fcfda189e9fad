//! Long operations that can be paused, killed and resumed.
