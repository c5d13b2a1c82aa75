//! What a program says while it runs, and what becomes of the files it writes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use super::interrupt::{Interrupter, Reason};
use crate::rt::ctx::{self, World};
use crate::rt::error::{Error, Result, code};
use crate::session::folder::OutputFolder;
use crate::session::journal::SharedJournal;

/// How far long work came.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What the work is.
    pub label: String,
    pub done: u64,
    pub total: u64,
    /// What `value` is (`loss`); empty if there is none.
    pub shown: String,
    pub value: f64,
}

/// The outcome of one line of an `expect` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub held: bool,
    /// The number that was found, if it was one.
    pub found: Option<f64>,
    /// `share = 0.1302, expected 0.1184 +- 0.0050`
    pub shown: String,
}

/// A file that a program wrote below the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub path: String,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// Hears what a program says, on the thread of its session, while it runs. Every method does nothing unless it is
/// written. Text is what the program made: it may hold any character, control characters included.
///
/// A method that panics ends the evaluation with a failure, not the session.
pub trait Listener: Send {
    /// One printed line, or several if the text has line ends.
    fn print(&mut self, _text: &str) {}
    /// A figure, as lines of text and as a picture (SVG).
    fn figure(&mut self, _lines: &[String], _svg: &str) {}
    /// Something a person may want to know; the program goes on.
    fn note(&mut self, _text: &str) {}
    /// Called at most once for each step of long work.
    fn progress(&mut self, _progress: &Progress) {}
    fn expectation(&mut self, _expectation: &Expectation) {}
    fn file(&mut self, _file: &File) {}
}

/// Hears nothing.
pub(super) struct Nobody;

impl Listener for Nobody {}

/// A listener that keeps everything but progress: give one clone to the session and read the other.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    figures: Vec<String>,
    notes: Vec<String>,
    expectations: Vec<Expectation>,
    files: Vec<File>,
}

impl Transcript {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What was printed since the last call, one entry for each `print`; a figure stands there as its lines.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().lines)
    }

    /// The figures since the last call, as SVG.
    pub fn take_figures(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().figures)
    }

    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().notes)
    }

    pub fn take_expectations(&self) -> Vec<Expectation> {
        std::mem::take(&mut self.lock().expectations)
    }

    pub fn take_files(&self) -> Vec<File> {
        std::mem::take(&mut self.lock().files)
    }
}

impl Listener for Transcript {
    fn print(&mut self, text: &str) {
        self.lock().lines.push(text.to_string());
    }
    fn figure(&mut self, lines: &[String], svg: &str) {
        let mut kept = self.lock();
        kept.lines.extend_from_slice(lines);
        kept.figures.push(svg.to_string());
    }
    fn note(&mut self, text: &str) {
        self.lock().notes.push(text.to_string());
    }
    fn expectation(&mut self, expectation: &Expectation) {
        self.lock().expectations.push(expectation.clone());
    }
    fn file(&mut self, file: &File) {
        self.lock().files.push(file.clone());
    }
}

/// The world of an embedded session.
pub(super) struct Heard {
    pub listener: Box<dyn Listener>,
    pub folder: Option<OutputFolder>,
    pub journal: SharedJournal,
    pub interrupter: Interrupter,
    /// What was noted; nothing is said twice.
    pub noted: Vec<String>,
}

impl Heard {
    /// Tells the listener; its panic stops the program.
    fn tell(&mut self, tell: impl FnOnce(&mut dyn Listener)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&mut *self.listener))) {
            self.interrupter.stop(Reason::Listener(panic_text(&*panic).to_string()));
        }
    }
}

/// The words of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

impl World for Heard {
    fn print(&mut self, text: &str) {
        self.tell(|listener| listener.print(text));
    }

    fn figure(&mut self, lines: &[String], svg: &str) {
        self.tell(|listener| listener.figure(lines, svg));
    }

    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        let progress = Progress { label: label.to_string(), done, total, shown: shown.to_string(), value };
        self.tell(|listener| listener.progress(&progress));
    }

    fn note(&mut self, text: &str) {
        if !self.noted.iter().any(|old| old == text) {
            self.noted.push(text.to_string());
            self.tell(|listener| listener.note(text));
        }
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let Some(folder) = &self.folder else {
            let words = format!("cannot write `{name}`: this session has no output folder");
            return Err(Error::new(code::FILE, words).help("the host gives one with `Options::output`"));
        };
        let target = folder.path(name);
        if self.journal.lock().keeps(&target) {
            let words =
                format!("cannot write `{}`: it would replace a program, or what this run reads", target.display());
            return Err(Error::new(code::FILE, words).help("choose another name"));
        }
        let written = folder.write(name, bytes)?;
        let file = File { path: written.path.clone(), bytes: written.bytes, sha256: written.sha256.clone() };
        self.journal.lock().written.push(written);
        self.tell(|listener| listener.file(&file));
        Ok(file.path)
    }

    fn expectation(&mut self, outcome: ctx::Expectation) {
        let told = Expectation { held: outcome.held, found: outcome.found, shown: outcome.shown.clone() };
        self.journal.lock().expectations.push(outcome);
        self.tell(|listener| listener.expectation(&told));
    }
}
