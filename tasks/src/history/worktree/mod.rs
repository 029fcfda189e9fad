//! The move of working tree and index from one tree to another.
