//! Columns of Arrow's IPC formats, stream and file: what the caches of Hugging Face's `datasets` hold.
//!
//! A file of this format is a stream behind eight bytes of its own, with a directory at its end that is not needed to
//! read it from one end to the other. Of the format only what holds documents is read: one column of texts, or of
//! lists of whole numbers, without compression and without a dictionary; anything else is refused by name. The layout is
//! that of Arrow's specification (Columnar.rst, Message.fbs, Schema.fbs).

use super::flatbuffers::{Buffers, Table};
use super::{Document, Wanted};
use crate::rt::error::{Error, Result};
use crate::rt::files::{FileHandle, Reader, with_candidates};
use crate::rt::guard::quoted;
use std::collections::VecDeque;

/// A header of a message says where its buffers lie; the largest ones have a few megabytes.
const MAX_HEADER: usize = 16 << 20;
/// Batches have a thousand rows by default; they are taken into memory one at a time.
const MAX_BATCH: u64 = 256 << 20;

/// Which messages there are (`MessageHeader`), and which types of columns (`Type`).
const SCHEMA: u8 = 1;
const DICTIONARY: u8 = 2;
const BATCH: u8 = 3;
const INT: u8 = 2;
const TEXT: u8 = 5;
const LIST: u8 = 12;
const LARGE_TEXT: u8 = 20;
const LARGE_LIST: u8 = 21;

/// The column that is wanted, as the schema says it.
#[derive(Clone, Debug)]
struct Column {
    /// Its nodes and buffers come after those of the columns before it.
    nodes_before: usize,
    buffers_before: usize,
    /// Offsets of 64 bits.
    large: bool,
    /// Of a list of whole numbers: bytes of each, and whether there is a sign.
    items: Option<(usize, bool)>,
}

pub struct Arrow<'a> {
    file: &'a FileHandle,
    reader: Reader<'a>,
    wanted: Wanted<'a>,
    column: Option<Column>,
    /// Documents of the batch that was read last.
    ready: VecDeque<Document>,
    rows: usize,
}

