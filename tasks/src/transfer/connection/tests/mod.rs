//! Tests against servers on this machine.
