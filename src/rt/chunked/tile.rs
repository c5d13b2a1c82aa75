//! One tile that is kept: not made yet, in memory, or in the store.
//!
//! A tile is laid out densely when it is put, so that nobody can tell by its layout where it has been.

use super::store::{self, Extent};
use super::{cache, internal};
use crate::base::ops::DType;
use crate::rt::account::{self, Account};
use crate::rt::error::Result;
use crate::rt::sparse::{Pattern, Sparse};
use crate::rt::tensor::{Aligned, Buffer, Dim, Element, Tensor, with_element};
use crate::rt::value::Value;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug)]
pub struct Tile {
    state: Mutex<State>,
    /// Whose memory and disk it takes, if its session has an account.
    account: Option<Arc<Account>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Absent,
    Here(Value),
    Stored(Stored),
}

/// What is needed to read a tile back.
#[derive(Debug)]
enum Stored {
    Dense { dims: Vec<Dim>, elements: Array },
    Sparse { rows: Vec<Dim>, along: Dim, starts: Array, index: Array, values: Array },
}

/// An array in the store.
#[derive(Debug)]
struct Array {
    dtype: DType,
    count: usize,
    at: Extent,
}

impl Tile {
    pub fn empty() -> Arc<Tile> {
        Arc::new(Tile { state: Mutex::default(), account: account::current() })
    }

    pub(super) fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves one of the states.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps the value; whatever no longer fits into memory goes to the store.
    pub fn put(self: &Arc<Tile>, value: Value) -> Result<()> {
        let value = settled(value)?;
        let bytes = bytes_of(&value);
        *self.state() = State::Here(value);
        cache::entered(self, bytes)
    }

    /// The value; `make` gives one that is not there yet.
    pub fn get(self: &Arc<Tile>, make: impl FnOnce() -> Result<Value>) -> Result<Value> {
        let found = match &*self.state() {
            State::Here(value) => return Ok(value.clone()),
            State::Stored(stored) => Some(stored.read()?),
            State::Absent => None,
        };
        match found {
            Some(value) => Ok(value),
            None => {
                let value = settled(make()?)?;
                let bytes = bytes_of(&value);
                *self.state() = State::Here(value.clone());
                cache::entered(self, bytes)?;
                Ok(value)
            }
        }
    }

