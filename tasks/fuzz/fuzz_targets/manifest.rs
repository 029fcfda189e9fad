//! A manifest: what is read is what is written, and says nothing that can't be.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mug::pack::format::{Manifest, frame_file_name};

fuzz_target!(|input: &[u8]| {
    let path = Path::new("manifest.json");
    match Manifest::parse(input, path) {
        Ok(manifest) => {
            let again = Manifest::parse(&manifest.to_bytes(), path).expect("it was just written");
            assert_eq!(again, manifest);
            for layer in &manifest.layers {
                for (number, file) in (0..).zip(&layer.files) {
                    assert_eq!(file.name, frame_file_name(number));
                }
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
