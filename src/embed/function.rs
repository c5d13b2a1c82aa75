//! Functions of the host: what they are given, and the door through which they are called.
//!
//! No panic passes that door: it becomes a fault of the program at the call, and the session goes on.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::array::Array;
use super::listener::panic_text;
use super::value::Value;
use crate::ir::Type;
use crate::rt::error::{Error, Result as Outcome, code};
use crate::rt::host::HostFunction;
use crate::rt::value::Value as Inner;

/// What a function of the host gives: a value of the type that its signature states (`Value::Nothing` if it states
/// none), or why not, in words that become the program's diagnostic.
pub type HostResult = Result<Value, Box<dyn StdError + Send + Sync>>;

/// The arguments of one call, whose types the checker has compared with the signature.
#[derive(Debug)]
pub struct Arguments(Vec<Value>);

impl Arguments {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, number: usize) -> Option<&Value> {
        self.0.get(number)
    }

    /// Array number `number`, counted from 0. It shares its elements with the program: nothing is copied.
    pub fn array(&self, number: usize) -> Result<&Array, String> {
        self.find(number, Value::array, "an array")
    }

    pub fn int(&self, number: usize) -> Result<i64, String> {
        self.find(number, Value::int, "an int")
    }

    /// An `int`, `f32` or `float`.
    pub fn number(&self, number: usize) -> Result<f64, String> {
        self.find(number, Value::number, "a number")
    }

    pub fn bool(&self, number: usize) -> Result<bool, String> {
        self.find(number, Value::bool, "a bool")
    }

    pub fn text(&self, number: usize) -> Result<&str, String> {
        self.find(number, Value::text, "a text")
    }

    pub fn list(&self, number: usize) -> Result<&[Value], String> {
        self.find(number, Value::list, "a list")
    }

    fn find<'a, T>(&'a self, number: usize, of: impl FnOnce(&'a Value) -> Option<T>, what: &str) -> Result<T, String> {
        self.0.get(number).and_then(of).ok_or_else(|| format!("argument {number} is not {what}"))
    }
}

/// The function as the runtime calls it.
pub(super) fn guarded(
    name: String,
    mut function: impl FnMut(&Arguments) -> HostResult + Send + 'static,
) -> HostFunction {
    Box::new(move |args: Vec<Inner>| {
        let args = args.iter().map(|arg| Value::of(arg, &Type::Unit)).collect::<Outcome<Vec<Value>>>()?;
        let args = Arguments(args);
        match catch_unwind(AssertUnwindSafe(|| function(&args))) {
            Ok(Ok(value)) => Ok(value.inner(&format!("the host's `{name}`"))),
            Ok(Err(why)) => {
                let why = catch_unwind(AssertUnwindSafe(|| why.to_string())).unwrap_or_default();
                Err(Error::new(code::ARGUMENT, format!("the host's `{name}` failed: {why}")))
            }
            Err(panic) => {
                let message = format!("the host's `{name}` panicked: {}", panic_text(&*panic));
                // What a panic carries may panic when it goes.
                let _ = catch_unwind(AssertUnwindSafe(move || drop(panic)));
                Err(Error::new(code::ARGUMENT, message)
                    .help("this is a fault of the program that runs this session, not of this text"))
            }
        }
    })
}
