//! Documents of a plain text: all of it, or what stands between separators.
//!
//! Texts are taken as they are, spaces and line ends included; only a mark of byte order at the beginning goes. What
//! follows the last separator is a document unless it is empty.

use super::{Document, MAX_TEXT, text_of, too_long};
use crate::rt::error::Result;
use crate::rt::files::{FileHandle, Reader};

pub struct Plain<'a> {
    file: &'a FileHandle,
    reader: Reader<'a>,
    separator: &'a [u8],
    /// What was read and belongs to no document yet.
    held: Vec<u8>,
    /// No separator begins before this place of it.
    searched: usize,
    number: usize,
}

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
const BYTE_ORDER: &[u8] = b"\xef\xbb\xbf";

impl<'a> Plain<'a> {
    pub fn new(file: &'a FileHandle, separator: &'a [u8]) -> Result<Plain<'a>> {
        let reader = file.reader()?;
        let mut made = Plain { file, reader, separator, held: Vec::new(), searched: 0, number: 0 };
        made.more()?;
        if made.held.starts_with(BYTE_ORDER) {
            made.held.drain(..BYTE_ORDER.len());
        }
        Ok(made)
    }

    /// Reads on; false at the end of the file.
    fn more(&mut self) -> Result<bool> {
        let before = self.held.len();
        self.held.resize(before + PIECE, 0);
        let read = self.reader.read(&mut self.held[before..])?;
        self.held.truncate(before + read);
        Ok(read > 0)
    }

    /// Where the next separator begins.
    fn found(&mut self) -> Option<usize> {
        if self.separator.is_empty() {
            return None;
        }
        let rest = &self.held[self.searched.min(self.held.len())..];
        match rest.windows(self.separator.len()).position(|part| part == self.separator) {
            Some(at) => Some(self.searched + at),
            None => {
                self.searched = (self.held.len() + 1).saturating_sub(self.separator.len());
                None
            }
        }
    }

    pub fn document(&mut self) -> Result<Option<Document>> {
        loop {
            if let Some(at) = self.found() {
                return self.taken(at, at + self.separator.len());
            }
            if self.held.len() > MAX_TEXT {
                return Err(too_long(self.file, self.number));
            }
            if !self.more()? {
                let all = self.held.len();
                return if all == 0 { Ok(None) } else { self.taken(all, all) };
            }
        }
    }

    /// The document that ends at `end`; the next begins at `next`.
    fn taken(&mut self, end: usize, next: usize) -> Result<Option<Document>> {
        let text = text_of(self.file, self.number, &self.held[..end])?;
        self.held.drain(..next);
        self.searched = 0;
        self.number += 1;
        Ok(Some(Document::Text(text)))
    }
}
