//! The one form of zip archive that a bundle is: entries one after another from the first byte, stored as they are,
//! without times, owners or extra fields, then the directory. Any program that reads zip archives opens it.
//!
//! Stored, because weights hardly compress and stored bytes depend on no compressor's version: the same content gives
//! the same archive for ever, and few bytes can never stand for many. Knows bytes, not what they mean.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Crc;
use sha2::{Digest as _, Sha256};

pub const LOCAL: u32 = 0x0403_4b50;
pub const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Names are UTF-8, and nothing else is special.
pub const FLAGS: u16 = 1 << 11;
const VERSION: u16 = 20;
/// Made on a system with Unix rights, by that version.
const MADE_BY: u16 = 3 << 8 | VERSION;
/// Midnight of 1 January 1980, the first moment that the format knows.
const TIME: u16 = 0;
const DATE: u16 = 1 << 5 | 1;
/// A plain file that its owner may write and everyone may read.
const RIGHTS: u32 = 0o100_644 << 16;

/// Without the later 64-bit extension an archive ends below 4 GiB.
pub const LARGEST: u64 = u32::MAX as u64 - 1;
pub const MOST_ENTRIES: usize = 10_000;

/// What bytes are known by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digest {
    pub bytes: u64,
    pub crc: u32,
    /// Lower-case hex.
    pub sha256: String,
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub bytes: u32,
    pub crc: u32,
    /// Where its header begins.
    pub place: u32,
}

/// Copies at most `most` bytes, and says what they were. Ends with `Interrupted` when a person asks for it.
pub fn copy(source: &mut dyn Read, sink: &mut dyn Write, most: u64, stop: &AtomicBool) -> io::Result<Digest> {
    let (mut crc, mut sha, mut bytes) = (Crc::new(), Sha256::new(), 0u64);
    let mut part = vec![0; 1 << 16];
    while bytes < most {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(Stopped));
        }
        let wanted = usize::try_from(most - bytes).unwrap_or(usize::MAX).min(part.len());
        let got = match source.read(&mut part[..wanted]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = part.get(..got).unwrap_or(&[]);
        crc.update(read);
        sha.update(read);
        sink.write_all(read)?;
        bytes += read.len() as u64;
    }
    let sha256 = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digest { bytes, crc: crc.sum(), sha256 })
}

/// A person pressed Ctrl-C.
#[derive(Debug)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by Ctrl-C")
    }
}

impl std::error::Error for Stopped {}

/// Was it a person who ended the copying?
pub fn was_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

/// Little-endian fields, one after another.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn short(mut self, values: &[u16]) -> Fields {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
        self
    }

    fn long(mut self, values: &[u32]) -> Fields {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
        self
    }

    fn text(mut self, text: &str) -> Fields {
        self.0.extend(text.as_bytes());
        self
    }
}

/// Names have at most 240 bytes, entries are at most 10,000: see `names` and `MOST_ENTRIES`.
fn count(of: usize) -> u16 {
    u16::try_from(of).unwrap_or(u16::MAX)
}

/// The header in front of an entry's bytes.
pub fn local_header(entry: &Entry) -> Vec<u8> {
    let fields = Fields::default().long(&[LOCAL]).short(&[VERSION, FLAGS, 0, TIME, DATE]);
    let fields = fields.long(&[entry.crc, entry.bytes, entry.bytes]).short(&[count(entry.name.len()), 0]);
    fields.text(&entry.name).0
}

/// What the directory says of an entry.
pub fn central_header(entry: &Entry) -> Vec<u8> {
    let fields = Fields::default().long(&[CENTRAL]).short(&[MADE_BY, VERSION, FLAGS, 0, TIME, DATE]);
    let fields = fields.long(&[entry.crc, entry.bytes, entry.bytes]).short(&[count(entry.name.len()), 0, 0, 0, 0]);
    fields.long(&[RIGHTS, entry.place]).text(&entry.name).0
}

/// The end of an archive whose directory has `size` bytes from `place`.
pub fn end_record(entries: usize, size: u32, place: u32) -> Vec<u8> {
    let entries = count(entries);
    Fields::default().long(&[END]).short(&[0, 0, entries, entries]).long(&[size, place]).short(&[0]).0
}

/// Writes an archive from its first byte to its last.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
    place: u64,
    entries: Vec<Entry>,
}

impl Writer<'_> {
    pub fn new(out: &mut dyn Write) -> Writer<'_> {
        Writer { out, place: 0, entries: Vec::new() }
    }

    /// Adds a file that is known already; `false` if its bytes are others by now.
    pub fn put(&mut self, name: &str, source: &mut dyn Read, known: &Digest, stop: &AtomicBool) -> io::Result<bool> {
        let narrow = |value: u64| u32::try_from(value).map_err(|_| too_large());
        let entry =
            Entry { name: name.to_string(), bytes: narrow(known.bytes)?, crc: known.crc, place: narrow(self.place)? };
        let header = local_header(&entry);
        self.out.write_all(&header)?;
        // One byte more than is known shows a file that grew.
        let found = copy(source, self.out, known.bytes.saturating_add(1), stop)?;
        self.place += header.len() as u64 + found.bytes;
        self.entries.push(entry);
        if self.entries.len() > MOST_ENTRIES {
            return Err(io::Error::other(format!("a bundle has at most {MOST_ENTRIES} files")));
        }
        Ok(found == *known)
    }

    pub fn finish(self) -> io::Result<()> {
        let directory: Vec<u8> = self.entries.iter().flat_map(central_header).collect();
        let end = self.place + directory.len() as u64;
        if end > LARGEST {
            return Err(too_large());
        }
        self.out.write_all(&directory)?;
        // Both fit: their sum does.
        let (size, place) = (directory.len() as u32, self.place as u32);
        self.out.write_all(&end_record(self.entries.len(), size, place))
    }
}

fn too_large() -> io::Error {
    io::Error::other("a bundle has at most 4 GiB; leave large inputs out with --largest or --without")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_readers_open_what_is_written() {
        let stop = AtomicBool::new(false);
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        for (name, text) in [("a.txt", "one"), ("d/grün.txt", "two")] {
            let known = copy(&mut text.as_bytes(), &mut io::sink(), u64::MAX, &stop).unwrap();
            assert!(writer.put(name, &mut text.as_bytes(), &known, &stop).unwrap());
        }
        writer.finish().unwrap();
        let mut archive = zip::ZipArchive::new(io::Cursor::new(&out)).unwrap();
        assert_eq!(archive.len(), 2);
        let mut member = archive.by_index(1).unwrap();
        let mut text = String::new();
        member.read_to_string(&mut text).unwrap();
        assert_eq!((member.name().unwrap().to_string().as_str(), text.as_str()), ("d/grün.txt", "two"));
        assert_eq!(member.unix_mode(), Some(0o100_644));
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_seen() {
        let stop = AtomicBool::new(false);
        let known = copy(&mut &b"one"[..], &mut io::sink(), u64::MAX, &stop).unwrap();
        assert_eq!(known.sha256, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
        for other in ["onE", "on", "ones"] {
            let mut out = Vec::new();
            assert!(!Writer::new(&mut out).put("a", &mut other.as_bytes(), &known, &stop).unwrap(), "{other}");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(was_stopped(&copy(&mut &b"one"[..], &mut io::sink(), u64::MAX, &stop).unwrap_err()));
    }
}
