//! Stopping what a session runs, from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Who stopped an evaluation.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    Host,
    Time(Duration),
    /// The listener panicked, with these words.
    Listener(String),
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    reason: Option<Reason>,
}

/// Stops what a session runs; made by [`Session::interrupter`](super::Session::interrupter), and sent to another thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupter {
    state: Arc<Mutex<State>>,
    /// What running programs look at, in each round of a loop and each tile of a long operation.
    pub(super) flag: Arc<AtomicBool>,
}

impl Interrupter {
    /// Stops the evaluation that runs now; false if none does, and then nothing happens. The session stays usable.
    /// A function of the host is not interrupted: the evaluation stops when it returns.
    pub fn interrupt(&self) -> bool {
        self.stop(Reason::Host)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn stop(&self, reason: Reason) -> bool {
        let mut state = self.lock();
        if state.running {
            state.reason.get_or_insert(reason);
            self.flag.store(true, Ordering::Relaxed);
        }
        state.running
    }

    /// An evaluation begins.
    pub(super) fn begin(&self) {
        *self.lock() = State { running: true, reason: None };
        self.flag.store(false, Ordering::Relaxed);
    }

    /// It has ended; gives who stopped it.
    pub(super) fn end(&self) -> Option<Reason> {
        let mut state = self.lock();
        state.running = false;
        self.flag.store(false, Ordering::Relaxed);
        state.reason.take()
    }
}
