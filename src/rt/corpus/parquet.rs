//! Columns of Parquet files, row group by row group. The only place that knows the crate `parquet`.
//!
//! The crate is let near a file only after its footer was looked at, and near a column after its pages were (`pages`); its
//! panics are caught. Read are columns of texts and of lists of whole numbers, uncompressed or with snappy or zstd.

use super::pages::broken;
use super::{Document, Wanted, pages};
use crate::rt::error::{Error, Result};
use crate::rt::files::{FileHandle, with_candidates};
use crate::rt::guard::{guarded, quoted, short};
use ::parquet::basic::{Compression, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::VecDeque;
use std::fs::File;

/// Rows that are decoded at once.
const ROWS: usize = 64;

/// A document that was decoded; the bytes of a text are still those of its page.
enum Ready {
    Text(ByteArray),
    Ids(Vec<i64>),
}

pub struct Parquet<'a> {
    file: &'a FileHandle,
    wanted: Wanted<'a>,
    disk: File,
    reader: SerializedFileReader<File>,
    /// The number of the column among all that hold values.
    column: usize,
    /// Levels from which on a list is there, its items are, and an item is.
    levels: (i16, i16, i16),
    group: usize,
    open: Option<ColumnReader>,
    ready: VecDeque<Ready>,
    rows: usize,
}

impl<'a> Parquet<'a> {
    pub fn new(file: &'a FileHandle, wanted: Wanted<'a>) -> Result<Parquet<'a>> {
        let (mut disk, own) = (file.on_disk()?, file.on_disk()?);
        pages::check_footer(file, &mut disk)?;
        let reader = called(file, || SerializedFileReader::new(own))?;
        let (column, levels) = find(file, &reader, wanted)?;
        let ready = VecDeque::new();
        Ok(Parquet { file, wanted, disk, reader, column, levels, group: 0, open: None, ready, rows: 0 })
    }

    /// The document of the next row.
    pub fn document(&mut self) -> Result<Option<Document>> {
        while self.ready.is_empty() {
            if !self.more()? {
                return Ok(None);
            }
        }
        self.ready.pop_front().map(|ready| self.finished(ready)).transpose()
    }

    /// Decodes some more rows; false at the end.
    fn more(&mut self) -> Result<bool> {
        let Some(open) = &mut self.open else { return self.next_group() };
        let mut decoded = Decoded::default();
        let rows = called(self.file, || match open {
            ColumnReader::ByteArrayColumnReader(reader) => decoded.read(reader, |batch, values| batch.texts = values),
            ColumnReader::Int32ColumnReader(reader) => {
                decoded.read(reader, |batch, values| batch.numbers = values.into_iter().map(i64::from).collect())
            }
            ColumnReader::Int64ColumnReader(reader) => decoded.read(reader, |batch, values| batch.numbers = values),
            _ => Ok(0),
        })?;
        if rows == 0 {
            self.open = None;
            return Ok(true);
        }
        if self.wanted.ids { self.lists(decoded) } else { self.texts(decoded) }
    }

    fn next_group(&mut self) -> Result<bool> {
        if self.group >= self.reader.num_row_groups() {
            return Ok(false);
        }
        let (group, column) = (self.group, self.column);
        self.group += 1;
        let about = called(self.file, || {
            let about = self.reader.metadata().row_group(group).column(column);
            let start = about.dictionary_page_offset().unwrap_or(i64::MAX).min(about.data_page_offset());
            Ok((start, about.compressed_size(), about.compression()))
        })?;
        let (start, length, compression) = about;
        if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)) {
            return Err(self.file.fault(format!("is compressed with {compression}; read are snappy and zstd")));
        }
        let range = u64::try_from(start).ok().zip(u64::try_from(length).ok());
        let (start, length) = range.ok_or_else(|| broken(self.file, "a column lies outside the file"))?;
        pages::check(self.file, &mut self.disk, start, length)?;
        let reader = &self.reader;
        self.open = Some(called(self.file, || reader.get_row_group(group)?.get_column_reader(column))?);
        Ok(true)
    }

    fn missing(&self, row: usize) -> Error {
        let name = quoted(&self.wanted.column);
        self.file.fault(format!("has no `{name}` in row {row}"))
    }

    fn texts(&mut self, decoded: Decoded) -> Result<bool> {
        if let Some(row) = decoded.definition.iter().position(|&level| level < self.levels.2) {
            return Err(self.missing(self.rows + self.ready.len() + row));
        }
        self.ready.extend(decoded.texts.into_iter().map(Ready::Text));
        Ok(true)
    }

    fn lists(&mut self, decoded: Decoded) -> Result<bool> {
        let (list, items, item) = self.levels;
        let mut values = decoded.numbers.into_iter();
        let before = self.rows + self.ready.len();
        let mut found: Vec<Vec<i64>> = Vec::new();
        for (place, &level) in decoded.definition.iter().enumerate() {
            if decoded.repetition.get(place).copied().unwrap_or(0) == 0 {
                found.push(Vec::new());
            }
            let row = before + found.len().saturating_sub(1);
            if level < list || (items <= level && level < item) {
                return Err(self.missing(row));
            }
            if level >= item {
                let id = values.next().filter(|&id| id >= 0);
                let wrong = || self.file.fault(format!("has numbers in row {row} that are not token ids"));
                let own = found.last_mut().ok_or_else(|| broken(self.file, "a list begins in its middle"))?;
                own.push(id.ok_or_else(wrong)?);
            }
        }
        self.ready.extend(found.into_iter().map(Ready::Ids));
        Ok(true)
    }

    fn finished(&mut self, ready: Ready) -> Result<Document> {
        let row = self.rows;
        self.rows += 1;
        match ready {
            Ready::Ids(ids) => Ok(Document::Ids(ids)),
            Ready::Text(bytes) => super::text_of(self.file, row, bytes.data()).map(Document::Text),
        }
    }
}

