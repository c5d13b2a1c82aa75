//! Remembered results: what took long is computed once, and what was interrupted goes on where it stopped.
//!
//! `key` says what an item is, `store` keeps results under keys, `encode` turns values into bytes, `loops` writes
//! checkpoints, `watch` listens while an item runs; `session::recall` joins them to the running of items. Nothing
//! here may change a result: whatever cannot be read or written is computed as if there were no memory.

pub mod encode;
pub mod inputs;
pub mod key;
pub mod loops;
pub mod store;
pub mod watch;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::engines::EngineKind;
use super::run::InputRead;
use crate::check::Unit;
use crate::ir::{FuncId, GlobalId};
use crate::rt::blas;
use inputs::Inputs;
use key::{About, Key, Keys};
use loops::{Place, Stop};
use store::Store;
use watch::{Said, SharedWatch};

/// An item that took longer is kept; `LOCUS_REMEMBER_SECONDS` says otherwise.
const WORTH_KEEPING: f64 = 0.1;

/// Bytes that are kept for each second an item took: reading them back must be faster than computing.
pub const BYTES_A_SECOND: f64 = 100e6;

/// What a session does with results from other runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// Neither reads nor keeps any.
    #[default]
    Off,
    /// Reads and keeps them.
    On,
    /// Computes everything, and keeps it.
    Fresh,
}

/// One result that was not computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    pub name: String,
    pub seconds: f64,
}

/// One item that went on from a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    pub name: String,
    pub step: i64,
    pub of: i64,
}

/// What came from earlier runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub recalled: Vec<Recalled>,
    pub resumed: Vec<Resumed>,
}

impl Tally {
    /// `3 results remembered, 41 s saved`; nothing if there were none.
    pub fn shown(&self) -> Option<String> {
        let plural = if self.recalled.len() == 1 { "" } else { "s" };
        let seconds: f64 = self.recalled.iter().map(|one| one.seconds).sum();
        let saved = if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") };
        (!self.recalled.is_empty()).then(|| format!("{} result{plural} remembered, {saved} saved", self.recalled.len()))
    }
}

/// How a global that has no value yet gets it.
#[derive(Clone, Debug)]
pub enum Pending {
    /// Leaf `number` of a kept result; the item, should that be damaged.
    Kept { key: Key, number: usize, unit: Arc<Unit> },
    /// The item runs when somebody reads what it sets.
    PutOff(Arc<Unit>),
}

impl Pending {
    pub fn unit(&self) -> &Arc<Unit> {
        match self {
            Pending::Kept { unit, .. } | Pending::PutOff(unit) => unit,
        }
    }
}

/// A short item that ran well before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Brief {
    pub printed: Vec<Said>,
}

/// The memory of a session.
pub struct Memory {
    pub mode: Remember,
    pub store: Option<Store>,
    pub keys: Keys,
    pub about: HashMap<FuncId, Arc<About>>,
    pub pending: BTreeMap<GlobalId, Pending>,
    pub inputs: Inputs,
    /// Inputs that were looked up and not opened, or given up, by the global that would hold them.
    pub looked_up: BTreeMap<GlobalId, InputRead>,
    /// Short items of earlier runs of the program, by key.
    pub brief: HashMap<String, Brief>,
    /// Short items of this run.
    pub ran: HashMap<String, Brief>,
    /// The name under which the short items are kept; empty at the prompt, where everything runs at once.
    pub program: String,
    pub tally: Tally,
    pub watch: SharedWatch,
    pub stop: Arc<Stop>,
    pub interrupt: Arc<AtomicBool>,
    /// A result was kept or recalled: the program is one that takes long.
    pub used: bool,
    /// Seconds above which an item is kept.
    pub worth: f64,
}

impl Memory {
    pub fn new(
        mode: Remember,
        engine: EngineKind,
        check_finite: bool,
        stop: Arc<Stop>,
        interrupt: Arc<AtomicBool>,
    ) -> (Memory, Option<String>) {
        let (store, note) = match (mode, store::location()) {
            (Remember::Off, _) | (_, None) => (None, None),
            (_, Some(root)) => match Store::open(&root) {
                Ok(store) => (Some(store), None),
                Err(why) => (None, Some(format!("nothing is remembered: {why}"))),
            },
        };
        let keys = Keys::new(if store.is_some() { numeric(engine, check_finite) } else { String::new() });
        let memory = Memory {
            mode,
            inputs: Inputs::new(store.as_ref()),
            store,
            keys,
            about: HashMap::new(),
            pending: BTreeMap::new(),
            looked_up: BTreeMap::new(),
            brief: HashMap::new(),
            ran: HashMap::new(),
            program: String::new(),
            tally: Tally::default(),
            watch: SharedWatch::default(),
            stop,
            interrupt,
            used: false,
            worth: seconds("LOCUS_REMEMBER_SECONDS").unwrap_or(WORTH_KEEPING),
        };
        (memory, note)
    }

    pub fn is_on(&self) -> bool {
        self.store.is_some()
    }

    /// A program begins: its short items may wait until somebody needs them.
    pub fn begin_program(&mut self, folder: &Path, name: &str) {
        let Some(store) = &self.store else { return };
        let folder = std::fs::canonicalize(folder).unwrap_or_default();
        let name = blake3::hash(format!("{}\0{name}", folder.display()).as_bytes()).to_hex();
        self.program = format!("programs/{}", &name[..32]);
        if self.mode == Remember::On {
            let text = store.note(&self.program).unwrap_or_default();
            self.brief = serde_json::from_str(&text).unwrap_or_default();
        }
    }

    /// The program has run: what is known of its short items is kept for the next time.
    pub fn end_program(&mut self) {
        let Some(store) = &self.store else { return };
        self.inputs.keep(store);
        let known = self.ran.keys().all(|key| self.brief.contains_key(key)) && self.ran.len() == self.brief.len();
        if self.used && !known && !self.program.is_empty() {
            // A note that cannot be written costs the next run a little time.
            let _ = store.keep_note(&self.program, &serde_json::to_string(&self.ran).unwrap_or_default());
        }
        self.program.clear();
    }

    pub fn resumed(&mut self, name: &str, place: Place) {
        self.tally.resumed.push(Resumed { name: name.to_string(), step: place.round, of: place.of });
    }
}

/// A number of seconds from the environment.
pub fn seconds(variable: &str) -> Option<f64> {
    let seconds: f64 = std::env::var(variable).ok()?.trim().parse().ok()?;
    (0.0..1e9).contains(&seconds).then_some(seconds)
}

/// What numbers depend on beside the program.
fn numeric(engine: EngineKind, check_finite: bool) -> String {
    let blas = blas::info();
    let order = if engine.runs_optimised() { "optimised" } else { "plain" };
    let parts = [
        env!("CARGO_PKG_VERSION"),
        env!("LOCUS_BUILD"),
        &blas.corename,
        &blas.config,
        order,
        if check_finite { "finite" } else { "" },
    ];
    parts.join("\0")
}
