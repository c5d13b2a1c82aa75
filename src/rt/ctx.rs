//! What a running program shares with the runtime: interruption, output, the cache of sizes' origins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::error::{Error, Result, code};
use super::host::HostTable;
use super::profile::Profile;
use super::reach::Reach;
use super::value::Value;

/// Where printed text, progress and files go. The session implements it for a terminal, the tests for a buffer.
pub trait World: Send {
    /// One line of output of the program.
    fn print(&mut self, text: &str);
    /// A figure, as lines for a terminal and as an SVG picture.
    fn figure(&mut self, lines: &[String], _svg: &str) {
        lines.iter().for_each(|line| self.print(line));
    }
    /// Progress of long work: `done` of `total`, a word and a number to show (a loss). Called at most once a step.
    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64);
    /// Writes a file below the output folder, atomically. `name` is relative. Returns the path as shown.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String>;
    /// Something a person may want to know; the program goes on. The same words are said once.
    fn note(&mut self, _text: &str) {}
    /// An expectation was judged.
    fn expectation(&mut self, outcome: Expectation);
    /// Loop `number` of an item begins, over `lo..hi`, from the values `inits`: where to begin instead, if it was
    /// interrupted before.
    fn loop_start(&mut self, _number: i64, _lo: i64, _hi: i64, _inits: &[Value]) -> Option<(i64, Vec<Value>)> {
        None
    }
    /// Does the world want the values of the loop that runs? Asked at the beginning of each round.
    fn loop_due(&mut self) -> bool {
        false
    }
    /// The values at the beginning of round `round`.
    fn loop_save(&mut self, _number: i64, _round: i64, _values: &[Value]) {}
    /// The loop has ended with these values.
    fn loop_end(&mut self, _number: i64, _hi: i64, _values: &[Value]) {}
}

/// A world in which nothing is heard: for work that prints nothing, and for tests.
pub struct Nowhere;

impl World for Nowhere {
    fn print(&mut self, _: &str) {}
    fn progress(&mut self, _: &str, _: u64, _: u64, _: &str, _: f64) {}
    fn write(&mut self, name: &str, _: &[u8]) -> Result<String> {
        Ok(name.to_string())
    }
    fn expectation(&mut self, _: Expectation) {}
}

/// The outcome of one line of an `expect` block.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// Which line: the number that the checker gave it (see `check::Checked::expectations`).
    pub number: usize,
    pub held: bool,
    /// The number found, for `bless`; `None` if not a number.
    pub found: Option<f64>,
    /// As printed: `share = 0.1302, expected 0.1184 +- 0.0050`.
    pub shown: String,
    /// How far a number is from the claim that it does not meet.
    pub off: Option<f64>,
    /// What the claim allows, if it allows anything.
    pub tolerance: Option<f64>,
}

/// Why a run has to stop at its next step, if no person asked for it: a limit, as the error that the program ends with.
#[derive(Clone, Debug, Default)]
pub struct Reached(Arc<Mutex<Option<Error>>>);

impl Reached {
    /// Notes the limit; the first that was reached counts.
    pub fn set(&self, error: Error) {
        self.lock().get_or_insert(error);
    }

    pub fn get(&self) -> Option<Error> {
        self.lock().clone()
    }

    /// At the prompt the next entry begins anew.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What fits everywhere.
pub const COLUMNS: usize = 76;

pub struct Ctx {
    pub world: Box<dyn World>,
    pub interrupt: Arc<AtomicBool>,
    /// The limit that was reached, if that is why the run is to stop.
    pub reached: Reached,
    /// Where inputs may lie.
    pub reach: Reach,
    /// `--check-finite`: a NaN or infinity made by an operation is an error at once.
    pub check_finite: bool,
    /// Bytes above which one allocation is refused.
    pub memory_limit: usize,
    /// Nesting of calls.
    pub depth: u32,
    /// What paths of inputs are relative to: the folder of the script.
    pub folder: std::path::PathBuf,
    /// How wide a figure in letters may be.
    pub columns: usize,
    /// `--profile`: where time and memory go.
    pub profile: Option<Box<Profile>>,
    /// Functions of the program around this session.
    pub host: HostTable,
}

impl Ctx {
    pub fn new(world: Box<dyn World>) -> Ctx {
        Ctx {
            world,
            interrupt: Arc::new(AtomicBool::new(false)),
            reached: Reached::default(),
            reach: Reach::everywhere(),
            check_finite: false,
            memory_limit: usize::MAX,
            depth: 0,
            folder: std::path::PathBuf::new(),
            columns: COLUMNS,
            profile: None,
            host: HostTable::default(),
        }
    }

    /// What runs next stands there.
    pub fn at(&self, span: crate::base::span::Span) {
        if let Some(profile) = &self.profile {
            profile.at(span);
        }
    }

    /// Machine code, or the interpreter's loop, at `span` runs from here on by itself.
    pub fn within(&self, span: crate::base::span::Span) {
        if let Some(profile) = &self.profile {
            profile.within(span);
        }
    }

    /// An error if the person pressed Ctrl-C, or a limit was reached. Long builtins ask at each tile, loops at each
    /// round.
    pub fn check_interrupt(&self) -> Result<()> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(self.reached.get().unwrap_or_else(|| Error::new(code::INTERRUPTED, "stopped by Ctrl-C")));
        }
        Ok(())
    }
}