/// Values of some rows, and the levels that say to which row each belongs.
#[derive(Default)]
struct Decoded {
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Decoded {
    /// Reads rows; how many there were.
    fn read<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        put: impl FnOnce(&mut Decoded, Vec<T::T>),
    ) -> ::parquet::errors::Result<usize> {
        let mut values = Vec::new();
        let (definition, repetition) = (&mut self.definition, &mut self.repetition);
        let (rows, _, _) = reader.read_records(ROWS, Some(definition), Some(repetition), &mut values)?;
        put(self, values);
        Ok(rows)
    }
}

/// The column of that name, if it holds what is wanted.
fn find(file: &FileHandle, reader: &SerializedFileReader<File>, wanted: Wanted) -> Result<(usize, (i16, i16, i16))> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let root = |at: usize| schema.column(at).path().parts().first().cloned().unwrap_or_default();
    let own: Vec<usize> = (0..schema.num_columns()).filter(|&at| root(at) == wanted.column).collect();
    let name = quoted(&wanted.column);
    let Some(&at) = own.first() else {
        let names: Vec<String> =
            schema.root_schema().get_fields().iter().map(|field| field.name().to_string()).collect();
        let error = file.fault(format!("has no column `{name}`"));
        return Err(with_candidates(error, wanted.column, names.iter().map(String::as_str)));
    };
    let column = schema.column(at);
    let (item, lists) = (column.max_def_level(), column.max_rep_level());
    let fits = match (column.physical_type(), wanted.ids) {
        (Type::BYTE_ARRAY, false) => lists == 0,
        (Type::INT32 | Type::INT64, true) => lists == 1,
        _ => false,
    };
    if own.len() > 1 || !fits {
        let needed = if wanted.ids { "lists of whole numbers" } else { "text" };
        return Err(file.fault(format!("has a column `{name}` that does not hold {needed}")));
    }
    let items = item - i16::from(column.self_type().is_optional());
    Ok((at, ((items - 1).max(0), items, item)))
}

/// A call of the crate on a file that nobody vouches for.
fn called<T>(file: &FileHandle, work: impl FnOnce() -> ::parquet::errors::Result<T>) -> Result<T> {
    match guarded(work) {
        Some(Ok(done)) => Ok(done),
        Some(Err(cause)) => Err(broken(file, &short(&cause))),
        None => Err(broken(file, "its parts do not fit together")),
    }
}
