//! A pack whose checksums are right, whatever they are the checksums of: it is verified and read
//! object by object, and what is found sound can be had back.
//!
//! To be run with `-detect_leaks=0`: a scope ends before its threads have freed what the C library
//! keeps for them, and that is taken for a leak.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mug::pack::restore::encode::Encoder;
use mug::pack::restore::source;
use mug::pack::verify::verify;

fuzz_target!(|input: &[u8]| {
    let dir = mug_fuzz::scratch();
    let Some(pack) = mug_fuzz::write_pack(dir.path(), input) else {
        return;
    };
    let report = verify(&pack, true, 1);
    let restored = source::open(&pack).and_then(|source| {
        let source = Arc::new(source);
        let mut encoder = Encoder::new(Arc::clone(&source));
        (0..source.units()).try_for_each(|unit| encoder.encode(unit).map(|_| ()))
    });
    if report.is_ok_and(|report| report.is_sound()) {
        restored.expect("what is sound can be restored");
    }
});
