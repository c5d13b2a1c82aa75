//! PyTorch's files (`torch.save` since 1.6): a zip archive with a pickle that describes tensors, and their numbers as
//! members of their own. Nested dictionaries become names with dots; what is no tensor becomes settings.
//!
//! The pickle is read by `pickle`, which can call nothing. A tensor must lie within its storage, and have no more
//! elements than it: otherwise a few bytes could stand for more numbers than any memory holds.

use super::super::super::error::{Error, Result};
use super::super::FileHandle;
use super::super::decode::{MAX_LENGTH, MAX_RANK, Stored};
use super::pickle::{self, Id, Node, Tensor, Values};
use super::zipped::Part;
use super::{Archive, Encoding, Entry, MAX_TENSORS, Order, Place, is_proper_name};
use crate::rt::guard::quoted;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

const PICKLE: &str = "/data.pkl";
const MAX_PICKLE: usize = 16 << 20;
/// Dictionaries nest no deeper.
const MAX_DEPTH: usize = 32;
/// Places that are looked at; a list that holds another twice counts it twice.
const MAX_VISITS: usize = 1_000_000;

/// Are these the members of such a file?
pub fn fits(parts: &[Part]) -> bool {
    parts.iter().any(|part| part.name.ends_with(PICKLE))
}

pub fn read(file: &FileHandle, parts: Vec<Part>) -> Result<Archive> {
    let parts: BTreeMap<String, Arc<Part>> =
        parts.into_iter().map(|part| (part.name.clone(), Arc::new(part))).collect();
    let mut pickles = parts.keys().filter_map(|name| name.strip_suffix(PICKLE));
    let (Some(root), None) = (pickles.next(), pickles.next()) else {
        return Err(file.fault("is a zip archive with more than one data.pkl"));
    };
    let Some(part) = parts.get(&format!("{root}{PICKLE}")) else { return Err(file.fault("has no data.pkl")) };
    if part.size > MAX_PICKLE {
        return Err(file.fault(format!("has a data.pkl of {} bytes; at most {MAX_PICKLE}", part.size)));
    }
    if let Some(order) = parts.get(&format!("{root}/byteorder"))
        && *order.start(file, 16) != *b"little"
    {
        return Err(file.fault("holds numbers of a big-endian machine; only little-endian ones are read"));
    }
    let values = pickle::read(&part.bytes(file)?).map_err(|why| refused(file, &why))?;
    let mut found =
        Found { file, root, parts: &parts, values: &values, entries: BTreeMap::new(), settings: Map::new(), visits: 0 };
    found.walk(values.root, "", 0)?;
    let settings = Some(Value::Object(found.settings));
    Ok(Archive { format: "torch", entries: found.entries, settings })
}

fn refused(file: &FileHandle, why: &str) -> Error {
    file.fault(why).help("save the tensors alone, as a dictionary: torch.save(model.state_dict(), path)")
}

/// What is found on the way through the values of a pickle.
struct Found<'a> {
    file: &'a FileHandle,
    root: &'a str,
    parts: &'a BTreeMap<String, Arc<Part>>,
    values: &'a Values,
    entries: BTreeMap<String, Entry>,
    settings: Map<String, Value>,
    visits: usize,
}