impl<'a> Arrow<'a> {
    pub fn new(file: &'a FileHandle, wanted: Wanted<'a>) -> Result<Arrow<'a>> {
        let reader = file.reader()?;
        let mut made = Arrow { file, reader, wanted, column: None, ready: VecDeque::new(), rows: 0 };
        if file.bytes.starts_with(b"ARROW1") {
            made.pull(8)?;
        }
        Ok(made)
    }

    /// The document of the next row.
    pub fn document(&mut self) -> Result<Option<Document>> {
        while self.ready.is_empty() {
            if !self.more()? {
                return Ok(None);
            }
        }
        self.rows += 1;
        Ok(self.ready.pop_front())
    }

    fn fault(&self, message: impl std::fmt::Display) -> Error {
        self.file.fault(format!("is not a sound Arrow file: {message}"))
    }

    /// The next bytes; an error where the file ends before.
    fn pull(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match self.reader.read(&mut bytes[filled..])? {
                0 => return Err(self.fault("it is cut short")),
                read => filled += read,
            }
        }
        Ok(bytes)
    }

    /// The header of the next message; `None` at the end of the stream.
    fn header(&mut self) -> Result<Option<Vec<u8>>> {
        let mut first = [0; 4];
        let read = self.reader.read(&mut first)?;
        if read == 0 {
            return Ok(None);
        }
        let rest = self.pull(4 - read)?;
        first[read..].copy_from_slice(&rest);
        let mut length = u32::from_le_bytes(first);
        // Files of before 2019 lack the mark in front of the length.
        if length == u32::MAX {
            let next = self.pull(4)?;
            length = u32::from_le_bytes([next[0], next[1], next[2], next[3]]);
        }
        match length as usize {
            0 => Ok(None),
            length if length > MAX_HEADER || length as u64 > self.file.length => {
                Err(self.fault(format!("a message claims a header of {length} bytes")))
            }
            length => self.pull(length).map(Some),
        }
    }

    /// Reads messages until there are documents; false at the end.
    fn more(&mut self) -> Result<bool> {
        let Some(header) = self.header()? else { return Ok(false) };
        let broken = || self.fault("a message has a header that cannot be read");
        let message = Table::root(&header).ok_or_else(broken)?;
        let kind = message.byte(1).ok_or_else(broken)?;
        let body = message.table(2).ok_or_else(broken)?;
        let length = message.long(3).unwrap_or(0);
        let length = u64::try_from(length).ok().filter(|&length| length <= MAX_BATCH && length <= self.file.length);
        let length = length.ok_or_else(|| self.fault("a message claims more bytes than there can be"))? as usize;
        match kind {
            SCHEMA => {
                let column = self.schema(&body)?;
                self.column = Some(column);
                self.pull(length)?;
            }
            BATCH => {
                let column = self.column.clone().ok_or_else(|| self.fault("it has rows before it says its columns"))?;
                let bytes = self.pull(length)?;
                let found = self.batch(&column, &body, &bytes)?;
                self.ready.extend(found);
            }
            // The dictionary of another column: a column that has one itself was refused with the schema.
            DICTIONARY => drop(self.pull(length)?),
            other => return Err(self.fault(format!("a message is of kind {other}"))),
        }
        Ok(true)
    }

    fn schema(&self, schema: &Table) -> Result<Column> {
        let broken = || self.fault("its list of columns cannot be read");
        if schema.byte(0) == Some(1) {
            return Err(self.file.fault("is an Arrow file of a big-endian machine; only little-endian ones are read"));
        }
        let fields = schema.tables(1).ok_or_else(broken)?;
        let name_of = |field: &Table| field.text(0).unwrap_or("").to_string();
        let names: Vec<String> = fields.iter().map(name_of).collect();
        let wanted = self.wanted.column;
        let Some(place) = names.iter().position(|name| name == wanted) else {
            let error = self.file.fault(format!("has no column `{}`", quoted(&wanted)));
            return Err(with_candidates(error, wanted, names.iter().map(String::as_str)));
        };
        let (mut nodes_before, mut buffers_before) = (0, 0);
        for field in &fields[..place] {
            let (nodes, buffers) =
                counts(field, 0).ok_or_else(|| self.fault("a column has a type that is not known"))?;
            nodes_before += nodes;
            buffers_before += buffers;
        }
        let field = &fields[place];
        let (kind, items) = (field.byte(2).unwrap_or(0), field.tables(5).unwrap_or_default());
        let items = match items.first().filter(|item| item.byte(2) == Some(INT)).and_then(|item| item.table(3)) {
            Some(int) => {
                let bits = usize::try_from(int.int(0).unwrap_or(0)).unwrap_or(0);
                matches!(bits, 8 | 16 | 32 | 64).then(|| (bits / 8, int.byte(1).unwrap_or(0) != 0))
            }
            None => None,
        };
        let (fits, large) = match (kind, self.wanted.ids) {
            (TEXT | LARGE_TEXT, false) => (true, kind == LARGE_TEXT),
            (LIST | LARGE_LIST, true) => (items.is_some(), kind == LARGE_LIST),
            _ => (false, false),
        };
        if !fits || field.table(4).is_some() {
            let needed = if self.wanted.ids { "lists of whole numbers" } else { "text" };
            return Err(self.file.fault(format!("has a column `{}` that does not hold {needed}", quoted(&wanted))));
        }
        Ok(Column { nodes_before, buffers_before, large, items: items.filter(|_| self.wanted.ids) })
    }

    fn batch(&self, column: &Column, batch: &Table, bytes: &[u8]) -> Result<Vec<Document>> {
        if batch.table(3).is_some() {
            return Err(self.file.fault("is compressed, which is not read in Arrow files"));
        }
        let broken = || self.fault("a batch of rows does not fit its columns");
        let buffers = Buffers::new(batch, bytes).ok_or_else(broken)?;
        let (rows, missing) = buffers.node(column.nodes_before).ok_or_else(broken)?;
        let items = column.items.map(|_| buffers.node(column.nodes_before + 1).ok_or_else(broken)).transpose()?;
        if missing != 0 || items.is_some_and(|(_, missing)| missing != 0) {
            let name = quoted(&self.wanted.column);
            return Err(self.file.fault(format!("has rows without `{name}` after row {}", self.rows)));
        }
        if batch.long(0) != i64::try_from(rows).ok() {
            return Err(broken());
        }
        let offsets = buffers.get(column.buffers_before + 1).ok_or_else(broken)?;
        let values = match column.items {
            None => buffers.get(column.buffers_before + 2),
            // A list's items are a column of their own: first which of them are there, then their values.
            Some(_) => buffers.get(column.buffers_before + 3),
        };
        let values = values.ok_or_else(broken)?;
        let mut found = Vec::new();
        for row in 0..rows {
            let (from, to) = bounds(offsets, row, column.large).ok_or_else(broken)?;
            let number = self.rows + row;
            found.push(match column.items {
                None => {
                    let text = values.get(from..to).ok_or_else(broken)?;
                    Document::Text(super::text_of(self.file, number, text)?)
                }
                Some((width, signed)) => {
                    let range = from.checked_mul(width).zip(to.checked_mul(width)).ok_or_else(broken)?;
                    let items = values.get(range.0..range.1).ok_or_else(broken)?;
                    let ids: Option<Vec<i64>> = items.chunks_exact(width).map(|raw| whole(raw, signed)).collect();
                    let wrong = || self.file.fault(format!("has numbers in row {number} that are not token ids"));
                    Document::Ids(ids.ok_or_else(wrong)?)
                }
            });
        }
        Ok(found)
    }
}

