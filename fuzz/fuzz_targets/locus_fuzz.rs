//! One program for all targets: `LOCUS_FUZZ=checker` says which. A panic ends it, and so does a target that is not known.
//! Not a panic that is caught: `rt::guard` turns those of crates that trust their files into errors. What the compiler
//! catches of its own is an internal error, which no target takes for an answer.

#![no_main]

#[path = "../targets.rs"]
mod targets;

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| {
        // The fuzzer's own hook would end the process before anybody could catch a panic.
        drop(std::panic::take_hook());
        let name = std::env::var("LOCUS_FUZZ").unwrap_or_default();
        let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("LOCUS_FUZZ names one of fuzz/targets.rs, not `{name}`")).1
    });
    target(bytes);
});
