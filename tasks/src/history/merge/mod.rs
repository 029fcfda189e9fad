//! `mug merge`.
