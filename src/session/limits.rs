//! Limits of a run: how long it may take, and how much it may print and write.
//!
//! A limit that is reached ends the program at its next step with an error that names it, as Ctrl-C would; nothing
//! that was written is lost. Memory is bounded elsewhere (`machine::bound_memory`), nesting in the parser and the engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::profile::shown_bytes;
use super::remember::loops::Stop;
use crate::rt::ctx::{Expectation, Reached, World};
use crate::rt::error::{Error, Result, code};
use crate::rt::value::Value;

/// More printed text than anybody reads.
const PRINTED: u64 = 64 << 20;
/// More than the activations of a usual analysis take.
const WRITTEN: u64 = 64 << 30;
/// Files of one run.
const FILES: u64 = 100_000;
/// How long a loop may take to come to the end of its round when the time is over.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one step may go on after that, before the process is given up.
const GRACE: Duration = Duration::from_secs(10);

/// What a run may use beside memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `--time`; without it a run takes as long as it takes, and Ctrl-C ends it.
    pub time: Option<Duration>,
    /// Bytes of printed text, figures included.
    pub printed: u64,
    /// Bytes of files below the output folder.
    pub written: u64,
    /// Called when a program does not stop though its time is long over. A library leaves this empty; a command ends the
    /// process.
    pub stuck: Option<fn(Duration)>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { time: None, printed: PRINTED, written: WRITTEN, stuck: None }
    }
}

impl Limits {
    /// `--max-output` bounds both kinds of output.
    pub fn with_output(self, bytes: Option<u64>) -> Limits {
        match bytes {
            Some(bytes) => Limits { printed: bytes, written: bytes, ..self },
            None => self,
        }
    }
}

/// Counts what a program says and writes, and passes it on as long as it is within the limits.
pub struct LimitedWorld {
    pub inner: Box<dyn World>,
    pub limits: Limits,
    pub reached: Reached,
    pub interrupt: Arc<AtomicBool>,
    printed: u64,
    written: u64,
    files: u64,
}

impl LimitedWorld {
    pub fn new(inner: Box<dyn World>, limits: Limits, reached: Reached, interrupt: Arc<AtomicBool>) -> LimitedWorld {
        LimitedWorld { inner, limits, reached, interrupt, printed: 0, written: 0, files: 0 }
    }

    /// Is there room for so many bytes of text? If not, the program ends at its next step.
    fn may_say(&mut self, bytes: usize) -> bool {
        self.printed = self.printed.saturating_add(bytes as u64 + 1);
        if self.printed <= self.limits.printed {
            return true;
        }
        self.reached.set(too_much("prints", self.limits.printed));
        self.interrupt.store(true, Ordering::Relaxed);
        false
    }
}

fn too_much(does: &str, limit: u64) -> Error {
    Error::new(code::LIMIT, format!("the program {does} more than {}", shown_bytes(limit)))
        .help("if it is meant to, allow more with --max-output")
}

impl World for LimitedWorld {
    fn print(&mut self, text: &str) {
        if self.may_say(text.len()) {
            self.inner.print(text);
        }
    }

    fn figure(&mut self, lines: &[String], svg: &str) {
        if self.may_say(svg.len() + lines.iter().map(String::len).sum::<usize>()) {
            self.inner.figure(lines, svg);
        }
    }

    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        self.inner.progress(label, done, total, shown, value);
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let written = self.written.saturating_add(bytes.len() as u64);
        if written > self.limits.written {
            return Err(too_much("writes", self.limits.written));
        }
        if self.files >= FILES {
            return Err(Error::new(code::LIMIT, format!("the program writes more than {FILES} files")));
        }
        let path = self.inner.write(name, bytes)?;
        (self.written, self.files) = (written, self.files + 1);
        Ok(path)
    }

    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn expectation(&mut self, outcome: Expectation) {
        if self.may_say(outcome.shown.len()) {
            self.inner.expectation(outcome);
        }
    }

    fn loop_start(&mut self, number: i64, lo: i64, hi: i64, inits: &[Value]) -> Option<(i64, Vec<Value>)> {
        self.inner.loop_start(number, lo, hi, inits)
    }

    fn loop_due(&mut self) -> bool {
        self.inner.loop_due()
    }

    fn loop_save(&mut self, number: i64, round: i64, values: &[Value]) {
        self.inner.loop_save(number, round, values);
    }

    fn loop_end(&mut self, number: i64, hi: i64, values: &[Value]) {
        self.inner.loop_end(number, hi, values);
    }
}

