//! Thin adapters between programs and the functions of the runtime: they check arguments, nothing else.
//!
//! A wrong count or kind of arguments is a fault of the compiler (R099): the checker has typed the call. Values that
//! make no sense (a negative count, a list that is too short) are faults of the program (R004, R007).

mod attending;
mod chunks;
mod joining;
mod judge;
mod looping;
mod making;
mod matrices;
mod ordering;
mod parts;
mod random;
mod reading;
mod texts;
mod words;
mod writing;

use super::error::{Error, Result, code};
use super::files::FileHandle;
use super::rng::Key;
use super::table::Builtin;
use super::tensor::Tensor;
use super::value::Value;
use crate::base::axis::Axis;

pub const GROUPS: &[&[Builtin]] = &[
    attending::TABLE,
    making::TABLE,
    matrices::TABLE,
    ordering::TABLE,
    joining::TABLE,
    chunks::TABLE,
    parts::TABLE,
    random::TABLE,
    reading::TABLE,
    texts::TABLE,
    writing::TABLE,
    words::TABLE,
    judge::TABLE,
    looping::TABLE,
];

/// The arguments of one call.
struct Args<'a> {
    name: &'static str,
    values: &'a [Value],
}

/// How a fault of the compiler names what it passed.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::None => "nothing",
        Value::Int(_) => "an int",
        Value::F32(_) => "an f32",
        Value::F64(_) => "a float",
        Value::Bool(_) => "a bool",
        Value::Str(_) => "a str",
        Value::Key(_) => "a key",
        Value::File(_) => "a file",
        Value::List(_) => "a list",
        Value::Record(_) => "a record",
        Value::Tensor(_) | Value::Sparse(_) | Value::Chunked(_) => "a tensor",
    }
}

impl<'a> Args<'a> {
    /// Exactly `count` arguments.
    fn exactly(name: &'static str, values: &'a [Value], count: usize) -> Result<Args<'a>> {
        let args = Args { name, values };
        if values.len() == count {
            Ok(args)
        } else {
            Err(args.fault(format!("takes {count} arguments, not {}", values.len())))
        }
    }

    /// At least `count` arguments.
    fn at_least(name: &'static str, values: &'a [Value], count: usize) -> Result<Args<'a>> {
        let args = Args { name, values };
        if values.len() >= count {
            Ok(args)
        } else {
            Err(args.fault(format!("takes {count} arguments or more, not {}", values.len())))
        }
    }

    /// A fault of the compiler.
    fn fault(&self, message: impl std::fmt::Display) -> Error {
        Error::new(code::INTERNAL, format!("builtin `{}` {message}", self.name))
    }

    /// A fault of the program.
    fn senseless(&self, message: impl std::fmt::Display) -> Error {
        Error::new(code::ARGUMENT, format!("`{}` {message}", self.name))
    }

    fn wrong(&self, number: usize, needed: &str) -> Error {
        self.fault(format!("was given {} where {needed} belongs (argument {number})", kind(self.value(number))))
    }

    fn value(&self, number: usize) -> &'a Value {
        const NOTHING: &Value = &Value::None;
        self.values.get(number).unwrap_or(NOTHING)
    }

    fn int(&self, number: usize) -> Result<i64> {
        match self.value(number) {
            Value::Int(x) => Ok(*x),
            _ => Err(self.wrong(number, "an int")),
        }
    }

    fn float(&self, number: usize) -> Result<f64> {
        scalar(self.value(number)).ok_or_else(|| self.wrong(number, "a number"))
    }

    fn bool(&self, number: usize) -> Result<bool> {
        match self.value(number) {
            Value::Bool(x) => Ok(*x),
            _ => Err(self.wrong(number, "a bool")),
        }
    }

    fn str(&self, number: usize) -> Result<&'a str> {
        match self.value(number) {
            Value::Str(text) => Ok(text),
            _ => Err(self.wrong(number, "a str")),
        }
    }

    fn key(&self, number: usize) -> Result<Key> {
        match self.value(number) {
            Value::Key(key) => Ok(*key),
            _ => Err(self.wrong(number, "a key")),
        }
    }

    fn file(&self, number: usize) -> Result<&'a FileHandle> {
        match self.value(number) {
            Value::File(file) => Ok(file),
            _ => Err(self.wrong(number, "a file")),
        }
    }

    fn list(&self, number: usize) -> Result<&'a [Value]> {
        match self.value(number) {
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(number, "a list")),
        }
    }

    fn tensor(&self, number: usize) -> Result<&'a Tensor> {
        match self.value(number) {
            Value::Tensor(tensor) => Ok(tensor),
            _ => Err(self.wrong(number, "a tensor")),
        }
    }

    /// A length: an int from zero on.
    fn length(&self, number: usize) -> Result<usize> {
        let length = self.int(number)?;
        usize::try_from(length).map_err(|_| self.senseless(format!("cannot make {length} of something")))
    }

    /// The axes with the lengths that follow argument `from`, one for each.
    fn shape(&self, axes: &[Axis], from: usize) -> Result<Vec<(Axis, usize)>> {
        if self.values.len() != from + axes.len() {
            let message = format!("has {} axes and {} lengths", axes.len(), self.values.len().saturating_sub(from));
            return Err(self.fault(message));
        }
        axes.iter().enumerate().map(|(number, &axis)| Ok((axis, self.length(from + number)?))).collect()
    }

    /// The `count` explicit axis arguments.
    fn axes<const COUNT: usize>(&self, axes: &[Axis]) -> Result<[Axis; COUNT]> {
        axes.try_into().map_err(|_| self.fault(format!("takes {COUNT} axes, not {}", axes.len())))
    }
}

fn scalar(value: &Value) -> Option<f64> {
    match value {
        Value::Int(x) => Some(*x as f64),
        Value::F32(x) => Some(*x as f64),
        Value::F64(x) => Some(*x),
        _ => None,
    }
}

/// One result.
fn one(value: impl Into<Value>) -> Result<Vec<Value>> {
    Ok(vec![value.into()])
}

fn text(text: &str) -> Result<Vec<Value>> {
    Ok(vec![Value::text(text)?])
}

#[cfg(test)]
mod tests;
