//! Ctrl-C and polite requests to end: the first asks the program to stop at its next step, a second ends the process.
//!
//! A loop that can be gone on with is let finish its round and write a checkpoint, but not for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::output::leave;
use super::{INTERRUPTED, TERMINATED};
use crate::session::remember::loops::Stop;

/// How long a loop may take to come to the end of its round.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ties the signals to the flags that running programs look at.
pub fn listen(flag: &Arc<AtomicBool>, stop: &Arc<Stop>) {
    // Without a handler a signal ends the process at once, which is safe too: files are written atomically.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let (flag, stop) = (flag.clone(), stop.clone());
    let hear = move || {
        for signal in signals.forever() {
            heard(signal, &flag, &stop);
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_string()).spawn(hear);
}

fn heard(signal: i32, flag: &Arc<AtomicBool>, stop: &Arc<Stop>) {
    if flag.load(Ordering::Relaxed) || stop.soon.load(Ordering::Relaxed) {
        leave(exit_code(signal));
    }
    stop.signal.store(signal, Ordering::Relaxed);
    if !stop.looping.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Relaxed);
        return;
    }
    stop.soon.store(true, Ordering::Relaxed);
    let flag = flag.clone();
    let wait = move || {
        let start = Instant::now();
        while !flag.load(Ordering::Relaxed) && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        flag.store(true, Ordering::Relaxed);
    };
    if std::thread::Builder::new().spawn(wait).is_err() {
        leave(exit_code(signal));
    }
}

/// The exit code of a command that a signal stopped.
pub fn exit_code(signal: i32) -> u8 {
    if signal == SIGTERM { TERMINATED } else { INTERRUPTED }
}
