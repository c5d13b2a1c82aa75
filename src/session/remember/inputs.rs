//! Inputs that were hashed before: a file of the same size, times and place on disk is not read again to know it.
//!
//! A file that changed within the last seconds before it was hashed is never taken for known, because a clock of the
//! file system may not tell two changes apart.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::rt::files::folder_members;

const NAME: &str = "inputs.json";
/// More files than this are not remembered.
const MOST: usize = 10_000;
/// A file must have rested this long before it was hashed, in nanoseconds.
const REST: i128 = 2_000_000_000;

/// What tells a file that changed from one that did not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    pub bytes: u64,
    modified: i128,
    changed: i128,
    /// Of a folder: its files that count, by name.
    #[serde(default)]
    members: Vec<(String, Identity)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    identity: Identity,
    sha256: String,
}

/// Hashes of files by path.
#[derive(Debug, Default)]
pub struct Inputs {
    known: BTreeMap<String, Known>,
    changed: bool,
}

impl Identity {
    /// `None` if the file cannot be looked at, or is neither a plain file nor a folder.
    pub fn of(path: &Path) -> Option<Identity> {
        let about = fs::metadata(path).ok()?;
        let time = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let own = Identity {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.len(),
            modified: time(about.mtime(), about.mtime_nsec()),
            changed: time(about.ctime(), about.ctime_nsec()),
            members: Vec::new(),
        };
        if !about.is_dir() {
            return about.is_file().then_some(own);
        }
        let one = |name: String| Some((name.clone(), Identity::of(&path.join(name))?));
        let members: Vec<_> = folder_members(path).ok()?.into_iter().map(one).collect::<Option<_>>()?;
        Some(Identity { bytes: members.iter().map(|(_, member)| member.bytes).sum(), members, ..own })
    }

    fn has_rested(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128);
        self.modified.max(self.changed) + REST < now && self.members.iter().all(|(_, member)| member.has_rested())
    }
}

fn name(path: &Path) -> Option<String> {
    fs::canonicalize(path).ok().map(|path| path.display().to_string())
}

impl Inputs {
    pub fn new(store: Option<&Store>) -> Inputs {
        let text = store.and_then(|store| store.note(NAME)).unwrap_or_default();
        Inputs { known: serde_json::from_str(&text).unwrap_or_default(), changed: false }
    }

    /// The hash of a file as it is now, if that is known.
    pub fn find(&self, path: &Path) -> Option<(String, u64)> {
        let known = self.known.get(&name(path)?)?;
        let identity = Identity::of(path)?;
        (identity == known.identity).then(|| (known.sha256.clone(), identity.bytes))
    }

    /// A file was hashed; `before` is what it was when the reading began.
    pub fn note(&mut self, path: &Path, before: Option<Identity>, sha256: &str) {
        let (Some(before), Some(name)) = (before, name(path)) else { return };
        if before.has_rested() && Identity::of(path).as_ref() == Some(&before) && self.known.len() < MOST {
            self.known.insert(name, Known { identity: before, sha256: sha256.to_string() });
            self.changed = true;
        }
    }

    pub fn keep(&mut self, store: &Store) {
        if std::mem::take(&mut self.changed) {
            // Hashing again is all that it costs.
            let _ = store.keep_note(NAME, &serde_json::to_string(&self.known).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_files_that_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(Identity::of(folder.path()), None);
        fs::write(path("config.json"), b"{}").unwrap();
        fs::create_dir(path("more")).unwrap();
        let before = Identity::of(folder.path()).unwrap();
        assert_eq!((before.bytes, before.members.len()), (2, 1));
        assert!(!before.has_rested());
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), before);
        fs::write(path("config.json"), b"{} ").unwrap();
        assert_ne!(Identity::of(folder.path()).unwrap().members, before.members);
    }
}
