//! Running programs in tests: one program, one engine, and what it left behind.

// Each test file uses a part of this.
#![allow(dead_code)]

pub mod differences;

use locus::rt::value::Value;
use locus::session::load::{DiskLoader, read_script};
use locus::session::world::BufferWorld;
use locus::session::{EngineKind, Output, Session, Settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a program printed, the values it left, and how its expectations fared.
pub struct Ran {
    pub text: String,
    pub globals: Vec<Value>,
    pub names: Vec<String>,
    /// (held, judged)
    pub tally: (usize, usize),
    /// One line for each expectation that did not hold.
    pub failures: Vec<String>,
    /// The first fault, rendered.
    pub fault: Option<String>,
}

pub fn run(path: &Path, engine: EngineKind, set: &[(&str, &str)]) -> Ran {
    let script = read_script(path).unwrap_or_else(|fault| panic!("{}: {}", path.display(), fault.message));
    let world = BufferWorld::default();
    let overrides: BTreeMap<String, String> = set.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    // Models and texts of the examples serve tests too.
    let read = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    let settings = Settings { engine, overrides, folder: script.folder(), read, ..Settings::default() };
    let loader = DiskLoader::new(&script.folder());
    let mut session = Session::new(Box::new(loader), settings, Output::buffer(&world));
    // Item by item, so that every value is left to be compared.
    let units = session.prepare(&script.name, &script.text);
    let outcome = units.and_then(|units| units.iter().try_for_each(|unit| session.run_unit(unit).map(drop)));
    let fault = outcome.err().map(|failure| {
        let shown = |d: &&locus::base::diag::Diagnostic| locus::base::render::render(d, session.sources(), false);
        failure.diagnostics().iter().map(shown).collect::<Vec<_>>().join("\n")
    });
    let journal = world.journal.lock();
    let failed = journal.expectations.iter().filter(|outcome| !outcome.held);
    let failures = failed.map(|outcome| outcome.shown.clone()).collect();
    drop(journal);
    Ran {
        text: world.text(),
        globals: session.globals.iter().cloned().map(|value| value.plain().expect("a value that fits")).collect(),
        names: session.checker.module.globals.iter().map(|global| global.name.clone()).collect(),
        tally: world.journal.tally(),
        failures,
        fault,
    }
}

/// The `.exp` files of a folder, sorted; those whose name starts with `_` are only imported by others.
pub fn programs(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|fault| panic!("{}: {fault}", root.display()));
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "exp"));
    found.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_')));
    found.sort();
    assert!(!found.is_empty(), "no programs in {folder}");
    found
}

/// The bytes of a value, in an order that does not depend on the layout of tensors.
pub fn bytes(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::None => out.push(0),
        Value::Int(x) => out.extend(x.to_le_bytes()),
        Value::F32(x) => out.extend(x.to_bits().to_le_bytes()),
        Value::F64(x) => out.extend(x.to_bits().to_le_bytes()),
        Value::Bool(x) => out.push(u8::from(*x)),
        Value::Str(x) => out.extend(x.as_bytes()),
        Value::Key(key) => out.extend(key.0),
        Value::File(file) => out.extend(file.sha256.as_bytes()),
        Value::List(items) | Value::Record(items) => items.iter().for_each(|item| bytes(item, out)),
        Value::Tensor(tensor) => {
            let mut order: Vec<_> = tensor.shape().into_iter().map(|(axis, _)| axis).collect();
            order.sort_by_key(|axis| axis.shown());
            let values = tensor.to_f64(&order).expect("a tensor has its own axes");
            values.iter().for_each(|x| out.extend(x.to_bits().to_le_bytes()));
        }
        Value::Sparse(_) | Value::Chunked(_) => bytes(&plain(value), out),
    }
}

fn plain(value: &Value) -> Value {
    value.clone().plain().expect("it fits")
}

/// All numbers of a value.
pub fn numbers(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Int(x) => out.push(*x as f64),
        Value::F32(x) => out.push(f64::from(*x)),
        Value::F64(x) => out.push(*x),
        Value::Bool(x) => out.push(f64::from(u8::from(*x))),
        Value::List(items) | Value::Record(items) => items.iter().for_each(|item| numbers(item, out)),
        Value::Tensor(tensor) => {
            let mut order: Vec<_> = tensor.shape().into_iter().map(|(axis, _)| axis).collect();
            order.sort_by_key(|axis| axis.shown());
            out.extend(tensor.to_f64(&order).expect("a tensor has its own axes"));
        }
        Value::Sparse(_) | Value::Chunked(_) => numbers(&plain(value), out),
        _ => {}
    }
}

/// One hash of everything a program left behind and printed.
pub fn hash(ran: &Ran) -> String {
    let mut all = ran.text.clone().into_bytes();
    ran.globals.iter().for_each(|value| bytes(value, &mut all));
    blake3::hash(&all).to_string()
}

/// The first value that differs between two runs by more than 1e-6 of its largest entry, or of 1 if that is more: an
/// entry of a model's activations carries the rounding of the sums it came from, which are of the size of the others.
pub fn difference(one: &Ran, other: &Ran) -> Option<String> {
    for ((a, b), name) in one.globals.iter().zip(&other.globals).zip(&one.names) {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        numbers(a, &mut x);
        numbers(b, &mut y);
        if x.len() != y.len() {
            return Some(format!("{name}: {} and {} numbers", x.len(), y.len()));
        }
        let largest = y.iter().filter(|y| y.is_finite()).fold(1f64, |most, y| most.max(y.abs()));
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * largest || a.to_bits() == b.to_bits();
        let far = x.iter().zip(&y).filter(|&pair| !close(pair));
        if let Some((a, b)) = far.max_by(|p, q| (p.0 - p.1).abs().total_cmp(&(q.0 - q.1).abs())) {
            return Some(format!("{name}: {a} and {b}, up to {largest}"));
        }
    }
    None
}
