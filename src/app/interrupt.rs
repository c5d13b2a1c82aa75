//! Ctrl-C: the first press asks the program to stop at its next step, a second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::INTERRUPTED;

/// Ties Ctrl-C (and a polite request to end) to the flag that running programs look at.
pub fn listen(flag: &Arc<AtomicBool>) {
    let flag = flag.clone();
    let pressed = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    };
    // Without a handler Ctrl-C ends the process at once, which is safe too: files are written atomically.
    let _ = ctrlc::set_handler(pressed);
}
