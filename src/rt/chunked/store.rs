//! The runtime's own store on disk: one temporary file of the process, which no name leads to once it is open.
//!
//! It is read and written by positions, not mapped: mapped pages count as memory of the process, and the bound on
//! memory would not hold. The file goes with the process, however that ends. What a tensor gave up is used again.

use crate::rt::account::{self, Account};
use crate::rt::error::{Error, Result, code};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

struct Store {
    file: Option<Arc<File>>,
    /// Where the file ends.
    end: u64,
    /// Places given up, by their size.
    free: BTreeMap<u64, Vec<u64>>,
    used: u64,
    most: u64,
    limit: u64,
    /// Where the file is made; `None`: as `folder` says.
    folder: Option<PathBuf>,
}

static STORE: Mutex<Store> =
    Mutex::new(Store { file: None, end: 0, free: BTreeMap::new(), used: 0, most: 0, limit: u64::MAX, folder: None });

fn store() -> MutexGuard<'static, Store> {
    // A panic under the lock loses a free place at worst.
    STORE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The most bytes that the store may hold (`--disk`).
pub fn set_limit(bytes: u64) {
    store().limit = bytes;
}

/// Bytes in the store now, and the most there were.
pub fn usage() -> (u64, u64) {
    let store = store();
    (store.used, store.most)
}

/// A place in the store, given up when this is dropped.
#[derive(Debug)]
pub struct Extent {
    at: u64,
    len: u64,
    account: Option<Arc<Account>>,
}

impl Drop for Extent {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.unstore(self.len);
        }
        let mut store = store();
        store.used -= self.len;
        if self.len > 0 {
            store.free.entry(self.len).or_default().push(self.at);
        }
    }
}

/// Writes bytes to a new place.
pub fn write(bytes: &[u8]) -> Result<Extent> {
    let mut store = store();
    let len = bytes.len() as u64;
    if store.used.saturating_add(len) > store.limit {
        return Err(above_limit(store.used + len, store.limit));
    }
    let account = account::current();
    if let Some(account) = &account {
        account.store(len).map_err(|(needed, limit)| above_limit(needed, limit))?;
    }
    let at = store.place(len);
    store.used += len;
    store.most = store.most.max(store.used);
    let extent = Extent { at, len, account };
    let file = store.open();
    drop(store);
    match file.and_then(|file| write_at(&file, at, bytes)) {
        Ok(()) => Ok(extent),
        Err(cause) => {
            Err(Error::new(code::FILE, format!("the store of intermediate results cannot be written: {cause}"))
                .help("LOCUS_STORE=FOLDER names a folder with more room"))
        }
    }
}

impl Extent {
    /// Reads bytes from `from` on, counted from where the place begins.
    pub fn read(&self, from: u64, out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        if from + out.len() as u64 > self.len {
            return Err(Error::new(code::INTERNAL, "a read beyond a place in the store"));
        }
        let file = store().open();
        file.and_then(|file| read_at(&file, self.at + from, out)).map_err(|cause| {
            Error::new(code::FILE, format!("the store of intermediate results cannot be read: {cause}"))
        })
    }
}

impl Store {
    fn place(&mut self, len: u64) -> u64 {
        if let Some(places) = self.free.get_mut(&len)
            && let Some(at) = places.pop()
        {
            if places.is_empty() {
                self.free.remove(&len);
            }
            return at;
        }
        self.end += len;
        self.end - len
    }

    fn open(&mut self) -> std::io::Result<Arc<File>> {
        if self.file.is_none() {
            let folder = self.folder.clone().unwrap_or_else(folder);
            let made = std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder));
            self.file = Some(Arc::new(made.or_else(|_| tempfile::tempfile())?));
        }
        self.file.clone().ok_or_else(|| std::io::Error::other("no file"))
    }
}

/// Many threads may read at once where the system can read at a position.
#[cfg(unix)]
fn read_at(file: &File, at: u64, out: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(unix)]
fn write_at(file: &File, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// The file has one position, which must stay ours between moving and reading.
#[cfg(not(unix))]
static POSITION: Mutex<()> = Mutex::new(());

#[cfg(not(unix))]
fn read_at(mut file: &File, at: u64, out: &mut [u8]) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let _ours = POSITION.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let _ours = POSITION.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// `$LOCUS_STORE`, or the person's cache folder, or where temporary files go.
pub fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    set("LOCUS_STORE").or_else(|| Some(cache()?.join("locus").join("store"))).unwrap_or_else(std::env::temp_dir)
}

fn above_limit(needed: u64, limit: u64) -> Error {
    let shown = |bytes: u64| super::size_shown(bytes as usize);
    Error::new(code::MEMORY, format!("intermediate results need {} on disk", shown(needed)))
        .note("limit", format!("{} (--disk)", shown(limit)))
        .help("allow more with --disk, or capture fewer sites at once")
}
