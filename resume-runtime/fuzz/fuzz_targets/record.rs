//! The stored record of an operation: what is read is written back the same, with what this build
//! does not know.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resume_runtime::{Event, Operation};

fuzz_target!(|input: &[u8]| {
    if let Ok(op) = serde_json::from_slice::<Operation>(input) {
        let written = serde_json::to_vec(&op).expect("a record can be written");
        let again: Operation = serde_json::from_slice(&written).expect("it was just written");
        assert_eq!(again, op);
        // What is asked of any record.
        let _ = (op.kind(), op.is_of("pack"), op.progress.percentage());
    }
    if let Ok(event) = serde_json::from_slice::<Event>(input) {
        let written = serde_json::to_vec(&event).expect("an event can be written");
        let again: Event = serde_json::from_slice(&written).expect("it was just written");
        assert_eq!(again, event);
    }
});