    /// Rows `rows` of a dense tile whose first axis is cut, one after another, without reading the others.
    pub fn read_rows<T: Element>(&self, rows: &[usize], width: usize, out: &mut [&mut [T]]) -> Result<bool> {
        let state = self.state();
        match &*state {
            State::Here(Value::Tensor(tensor)) => {
                let Some(values) = tensor.as_dense::<T>() else { return Ok(false) };
                for (&row, out) in rows.iter().zip(out) {
                    let from = values.get(row * width..(row + 1) * width);
                    out.copy_from_slice(from.ok_or_else(|| internal("a row outside its tile"))?);
                }
                Ok(true)
            }
            State::Stored(Stored::Dense { elements, .. }) if elements.dtype == T::DTYPE => {
                read_runs(elements, rows, width, out)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// What it takes; `None` if it was not made yet.
    pub fn bytes(&self) -> Option<usize> {
        match &*self.state() {
            State::Here(value) => Some(bytes_of(value)),
            State::Stored(Stored::Dense { elements, .. }) => Some(elements.count * elements.dtype.bytes()),
            State::Stored(Stored::Sparse { starts, index, values, .. }) => {
                Some(index.count * 4 + values.count * values.dtype.bytes() + starts.count * 8)
            }
            State::Absent => None,
        }
    }

    /// Moves the value to the store.
    pub fn spill(&self) -> Result<()> {
        let mut state = self.state();
        if let State::Here(value) = &*state {
            // Whichever thread makes room: the owner of the tile pays.
            let _owner = account::enter(self.account.clone());
            *state = State::Stored(Stored::write(value)?);
        }
        Ok(())
    }
}

/// Rows in ascending order, those that follow each other with one reading: a window of a text is a run of rows with
/// one element each, and asking the system for every single one would take most of the time.
fn read_runs<T: Element>(elements: &Array, rows: &[usize], width: usize, out: &mut [&mut [T]]) -> Result<()> {
    /// Bytes that are read at once.
    const MOST: usize = 64 << 10;
    let unit = width * size_of::<T>();
    let mut run: Vec<T> = Vec::new();
    let mut first = 0;
    while first < rows.len() {
        let fits = |next: &usize| rows[*next] - rows[*next - 1] <= 1 && (rows[*next] - rows[first] + 1) * unit <= MOST;
        let end = (first + 1..rows.len()).take_while(fits).last().map_or(first + 1, |last| last + 1);
        let from = (rows[first] * unit) as u64;
        if end == first + 1 {
            elements.at.read(from, bytemuck::cast_slice_mut(&mut *out[first]))?;
        } else {
            run.resize((rows[end - 1] - rows[first] + 1) * width, T::zeroed());
            elements.at.read(from, bytemuck::cast_slice_mut(&mut run))?;
            for number in first..end {
                let at = (rows[number] - rows[first]) * width;
                out[number].copy_from_slice(&run[at..at + width]);
            }
        }
        first = end;
    }
    Ok(())
}

/// Dense in its own order, or sparse as it is.
fn settled(value: Value) -> Result<Value> {
    match value {
        Value::Tensor(tensor) => {
            // A small view would hold on to all of the buffer it is a view of.
            let whole = tensor.is_dense() && held(&tensor.buffer) == tensor.elements();
            Ok(Value::Tensor(if whole { tensor } else { tensor.copied()? }))
        }
        other => Ok(other),
    }
}

fn held(buffer: &Buffer) -> usize {
    match buffer {
        Buffer::F32(values) => values.len(),
        Buffer::F64(values) => values.len(),
        Buffer::I64(values) => values.len(),
        Buffer::Bool(values) => values.len(),
    }
}

pub fn dtype_of(buffer: &Buffer) -> DType {
    match buffer {
        Buffer::F32(_) => DType::F32,
        Buffer::F64(_) => DType::F64,
        Buffer::I64(_) => DType::I64,
        Buffer::Bool(_) => DType::Bool,
    }
}

/// What a tile takes in memory.
pub fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Tensor(tensor) => tensor.elements() * tensor.dtype().bytes(),
        Value::Sparse(sparse) => {
            let entries = held(&sparse.values);
            entries * (4 + dtype_of(&sparse.values).bytes()) + sparse.pattern.starts.len() * 8
        }
        _ => 0,
    }
}

impl Array {
    fn write(buffer: &Buffer) -> Result<Array> {
        let dtype = dtype_of(buffer);
        let bytes: &[u8] = match buffer {
            Buffer::F32(values) => bytemuck::cast_slice(values),
            Buffer::F64(values) => bytemuck::cast_slice(values),
            Buffer::I64(values) => bytemuck::cast_slice(values),
            Buffer::Bool(values) => values,
        };
        Ok(Array { dtype, count: held(buffer), at: store::write(bytes)? })
    }

    fn read(&self) -> Result<Buffer> {
        Ok(with_element!(self.dtype, T => T::wrap(self.read_as::<T>()?)))
    }

    fn read_as<T: bytemuck::Pod>(&self) -> Result<Aligned<T>> {
        let mut values = Aligned::<T>::scratch(self.count);
        self.at.read(0, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }
}

impl Stored {
    fn write(value: &Value) -> Result<Stored> {
        match value {
            Value::Tensor(tensor) => {
                Ok(Stored::Dense { dims: tensor.dims.clone(), elements: Array::write(&tensor.buffer)? })
            }
            Value::Sparse(sparse) => {
                let Sparse { rows, along, pattern, values } = &**sparse;
                let starts: Vec<i64> = pattern.starts.iter().map(|&start| start as i64).collect();
                let starts = Array::write(&i64::wrap(Aligned::from_slice(&starts)))?;
                let index = store::write(bytemuck::cast_slice(&pattern.index))?;
                let index = Array { dtype: DType::I64, count: pattern.index.len(), at: index };
                Ok(Stored::Sparse { rows: rows.clone(), along: *along, starts, index, values: Array::write(values)? })
            }
            _ => Err(internal("a tile is no tensor")),
        }
    }

    fn read(&self) -> Result<Value> {
        match self {
            Stored::Dense { dims, elements } => {
                Ok(Value::Tensor(Tensor { dims: dims.clone(), offset: 0, buffer: elements.read()? }))
            }
            Stored::Sparse { rows, along, starts, index, values } => {
                let starts = starts.read_as::<i64>()?.iter().map(|&start| start as usize).collect();
                let pattern = Arc::new(Pattern { starts, index: index.read_as::<u32>()? });
                let sparse = Sparse { rows: rows.clone(), along: *along, pattern, values: values.read()? };
                Ok(Value::Sparse(Arc::new(sparse)))
            }
        }
    }
}
