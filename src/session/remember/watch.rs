//! The world of a session that remembers: passes everything on, keeps what an item prints, and serves its loops.
//!
//! Must never change what a program sees; without an item to watch it only passes on.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::loops::Loops;
use crate::rt::ctx::{Expectation, World};
use crate::rt::error::Result;
use crate::rt::value::Value;

/// More printed text than this is not kept with a result.
const MOST_PRINTED: usize = 1 << 20;

/// What an item says: a line, or a figure as lines and as a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Said {
    Line(String),
    Figure { lines: Vec<String>, svg: String },
}

impl Said {
    /// Says it again.
    pub fn tell(&self, world: &mut dyn World) {
        match self {
            Said::Line(text) => world.print(text),
            Said::Figure { lines, svg } => world.figure(lines, svg),
        }
    }
}

/// What happens while one item runs.
#[derive(Debug, Default)]
pub struct Watch {
    /// What the item said; `None` if nobody wants it, or it is too long.
    pub said: Option<Vec<Said>>,
    bytes: usize,
    /// The item was told before: it computes its values again without a word.
    pub muted: bool,
    pub loops: Option<Loops>,
}

impl Watch {
    pub fn of(loops: Option<Loops>, muted: bool) -> Watch {
        Watch { said: Some(Vec::new()), bytes: 0, muted, loops }
    }

    /// Keeps what is said, and tells whether others hear it.
    fn hears(&mut self, bytes: usize, said: impl FnOnce() -> Said) -> bool {
        self.bytes += bytes;
        match &mut self.said {
            Some(all) if self.bytes <= MOST_PRINTED => all.push(said()),
            said => *said = None,
        }
        !self.muted
    }
}

/// The watch, shared by the world and the session.
#[derive(Clone, Debug, Default)]
pub struct SharedWatch(Arc<Mutex<Watch>>);

impl SharedWatch {
    pub fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What was watched until now; from here on `next`.
    pub fn replace(&self, next: Watch) -> Watch {
        std::mem::replace(&mut self.lock(), next)
    }
}

pub struct WatchedWorld {
    pub inner: Box<dyn World>,
    pub watch: SharedWatch,
}

impl WatchedWorld {
    /// Works on the loops, and passes on what they have to say.
    fn with_loops<T>(&mut self, work: impl FnOnce(&mut Loops) -> T) -> Option<T> {
        let (result, notes) = {
            let mut watch = self.watch.lock();
            let loops = watch.loops.as_mut()?;
            (work(loops), std::mem::take(&mut loops.notes))
        };
        notes.iter().for_each(|note| self.inner.note(note));
        Some(result)
    }
}

impl World for WatchedWorld {
    fn print(&mut self, text: &str) {
        let heard = self.watch.lock().hears(text.len(), || Said::Line(text.to_string()));
        if heard {
            self.inner.print(text);
        }
    }

    fn figure(&mut self, lines: &[String], svg: &str) {
        let said = || Said::Figure { lines: lines.to_vec(), svg: svg.to_string() };
        let heard = self.watch.lock().hears(svg.len(), said);
        if heard {
            self.inner.figure(lines, svg);
        }
    }

    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        self.inner.progress(label, done, total, shown, value);
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        self.inner.write(name, bytes)
    }

    fn expectation(&mut self, outcome: Expectation) {
        self.inner.expectation(outcome);
    }

    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn loop_start(&mut self, number: i64, lo: i64, hi: i64, inits: &[Value]) -> Option<(i64, Vec<Value>)> {
        self.with_loops(|loops| loops.start(number, lo, hi, inits)).flatten()
    }

    fn loop_due(&mut self) -> bool {
        self.watch.lock().loops.as_ref().is_some_and(Loops::is_due)
    }

    fn loop_save(&mut self, number: i64, round: i64, values: &[Value]) {
        self.with_loops(|loops| loops.save(number, round, values));
    }

    fn loop_end(&mut self, number: i64, hi: i64, values: &[Value]) {
        self.with_loops(|loops| loops.end(number, hi, values));
    }
}
