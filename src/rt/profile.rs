//! Where a program's time and memory go, by the place in its text: what `--profile` measures.
//!
//! The engines say which place runs next and when an operation begins and ends; what passes between two operations is
//! machine code (loops, scalars, comprehensions). Without a profile nothing is measured. This never changes what a
//! program computes, and knows nothing of lines: places become lines in the session.

use crate::base::span::Span;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

static WATCHED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU64 = AtomicU64::new(0);

/// An array of so many bytes is handed out, from the pool or fresh.
#[inline]
pub fn allocated(bytes: usize) {
    if WATCHED.load(Ordering::Relaxed) {
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
        LARGEST.fetch_max(bytes as u64, Ordering::Relaxed);
    }
}

/// From now on allocations are counted.
pub fn watch() {
    WATCHED.store(true, Ordering::Relaxed);
}

/// Bytes handed out, and the largest single array, since the last call.
pub fn take_allocated() -> (u64, u64) {
    (BYTES.swap(0, Ordering::Relaxed), LARGEST.swap(0, Ordering::Relaxed))
}

/// What was seen of one operation at one place, or of one kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    pub time: Duration,
    pub calls: u64,
    /// Bytes of the largest single array.
    pub largest: u64,
    /// Bytes of all arrays handed out.
    pub bytes: u64,
}

impl Row {
    pub fn add(&mut self, other: Row) {
        self.time += other.time;
        self.calls += other.calls;
        self.largest = self.largest.max(other.largest);
        self.bytes += other.bytes;
    }
}

/// The word for time that passes in machine code, between operations.
pub const BETWEEN: &str = "machine code";
/// The word for making machine code.
pub const COMPILING: &str = "compiling";

pub struct Profile {
    inner: Mutex<Inner>,
}

struct Inner {
    rows: BTreeMap<(Span, &'static str), Row>,
    /// The place of the operation that runs next.
    here: Span,
    /// The top-level item that runs.
    unit: Span,
    /// The comprehension whose machine code ran last, until an operation elsewhere.
    owner: Option<Span>,
    /// When the last operation ended, or the unit began.
    last: Instant,
    /// When the operation began that runs now.
    running: Option<Instant>,
}

impl Default for Profile {
    fn default() -> Profile {
        watch();
        let inner = Inner {
            rows: BTreeMap::new(),
            here: Span::default(),
            unit: Span::default(),
            owner: None,
            last: Instant::now(),
            running: None,
        };
        Profile { inner: Mutex::new(inner) }
    }
}

impl Inner {
    /// The time since the last operation belongs to what ran in between.
    fn settle(&mut self, now: Instant) {
        let place = self.owner.unwrap_or(self.unit);
        let (bytes, largest) = take_allocated();
        let calls = u64::from(self.owner.is_some());
        let row = Row { time: now.saturating_duration_since(self.last), calls, largest, bytes };
        self.rows.entry((place, BETWEEN)).or_default().add(row);
        self.last = now;
    }
}

impl Profile {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The counts are whole after a panic too: each is changed by one statement.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A top-level item begins.
    pub fn begin_unit(&self, span: Span) {
        let mut inner = self.lock();
        take_allocated();
        (inner.unit, inner.here, inner.owner) = (span, span, None);
        (inner.last, inner.running) = (Instant::now(), None);
    }

    pub fn end_unit(&self) {
        let mut inner = self.lock();
        inner.settle(Instant::now());
        inner.owner = None;
    }

    /// The engine made machine code since the last operation.
    pub fn compiled(&self) {
        let mut inner = self.lock();
        let now = Instant::now();
        let (unit, time) = (inner.unit, now.saturating_duration_since(inner.last));
        inner.rows.entry((unit, COMPILING)).or_default().add(Row { time, calls: 1, ..Row::default() });
        inner.last = now;
    }

    /// The operation that runs next stands there.
    pub fn at(&self, span: Span) {
        self.lock().here = span;
    }

    /// Code of its own runs at `span` until an operation elsewhere begins.
    pub fn within(&self, span: Span) {
        let mut inner = self.lock();
        inner.settle(Instant::now());
        inner.owner = Some(span);
    }

    /// An operation begins; false if it is part of one that is being measured.
    pub fn begin(&self) -> bool {
        let mut inner = self.lock();
        if inner.running.is_some() {
            return false;
        }
        let now = Instant::now();
        inner.settle(now);
        if inner.owner.is_some_and(|owner| {
            !(owner.file == inner.here.file && owner.start <= inner.here.start && inner.here.end <= owner.end)
        }) {
            inner.owner = None;
        }
        inner.running = Some(now);
        true
    }

    /// The operation of that kind is over.
    pub fn end(&self, word: &'static str) {
        let mut inner = self.lock();
        let now = Instant::now();
        let Some(start) = inner.running.take() else { return };
        let (bytes, largest) = take_allocated();
        let row = Row { time: now.saturating_duration_since(start), calls: 1, largest, bytes };
        let here = inner.here;
        inner.rows.entry((here, word)).or_default().add(row);
        inner.last = now;
    }

    /// Everything seen: place, kind of work, and how much of it.
    pub fn rows(&self) -> Vec<(Span, &'static str, Row)> {
        self.lock().rows.iter().map(|(&(span, word), &row)| (span, word, row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::FileId;

    #[test]
    fn time_goes_to_the_operation_or_to_what_ran_in_between() {
        let profile = Profile::default();
        let (unit, line) = (Span::new(FileId(1), 0, 90), Span::new(FileId(1), 10, 20));
        profile.begin_unit(unit);
        profile.at(line);
        assert!(profile.begin());
        assert!(!profile.begin(), "an operation inside another is part of it");
        std::thread::sleep(Duration::from_millis(5));
        profile.end("sum");
        profile.within(line);
        std::thread::sleep(Duration::from_millis(5));
        profile.end_unit();
        let rows = profile.rows();
        let found = |span: Span, word: &str| rows.iter().find(|row| row.0 == span && row.1 == word).map(|row| row.2);
        assert!(found(line, "sum").is_some_and(|row| row.calls == 1 && row.time >= Duration::from_millis(5)));
        assert!(found(line, BETWEEN).is_some_and(|row| row.time >= Duration::from_millis(5)));
        assert!(found(unit, BETWEEN).is_some_and(|row| row.time < Duration::from_millis(5)));
    }
}
