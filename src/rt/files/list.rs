//! What a file holds, for a person who looks: its tensors, its array, its settings. Reads headers and settings, and of
//! the numbers only those of one integer array.

use super::super::error::Result;
use super::archive::{Encoding, archive};
use super::decode::Stored;
use super::{FileHandle, npy};

/// One tensor as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub name: String,
    /// `float32`, `Q4_K`.
    pub stored: String,
    /// Can it be read as f32?
    pub readable: bool,
    pub shape: Vec<usize>,
}

/// The tensors of an archive, sorted by name.
pub fn listed(file: &FileHandle) -> Result<Vec<Listed>> {
    let one = |(name, entry): (&String, &super::archive::Entry)| Listed {
        name: name.clone(),
        stored: entry.encoding.shown().to_string(),
        readable: !matches!(entry.encoding, Encoding::Foreign(_)),
        shape: entry.shape.clone(),
    };
    Ok(archive(file)?.entries.iter().map(one).collect())
}

/// The format of the tensors of a folder, or of the file itself.
pub fn archive_format(file: &FileHandle) -> Result<&'static str> {
    Ok(archive(file)?.format)
}

/// The array of an npy file, and its least and largest number if they are whole.
pub fn listed_array(file: &FileHandle) -> Result<(Listed, Option<(i64, i64)>)> {
    let array = npy::parse(file)?;
    let whole = !array.stored.is_float() && array.stored != Stored::Bool;
    let (stored, shape) = (array.stored.shown().to_string(), array.shape.clone());
    let mut range: Option<(i64, i64)> = None;
    if whole {
        array.each_integer(|_, number| {
            let (least, most) = range.unwrap_or((number, number));
            range = Some((least.min(number), most.max(number)));
            Ok(())
        })?;
    }
    Ok((Listed { name: String::new(), stored, readable: true, shape }, range))
}
