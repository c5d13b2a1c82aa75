//! JSON lines: one object a line, of which one field is the document. Lines without anything in them are passed over.
//!
//! Only the field that is wanted is kept of a line; the rest is read past, whatever it holds.

use super::{Document, MAX_TEXT, Wanted};
use crate::rt::error::{Error, Result};
use crate::rt::files::{FileHandle, Reader, with_candidates};
use crate::rt::guard::{quoted, short};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// A line may hold other fields beside the document.
const LONGEST: usize = 4 * MAX_TEXT;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

pub struct Lines<'a> {
    file: &'a FileHandle,
    reader: Reader<'a>,
    wanted: Wanted<'a>,
    held: Vec<u8>,
    /// Where the next line begins, and up to where no line end was found.
    at: usize,
    searched: usize,
    /// Of the line, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    pub fn new(file: &'a FileHandle, wanted: Wanted<'a>) -> Result<Lines<'a>> {
        let reader = file.reader()?;
        Ok(Lines { file, reader, wanted, held: Vec::new(), at: 0, searched: 0, number: 0 })
    }

    /// The next line as a range of what is held; `None` at the end of the file.
    fn line(&mut self) -> Result<Option<(usize, usize)>> {
        loop {
            if let Some(length) = self.held[self.searched..].iter().position(|&byte| byte == b'\n') {
                let (from, to) = (self.at, self.searched + length);
                (self.at, self.searched) = (to + 1, to + 1);
                self.number += 1;
                return Ok(Some((from, to)));
            }
            self.held.drain(..self.at);
            self.at = 0;
            self.searched = self.held.len();
            if self.held.len() > LONGEST {
                let message = format!("has more than {LONGEST} bytes in line {}", self.number + 1);
                return Err(self.file.fault(message).help("JSON lines have one object a line"));
            }
            let before = self.held.len();
            self.held.resize(before + PIECE, 0);
            let read = self.reader.read(&mut self.held[before..])?;
            self.held.truncate(before + read);
            if read == 0 {
                self.number += 1;
                let all = (0, before);
                (self.at, self.searched) = (before, before);
                return Ok((before > 0).then_some(all));
            }
        }
    }

    pub fn document(&mut self) -> Result<Option<Document>> {
        while let Some((from, to)) = self.line()? {
            let line = &self.held[from..to];
            let line = if self.number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return self.parsed(line).map(Some);
        }
        Ok(None)
    }

    fn fault(&self, message: impl std::fmt::Display) -> Error {
        self.file.fault(format!("{message} in line {}", self.number))
    }

    fn parsed(&self, line: &[u8]) -> Result<Document> {
        let name = self.wanted.column;
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = Field(name).deserialize(&mut json).and_then(|read| json.end().map(|()| read));
        let (found, others) = read.map_err(|cause| {
            self.fault(format!("is not JSON lines: {}", short(&cause))).help("JSON lines have one object a line")
        })?;
        let found = found.ok_or_else(|| {
            let error = self.fault(format!("has no field `{}`", quoted(&name)));
            with_candidates(error, name, others.iter().map(String::as_str))
        })?;
        match (found, self.wanted.ids) {
            (Value::String(text), false) if text.len() <= MAX_TEXT => Ok(Document::Text(text)),
            (Value::String(text), false) => {
                let message = format!("has a text of {} bytes, too many to be encoded at once,", text.len());
                Err(self.fault(message))
            }
            (Value::Array(items), true) => {
                let ids: Option<Vec<i64>> = items.iter().map(Value::as_i64).collect();
                let ids = ids.filter(|ids| ids.iter().all(|&id| id >= 0));
                ids.map(Document::Ids).ok_or_else(|| self.fault(format!("has `{name}` that are not token ids")))
            }
            (_, false) => Err(self.fault(format!("has `{name}` that is not a text"))),
            (_, true) => Err(self.fault(format!("has `{name}` that is not a list of token ids"))),
        }
    }
}

/// Reads one field of an object, and the names of some others for a message.
struct Field<'a>(&'a str);

type Found = (Option<Value>, Vec<String>);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Found, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Found;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Found, M::Error> {
        const NAMED: usize = 20;
        let (mut found, mut others) = (None, Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if others.len() < NAMED {
                others.push(name);
            }
        }
        Ok((found, others))
    }
}
