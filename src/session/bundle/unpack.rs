//! A folder for a bundle: temporary, or one that a person names and keeps. It appears whole or not at all.
//!
//! Inputs that a bundle only describes are put into its tree by the person who has them; their hash decides.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::archive;
use super::manifest::{self, CONDITIONS, File as Listed, Input, MANIFEST, Manifest, hash_of};
use super::read::{Checked, read};
use crate::rt::error::{Error, Result, code};
use crate::rt::files::{folder_members, folder_of};
use crate::rt::guard::quoted;

/// A bundle in a folder.
pub struct Unpacked {
    pub checked: Checked,
    pub root: PathBuf,
    /// Removed with this value, unless the folder is the person's own.
    temporary: Option<TempDir>,
}

/// A folder that only this user can look into.
pub fn temporary() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("locus-bundle-").tempdir()
}

fn fault(message: String) -> Error {
    Error::new(code::FILE, message)
}

/// Unpacks a bundle into a folder that is new or empty, or into a temporary one.
pub fn unpack(path: &Path, to: Option<&Path>, stop: &AtomicBool) -> Result<Unpacked> {
    let Some(to) = to else {
        let folder = temporary().map_err(|error| fault(format!("cannot make a temporary folder: {error}")))?;
        let checked = read(path, Some(folder.path()), stop)?;
        return Ok(Unpacked { checked, root: folder.path().to_path_buf(), temporary: Some(folder) });
    };
    let shown = to.display();
    let taken = to.symlink_metadata().is_ok() && !fs::read_dir(to).is_ok_and(|mut inside| inside.next().is_none());
    if taken {
        return Err(fault(format!("cannot unpack into `{shown}`: it is there already")).help("name a new folder"));
    }
    let cannot = |error: io::Error| fault(format!("cannot unpack into `{shown}`: {error}"));
    let beside = folder_of(to);
    fs::create_dir_all(beside).map_err(cannot)?;
    let part = tempfile::Builder::new().prefix(".locus-").suffix(".part").tempdir_in(beside).map_err(cannot)?;
    // A folder with the rights that the person's folders have.
    let inner = part.path().join("bundle");
    fs::create_dir(&inner).map_err(cannot)?;
    let checked = read(path, Some(&inner), stop)?;
    fs::rename(&inner, to).map_err(cannot)?;
    Ok(Unpacked { checked, root: to.to_path_buf(), temporary: None })
}

/// Is it a folder that a bundle was unpacked into?
pub fn is_unpacked(path: &Path) -> bool {
    path.is_dir() && path.join(MANIFEST).is_file()
}

/// A bundle that was unpacked before: every file must still be the one that its manifest lists.
pub fn open_folder(root: &Path, stop: &AtomicBool) -> Result<Unpacked> {
    let text = small(&root.join(MANIFEST), manifest::LONGEST)?;
    let why = |why: String| fault(format!("`{}` {why}", root.join(MANIFEST).display()));
    let manifest = Manifest::parse(&text).map_err(why)?;
    let machine = match manifest.run {
        Some(_) => manifest::conditions(&small(&root.join(CONDITIONS), 1 << 16)?)
            .map_err(|why| fault(format!("`{}` {why}", root.join(CONDITIONS).display())))?,
        None => Default::default(),
    };
    for file in &manifest.files {
        let found = hashed(&root.join(&file.path), stop)?;
        if (found.bytes, &found.sha256) != (file.bytes, &file.sha256) {
            return Err(changed(&root.join(&file.path), &found.sha256, &file.sha256));
        }
    }
    let unpacked = Unpacked { checked: Checked { manifest, machine }, root: root.to_path_buf(), temporary: None };
    for input in unpacked.checked.manifest.missing().filter(|input| unpacked.is_placed(input)) {
        unpacked.is_the_one(input, &root.join(&input.path), stop)?;
    }
    Ok(unpacked)
}

fn changed(path: &Path, found: &str, needed: &str) -> Error {
    Error::new(code::HASH, format!("`{}` is not the file that was bundled", path.display()))
        .note("found", found)
        .note("needed", needed)
}

fn small(path: &Path, most: u64) -> Result<Vec<u8>> {
    let cannot = |error: io::Error| fault(format!("cannot read `{}`: {error}", path.display()));
    let about = fs::symlink_metadata(path).map_err(cannot)?;
    if !about.is_file() || about.len() > most {
        return Err(fault(format!("`{}` is no plain file of at most {most} bytes", path.display())));
    }
    fs::read(path).map_err(cannot)
}

