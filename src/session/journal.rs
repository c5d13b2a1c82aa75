//! What a run leaves behind for the session: expectations judged and files written.
//!
//! The world writes it while a program runs, the session reads it afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::rt::ctx::Expectation;
use crate::rt::files::folder_of;

/// A file below the output folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// As shown to people, with the output folder.
    pub path: String,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub expectations: Vec<Expectation>,
    pub written: Vec<Written>,
    /// Why standard output takes no more: mostly, whoever read it has gone (`locus run x.exp | head -1`). The run stops.
    pub closed: Option<io::ErrorKind>,
    /// What the run reads, files and folders, with links resolved: nothing is written over it.
    pub read: Vec<PathBuf>,
}

impl Journal {
    /// Notes that the run reads this file or folder.
    pub fn reads(&mut self, path: &Path) {
        if let Ok(path) = path.canonicalize() {
            self.read.push(path);
        }
    }

    /// Would a file written here take the place of a program, or of something that the run reads?
    pub fn keeps(&self, target: &Path) -> bool {
        let folder = folder_of(target);
        // A link is replaced, not what it leads to; so only the folder's links are followed.
        let (Ok(folder), Some(name)) = (folder.canonicalize(), target.file_name()) else { return false };
        let place = folder.join(name);
        let program = place.extension().is_some_and(|end| end == "exp");
        place.exists() && (program || self.read.iter().any(|read| *read == place || *read == folder))
    }
}

/// The journal, shared by the world of a context and its session.
#[derive(Clone, Debug, Default)]
pub struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    pub fn lock(&self) -> MutexGuard<'_, Journal> {
        // Entries are only appended, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// How many expectations held, of how many judged.
    pub fn tally(&self) -> (usize, usize) {
        let journal = self.lock();
        (journal.expectations.iter().filter(|outcome| outcome.held).count(), journal.expectations.len())
    }
}
