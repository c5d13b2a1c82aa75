//! One program text on every engine, in one process and from one check: what each printed, left and failed with.

#![allow(dead_code)]

use locus::base::span::Span;
use locus::check::{Loader, Unit};
use locus::exec::Engine;
use locus::rt::ctx::{Ctx, World};
use locus::rt::value::Value;
use locus::session::world::BufferWorld;
use locus::session::{EngineKind, Output, Session, Settings, embedded, fault};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What an engine made of a program.
pub struct Left {
    pub text: String,
    pub expectations: Vec<String>,
    pub globals: Vec<Value>,
    pub fault: Option<Fault>,
}

/// An error of a running program, as the engines must agree on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub code: &'static str,
    pub message: String,
    pub span: Option<Span>,
    /// Which item of the program failed.
    pub item: usize,
}

/// A program that checks, ready for any engine.
pub struct Prepared {
    session: Session,
    units: Vec<Unit>,
}

/// Gives the library, and no other file.
struct LibraryOnly;

impl Loader for LibraryOnly {
    fn std_module(&mut self, name: &str) -> Option<String> {
        embedded::std_module(name).map(str::to_string)
    }

    fn neighbour(&mut self, _: &str, _: &str) -> Result<(String, String), String> {
        Err("there are no files".to_string())
    }

    fn std_names(&self) -> Vec<String> {
        embedded::STDLIB.iter().map(|(name, _)| format!("std.{name}")).collect()
    }
}

impl Prepared {
    /// Parses, checks and lowers a text; the messages if it is refused.
    pub fn new(text: &str) -> Result<Prepared, String> {
        let output = Output::buffer(&BufferWorld::default());
        let mut session = Session::new(Box::new(LibraryOnly), Settings::default(), output);
        match session.prepare("random.exp", text) {
            Ok(units) => Ok(Prepared { session, units }),
            Err(failure) => {
                let found: Vec<_> = failure.diagnostics().into_iter().cloned().collect();
                Err(locus::base::render::render_all(&found, session.sources(), false))
            }
        }
    }

    /// Runs the program item by item, so that every value is left to be compared.
    pub fn run(&self, kind: EngineKind) -> Left {
        let world = BufferWorld::default();
        let mut ctx = Ctx::new(Box::new(world.clone()) as Box<dyn World>);
        let mut engine: Box<dyn Engine> = kind.start();
        let module = if kind.runs_optimised() { self.session.optimised() } else { &self.session.checker.module };
        let mut globals = vec![Value::None; module.globals.len()];
        let mut found = None;
        for (item, unit) in self.units.iter().enumerate() {
            let before = globals.clone();
            let call = AssertUnwindSafe(|| engine.call(module, unit.func, Vec::new(), &mut globals, &mut ctx));
            let outcome = catch_unwind(call);
            let told = match outcome {
                Ok(Ok(_)) => continue,
                Ok(Err(told)) => told,
                Err(_) => {
                    found = Some(Fault { code: "panic", message: String::new(), span: Some(unit.span), item });
                    break;
                }
            };
            globals = before;
            let failure = fault::failure(told, unit.span, self.session.sources());
            let shown = failure.diagnostics()[0];
            let span = shown.primary.as_ref().map(|label| label.span);
            found = Some(Fault { code: shown.code, message: shown.message.clone(), span, item });
            break;
        }
        let expectations = world.journal.lock().expectations.iter().map(|outcome| outcome.shown.clone()).collect();
        Left { text: world.text(), expectations, globals, fault: found }
    }

    pub fn names(&self) -> Vec<&str> {
        self.session.checker.module.globals.iter().map(|global| global.name.as_str()).collect()
    }
}

