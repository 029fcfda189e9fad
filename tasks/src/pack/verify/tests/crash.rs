//! The operation under the crash harness, on a sound pack and on a damaged one.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{Env, Input, Verify};
use super::{copy, in_layer, pack};

fn case(full: bool, damaged: bool) -> Case<Verify> {
    let units = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&units);
    let input = move |scratch: &Path| {
        let dir = tempfile::tempdir().unwrap();
        let made = pack(dir.path(), 900);
        if damaged {
            let frames = in_layer(&made, false, "frames-0000");
            let mut bytes = fs::read(&frames).unwrap();
            for at in (100..bytes.len()).step_by(1500) {
                bytes[at] ^= 1;
            }
            fs::write(&frames, bytes).unwrap();
        }
        let pack = scratch.join("pack");
        copy(&made, &pack);
        Input { pack, full }
    };
    Case::with_env(input, move |_, _| {
        Ok(Env::counting(2, Arc::clone(&counted)))
    })
    .work(units)
}

#[tokio::test]
async fn a_full_verification_stands_every_crash() {
    assert_resumable(case(true, false).points(6)).await;
}

#[tokio::test]
async fn a_verification_of_a_damaged_pack_stands_every_crash() {
    assert_resumable(case(true, true).points(6)).await;
}

#[tokio::test]
async fn a_plain_verification_stands_every_crash() {
    assert_resumable(case(false, true).points(4)).await;
}
