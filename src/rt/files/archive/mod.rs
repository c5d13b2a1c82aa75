//! Archives of named tensors, whatever their format: a name stands for an element type or a quantisation, a shape in
//! row-major order, and a range of bytes of one member file. The formats' readers make the directory; nothing of
//! the numbers is read before somebody asks for a tensor.
//!
//! A reader must check every range against the bytes, and that ranges of different tensors do not overlap where the
//! format does not share them. Nothing is allocated by the word of a header alone.

mod account;
mod gguf;
mod index;
pub mod llama2c;
mod npz;
mod pickle;
mod quants;
mod safetensors;
mod torch;
mod zipped;

pub use account::{check_shape, check_tensors};

use super::super::error::{Error, Result, code};
use super::super::tensor::Tensor;
use super::decode::{Array, Stored, shape_shown};
use super::sniff::{self, Format};
use super::{FileHandle, npy, with_candidates};
use crate::base::axis::Axis;
use crate::rt::guard::quoted;
use quants::Quant;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use zipped::Part;

/// The longest name of a tensor, in bytes.
const MAX_NAME: usize = 256;
const MAX_TENSORS: usize = 100_000;

/// How the numbers of a tensor are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    Plain(Stored),
    /// Blocks of numbers that share a scale.
    Blocks(Quant),
    /// A type that the format knows and this reader does not convert; its name.
    Foreign(String),
}

impl Encoding {
    pub fn shown(&self) -> &str {
        match self {
            Encoding::Plain(stored) => stored.shown(),
            Encoding::Blocks(quant) => quant.name(),
            Encoding::Foreign(name) => name,
        }
    }
}

/// One tensor of an archive.
#[derive(Clone, Debug)]
pub struct Entry {
    pub encoding: Encoding,
    pub shape: Vec<usize>,
    pub order: Order,
    pub big_endian: bool,
    /// The member of a folder that holds it; `None` where the archive is one file.
    pub member: Option<usize>,
    pub place: Place,
}

/// Where the bytes of a tensor are: checked to lie within the file, or within one member of a zip archive.
#[derive(Clone, Debug)]
pub enum Place {
    File(Range<usize>),
    Part(Range<usize>, Arc<Part>),
}

/// In which order the elements of a tensor lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// The last axis varies fastest.
    Rows,
    /// The first axis varies fastest.
    Columns,
    /// For each axis, how many elements lie from one to the next.
    Steps(Vec<usize>),
}

/// The checked directory of an archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// As `format(file)` says it.
    pub format: &'static str,
    pub entries: BTreeMap<String, Entry>,
    /// What the format tells beside its tensors, for `json_*`.
    pub settings: Option<serde_json::Value>,
}

/// The format in the words of `format(file)`; for a zip archive that of what it holds.
pub fn format(file: &FileHandle) -> Result<&'static str> {
    match sniff::format(file) {
        Format::Zip => Ok(archive(file)?.format),
        other => Ok(other.name()),
    }
}

/// The directory of the file, read at the first question.
pub fn archive(file: &FileHandle) -> Result<&Archive> {
    file.archive.get_or_init(|| read(file)).as_ref().map_err(Clone::clone)
}

fn read(file: &FileHandle) -> Result<Archive> {
    match sniff::format(file) {
        Format::Safetensors => safetensors::read(file),
        Format::Gguf => gguf::read(file),
        Format::Llama2c => llama2c::read(file),
        Format::Folder => index::read(file),
        Format::Zip => read_zip(file),
        Format::Npy => Err(file.fault("is an npy file, which holds one array without a name, not named tensors")),
        other => Err(llama2c::near_miss(file).unwrap_or_else(|| unknown(file, other))),
    }
}

fn read_zip(file: &FileHandle) -> Result<Archive> {
    let parts = zipped::parts(file)?;
    if torch::fits(&parts) {
        return torch::read(file, parts);
    }
    if npz::fits(&parts) {
        return npz::read(file, parts);
    }
    let names: Vec<String> = parts.iter().take(8).map(|part| quoted(&part.name)).collect();
    let error = file.fault("is a zip archive, neither of PyTorch nor of NumPy");
    Err(error.note("found", names.join(", ")).note("needed", "data.pkl in a folder, or .npy files alone"))
}

fn unknown(file: &FileHandle, format: Format) -> Error {
    let found = match format {
        Format::Unknown => "nothing that is known here".to_string(),
        Format::Pickle => "a pickle by itself".to_string(),
        other => other.name().to_string(),
    };
    let error = file.fault("holds no named tensors").note("found", found).note(
        "needed",
        "safetensors, GGUF, a zip archive of PyTorch or NumPy, a llama2.c model, or a folder with one of them",
    );
    match format {
        Format::Pickle => error.help("PyTorch before 1.6 wrote such files; load it there and save it again"),
        _ => error,
    }
}