impl Found<'_> {
    fn walk(&mut self, id: Id, name: &str, depth: usize) -> Result<()> {
        self.visits += 1;
        if depth > MAX_DEPTH || self.visits > MAX_VISITS {
            return Err(self.file.fault("nests its values too deep, or holds too many of them"));
        }
        let values = self.values;
        let setting = match values.get(id) {
            Node::Dict(pairs) => {
                for &(key, value) in pairs {
                    let key = match values.get(key) {
                        Node::Text(text) => text.clone(),
                        Node::Int(number) => number.to_string(),
                        _ => return Err(self.file.fault(format!("has a key under `{name}` that is no name"))),
                    };
                    self.walk(value, &joined(name, &key), depth + 1)?;
                }
                return Ok(());
            }
            Node::List(items) | Node::Tuple(items) => {
                for (number, &item) in items.iter().enumerate() {
                    self.walk(item, &joined(name, &number.to_string()), depth + 1)?;
                }
                return Ok(());
            }
            Node::Tensor(tensor) => return self.tensor(if name.is_empty() { "tensor" } else { name }, tensor),
            Node::Storage(_) => return Err(self.file.fault(format!("holds a storage without a shape, `{name}`"))),
            Node::None | Node::Bytes | Node::Known(pickle::Known::Size | pickle::Known::Device) => Value::Null,
            Node::Bool(yes) => Value::Bool(*yes),
            Node::Int(number) => Value::from(*number),
            Node::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Node::Text(text) => Value::from(text.as_str()),
            Node::Known(pickle::Known::Dtype(name)) => Value::from(*name),
            Node::Known(_) => return Err(self.file.fault(format!("holds a function, `{name}`"))),
        };
        self.settings.insert(name.to_string(), setting);
        Ok(())
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        if !is_proper_name(name) {
            return Err(self.file.fault("has a tensor with an empty, too long or unprintable name"));
        }
        let entry = self.entry(name, tensor)?;
        if self.entries.len() >= MAX_TENSORS {
            return Err(self.file.fault(format!("has more than {MAX_TENSORS} tensors")));
        }
        if self.entries.insert(name.to_string(), entry).is_some() {
            return Err(self.file.fault(format!("has two tensors of the name `{name}`")));
        }
        Ok(())
    }

    fn entry(&self, name: &str, tensor: &Tensor) -> Result<Entry> {
        let key = &tensor.storage.key;
        let part = self.parts.get(&format!("{}/data/{key}", self.root)).ok_or_else(|| {
            self.file.fault(format!("has no numbers for tensor `{name}`: member data/{} is absent", quoted(&key)))
        })?;
        let stored = stored(tensor.storage.stored);
        let whole = usize::try_from(tensor.storage.count).ok().and_then(|count| count.checked_mul(stored.bytes()));
        if whole != Some(part.size) {
            let (count, size) = (tensor.storage.count, part.size);
            let what = format!("claims {count} numbers of {} for tensor `{name}` in {size} bytes", stored.shown());
            return Err(self.file.fault(what));
        }
        let extent = Extent::of(tensor).ok_or_else(|| {
            let message =
                format!("claims a shape of tensor `{name}` that its {} numbers do not have", tensor.storage.count);
            self.file.fault(message).note("found", format!("{:?}, steps {:?}", tensor.shape, tensor.steps))
        })?;
        let place = Place::Part(extent.from * stored.bytes()..extent.to * stored.bytes(), part.clone());
        let order = if extent.is_dense() { Order::Rows } else { Order::Steps(extent.steps) };
        let encoding = Encoding::Plain(stored);
        Ok(Entry { encoding, shape: extent.shape, order, big_endian: false, member: None, place })
    }
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") }
}

fn stored(name: &str) -> Stored {
    match name {
        "float64" => Stored::F64,
        "float32" => Stored::F32,
        "float16" => Stored::F16,
        "bfloat16" => Stored::BF16,
        "int64" => Stored::I64,
        "int32" => Stored::I32,
        "int16" => Stored::I16,
        "int8" => Stored::I8,
        "bool" => Stored::Bool,
        _ => Stored::U8,
    }
}

/// Which elements of a storage a tensor covers.
struct Extent {
    from: usize,
    to: usize,
    shape: Vec<usize>,
    steps: Vec<usize>,
}

impl Extent {
    /// `None` if the tensor does not lie within its storage, or has more elements than it.
    fn of(tensor: &Tensor) -> Option<Extent> {
        let lengths = |numbers: &[i64]| -> Option<Vec<usize>> {
            numbers.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n <= MAX_LENGTH)).collect()
        };
        let (shape, steps) = (lengths(&tensor.shape)?, lengths(&tensor.steps)?);
        if shape.len() != steps.len() || shape.len() > MAX_RANK {
            return None;
        }
        let (from, total) = (usize::try_from(tensor.offset).ok()?, usize::try_from(tensor.storage.count).ok()?);
        // Zeros count as one here, so that `[0, 2^40, 2^40]` is refused too.
        let count = shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length.max(1)))?;
        let last = shape
            .iter()
            .zip(&steps)
            .try_fold(from, |last, (&length, &step)| last.checked_add(length.saturating_sub(1).checked_mul(step)?))?;
        if shape.contains(&0) {
            return (from <= total && count <= total.max(1 << 20)).then_some(Extent { from, to: from, shape, steps });
        }
        (last < total && count <= total).then_some(Extent { from, to: last + 1, shape, steps })
    }

    /// Do the elements lie one behind the other, the last axis fastest?
    fn is_dense(&self) -> bool {
        let mut needed = 1;
        self.shape.iter().zip(&self.steps).rev().all(|(&length, &step)| {
            let fits = length <= 1 || step == needed;
            needed *= length;
            fits
        })
    }
}
