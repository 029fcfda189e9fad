//! A list of refs: there is one way to write what is read.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mug::pack::format::Refs;

fuzz_target!(|input: &[u8]| {
    let path = Path::new("refs");
    match Refs::parse(input, path) {
        Ok(refs) => {
            let written = refs.to_bytes(path).expect("it was just read");
            assert_eq!(written, input);
            for (name, _) in &refs.refs {
                assert!(name.starts_with(b"refs/"));
                assert!(!name.windows(2).any(|two| two == b".."));
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
