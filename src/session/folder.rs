//! The output folder: the only place a program writes to, and only whole files.
//!
//! A file is written beside its target under a temporary name and renamed when it is complete, so an interrupt or
//! a full disk leaves either the old file or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::journal::Written;
use crate::rt::error::{Error, Result, code};
use crate::rt::files::{folder_of, reason, write_whole};

#[derive(Clone, Debug)]
pub struct OutputFolder {
    root: PathBuf,
}

impl OutputFolder {
    /// The folder is made by the first file that is written.
    pub fn new(root: impl Into<PathBuf>) -> OutputFolder {
        OutputFolder { root: root.into() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<Written> {
        let relative = Path::new(name);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !plain {
            return Err(Error::new(code::FILE, format!("cannot write `{name}`: it lies outside the output folder"))
                .help("name a file relative to the output folder, such as `\"codes.npy\"`"));
        }
        let target = self.root.join(relative);
        if let Some(place) = self.way_out(relative) {
            return Err(Error::new(
                code::FILE,
                format!("cannot write `{}`: it lies outside the output folder", target.display()),
            )
            .note("found", format!("`{}` is a link to another folder", place.display()))
            .help("remove the link, or choose another folder with --out"));
        }
        write_atomically(&target, bytes).map_err(|error| fault(&target, &error))?;
        Ok(Written { path: target.display().to_string(), bytes: bytes.len() as u64, sha256: sha256(bytes) })
    }

    /// The first folder on the way to a file that is a link and leads out. A link at the end is no way: it is replaced.
    fn way_out(&self, relative: &Path) -> Option<PathBuf> {
        let root = self.root.canonicalize().ok()?;
        let mut folders: Vec<&Path> =
            relative.ancestors().skip(1).filter(|part| !part.as_os_str().is_empty()).collect();
        folders.reverse();
        let leads_out = |folder: &PathBuf| folder.canonicalize().is_ok_and(|full| !full.starts_with(&root));
        folders.into_iter().map(|folder| self.root.join(folder)).find(leads_out)
    }
}

/// Replaces a file as a whole, or leaves it as it was.
pub fn write_atomically(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(target);
    fs::create_dir_all(folder)?;
    // A result is as readable as any file the person makes, or as what it replaces.
    let mode = fs::metadata(target).map_or(0o666, |meta| meta.permissions().mode());
    write_whole(target, mode, |file| file.write_all(bytes))
}

/// The output folder of a run, made before a fence is raised, within which it could not be made. It is given up again if
/// nothing was written and no other run holds it: a program that writes nothing leaves no folder behind.
#[derive(Debug)]
pub struct Claim {
    /// What was made, the innermost first.
    made: Vec<PathBuf>,
    /// Held by every run that may write into the folder.
    lock: File,
}

impl Claim {
    /// `None` if the folder cannot be made or held; whoever writes into it then says why.
    pub fn new(folder: &Path) -> Option<Claim> {
        const TRIES: usize = 10;
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        for _ in 0..TRIES {
            let made: Vec<PathBuf> = folder.ancestors().take_while(missing).map(Path::to_path_buf).collect();
            fs::create_dir_all(folder).ok()?;
            // Between the two another run may have given it up.
            let Ok(lock) = File::open(folder) else { continue };
            lock.lock_shared().ok()?;
            let same = |held: fs::Metadata, now: fs::Metadata| (held.dev(), held.ino()) == (now.dev(), now.ino());
            if let (Ok(held), Ok(now)) = (lock.metadata(), fs::metadata(folder))
                && same(held, now)
            {
                return Some(Claim { made, lock });
            }
        }
        None
    }

    /// The folders out of which `drop` may take one.
    pub fn parents(&self) -> Vec<PathBuf> {
        self.made.iter().map(|made| folder_of(made).to_path_buf()).collect()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.made.is_empty() || self.lock.unlock().is_err() || self.lock.try_lock().is_err() {
            return;
        }
        // Folders that hold something stay, which is how the loop ends.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fault(target: &Path, error: &io::Error) -> Error {
    let shown = target.display();
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "nothing was left behind; make room or choose another folder with --out"
        }
        _ => "choose another folder with --out",
    };
    Error::new(code::FILE, format!("cannot write `{shown}`: {}", reason(error))).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(folder.path().join("out"));
        for name in ["../x", "/etc/x", "a/../../x", "", "."] {
            assert_eq!(out.write(name, b"x").unwrap_err().code, code::FILE, "{name}");
        }
        let written = out.write("deep/x.txt", b"abc").unwrap();
        assert_eq!(written.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(fs::read(out.path("deep/x.txt")).unwrap(), b"abc");
    }

    #[test]
    fn a_folder_that_nothing_was_written_into_goes_with_its_last_run() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/out");
        drop(Claim::new(&out).unwrap());
        assert!(!folder.path().join("deep").exists());
        let (first, second) = (Claim::new(&out).unwrap(), Claim::new(&out).unwrap());
        drop(first);
        assert!(out.exists(), "another run may still write");
        drop(second);
        let claim = Claim::new(&out).unwrap();
        fs::write(out.join("x"), b"x").unwrap();
        drop(claim);
        assert!(out.join("x").exists());
    }

    #[test]
    fn a_failed_write_leaves_no_part() {
        let folder = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(folder.path());
        fs::create_dir(out.path("taken")).unwrap();
        assert!(out.write("taken", b"x").is_err());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the folder that was there");
    }

    #[test]
    fn a_full_disk_is_an_error_in_one_sentence() {
        // Every write to this device fails with ENOSPC.
        if let Ok(mut full) = fs::OpenOptions::new().write(true).open("/dev/full") {
            let error = full.write_all(b"x").unwrap_err();
            assert!(fault(Path::new("out/x"), &error).message.contains("the disk is full"));
        }
    }
}
