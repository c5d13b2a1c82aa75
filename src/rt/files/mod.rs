//! Files as tensors and back: archives of named tensors, npy, JSON. The only reader of bytes from disk besides the session.
//!
//! Whatever a file says about itself is a claim: it is checked against the bytes before anything is allocated, and
//! a false one is an error that names the file. Nothing here may panic on any sequence of bytes.

mod archive;
mod decode;
mod folder;
mod json;
mod list;
mod npy;
mod pack;
mod sniff;
mod stream;
mod write;

pub use archive::{
    check_shape, check_tensors, format as file_format, has_tensor, tensor, tensor_index, tensor_names, tensor_size,
};
pub use folder::{folder_members, open_folder, open_folder_header};
pub use json::{document, json_bool, json_float, json_has, json_int, json_kind, json_len, json_str};
pub use list::{Listed, archive_format, listed, listed_array};
pub use npy::{read_f32, read_index};
pub use pack::{npz_bytes, torch_bytes};
pub use sniff::{Table, table};
pub use stream::Reader;
pub use write::{Named, folder_of, model_bytes, npy_bytes, reason, safetensors_bytes, write_whole};

use super::aligned::Held;
use super::error::{Error, Result, code};
use super::tokens::{self, Tokenizer};
use crate::rt::guard::quoted;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// An opened input: its bytes, and where they came from.
#[derive(Debug)]
pub struct FileHandle {
    /// The name of the `input` item, for messages.
    pub name: String,
    pub path: PathBuf,
    /// Lower-case hex of the sha256 of the bytes.
    pub sha256: String,
    /// Our own copy in anonymous memory, not a map of the file: what was hashed is what is read, and a file that
    /// shrinks under a map would end the process. Of a large text or table these are the first bytes only: see `stream`.
    pub bytes: memmap2::Mmap,
    /// How many bytes the file has.
    pub length: u64,
    /// The files of a folder, sorted by name; a folder has no bytes of its own.
    pub members: Vec<FileHandle>,
    /// Parsed at the first question and kept, faults too.
    archive: OnceLock<Result<archive::Archive>>,
    json: OnceLock<Result<serde_json::Value>>,
    tokenizer: OnceLock<Result<Tokenizer>>,
    /// The bytes count as memory in use.
    _held: Held,
}

impl FileHandle {
    fn new(name: &str, path: &Path, sha256: String, length: u64, bytes: memmap2::Mmap) -> FileHandle {
        // A header is looked at, not kept.
        let held = Held::new(if sha256.is_empty() { 0 } else { bytes.len() });
        FileHandle {
            name: name.to_string(),
            path: path.to_path_buf(),
            sha256,
            bytes,
            length,
            members: Vec::new(),
            archive: OnceLock::new(),
            json: OnceLock::new(),
            tokenizer: OnceLock::new(),
            _held: held,
        }
    }

    /// The tokenizer that the file is.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.get_or_init(|| tokens::read(self)).as_ref().map_err(Clone::clone)
    }

    pub fn is_folder(&self) -> bool {
        !self.members.is_empty()
    }

    /// The file of that name in a folder: `tokenizer.json`.
    pub fn member(&self, name: &str) -> Option<&FileHandle> {
        self.members.iter().find(|member| member.path.file_name().is_some_and(|own| own == name))
    }

    /// Bytes on disk, those of a folder's files together.
    pub fn size(&self) -> u64 {
        self.length + self.members.iter().map(FileHandle::size).sum::<u64>()
    }

    /// How messages call the file.
    pub(super) fn shown(&self) -> String {
        if self.name.is_empty() { format!("file `{}`", self.path.display()) } else { format!("input `{}`", self.name) }
    }

    /// A fault of this file; the path stands in a note.
    pub(super) fn fault(&self, message: impl std::fmt::Display) -> Error {
        Error::new(code::FILE, format!("{} {message}", self.shown())).note("file", self.path.display().to_string())
    }
}

/// Opens and hashes a file. `expected` is the stated sha256; `""` and `"?"` state nothing.
pub fn open(path: &Path, expected: &str, name: &str) -> Result<FileHandle> {
    let length = plain_file(path)?;
    let (bytes, sha256, length) = match stream::head(path, length)? {
        Some((head, sha256)) => (head, sha256, length),
        None => {
            let bytes = read_part(path, u64::MAX)?;
            let (sha256, length) = (hex(&Sha256::digest(&bytes[..])), bytes.len() as u64);
            (bytes, sha256, length)
        }
    };
    if !expected.is_empty() && expected != "?" && !expected.eq_ignore_ascii_case(&sha256) {
        return Err(wrong_hash(path, name, expected, &sha256));
    }
    Ok(FileHandle::new(name, path, sha256, length, bytes))
}

/// Opens a file for what its header says: the first bytes are read, the others stand as zeros, nothing is hashed.
pub fn open_header(path: &Path, name: &str) -> Result<FileHandle> {
    const ENOUGH: u64 = 16 << 20;
    let bytes = read_part(path, ENOUGH)?;
    let length = bytes.len() as u64;
    Ok(FileHandle::new(name, path, String::new(), length, bytes))
}

