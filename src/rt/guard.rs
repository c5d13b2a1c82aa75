//! Calls into crates that trust their files.
//!
//! Some crates assert what they expect of a file instead of saying that it is broken. A broken file must not end a
//! program, so such a call is made here, and a panic within becomes `None`. Only for readers whose half-done work is
//! thrown away: nothing that a panic interrupted may be used afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the work gives; `None` if it panicked.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