/// Runs until the time of a session is over, or the session is.
pub struct Clock {
    /// Dropped with the clock, which wakes its thread.
    _alive: Sender<()>,
}

impl Clock {
    /// Starts the clock of a run, if it has a limit. An error if the system gives no thread for it: a limit that
    /// nobody watches is none.
    pub fn start(
        limits: &Limits,
        reached: &Reached,
        interrupt: &Arc<AtomicBool>,
        stop: &Arc<Stop>,
    ) -> Result<Option<Clock>> {
        let Some(time) = limits.time else { return Ok(None) };
        let (alive, ended) = channel();
        let watch = Watch { time, reached: reached.clone(), interrupt: interrupt.clone(), stop: stop.clone() };
        let stuck = limits.stuck;
        let work = std::thread::Builder::new().name("clock".to_string()).spawn(move || watch.run(&ended, stuck));
        work.map_err(|cause| Error::new(code::LIMIT, format!("no clock for --time: {cause}")))?;
        Ok(Some(Clock { _alive: alive }))
    }
}

struct Watch {
    time: Duration,
    reached: Reached,
    interrupt: Arc<AtomicBool>,
    stop: Arc<Stop>,
}

impl Watch {
    fn run(self, ended: &Receiver<()>, stuck: Option<fn(Duration)>) {
        if !over(ended, self.time) {
            return;
        }
        let message = format!("the program takes longer than {}", shown_time(self.time));
        self.reached.set(Error::new(code::LIMIT, message).help("if it is meant to, allow more with --time"));
        if self.stop.looping.load(Ordering::Relaxed) {
            // A loop that can be gone on with writes how far it came.
            self.stop.soon.store(true, Ordering::Relaxed);
            let start = Instant::now();
            while !self.interrupt.load(Ordering::Relaxed) && start.elapsed() < PATIENCE {
                if !over(ended, Duration::from_millis(20)) {
                    return;
                }
            }
        }
        self.interrupt.store(true, Ordering::Relaxed);
        if let (true, Some(stuck)) = (over(ended, GRACE), stuck) {
            stuck(self.time);
        }
    }
}

/// Waits; false if the session ended meanwhile.
fn over(ended: &Receiver<()>, time: Duration) -> bool {
    matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout))
}

/// `2 s`, `90 s`, `2 h`.
pub fn shown_time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 7200.0 && seconds % 3600.0 == 0.0 => format!("{} h", seconds / 3600.0),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::world::BufferWorld;

    fn limited(limits: Limits) -> (LimitedWorld, BufferWorld) {
        let buffer = BufferWorld::default();
        (LimitedWorld::new(Box::new(buffer.clone()), limits, Reached::default(), Arc::default()), buffer)
    }

    #[test]
    fn text_above_the_limit_is_not_passed_on_and_stops_the_program() {
        let (mut world, buffer) = limited(Limits { printed: 10, ..Limits::default() });
        world.print("12345");
        assert!(world.reached.get().is_none());
        world.print("12345");
        world.print("");
        assert_eq!(buffer.text(), "12345\n");
        assert_eq!(world.reached.get().unwrap().code, code::LIMIT);
        assert!(world.interrupt.load(Ordering::Relaxed));
    }

    #[test]
    fn files_above_the_limit_are_refused_and_smaller_ones_still_fit() {
        let (mut world, _) = limited(Limits { written: 10, ..Limits::default() });
        assert!(world.write("a", &[0; 8]).is_ok());
        assert_eq!(world.write("b", &[0; 3]).unwrap_err().code, code::LIMIT);
        assert!(world.write("c", &[0; 2]).is_ok());
    }

    #[test]
    fn the_clock_stops_what_takes_too_long_and_nothing_else() {
        let (reached, interrupt, stop) = (Reached::default(), Arc::default(), Arc::default());
        let limits = Limits { time: Some(Duration::from_millis(30)), ..Limits::default() };
        drop(Clock::start(&limits, &reached, &interrupt, &stop).unwrap());
        std::thread::sleep(Duration::from_millis(80));
        assert!(!interrupt.load(Ordering::Relaxed) && reached.get().is_none());
        let clock = Clock::start(&limits, &reached, &interrupt, &stop).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(interrupt.load(Ordering::Relaxed) && clock.is_some());
        assert_eq!(reached.get().unwrap().code, code::LIMIT);
    }
}
