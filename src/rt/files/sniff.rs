//! Which format a file is in, by its bytes alone: a name ending in `.bin` says nothing. A format that is recognised
//! here is only a claim; its reader decides whether it is sound.

use super::FileHandle;
use super::archive::llama2c;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Safetensors,
    Gguf,
    /// A zip archive. What it holds, PyTorch's tensors or NumPy's arrays, its directory tells.
    Zip,
    Llama2c,
    Npy,
    /// A pickle by itself: what PyTorch wrote before 1.6.
    Pickle,
    Json,
    Text,
    Hdf5,
    Parquet,
    Arrow,
    Folder,
    Unknown,
}

impl Format {
    /// As `format(file)` says it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Gguf => "gguf",
            Format::Zip => "zip",
            Format::Llama2c => "llama2c",
            Format::Npy => "npy",
            Format::Pickle => "pickle",
            Format::Json => "json",
            Format::Text => "text",
            Format::Hdf5 => "hdf5",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
            Format::Folder => "folder",
            Format::Unknown => "unknown",
        }
    }
}

const MARKS: &[(&[u8], Format)] = &[
    (super::npy::MAGIC, Format::Npy),
    (b"GGUF", Format::Gguf),
    (b"FUGG", Format::Gguf),
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"\x89HDF\r\n", Format::Hdf5),
    (b"PAR1", Format::Parquet),
    (b"ARROW1", Format::Arrow),
];

/// Pickles of the protocols 2 to 5. A safetensors file begins alike where its header is 640, 896, 1,152 or 1,408 bytes long.
const PICKLES: [[u8; 2]; 4] = [[0x80, 2], [0x80, 3], [0x80, 4], [0x80, 5]];

/// A table of columns, read from the disk piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Parquet,
    /// Of Arrow's formats the file, or the stream, which begins with the mark of its first message.
    Arrow,
}

/// The kind of table that begins like this.
pub fn table(first: &[u8]) -> Option<Table> {
    const MARKS: &[(&[u8], Table)] =
        &[(b"PAR1", Table::Parquet), (b"ARROW1", Table::Arrow), (&[0xff; 4], Table::Arrow)];
    MARKS.iter().find(|(mark, _)| first.starts_with(mark)).map(|(_, table)| *table)
}

pub fn format(file: &FileHandle) -> Format {
    if file.is_folder() {
        return Format::Folder;
    }
    let bytes: &[u8] = &file.bytes;
    if let Some((_, format)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return *format;
    }
    if llama2c::fits(bytes) {
        return Format::Llama2c;
    }
    if is_safetensors(bytes) {
        return Format::Safetensors;
    }
    if PICKLES.iter().any(|mark| bytes.starts_with(mark)) {
        return Format::Pickle;
    }
    match text_start(bytes) {
        Some(b'{' | b'[') => Format::Json,
        Some(_) => Format::Text,
        None => Format::Unknown,
    }
}

/// The length of a header, then an object. No text has zeros among its first bytes.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes.get(..8).is_some_and(|length| length.contains(&0))
}

/// The first letter that is no space, if the beginning is text.
fn text_start(bytes: &[u8]) -> Option<u8> {
    let start = &bytes[..bytes.len().min(4096)];
    let valid = match std::str::from_utf8(start) {
        Ok(_) => start.len(),
        // A letter of several bytes may be cut by the end of what is looked at.
        Err(cause) if cause.error_len().is_none() => cause.valid_up_to(),
        Err(_) => return None,
    };
    let text = &start[..valid];
    if text.iter().any(|&byte| byte < 32 && !byte.is_ascii_whitespace()) {
        return None;
    }
    text.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::super::tests::handle;
    use super::*;

    #[test]
    fn bytes_decide() {
        let told = |bytes: &[u8]| format(&handle("x", bytes)).name();
        assert_eq!(told(b"GGUF\x03\0\0\0"), "gguf");
        assert_eq!(told(b"PK\x03\x04...."), "zip");
        assert_eq!(told(b"\x93NUMPY\x01\0"), "npy");
        assert_eq!(told(b"  \n{\"a\": 1}"), "json");
        assert_eq!(told(b"{\"a\": 1}{"), "json");
        assert_eq!(told(b"once upon a time"), "text");
        assert_eq!(told("gr\u{fc}n".as_bytes()), "text");
        assert_eq!(told(b"\x80\x02}q\0."), "pickle");
        assert_eq!(told(b"\x02\0\0\0\0\0\0\0{}"), "safetensors");
        // A header of 640 bytes.
        assert_eq!(told(b"\x80\x02\0\0\0\0\0\0{\"x\":"), "safetensors");
        assert_eq!(told(&[0xff; 40]), "unknown");
        assert_eq!(told(&[0; 40]), "unknown");
    }
}
