//! Files that are read from one end to the other: a corpus may be larger than memory.
//!
//! Every file is hashed when it is opened, and what is read later is what was hashed, or an error: what is in memory is
//! read from there, the rest is hashed again while it is read. Nothing here maps a file, because one that shrinks under
//! a map would end the process.

use super::super::error::{Error, Result, code};
use super::{FileHandle, hex};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Texts and tables up to this size are kept in memory like any other file.
const SMALL: u64 = 64 << 20;
/// What is kept of a larger one: enough to see what it is.
const HEAD: usize = 64 << 10;
/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// The first bytes of a large text or table, and its hash. `None`: the file is small, or something else, such as a
/// model, which is read as a whole.
pub fn head(path: &Path, length: u64) -> Result<Option<(memmap2::Mmap, String)>> {
    if length <= SMALL {
        return Ok(None);
    }
    let mut reader = Reader::on_disk(path, length, "")?;
    let mut piece = vec![0; PIECE];
    let first = reader.read(&mut piece)?;
    if !is_text_or_table(&piece[..first.min(HEAD)]) {
        return Ok(None);
    }
    let kept = |cause: std::io::Error| Error::new(code::MEMORY, format!("no memory for `{}`: {cause}", path.display()));
    let mut bytes = memmap2::MmapMut::map_anon(first.clamp(1, HEAD)).map_err(kept)?;
    bytes.copy_from_slice(&piece[..first.clamp(1, HEAD)]);
    let bytes = bytes.make_read_only().map_err(kept)?;
    while reader.read(&mut piece)? > 0 {}
    Ok(Some((bytes, reader.hash())))
}

/// Tables say so with their first bytes; a text has no control characters but those between lines and words.
fn is_text_or_table(head: &[u8]) -> bool {
    if super::table(head).is_some() {
        return true;
    }
    let whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        // The last character may be cut.
        Err(cause) => cause.error_len().is_none(),
    };
    whole && head.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c))
}

/// Bytes one after another.
pub enum Reader<'a> {
    Memory(&'a [u8]),
    Disk {
        path: &'a Path,
        file: File,
        left: u64,
        hasher: Box<Sha256>,
        /// The hash that must come out; empty: whatever it is.
        expected: &'a str,
    },
}

impl FileHandle {
    /// Was only the beginning of it taken into memory?
    pub fn is_left_on_disk(&self) -> bool {
        self.bytes.len() as u64 != self.length
    }

    /// The bytes one after another, without taking a large file into memory.
    pub fn reader(&self) -> Result<Reader<'_>> {
        if self.is_left_on_disk() {
            Reader::on_disk(&self.path, self.length, &self.sha256)
        } else {
            Ok(Reader::Memory(&self.bytes))
        }
    }

    /// The file itself, for readers that go to and fro in it. Its length is checked again, its hash is not.
    pub fn on_disk(&self) -> Result<File> {
        same_file(&self.path, self.length)
    }
}

impl<'a> Reader<'a> {
    fn on_disk(path: &'a Path, length: u64, expected: &'a str) -> Result<Reader<'a>> {
        let file = same_file(path, length)?;
        Ok(Reader::Disk { path, file, left: length, hasher: Box::default(), expected })
    }

    /// The next bytes; 0 of them at the end. The end of a file that changed since it was opened is an error.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        match self {
            Reader::Memory(bytes) => {
                let (next, rest) = bytes.split_at(out.len().min(bytes.len()));
                out[..next.len()].copy_from_slice(next);
                *bytes = rest;
                Ok(next.len())
            }
            Reader::Disk { path, file, left, hasher, expected } => {
                let wanted = out.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let cut = |cause| Error::new(code::FILE, format!("cannot read all of `{}`: {cause}", path.display()));
                let read = file.read(&mut out[..wanted]).map_err(cut)?;
                if read == 0 && wanted > 0 {
                    return Err(changed(path));
                }
                hasher.update(&out[..read]);
                *left -= read as u64;
                if *left == 0 && !expected.is_empty() && hex(&hasher.clone().finalize()) != *expected {
                    return Err(changed(path));
                }
                Ok(read)
            }
        }
    }

    fn hash(self) -> String {
        match self {
            Reader::Memory(bytes) => hex(&Sha256::digest(bytes)),
            Reader::Disk { hasher, .. } => hex(&hasher.finalize()),
        }
    }
}

fn same_file(path: &Path, length: u64) -> Result<File> {
    let cannot = |cause| Error::new(code::FILE, format!("cannot open `{}`: {cause}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    match file.metadata().map_err(cannot)?.len() {
        found if found == length => Ok(file),
        _ => Err(changed(path)),
    }
}

fn changed(path: &Path) -> Error {
    Error::new(code::FILE, format!("`{}` changed while the program ran", path.display()))
        .help("run the program again when nothing writes to the file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut reader: Reader) -> Result<Vec<u8>> {
        let (mut out, mut piece) = (Vec::new(), [0; 7]);
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(out),
                read => out.extend(&piece[..read]),
            }
        }
    }

    #[test]
    fn what_is_read_later_is_what_was_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes: Vec<u8> = (0..100).collect();
        let hash = hex(&Sha256::digest(&bytes));
        let read = || all(Reader::on_disk(&path, 100, &hash)?);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read().unwrap(), bytes);
        let mut other = bytes.clone();
        other[50] = 0;
        std::fs::write(&path, &other).unwrap();
        assert!(read().unwrap_err().message.contains("changed while the program ran"));
        std::fs::write(&path, &other[..99]).unwrap();
        assert!(read().unwrap_err().message.contains("changed"));
        assert_eq!(all(Reader::Memory(&bytes)).unwrap(), bytes);
    }

    #[test]
    fn large_texts_and_tables_stay_on_disk() {
        assert!(is_text_or_table("no number, é\n".as_bytes()) && is_text_or_table(&"é".as_bytes()[..1]));
        assert!(is_text_or_table(b"PAR1\0\0") && is_text_or_table(b"\xff\xff\xff\xff\x10\0"));
        // A safetensors file, GGUF, a pickle.
        for other in [&b"\x40\0\0\0\0\0\0\0{"[..], b"GGUF\x03\0\0\0", b"\x80\x02}", b"\xc3("] {
            assert!(!is_text_or_table(other), "{other:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.txt");
        let text = vec![b'a'; SMALL as usize + 1];
        std::fs::write(&path, &text).unwrap();
        let file = super::super::open(&path, "", "large").unwrap();
        assert!(file.is_left_on_disk() && file.bytes.len() == HEAD && file.length == SMALL + 1);
        assert_eq!(file.sha256, hex(&Sha256::digest(&text)));
        let mut reader = file.reader().unwrap();
        let (mut piece, mut read) = (vec![0; PIECE], 0);
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => break,
                some => read += some,
            }
        }
        assert_eq!(read, text.len());
    }
}
