//! A look at the footer of a Parquet file and at the pages of a column before the crate reads them. The crate walks through as
//! many items as a list says it has, and makes room for whatever a page says it will have once it is uncompressed, two
//! gigabytes at most; nothing but the file itself says so.
//!
//! Thrift's compact protocol is understood as far as it takes to find the end of the footer and the next page; everything is
//! held against the bytes that are there.

use crate::rt::error::{Error, Result, code};
use crate::rt::files::FileHandle;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Pages have a megabyte by default.
const MAX_PAGE: i64 = 64 << 20;
const MAX_VALUES: i64 = 16 << 20;
/// Headers have some dozens of bytes; those with statistics of long texts have more.
const MAX_HEADER: usize = 64 << 10;
const MAX_DEPTH: usize = 8;
/// The length of the footer, and `PAR1`.
const TAIL: u64 = 8;
/// The number of Thrift's kind.
const STRUCTURE: u8 = 12;

/// Checks that the footer is as long as the lists in it say. What is no footer at all is left to the crate, which says so.
pub fn check_footer(file: &FileHandle, disk: &mut File) -> Result<()> {
    let mut end = [0; TAIL as usize];
    let Some(at) = file.length.checked_sub(TAIL) else { return Ok(()) };
    read_at(file, disk, at, &mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = at.checked_sub(length).filter(|_| magic == *b"PAR1") else { return Ok(()) };
    let mut bytes = vec![0; length as usize];
    read_at(file, disk, start, &mut bytes)?;
    let mut cursor = Cursor { bytes: &bytes, at: 0 };
    cursor.skip(STRUCTURE, 0).ok_or_else(|| broken(file, "its footer cannot be read"))
}

/// Checks every page in `length` bytes from `start` on.
pub fn check(file: &FileHandle, disk: &mut File, start: u64, length: u64) -> Result<()> {
    let end = start.checked_add(length).filter(|&end| end <= file.length);
    let end = end.ok_or_else(|| broken(file, "a column lies outside the file"))?;
    let (mut at, mut bytes) = (start, vec![0; MAX_HEADER]);
    while at < end {
        let wanted = MAX_HEADER.min((end - at) as usize);
        read_at(file, disk, at, &mut bytes[..wanted])?;
        let mut cursor = Cursor { bytes: &bytes[..wanted], at: 0 };
        let page = cursor.page().ok_or_else(|| broken(file, "a page has a header that cannot be read"))?;
        let fits = (0..=MAX_PAGE).contains(&page.plain) && (0..=MAX_VALUES).contains(&page.values);
        let next = u64::try_from(page.stored).ok().and_then(|size| (at + cursor.at as u64).checked_add(size));
        match next.filter(|&next| fits && next <= end) {
            Some(next) => at = next,
            None => {
                let what =
                    format!("a page claims {} bytes, {} uncompressed, {} values", page.stored, page.plain, page.values);
                return Err(broken(file, &what));
            }
        }
    }
    Ok(())
}

pub fn broken(file: &FileHandle, what: &str) -> Error {
    file.fault(format!("is not a sound Parquet file: {what}"))
}

fn read_at(file: &FileHandle, disk: &mut File, at: u64, bytes: &mut [u8]) -> Result<()> {
    let read = disk.seek(SeekFrom::Start(at)).and_then(|_| disk.read_exact(bytes));
    read.map_err(|cause| Error::new(code::FILE, format!("{}: {cause}", file.shown())))
}

/// What the header of a page says.
#[derive(Default)]
struct Page {
    plain: i64,
    stored: i64,
    values: i64,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.at += 1;
        self.bytes.get(self.at - 1).copied()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.varint().map(|raw| (raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(count).ok()?)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    /// The next field of a structure, its number and its type; type 0 is the end.
    fn field(&mut self, last: &mut i64) -> Option<(i64, u8)> {
        let head = self.byte()?;
        if head == 0 {
            return Some((0, 0));
        }
        *last = match head >> 4 {
            0 => self.signed()?,
            step => *last + i64::from(step),
        };
        Some((*last, head & 0x0f))
    }

    fn page(&mut self) -> Option<Page> {
        let (mut page, mut last) = (Page::default(), 0);
        loop {
            match self.field(&mut last)? {
                (_, 0) => return Some(page),
                (2, 5) => page.plain = self.signed()?,
                (3, 5) => page.stored = self.signed()?,
                // The headers of the kinds of pages; all begin with the number of values.
                (5 | 7 | 8, STRUCTURE) => page.values = page.values.max(self.values()?),
                (_, kind) => self.skip(kind, 0)?,
            }
        }
    }

    fn values(&mut self) -> Option<i64> {
        let (mut values, mut last) = (0, 0);
        loop {
            match self.field(&mut last)? {
                (_, 0) => return Some(values),
                (1, 5) => values = self.signed()?,
                (_, kind) => self.skip(kind, 1)?,
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // No list of a footer or a page holds flags, and readers differ on the bytes that they take. Each other
                // item takes a byte at least.
                (count <= self.bytes.len() as u64 && !matches!(head & 0x0f, 1 | 2)).then_some(())?;
                (0..count).try_for_each(|_| self.skip(head & 0x0f, depth + 1))
            }
            STRUCTURE => {
                let mut last = 0;
                loop {
                    match self.field(&mut last)? {
                        (_, 0) => return Some(()),
                        (_, kind) => self.skip(kind, depth + 1)?,
                    }
                }
            }
            // Maps stand in neither.
            _ => None,
        }
    }
}
