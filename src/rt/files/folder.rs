//! Folders as inputs, in the layout of Hugging Face: settings, tokenizer and weights as plain files side by side.
//!
//! A stranger's folder must not lead the reader elsewhere: of its files only those of the names below are opened, none
//! in folders within it, and a link counts only where it ends in the folder itself or, for a snapshot of a Hugging
//! Face cache, among the `blobs` beside it.

use super::super::error::{Error, Result, code};
use super::{FileHandle, hex, open, open_header, wrong_hash};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// More files than the largest models have shards.
const MAX_MEMBERS: usize = 2000;

/// Opens the known files of a folder. The hash is that of the lines `sha256  name`, sorted by name: what
/// `sha256sum` prints of them.
pub fn open_folder(path: &Path, expected: &str, name: &str) -> Result<FileHandle> {
    let found = folder_members(path)?;
    let one = |file: &String| open(&path.join(file), "", &member(name, file));
    let folder = join(path, name, found.iter().map(one).collect::<Result<_>>()?)?;
    if !expected.is_empty() && expected != "?" && !expected.eq_ignore_ascii_case(&folder.sha256) {
        return Err(wrong_hash(path, name, expected, &folder.sha256));
    }
    Ok(folder)
}

/// Opens a folder for what the headers of its files say; nothing is hashed.
pub fn open_folder_header(path: &Path, name: &str) -> Result<FileHandle> {
    let found = folder_members(path)?;
    let one = |file: &String| open_header(&path.join(file), &member(name, file));
    join(path, name, found.iter().map(one).collect::<Result<_>>()?)
}

/// How messages call a file of a folder: `smol/config.json`.
fn member(folder: &str, file: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/{file}") }
}

fn join(path: &Path, name: &str, members: Vec<FileHandle>) -> Result<FileHandle> {
    let bytes = memmap2::MmapMut::map_anon(0).and_then(memmap2::MmapMut::make_read_only);
    let bytes = bytes.map_err(|cause| Error::new(code::MEMORY, format!("no memory for a folder: {cause}")))?;
    let line = |file: &FileHandle| {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{}  {name}\n", file.sha256)
    };
    let lines: String = members.iter().map(line).collect();
    let sha256 = hex(&Sha256::digest(lines.as_bytes()));
    Ok(FileHandle { members, ..FileHandle::new(name, path, sha256, 0, bytes) })
}

/// Is it a name of PyTorch weights? Other `.bin` files of such folders hold optimisers and arguments.
pub fn is_torch(name: &str) -> bool {
    name.ends_with(".pt") || name.ends_with(".pth") || (name.starts_with("pytorch_model") && name.ends_with(".bin"))
}

fn is_known(name: &str) -> bool {
    !name.starts_with('.')
        && (name.ends_with(".json") || name.ends_with(".safetensors") || matches!(name, "merges.txt" | "vocab.txt"))
}

/// The names of the files of a folder that count, sorted. PyTorch's weights count where there are no safetensors.
pub fn folder_members(path: &Path) -> Result<Vec<String>> {
    let shown = path.display();
    let fault = |text: String| Error::new(code::FILE, text);
    let entries = std::fs::read_dir(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => fault(format!("there is no folder `{shown}`")),
        std::io::ErrorKind::NotADirectory => {
            fault(format!("`{shown}` is a file, not a folder")).help("write file(...)")
        }
        _ => fault(format!("cannot read the folder `{shown}`: {cause}")),
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|cause| fault(format!("cannot read the folder `{shown}`: {cause}")))?;
        // Names that are not UTF-8 are none that are known.
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    let safetensors = names.iter().any(|name| name.ends_with(".safetensors") && !name.starts_with('.'));
    names.retain(|name| is_known(name) || (!safetensors && is_torch(name)));
    // An index of PyTorch's shards says nothing where those are not read.
    names.retain(|name| !safetensors || !name.ends_with(".bin.index.json"));
    let mut plain = Vec::new();
    for name in names {
        if lies_within(path, &name)? {
            plain.push(name);
        }
    }
    if plain.len() > MAX_MEMBERS {
        return Err(fault(format!("the folder `{shown}` holds {} files; at most {MAX_MEMBERS}", plain.len())));
    }
    if plain.is_empty() {
        let error = fault(format!("the folder `{shown}` holds no file that is known here"));
        return Err(error.note("needed", "config.json, *.safetensors, tokenizer.json and the like"));
    }
    Ok(plain)
}

/// Is it a plain file that belongs to the folder? `false` for folders within; an error for a link that leads away.
fn lies_within(folder: &Path, name: &str) -> Result<bool> {
    let path = folder.join(name);
    let fault = |cause: std::io::Error| Error::new(code::FILE, format!("cannot read `{}`: {cause}", path.display()));
    let about = std::fs::symlink_metadata(&path).map_err(fault)?;
    if !about.is_symlink() {
        return Ok(about.is_file());
    }
    let target = std::fs::canonicalize(&path).map_err(fault)?;
    let root = std::fs::canonicalize(folder).map_err(fault)?;
    if target.starts_with(&root) || blobs(&root).is_some_and(|blobs| target.starts_with(blobs)) {
        return Ok(target.is_file());
    }
    let message = format!("`{}` is a link that leads out of its folder, to `{}`", path.display(), target.display());
    Err(Error::new(code::FILE, message).help("put the file itself into the folder"))
}

/// Where a snapshot of a Hugging Face cache keeps its bytes: `<model>/snapshots/<revision>` has `<model>/blobs`.
fn blobs(snapshot: &Path) -> Option<PathBuf> {
    let snapshots = snapshot.parent()?;
    (snapshots.file_name()? == "snapshots").then(|| snapshots.with_file_name("blobs"))
}
