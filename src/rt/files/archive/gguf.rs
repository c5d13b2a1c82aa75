//! GGUF, versions 2 and 3: settings by name, then tensors, then their numbers, as ggml's programs write them
//! (`docs/gguf.md` of ggml). Lengths of axes stand there from the fastest on; here they are turned around.
//!
//! Every count is held against the bytes that are left before anything is made of it. The settings become one JSON
//! object whose keys are as written, dots included: `llama.block_count` is one key.

use super::super::super::error::{Error, Result};
use super::super::FileHandle;
use super::super::decode::{MAX_LENGTH, MAX_RANK, shape_shown};
use super::quants::Kind;
use super::{Archive, Encoding, Entry, MAX_TENSORS, Order, Place, is_proper_name};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// The most values in all settings together: those of the largest vocabularies are below 2 million.
const MAX_VALUES: usize = 4_000_000;
/// Lists of lists go no deeper.
const MAX_DEPTH: usize = 4;
const MAX_KEYS: u64 = 10_000;
/// Where `general.alignment` says nothing.
const ALIGNMENT: usize = 32;
const MAX_ALIGNMENT: u64 = 1 << 16;

pub fn read(file: &FileHandle) -> Result<Archive> {
    let mut cursor = Cursor { file, at: 4, values: 0 };
    if file.bytes.starts_with(b"FUGG") {
        return Err(file.fault("is a GGUF file of a big-endian machine; only little-endian ones are read"));
    }
    let version = cursor.u32("version")?;
    if version != 2 && version != 3 {
        let text = if version.swap_bytes() <= 3 { "of a big-endian machine".into() } else { format!("{version}") };
        return Err(file.fault(format!("is a GGUF file of version {text}; versions 2 and 3 are read")));
    }
    let tensors = cursor.u64("number of tensors")?;
    let keys = cursor.u64("number of settings")?;
    // The shortest setting takes 14 bytes, the shortest tensor 25.
    if keys > MAX_KEYS || keys > cursor.left() / 14 || tensors > MAX_TENSORS as u64 || tensors > cursor.left() / 25 {
        let found = format!("{tensors} tensors and {keys} settings in {} bytes", file.bytes.len());
        return Err(file.fault(format!("has a GGUF header that claims {found}")));
    }
    let settings = cursor.settings(keys)?;
    let alignment = alignment(file, &settings)?;
    let mut listed = Vec::new();
    for _ in 0..tensors {
        listed.push(cursor.tensor()?);
    }
    let start = cursor.at.div_ceil(alignment) * alignment;
    let entries = place(file, listed, start, alignment)?;
    not_split(file, &settings)?;
    Ok(Archive { format: "gguf", entries, settings: Some(Value::Object(settings)) })
}

fn alignment(file: &FileHandle, settings: &Map<String, Value>) -> Result<usize> {
    let Some(value) = settings.get("general.alignment") else { return Ok(ALIGNMENT) };
    let alignment = value.as_u64().filter(|&n| n.is_power_of_two() && n <= MAX_ALIGNMENT);
    alignment.map(|n| n as usize).ok_or_else(|| file.fault(format!("claims a GGUF alignment of {value}")))
}

/// A model in several files has parts of its tensors in each.
fn not_split(file: &FileHandle, settings: &Map<String, Value>) -> Result<()> {
    let parts = settings.get("split.count").and_then(Value::as_u64).unwrap_or(1);
    if parts <= 1 {
        return Ok(());
    }
    let number = settings.get("split.no").and_then(Value::as_u64).unwrap_or(0);
    let message = format!("is part {} of {parts} of a GGUF model", number.saturating_add(1));
    Err(file.fault(message).help("join the parts: llama-gguf-split --merge"))
}

/// One tensor as its entry in the header says.
struct Listed {
    name: String,
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

/// Tensors stand one behind the other, each at the next multiple of the alignment, up to the end of the file.
fn place(
    file: &FileHandle,
    mut listed: Vec<Listed>,
    start: usize,
    alignment: usize,
) -> Result<BTreeMap<String, Entry>> {
    listed.sort_by_key(|one| one.offset);
    let mut entries = BTreeMap::new();
    let (mut free, total) = (start, file.bytes.len());
    for one in listed {
        let name = &one.name;
        let (encoding, size) = size(file, &one)?;
        let from = usize::try_from(one.offset).ok().and_then(|offset| start.checked_add(offset));
        let from = from.filter(|&from| from == free).ok_or_else(|| {
            let (found, needed) = (one.offset, free - start);
            let message =
                format!("is damaged: tensor `{name}` begins at {found}, but the one before it ends at {needed}");
            file.fault(message)
        })?;
        let to = from.checked_add(size).filter(|&to| to <= total).ok_or_else(|| {
            let left = total.saturating_sub(from);
            file.fault(format!("is cut short: tensor `{name}` takes {size} bytes, but only {left} are left"))
        })?;
        free = to.div_ceil(alignment) * alignment;
        let entry = Entry {
            encoding,
            shape: one.shape,
            order: Order::Rows,
            big_endian: false,
            member: None,
            place: Place::File(from..to),
        };
        if entries.insert(one.name.clone(), entry).is_some() {
            return Err(file.fault(format!("has two tensors of the name `{}`", one.name)));
        }
    }
    if total > free {
        return Err(file.fault(format!("has {} bytes behind its last tensor", total - free)));
    }
    Ok(entries)
}

/// How a tensor is written, and how many bytes it takes. Blocks lie along the last axis.
fn size(file: &FileHandle, one: &Listed) -> Result<(Encoding, usize)> {
    let name = &one.name;
    let Some(kind) = Kind::of(one.kind) else {
        let message = format!("stores tensor `{name}` as number {} of ggml's types, which is not known", one.kind);
        return Err(file.fault(message));
    };
    let count = one.shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length));
    let whole = one.shape.last().copied().unwrap_or(1) % kind.block == 0;
    let bytes = count.filter(|_| whole).and_then(|count| (count / kind.block).checked_mul(kind.bytes));
    let bytes = bytes.ok_or_else(|| {
        let shape = shape_shown(&one.shape);
        file.fault(format!("claims that tensor `{name}` is {shape} of {} (blocks of {})", kind.name, kind.block))
    })?;
    Ok((kind.encoding(), bytes))
}

