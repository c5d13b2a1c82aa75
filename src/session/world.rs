//! Where a program's output goes: a terminal or pipe, or a buffer.
//!
//! Printed text goes to standard output, progress to standard error and only on a terminal. A program can print
//! anything, so control characters (which could rewrite a terminal) never pass. Nothing here ends the process.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::folder::OutputFolder;
use super::journal::SharedJournal;
use crate::rt::ctx::{Expectation, World};
use crate::rt::error::{Error, Result, code};

/// What of a program's output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    /// Lines that the program prints.
    pub prints: bool,
    /// A line for each expectation.
    pub expectations: bool,
    /// A bar for long work, if standard error is a terminal.
    pub progress: bool,
    /// Colors on standard output.
    pub color: bool,
}

/// Standard output and the output folder.
pub struct TerminalWorld {
    show: Show,
    folder: OutputFolder,
    journal: SharedJournal,
    interrupt: Arc<AtomicBool>,
    bar: Option<Bar>,
    /// Is standard error a terminal?
    live: bool,
    /// What was noted; nothing is said twice.
    noted: Vec<String>,
}

struct Bar {
    label: String,
    total: u64,
    bar: ProgressBar,
}

impl TerminalWorld {
    pub fn new(show: Show, folder: OutputFolder, journal: SharedJournal, interrupt: Arc<AtomicBool>) -> TerminalWorld {
        TerminalWorld {
            show,
            folder,
            journal,
            interrupt,
            bar: None,
            live: io::stderr().is_terminal(),
            noted: Vec::new(),
        }
    }

    /// A reader that has gone away stops the run, which is what `| head` asks for.
    fn line(&mut self, text: &str) {
        let mut written = Ok(());
        let mut write = || {
            let mut out = io::stdout().lock();
            written = writeln!(out, "{text}").and_then(|()| out.flush());
        };
        match &self.bar {
            Some(bar) => bar.bar.suspend(write),
            None => write(),
        }
        if let Err(error) = written {
            self.journal.lock().closed = Some(error.kind());
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.bar.finish_and_clear();
        }
    }
}

impl Drop for TerminalWorld {
    fn drop(&mut self) {
        self.end_bar();
    }
}

impl World for TerminalWorld {
    fn print(&mut self, text: &str) {
        if self.show.prints {
            self.line(&printable(text));
        }
    }

    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        if !self.live || !self.show.progress {
            return;
        }
        if self.bar.as_ref().is_some_and(|bar| bar.label != label || bar.total != total) {
            self.end_bar();
        }
        let bar = &self.bar.get_or_insert_with(|| start_bar(label, total)).bar;
        bar.set_position(done);
        if !shown.is_empty() {
            bar.set_message(format!("{} {value:.5}", printable(shown)));
        }
        if done >= total {
            self.end_bar();
        }
    }

    fn note(&mut self, text: &str) {
        if !self.show.progress || self.noted.iter().any(|old| old == text) {
            return;
        }
        self.noted.push(text.to_string());
        let write = || {
            // Nobody can be told that standard error is closed.
            let _ = writeln!(io::stderr().lock(), "note: {}", printable(text));
        };
        match &self.bar {
            Some(bar) => bar.bar.suspend(write),
            None => write(),
        }
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let target = self.folder.path(name);
        if self.journal.lock().keeps(&target) {
            let words =
                format!("cannot write `{}`: it would replace a program, or what this run reads", target.display());
            return Err(Error::new(code::FILE, words).help("choose another name, or another folder with --out"));
        }
        let written = self.folder.write(name, bytes)?;
        let path = written.path.clone();
        self.journal.lock().written.push(written);
        Ok(path)
    }

    fn expectation(&mut self, outcome: Expectation) {
        if self.show.expectations {
            let line = verdict_line(&outcome, self.show.color);
            self.line(&line);
        }
        self.journal.lock().expectations.push(outcome);
    }
}

fn start_bar(label: &str, total: u64) -> Bar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    // A template that does not parse would be our own mistake; the plain bar is then good enough.
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len}  {rate}  {eta} left  {msg}") {
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Nobody can be told that a terminal does not take the text.
            let _ = write!(out, "{:.1}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    bar.set_prefix(printable(label));
    bar.enable_steady_tick(Duration::from_millis(500));
    Bar { label: label.to_string(), total, bar }
}

fn verdict_line(outcome: &Expectation, color: bool) -> String {
    let shown = printable(&outcome.shown);
    match (outcome.held, color) {
        (true, true) => format!("\x1b[32mholds\x1b[0m   {shown}"),
        (true, false) => format!("holds   {shown}"),
        (false, true) => format!("\x1b[1;31mFAILS\x1b[0m   {shown}"),
        (false, false) => format!("FAILS   {shown}"),
    }
}

/// The text without control characters other than line feed and tab.
pub fn printable(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// Keeps all output in memory: for tests and for programs that embed a session.
#[derive(Clone, Default)]
pub struct BufferWorld {
    pub lines: Arc<Mutex<Vec<String>>>,
    pub journal: SharedJournal,
    /// Where files go; without it they are only noted in the journal.
    pub folder: Option<OutputFolder>,
}

impl BufferWorld {
    /// All that was printed, one line each.
    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl World for BufferWorld {
    fn print(&mut self, text: &str) {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(printable(text));
    }

    fn progress(&mut self, _: &str, _: u64, _: u64, _: &str, _: f64) {}

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let written = match &self.folder {
            Some(folder) => folder.write(name, bytes)?,
            None => super::journal::Written {
                path: name.to_string(),
                bytes: bytes.len() as u64,
                sha256: super::folder::sha256(bytes),
            },
        };
        let path = written.path.clone();
        self.journal.lock().written.push(written);
        Ok(path)
    }

    fn expectation(&mut self, outcome: Expectation) {
        self.journal.lock().expectations.push(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_never_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\tc\n"), "a\u{fffd}[2Jb\u{fffd}\tc\n");
    }

    #[test]
    fn verdicts_are_told_apart_without_color() {
        let outcome = |held| Expectation { held, shown: "x = 0.1".to_string(), ..Expectation::default() };
        assert_eq!(verdict_line(&outcome(true), false), "holds   x = 0.1");
        assert_eq!(verdict_line(&outcome(false), false), "FAILS   x = 0.1");
        assert!(verdict_line(&outcome(false), true).contains("\x1b["));
    }
}
