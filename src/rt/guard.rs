//! Calls into crates that trust their files, and words of a stranger's file in our messages.
//!
//! Some crates assert what they expect of a file instead of saying that it is broken. A broken file must not end a
//! program, so such a call is made here, and a panic within becomes `None`. Only for readers whose half-done work is
//! thrown away: nothing that a panic interrupted may be used afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the work gives; `None` if it panicked.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// The beginning of such a crate's message, on one line: it may quote the file, whatever stands there.
pub fn short(cause: &dyn std::fmt::Display) -> String {
    let text = cause.to_string();
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(200).collect();
    if line.len() < text.len() { format!("{line}...") } else { line }
}

/// The letters of a file's own name that a message shows.
const SHOWN: usize = 60;

/// A name that stands in a file, for a message: whatever it holds, on one line and not long.
pub fn quoted(name: &str) -> String {
    let mut shown = String::new();
    for letter in name.chars() {
        let escaped = letter.escape_debug();
        if shown.len() + escaped.len() > SHOWN {
            return shown + "...";
        }
        shown.extend(escaped);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_short_and_on_one_line() {
        assert_eq!(short(&"no\ngood"), "no good");
        assert_eq!(short(&"a".repeat(1000)), format!("{}...", "a".repeat(200)));
        assert_eq!(quoted("w.\u{1b}[1m\n"), "w.\\u{1b}[1m\\n");
        assert_eq!(quoted(&"\u{1f}".repeat(100)), "\\u{1f}".repeat(10) + "...");
    }
}