/// How many nodes and buffers a column has, those within it included; `None` for a type that is not known.
fn counts(field: &Table, depth: usize) -> Option<(usize, usize)> {
    const DEEPEST: usize = 16;
    // Of a column with a dictionary the rows are numbers.
    if field.table(4).is_some() {
        return Some((1, 2));
    }
    let own = match field.byte(2)? {
        // Null and run ends have no buffers; fixed numbers, times and flags have two, texts and binaries three.
        1 | 22 => 0,
        INT | 3 | 6..=11 | 15 | 18 => 2,
        4 | TEXT | 19 | LARGE_TEXT => 3,
        LIST | LARGE_LIST | 17 => 2,
        // Structs and lists of one length: which rows are there.
        13 | 16 => 1,
        _ => return None,
    };
    let mut total = (1, own);
    if depth >= DEEPEST {
        return None;
    }
    for inner in field.tables(5).unwrap_or_default() {
        let (nodes, buffers) = counts(&inner, depth + 1)?;
        total = (total.0 + nodes, total.1 + buffers);
    }
    Some(total)
}

/// Where row `row` begins and ends among the values.
fn bounds(offsets: &[u8], row: usize, large: bool) -> Option<(usize, usize)> {
    let at = |number: usize| -> Option<usize> {
        if large {
            let raw = offsets.get(number * 8..number * 8 + 8)?;
            usize::try_from(i64::from_le_bytes(raw.try_into().ok()?)).ok()
        } else {
            let raw = offsets.get(number * 4..number * 4 + 4)?;
            usize::try_from(i32::from_le_bytes(raw.try_into().ok()?)).ok()
        }
    };
    let (from, to) = (at(row)?, at(row + 1)?);
    (from <= to).then_some((from, to))
}

/// A token id from its bytes; `None` if it is negative.
fn whole(raw: &[u8], signed: bool) -> Option<i64> {
    let mut wide = [if signed && raw.last()? & 0x80 != 0 { 0xff } else { 0 }; 8];
    wide.get_mut(..raw.len())?.copy_from_slice(raw);
    Some(i64::from_le_bytes(wide)).filter(|&id| id >= 0)
}
