//! One program for all targets: `LOCUS_FUZZ=checker` says which. A panic ends it, and so does a target that is not known.

#![no_main]

#[path = "../targets.rs"]
mod targets;

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("LOCUS_FUZZ").unwrap_or_default();
        let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("LOCUS_FUZZ names one of fuzz/targets.rs, not `{name}`")).1
    });
    target(bytes);
});
