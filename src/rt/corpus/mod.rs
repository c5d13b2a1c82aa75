//! Corpora: the documents of a file one after another, and the flat stream of their tokens.
//!
//! A file may be larger than memory: its documents are read in order, a batch at a time, and the stream goes to the
//! store of tiles as it grows. Nothing here takes a whole file into memory, and no document is believed to be short.

mod arrow;
mod build;
mod flatbuffers;
mod lines;
mod pages;
mod parquet;
mod plain;

pub use build::{Flat, Plan, flat};

use self::parquet::Parquet;
use super::error::{Error, Result};
use super::files::{FileHandle, Table, table};
use super::tokens::MAX_TEXT;
use arrow::Arrow;
use lines::Lines;
use plain::Plain;

/// One document as a file has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    Text(String),
    /// Token ids.
    Ids(Vec<i64>),
}

/// What is read of a file.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A field of JSON lines, or a column of a table; empty: the file is text.
    pub column: &'a str,
    /// What stands between the documents of a plain text; empty: it is one document.
    pub separator: &'a str,
    /// Token ids instead of text.
    pub ids: bool,
}

/// Documents in the order of the file, or the fault that ends them.
pub type Documents<'a> = Box<dyn Iterator<Item = Result<Document>> + 'a>;

/// The documents of a file. What kind of file it is follows from its first bytes and from what is wanted of it.
pub fn documents<'a>(file: &'a FileHandle, wanted: Wanted<'a>) -> Result<Documents<'a>> {
    let first: &[u8] = &file.bytes;
    if first.starts_with(b"\x93NUMPY") {
        return Err(file
            .fault("is an npy file: an array, not documents")
            .help("read token ids with  read_index[vocab, batch, pos](file)"));
    }
    let table = table(first);
    if wanted.column.is_empty() && table.is_some() {
        return Err(needs_column(file, "a table"));
    }
    if wanted.column.is_empty() {
        return plain_text(file, wanted);
    }
    if !wanted.separator.is_empty() {
        return Err(file.fault("was asked for a column and for a separator; only plain text has separators"));
    }
    Ok(match table {
        Some(Table::Arrow) => {
            let mut rows = Arrow::new(file, wanted)?;
            until_fault(move || rows.document())
        }
        Some(Table::Parquet) => {
            let mut rows = Parquet::new(file, wanted)?;
            until_fault(move || rows.document())
        }
        None => {
            let mut lines = Lines::new(file, wanted)?;
            until_fault(move || lines.document())
        }
    })
}

/// What `next` gives until there is no more; a fault is the last.
fn until_fault<'a>(mut next: impl FnMut() -> Result<Option<Document>> + 'a) -> Documents<'a> {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let found = next().transpose();
        ended = !matches!(found, Some(Ok(_)));
        found
    }))
}

fn plain_text<'a>(file: &'a FileHandle, wanted: Wanted<'a>) -> Result<Documents<'a>> {
    if wanted.ids {
        return Err(file.fault("was asked for token ids without the name of their column"));
    }
    let ending = file.path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if matches!(ending.as_str(), "jsonl" | "ndjson" | "json" | "parquet" | "arrow" | "feather") {
        return Err(needs_column(file, &format!("a `.{ending}` file")));
    }
    let mut documents = Plain::new(file, wanted.separator.as_bytes())?;
    Ok(until_fault(move || documents.document()))
}

fn needs_column(file: &FileHandle, what: &str) -> Error {
    file.fault(format!("is {what}: the documents are one of its columns")).help("name the column:  column: \"text\"")
}

/// Bytes of a document as text that can be encoded at once.
fn text_of(file: &FileHandle, number: usize, bytes: &[u8]) -> Result<String> {
    if bytes.len() > MAX_TEXT {
        return Err(too_long(file, number));
    }
    String::from_utf8(bytes.to_vec()).map_err(|cause| {
        let at = cause.utf8_error().valid_up_to();
        file.fault(format!("is not UTF-8 text: document {number} has the byte {:#04x} at {at}", bytes[at]))
    })
}

/// The error about a document that is too long to be encoded at once.
fn too_long(file: &FileHandle, number: usize) -> Error {
    file.fault(format!("has more than {MAX_TEXT} bytes in document {number}, too many to be encoded at once"))
        .help("if it is a plain text of several documents, say what stands between them:  separator: \"\\n\\n\"")
}

#[cfg(test)]
mod tests;