/// Tensor `name` as f32 over `axes`, in the order of the file.
pub fn tensor(file: &FileHandle, name: &str, axes: &[Axis]) -> Result<Tensor> {
    let (name, entry) = find(file, name)?;
    let (home, bytes) = bytes(file, entry)?;
    let stored = match &entry.encoding {
        Encoding::Plain(stored) => *stored,
        Encoding::Blocks(_) => Stored::F32,
        Encoding::Foreign(other) => {
            return Err(file.fault(format!("stores tensor `{name}` as {other}, which has no conversion to f32")));
        }
    };
    let array = array(home, name, entry, stored, &bytes);
    match &entry.encoding {
        Encoding::Blocks(quant) => array.filled(axes, |values| quants::decode(*quant, &bytes, values)),
        _ => array.to_f32(axes),
    }
}

/// Tensor `name` as indices; `axes` are the axis that the values index, then the axes of the tensor in order.
pub fn tensor_index(file: &FileHandle, name: &str, axes: &[Axis]) -> Result<Tensor> {
    let Some((&of, own)) = axes.split_first() else {
        return Err(file.fault("was asked for indices, but not of which axis"));
    };
    let (name, entry) = find(file, name)?;
    let (home, bytes) = bytes(file, entry)?;
    match entry.encoding {
        Encoding::Plain(stored) => array(home, name, entry, stored, &bytes).to_index(of, own),
        _ => Err(file.fault(format!("stores tensor `{name}` as {}, not whole numbers", entry.encoding.shown()))),
    }
}

fn array<'a>(file: &'a FileHandle, name: &'a str, entry: &Entry, stored: Stored, bytes: &'a [u8]) -> Array<'a> {
    let (big_endian, fortran) = (entry.big_endian, entry.order == Order::Columns);
    Array { file, name, stored, big_endian, fortran, shape: entry.shape.clone(), bytes }
}

/// The member that a tensor lies in, and its bytes.
fn bytes<'a>(file: &'a FileHandle, entry: &Entry) -> Result<(&'a FileHandle, Cow<'a, [u8]>)> {
    let home = entry.member.and_then(|member| file.members.get(member)).unwrap_or(file);
    let found = match &entry.place {
        Place::File(range) => Cow::Borrowed(home.bytes.get(range.clone()).unwrap_or(&[])),
        Place::Part(range, part) => match part.bytes(home)? {
            Cow::Borrowed(all) => Cow::Borrowed(all.get(range.clone()).unwrap_or(&[])),
            Cow::Owned(all) => Cow::Owned(all.get(range.clone()).unwrap_or(&[]).to_vec()),
        },
    };
    match (&entry.order, &entry.encoding) {
        (Order::Steps(steps), Encoding::Plain(stored)) => {
            Ok((home, Cow::Owned(gathered(&entry.shape, steps, stored.bytes(), &found))))
        }
        _ => Ok((home, found)),
    }
}

/// Elements of `size` bytes that lie `steps` apart, in row-major order.
fn gathered(shape: &[usize], steps: &[usize], size: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    for _ in 0..shape.iter().product() {
        out.extend_from_slice(bytes.get(at * size..(at + 1) * size).unwrap_or(&[]));
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += steps[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= steps[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

pub fn has_tensor(file: &FileHandle, name: &str) -> Result<bool> {
    Ok(archive(file)?.entries.contains_key(name))
}

/// The length of dimension `dim` of a tensor; of the file's only array if it is an npy file and `name` is empty.
pub fn tensor_size(file: &FileHandle, name: &str, dim: i64) -> Result<i64> {
    let shape = if name.is_empty() && file.bytes.starts_with(npy::MAGIC) {
        npy::parse(file)?.shape
    } else {
        find(file, name)?.1.shape.clone()
    };
    let length = usize::try_from(dim).ok().and_then(|dim| shape.get(dim).copied());
    length.map(|length| length as i64).ok_or_else(|| {
        let message = format!("has no dimension {dim} in tensor `{name}`, which is {}", shape_shown(&shape));
        let mut error = file.fault(message);
        error.code = code::ARGUMENT;
        error
    })
}

/// All names, sorted.
pub fn tensor_names(file: &FileHandle) -> Result<Vec<String>> {
    Ok(archive(file)?.entries.keys().cloned().collect())
}

fn find<'a>(file: &'a FileHandle, name: &str) -> Result<(&'a str, &'a Entry)> {
    let entries = &archive(file)?.entries;
    if let Some((name, entry)) = entries.get_key_value(name) {
        return Ok((name, entry));
    }
    let error = file.fault(format!("has no tensor `{}`", quoted(&name)));
    Err(with_candidates(error, name, entries.keys().map(String::as_str)))
}

/// A name that can be shown and is not absurdly long.
fn is_proper_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}
