//! NumPy's npz: a zip archive of npy files, packed or not. The name of a tensor is that of its member without `.npy`.

use super::super::super::error::Result;
use super::super::{FileHandle, npy};
use super::zipped::Part;
use super::{Archive, Encoding, Entry, Order, Place, is_proper_name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Enough of a member for its header.
const START: usize = npy::MAX_HEADER + 64;

/// Are these the members of such an archive?
pub fn fits(parts: &[Part]) -> bool {
    !parts.is_empty() && parts.iter().all(|part| part.name.ends_with(".npy"))
}

pub fn read(file: &FileHandle, parts: Vec<Part>) -> Result<Archive> {
    let mut entries = BTreeMap::new();
    for part in parts {
        let name = part.name.strip_suffix(".npy").unwrap_or("").to_string();
        if !is_proper_name(&name) {
            return Err(file.fault("has an array with an empty, too long or unprintable name"));
        }
        let start = part.start(file, START);
        let odd = |message: String| file.fault(format!("has an array `{name}` that {message}"));
        let header = npy::header(&start, part.size, &odd)?;
        let entry = Entry {
            encoding: Encoding::Plain(header.stored),
            shape: header.shape,
            order: if header.fortran { Order::Columns } else { Order::Rows },
            big_endian: header.big_endian,
            member: None,
            place: Place::Part(header.start..part.size, Arc::new(part)),
        };
        if entries.insert(name.clone(), entry).is_some() {
            return Err(file.fault(format!("has two arrays of the name `{name}`")));
        }
    }
    Ok(Archive { format: "npz", entries, settings: None })
}
