//! Tensors to archives of other programs: NumPy's npz, and PyTorch's zip of a pickle and storages. The same tensors give
//! the same bytes: members have the crate's fixed date, and stand unpacked.
//!
//! The pickle says nothing but what `torch.save` says of a dictionary of tensors and plain values, and calls nothing but
//! `torch._utils._rebuild_tensor_v2` and `collections.OrderedDict`, which restricted readers admit.

use super::super::error::{Error, Result, code};
use super::write::{Named, filled, little_endian, npy_header_of};
use serde_json::Value;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The npz file of these tensors, each under its name, in their order.
pub fn npz_bytes(list: &[Named]) -> Result<Vec<u8>> {
    let mut members = Vec::new();
    for named in list {
        filled(named)?;
        let mut bytes = npy_header_of(named)?;
        bytes.extend(little_endian(named.data)?);
        members.push((format!("{}.npy", named.name), bytes));
    }
    zipped(&members)
}

/// The file that `torch.save` makes of a dictionary of these tensors, followed by the plain values of a JSON record. f32
/// tensors only.
pub fn torch_bytes(list: &[Named], settings: &serde_json::Map<String, Value>) -> Result<Vec<u8>> {
    let mut pickle = Pickle(b"\x80\x02}(".to_vec());
    let mut storages = Vec::new();
    for (number, named) in list.iter().enumerate() {
        filled(named)?;
        let count: usize = named.shape.iter().product();
        pickle.text(named.name);
        pickle.tensor(number, count, &named.shape)?;
        storages.push((format!("archive/data/{number}"), little_endian(named.data)?));
    }
    for (name, value) in settings {
        pickle.text(name);
        pickle.plain(value)?;
    }
    pickle.0.extend(b"u.");
    let mut members = vec![("archive/data.pkl".to_string(), pickle.0)];
    members.push(("archive/byteorder".to_string(), b"little".to_vec()));
    members.extend(storages);
    members.push(("archive/version".to_string(), b"3\n".to_vec()));
    zipped(&members)
}

fn zipped(members: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let refused =
        |cause: &dyn std::fmt::Display| Error::new(code::INTERNAL, format!("cannot write an archive: {cause}"));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (number, (name, bytes)) in members.iter().enumerate() {
        if members[..number].iter().any(|(other, _)| other == name) {
            return Err(Error::new(code::ARGUMENT, format!("two tensors of one file are called `{name}`")));
        }
        archive
            .start_file(name, options.large_file(bytes.len() > u32::MAX as usize))
            .map_err(|cause| refused(&cause))?;
        archive.write_all(bytes).map_err(|cause| refused(&cause))?;
    }
    Ok(archive.finish().map_err(|cause| refused(&cause))?.into_inner())
}

/// Opcodes of protocol 2, one value after another.
struct Pickle(Vec<u8>);

impl Pickle {
    /// BINUNICODE
    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    /// BININT, or LONG1 for what does not fit.
    fn whole(&mut self, number: i64) {
        match i32::try_from(number) {
            Ok(small) => {
                self.0.push(b'J');
                self.0.extend(small.to_le_bytes());
            }
            Err(_) => {
                self.0.extend([0x8a, 8]);
                self.0.extend(number.to_le_bytes());
            }
        }
    }

    /// MARK .. TUPLE
    fn tuple(&mut self, numbers: &[usize]) {
        self.0.push(b'(');
        numbers.iter().for_each(|&number| self.whole(number as i64));
        self.0.push(b't');
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, the storage by its persistent id.
    fn tensor(&mut self, storage: usize, count: usize, shape: &[usize]) -> Result<()> {
        let mut strides = vec![1; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at] * shape[at].max(1);
        }
        self.0.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.0.extend(b"ctorch\nFloatStorage\n");
        self.text(&storage.to_string());
        self.text("cpu");
        self.whole(count as i64);
        self.0.extend(b"tQ");
        self.whole(0);
        self.tuple(shape);
        self.tuple(&strides);
        // NEWFALSE, then the call of OrderedDict with no arguments, then the call of the whole.
        self.0.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        Ok(())
    }

    fn plain(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => self.0.push(b'N'),
            Value::Bool(yes) => self.0.push(if *yes { 0x88 } else { 0x89 }),
            Value::String(text) => self.text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => self.whole(whole),
                (None, Some(number)) => {
                    self.0.push(b'G');
                    self.0.extend(number.to_be_bytes());
                }
                (None, None) => {
                    return Err(Error::new(code::ARGUMENT, format!("the number {number} cannot be written")));
                }
            },
            Value::Array(items) => {
                self.0.extend(b"](");
                items.iter().try_for_each(|item| self.plain(item))?;
                self.0.push(b'e');
            }
            Value::Object(fields) => {
                self.0.extend(b"}(");
                for (name, field) in fields {
                    self.text(name);
                    self.plain(field)?;
                }
                self.0.push(b'u');
            }
        }
        Ok(())
    }
}