/// The numbers of a value, in an order that does not depend on layout; every NaN is the same.
pub fn numbers(value: &Value, out: &mut Vec<f64>) {
    let plain = value.clone().plain().expect("a value that fits");
    let start = out.len();
    match &plain {
        Value::Int(x) => out.push(*x as f64),
        Value::F32(x) => out.push(f64::from(*x)),
        Value::F64(x) => out.push(*x),
        Value::Bool(x) => out.push(f64::from(u8::from(*x))),
        Value::Str(text) => out.extend(text.bytes().map(f64::from)),
        Value::List(items) | Value::Record(items) => items.iter().for_each(|item| numbers(item, out)),
        Value::Tensor(tensor) => {
            let mut order: Vec<_> = tensor.shape().into_iter().map(|(axis, _)| axis).collect();
            order.sort_by_key(|axis| axis.shown());
            out.extend(tensor.to_f64(&order).expect("a tensor has its own axes"));
        }
        _ => {}
    }
    out[start..].iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f64::NAN);
}

/// What differs to the bit between two engines.
pub fn bits_differ(names: &[&str], one: &Left, other: &Left) -> Option<String> {
    if one.fault != other.fault {
        return Some(format!("the errors differ: {:?} and {:?}", one.fault, other.fault));
    }
    if one.fault.as_ref().is_some_and(|fault| fault.code == "panic" || fault.code == "R099") {
        return Some(format!("an internal error: {:?}", one.fault));
    }
    for ((a, b), name) in one.globals.iter().zip(&other.globals).zip(names) {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        numbers(a, &mut x);
        numbers(b, &mut y);
        if x.len() != y.len() {
            return Some(format!("`{name}` has {} numbers and {}", x.len(), y.len()));
        }
        if let Some(at) = (0..x.len()).find(|&at| x[at].to_bits() != y[at].to_bits()) {
            return Some(format!("`{name}` differs at {at}: {:?} and {:?}", x[at], y[at]));
        }
    }
    if one.text != other.text {
        return Some(format!("they print\n{}and\n{}", one.text, other.text));
    }
    (one.expectations != other.expectations).then(|| "the expectations differ".to_string())
}

/// A difference that is more than rounding: in which value, by its number, and by how much at most.
pub struct Far {
    pub what: String,
    pub global: Option<usize>,
    pub by: f64,
}

/// What differs by more than rounding: 1e-6 of the largest entry of a value, or of 1 if that is more. `before` may
/// fail in what `after` never does, because nobody reads its result; never the other way round.
pub fn far(names: &[&str], after: &Left, before: &Left) -> Option<Far> {
    let item = |left: &Left| left.fault.as_ref().map_or(usize::MAX, |fault| fault.item);
    let internal = before.fault.as_ref().is_some_and(|fault| fault.code == "panic" || fault.code == "R099");
    if item(after) < item(before) || internal {
        let what = format!("the errors differ: {:?} and {:?}", after.fault, before.fault);
        return Some(Far { what, global: None, by: f64::INFINITY });
    }
    for (global, ((a, b), name)) in after.globals.iter().zip(&before.globals).zip(names).enumerate() {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        numbers(a, &mut x);
        numbers(b, &mut y);
        // Not set, because of an error.
        if y.is_empty() {
            continue;
        }
        let far = |what: String, by: f64| Some(Far { what, global: Some(global), by });
        if x.len() != y.len() {
            return far(format!("`{name}` has {} numbers and {}", x.len(), y.len()), f64::INFINITY);
        }
        let largest = y.iter().filter(|y| y.is_finite()).fold(1f64, |most, y| most.max(y.abs()));
        let close = |at: usize| (x[at] - y[at]).abs() <= 1e-6 * largest || x[at].to_bits() == y[at].to_bits();
        if let Some(at) = (0..x.len()).find(|&at| !close(at)) {
            let apart =
                |at: usize| if x[at].is_nan() || y[at].is_nan() { f64::INFINITY } else { (x[at] - y[at]).abs() };
            let by = (0..x.len()).filter(|&at| !close(at)).map(apart).fold(0.0, f64::max);
            return far(format!("`{name}` differs at {at}: {:?} and {:?}, of up to {largest}", x[at], y[at]), by);
        }
    }
    None
}