fn wrong_hash(path: &Path, name: &str, expected: &str, found: &str) -> Error {
    let what = if name.is_empty() { "file".to_string() } else { format!("input `{name}`") };
    let message =
        format!("{what} is not the file that the script was written for: `{}` has another sha256", path.display());
    Error::new(code::HASH, message)
        .note("found", found)
        .note("needed", expected)
        .help("if the file was meant to change, remove the hash and run `locus bless`")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// To an error about a missing name: the names that there are, and the one that was probably meant.
pub fn with_candidates<'a>(error: Error, name: &str, names: impl Iterator<Item = &'a str> + Clone) -> Error {
    const SHOWN: usize = 8;
    // Names come from files, which may hold anything.
    let listed: Vec<String> = names.clone().take(SHOWN).map(quoted).collect();
    let more = names.clone().count() - listed.len();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    let error = if listed.is_empty() { error } else { error.note("found", format!("{}{rest}", listed.join(", "))) };
    match crate::base::suggest::closest(name, names) {
        Some(near) => error.help(format!("did you mean `{}`?", quoted(near))),
        None => error,
    }
}

/// The length of a file that can be read from one end to the other.
fn plain_file(path: &Path) -> Result<u64> {
    let shown = path.display();
    let fault = |text: String| Error::new(code::FILE, text);
    // Asked before opening: to open a pipe would wait for its writer.
    let about = std::fs::metadata(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => fault(format!("there is no file `{shown}`")),
        _ => fault(format!("cannot read `{shown}`: {cause}")),
    })?;
    if about.is_dir() {
        return Err(
            fault(format!("`{shown}` is a folder, not a file")).help("write folder(...), or name a file inside it")
        );
    }
    if !about.is_file() {
        return Err(fault(format!("`{shown}` is a device or a pipe, not a plain file")));
    }
    Ok(about.len())
}

/// The bytes of a plain file that holds at most so many. A pipe would be waited for, and a device might never end.
pub fn short_file(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let refused = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_string());
    if !std::fs::metadata(path)?.is_file() {
        return Err(refused("it is not a plain file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(refused(&format!("it has more than {most} bytes"))) } else { Ok(bytes) }
}

/// Memory for the whole file, filled up to `limit`.
fn read_part(path: &Path, limit: u64) -> Result<memmap2::Mmap> {
    plain_file(path)?;
    let shown = path.display();
    let fault = |text: String| Error::new(code::FILE, text);
    let mut file = File::open(path).map_err(|cause| fault(format!("cannot open `{shown}`: {cause}")))?;
    let length = file.metadata().map_err(|cause| fault(format!("cannot read `{shown}`: {cause}")))?.len();
    if length == 0 {
        return Err(fault(format!("`{shown}` is empty")));
    }
    let too_large = |cause: std::io::Error| {
        Error::new(code::MEMORY, format!("no memory for the {length} bytes of `{shown}`: {cause}"))
    };
    let size = usize::try_from(length).map_err(|cause| too_large(std::io::Error::other(cause)))?;
    let mut bytes = memmap2::MmapMut::map_anon(size).map_err(too_large)?;
    let cut = |cause: std::io::Error| fault(format!("cannot read all {length} bytes of `{shown}`: {cause}"));
    let wanted = size.min(usize::try_from(limit).unwrap_or(usize::MAX));
    file.read_exact(&mut bytes[..wanted]).map_err(cut)?;
    bytes.make_read_only().map_err(too_large)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A handle on bytes that were never a file.
    pub fn handle(name: &str, bytes: &[u8]) -> FileHandle {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.bin");
        std::fs::write(&path, bytes).unwrap();
        open(&path, "?", name).unwrap()
    }

    #[test]
    fn known_hash() {
        let file = handle("abc", b"abc");
        assert_eq!(file.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(&file.bytes[..], b"abc");
    }

    #[test]
    fn a_stated_hash_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abc").unwrap();
        let right = "BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(open(&path, right, "a").is_ok());
        let wrong = right.replace("BA", "ca");
        let error = open(&path, &wrong, "a").unwrap_err();
        assert_eq!(error.code, "R009");
        assert_eq!(error.notes[0], ("found", right.to_lowercase()));
        assert_eq!(error.notes[1], ("needed", wrong));
        assert_eq!(error.help.unwrap(), "if the file was meant to change, remove the hash and run `locus bless`");
    }

    #[test]
    fn what_is_no_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| {
            let error = open(path, "", "x").unwrap_err();
            assert_eq!(error.code, "R008");
            error.message
        };
        assert!(told(folder.path()).contains("is a folder"));
        assert!(told(&folder.path().join("absent")).contains("there is no file"));
        std::fs::write(folder.path().join("empty"), b"").unwrap();
        assert!(told(&folder.path().join("empty")).contains("is empty"));
        #[cfg(unix)]
        assert!(told(Path::new("/dev/zero")).contains("device"));
    }
}