/// Where the reading of a header stands.
struct Cursor<'a> {
    file: &'a FileHandle,
    at: usize,
    /// Values of settings so far.
    values: usize,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> u64 {
        self.file.bytes.len().saturating_sub(self.at) as u64
    }

    fn fault(&self, message: impl std::fmt::Display) -> Error {
        self.file.fault(format!("has a GGUF header that {message} (byte {})", self.at))
    }

    fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8]> {
        if count > self.left() {
            return Err(self.fault(format!("ends within a {what}")));
        }
        let from = self.at;
        self.at += count as usize;
        Ok(self.file.bytes.get(from..self.at).unwrap_or(&[]))
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut raw = [0; N];
        raw.copy_from_slice(self.take(N as u64, what)?);
        Ok(raw)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn text(&mut self, what: &str) -> Result<&'a str> {
        let length = self.u64(what)?;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| self.fault(format!("has a {what} that is not UTF-8")))
    }

    fn settings(&mut self, count: u64) -> Result<Map<String, Value>> {
        let mut settings = Map::new();
        for _ in 0..count {
            let key = self.text("name of a setting")?;
            if !is_proper_name(key) {
                return Err(self.fault("has a setting with an empty, too long or unprintable name"));
            }
            let kind = self.u32("type of a setting")?;
            let value = self.value(kind, key, 0)?;
            if settings.insert(key.to_string(), value).is_some() {
                return Err(self.fault(format!("has the setting `{key}` twice")));
            }
        }
        Ok(settings)
    }

    fn value(&mut self, kind: u32, key: &str, depth: usize) -> Result<Value> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.fault(format!("has more than {MAX_VALUES} values in its settings")));
        }
        let what = "setting";
        Ok(match kind {
            0 => self.array::<1>(what)?[0].into(),
            1 => i8::from_le_bytes(self.array(what)?).into(),
            2 => u16::from_le_bytes(self.array(what)?).into(),
            3 => i16::from_le_bytes(self.array(what)?).into(),
            4 => self.u32(what)?.into(),
            5 => i32::from_le_bytes(self.array(what)?).into(),
            6 => number(f32::from_le_bytes(self.array(what)?) as f64),
            7 => match self.array::<1>(what)?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(self.fault(format!("has {other} where `{key}` is true (1) or false (0)"))),
            },
            8 => self.text(what)?.into(),
            9 => self.list(key, depth)?,
            10 => self.u64(what)?.into(),
            11 => i64::from_le_bytes(self.array(what)?).into(),
            12 => number(f64::from_le_bytes(self.array(what)?)),
            other => return Err(self.fault(format!("gives `{key}` type number {other}, which is not known"))),
        })
    }

    fn list(&mut self, key: &str, depth: usize) -> Result<Value> {
        let kind = self.u32("type of a list")?;
        let count = self.u64("length of a list")?;
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            9 => 12,
            _ => 8,
        };
        if count > self.left() / least || depth >= MAX_DEPTH {
            return Err(self.fault(format!("claims {count} items in `{key}`, at depth {}", depth + 1)));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(kind, key, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn tensor(&mut self) -> Result<Listed> {
        let name = self.text("name of a tensor")?.to_string();
        if !is_proper_name(&name) {
            return Err(self.fault("has a tensor with an empty, too long or unprintable name"));
        }
        let rank = self.u32("number of axes")? as usize;
        if rank > MAX_RANK {
            return Err(self.fault(format!("claims that tensor `{name}` has {rank} axes")));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            let length = self.u64("length of an axis")?;
            let length = usize::try_from(length).ok().filter(|&length| length > 0 && length <= MAX_LENGTH);
            shape.push(length.ok_or_else(|| self.fault(format!("claims an absurd shape of tensor `{name}`")))?);
        }
        shape.reverse();
        let (kind, offset) = (self.u32("type of a tensor")?, self.u64("place of a tensor")?);
        Ok(Listed { name, shape, kind, offset })
    }
}

/// JSON has no NaN; where a setting is one, nothing stands.
fn number(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}