fn hashed(path: &Path, stop: &AtomicBool) -> Result<archive::Digest> {
    let cannot = |error: io::Error| fault(format!("cannot read `{}`: {error}", path.display()));
    if !fs::symlink_metadata(path).map_err(cannot)?.is_file() {
        return Err(fault(format!("`{}` is no plain file", path.display())));
    }
    copied(&mut File::open(path).map_err(cannot)?, &mut io::sink(), path, stop)
}

fn copied(
    source: &mut dyn io::Read,
    sink: &mut dyn io::Write,
    path: &Path,
    stop: &AtomicBool,
) -> Result<archive::Digest> {
    archive::copy(source, sink, u64::MAX, stop).map_err(|error| match archive::was_stopped(&error) {
        true => Error::new(code::INTERRUPTED, "stopped by Ctrl-C"),
        false => fault(format!("cannot copy `{}`: {error}", path.display())),
    })
}

impl Unpacked {
    /// The folder, if it goes with this value.
    pub fn temporary(&self) -> Option<&Path> {
        self.temporary.as_ref().map(TempDir::path)
    }

    /// Inputs that are described only and were not put in yet.
    pub fn missing(&self) -> Vec<&Input> {
        self.checked.manifest.missing().filter(|input| !self.is_placed(input)).collect()
    }

    /// Was an input that is described only put into the tree? Files of other inputs may lie in its folder.
    fn is_placed(&self, input: &Input) -> bool {
        let path = self.root.join(&input.path);
        let listed = |member: &String| self.checked.manifest.file(&format!("{}/{member}", input.path)).is_some();
        match input.folder {
            true => folder_members(&path).is_ok_and(|members| !members.iter().all(listed)),
            false => path.exists(),
        }
    }

    /// Puts a file or folder that a person has in the place of an input that is only described.
    pub fn supply(&self, name: &str, from: &Path, stop: &AtomicBool) -> Result<()> {
        let inputs = &self.checked.manifest.inputs;
        let Some(input) = inputs.iter().find(|input| input.name == name) else {
            let known: Vec<&str> = self.checked.manifest.missing().map(|input| input.name.as_str()).collect();
            return Err(fault(format!("the bundle has no input `{}`", quoted(name))).note("inputs", known.join(", ")));
        };
        let target = self.root.join(&input.path);
        if input.is_enclosed() || self.is_placed(input) {
            return Err(fault(format!("the input `{name}` is in the bundle already")));
        }
        self.is_the_one(input, from, stop)?;
        let members = if input.folder { folder_members(from)? } else { vec![String::new()] };
        for member in members {
            // Joining an empty name would put a slash behind a file's.
            let (own, new) = match input.folder {
                true => (from.join(&member), target.join(&member)),
                false => (from.to_path_buf(), target.clone()),
            };
            // A file of another input is there already.
            if !new.exists() {
                self.copy(&own, &new, stop)?;
            }
        }
        // What was copied counts, not what was there a moment ago.
        self.is_the_one(input, &target, stop)
    }

    fn copy(&self, from: &Path, to: &Path, stop: &AtomicBool) -> Result<()> {
        let cannot = |error: io::Error| fault(format!("cannot copy `{}`: {error}", from.display()));
        to.parent().map_or(Ok(()), fs::create_dir_all).map_err(cannot)?;
        let mut source = File::open(from).map_err(cannot)?;
        let mut sink = OpenOptions::new().write(true).create_new(true).open(to).map_err(cannot)?;
        copied(&mut source, &mut sink, from, stop).map(drop)
    }

    /// Has the file or folder the hash that the manifest states?
    fn is_the_one(&self, input: &Input, path: &Path, stop: &AtomicBool) -> Result<()> {
        if input.folder != path.is_dir() {
            let (is, needed) = if input.folder { ("a file", "a folder") } else { ("a folder", "a file") };
            return Err(fault(format!("`{}` is {is}, and the input `{}` is {needed}", path.display(), input.name)));
        }
        let members = if input.folder { folder_members(path)? } else { vec![String::new()] };
        let mut files = Vec::new();
        for member in members {
            let own = if input.folder { path.join(&member) } else { path.to_path_buf() };
            let about =
                fs::metadata(&own).map_err(|error| fault(format!("cannot read `{}`: {error}", own.display())))?;
            if !about.is_file() {
                return Err(fault(format!("`{}` is no plain file", own.display())));
            }
            let mut source =
                File::open(&own).map_err(|error| fault(format!("cannot read `{}`: {error}", own.display())))?;
            let digest = copied(&mut source, &mut io::sink(), &own, stop)?;
            files.push(Listed { path: member, bytes: digest.bytes, sha256: digest.sha256 });
        }
        let found = hash_of(input.folder, &files.iter().collect::<Vec<_>>());
        if found == input.sha256 { Ok(()) } else { Err(changed(path, &found, &input.sha256)) }
    }
}
