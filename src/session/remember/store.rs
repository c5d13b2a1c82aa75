//! The folder where results are kept from run to run: a private one of the runtime's own, never a program's.
//!
//! A file appears whole or not at all, and says its own hash: what does not match is removed and counts as absent.
//! Nothing here knows programs; whoever asks names results by their keys.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::encode;
use super::key::Key;
use super::watch::Said;
use crate::rt::files::write_whole;
use crate::rt::value::Value;

/// Both ends of an entry; another layout has another number.
const MAGIC: &[u8; 16] = b"locus result v1\n";
/// Bytes after the index of an entry: its hash, its length, the magic.
const TAIL: u64 = 32 + 8 + 16;
const DEFAULT_LIMIT: u64 = 5_000_000_000;

#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Bytes above which the results that were used longest ago go.
    limit: u64,
}

/// What an entry says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// The names that the item bound.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// What it printed and drew.
    pub printed: Vec<Said>,
    /// Seconds since 1970.
    pub made: u64,
    pub leaves: Vec<Leaf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    at: u64,
    bytes: u64,
    blake3: String,
    /// Of a tensor: axes, lengths, and where the lengths came from.
    shape: Option<Vec<(String, usize, String)>>,
}

/// One result, or what is left of an interrupted loop, for a list.
#[derive(Clone, Debug)]
pub struct Kept {
    pub path: PathBuf,
    /// The names, or the name of the file where they cannot be read.
    pub name: String,
    pub seconds: f64,
    pub bytes: u64,
    pub used: SystemTime,
    pub unfinished: bool,
}

/// Where results are kept, or `None` if the person wants none: `LOCUS_CACHE`, else the folder for caches.
pub fn location() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match named("LOCUS_CACHE") {
        Some(off) if off == Path::new("off") => None,
        Some(folder) => Some(folder),
        None => named("XDG_CACHE_HOME")
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(named("HOME")?.join(".cache")))
            .map(|folder| folder.join("locus")),
    }
}

/// `5G`, `200M`, `1e9`: bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b']).trim_end_matches('i');
    let (number, unit) = match text.chars().last()?.to_ascii_uppercase() {
        'K' => (&text[..text.len() - 1], 1e3),
        'M' => (&text[..text.len() - 1], 1e6),
        'G' => (&text[..text.len() - 1], 1e9),
        'T' => (&text[..text.len() - 1], 1e12),
        _ => (text, 1.0),
    };
    let bytes = number.trim().parse::<f64>().ok()? * unit;
    (bytes >= 0.0 && bytes.is_finite()).then_some(bytes as u64)
}

impl Store {
    /// The store in `root`, which is made if it is missing. The reason if it cannot be used.
    pub fn open(root: &Path) -> Result<Store, String> {
        let limit = std::env::var("LOCUS_CACHE_LIMIT").ok().and_then(|text| parse_size(&text));
        let store = Store { root: root.to_path_buf(), limit: limit.unwrap_or(DEFAULT_LIMIT) };
        private_folder(root).map_err(|why| format!("`{}`: {why}", root.display()))?;
        for part in ["results", "programs", "resume"] {
            private_folder(&root.join(part)).map_err(|why| format!("`{}`: {why}", root.display()))?;
        }
        Ok(store)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join("results").join(key.hex())
    }

    /// The folder for the unfinished loops of an item.
    pub fn unfinished(&self, key: &Key) -> PathBuf {
        self.root.join("resume").join(key.hex())
    }

    /// What is known of a result, without its values. A damaged entry is removed; the second part says so.
    pub fn find(&self, key: &Key) -> (Option<Index>, bool) {
        let path = self.path(key);
        let Ok(mut file) = File::open(&path) else { return (None, false) };
        match read_index(&mut file) {
            Some(index) => {
                // Its age counts from now; if that cannot be noted, it goes a little early.
                let _ = file.set_modified(SystemTime::now());
                (Some(index), false)
            }
            None => {
                let _ = fs::remove_file(&path);
                (None, true)
            }
        }
    }

    /// One value of a result. A damaged entry is removed and gives nothing.
    pub fn load(&self, key: &Key, number: usize) -> Option<Value> {
        let found = self.read_leaf(key, number);
        if found.is_none() {
            let _ = fs::remove_file(self.path(key));
        }
        found
    }

    /// A tensor with the lengths of one value of a result, for whoever asks nothing else of it.
    pub fn load_shape(&self, key: &Key, number: usize) -> Option<Value> {
        let index = read_index(&mut File::open(self.path(key)).ok()?)?;
        encode::of_shape(index.leaves.get(number)?.shape.as_ref()?)
    }

    fn read_leaf(&self, key: &Key, number: usize) -> Option<Value> {
        let mut file = File::open(self.path(key)).ok()?;
        let index = read_index(&mut file)?;
        let leaf = index.leaves.get(number)?;
        file.seek(SeekFrom::Start(leaf.at)).ok()?;
        let mut first = [0];
        file.read_exact(&mut first).ok()?;
        if first[0] == encode::TILES {
            return read_tiles(&mut file, leaf);
        }
        let mut bytes = vec![0; usize::try_from(leaf.bytes).ok()?];
        file.seek(SeekFrom::Start(leaf.at)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        if blake3::hash(&bytes).to_hex().as_str() != leaf.blake3 {
            return None;
        }
        let mut rest = &bytes[..];
        encode::read(&mut rest).filter(|_| rest.is_empty())
    }

    /// Keeps a result. Larger ones than the whole store may hold are left out.
    pub fn keep(&self, key: &Key, mut index: Index, values: &[Value]) -> io::Result<bool> {
        let size: u64 = values.iter().map(encode::size).sum();
        if size > self.limit / 2 {
            return Ok(false);
        }
        index.made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let target = self.path(key);
        write_private(&target, |file| {
            let mut out =
                Counted { file: BufWriter::with_capacity(1 << 20, file), at: 0, hasher: blake3::Hasher::new() };
            out.write_all(MAGIC)?;
            for value in values {
                out.hasher = blake3::Hasher::new();
                let at = out.at;
                encode::write(value, false, &mut out)?;
                let blake3 = out.hasher.finalize().to_hex().to_string();
                index.leaves.push(Leaf { at, bytes: out.at - at, blake3, shape: encode::shape(value) });
            }
            let text = serde_json::to_vec(&index).map_err(io::Error::other)?;
            out.write_all(&text)?;
            out.write_all(blake3::hash(&text).as_bytes())?;
            out.write_all(&(text.len() as u64).to_le_bytes())?;
            out.write_all(MAGIC)?;
            out.flush()
        })?;
        self.shrink(self.limit);
        Ok(true)
    }

    /// A small text beside the results, such as the times of a program's short items.
    pub fn note(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join(name)).ok()
    }

    pub fn keep_note(&self, name: &str, text: &str) -> io::Result<()> {
        write_private(&self.root.join(name), |file| file.write_all(text.as_bytes()))
    }

    /// Everything that takes room, used last first.
    pub fn list(&self) -> Vec<Kept> {
        let mut found: Vec<Kept> =
            files(&self.root.join("results")).into_iter().filter_map(|path| kept(&path)).collect();
        found.extend(files(&self.root.join("resume")).into_iter().filter_map(|path| unfinished(&path)));
        found.sort_by_key(|one| std::cmp::Reverse(one.used));
        found
    }

    /// Removes what was used longest ago until at most `bytes` are left; gives what was removed.
    pub fn shrink(&self, bytes: u64) -> Vec<Kept> {
        // Quick where there is room, which is the usual case.
        let total: u64 =
            files(&self.root.join("results")).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
        if total <= bytes && bytes == self.limit {
            return Vec::new();
        }
        let mut left = bytes;
        self.remove(|one| {
            let fits = one.bytes <= left;
            left = if fits { left - one.bytes } else { 0 };
            !fits
        })
    }

    /// Removes what `goes` says, asked in order from the one used last.
    pub fn remove(&self, mut goes: impl FnMut(&Kept) -> bool) -> Vec<Kept> {
        // Two that shrink at once would both remove what makes room for one.
        let lock = File::create(self.root.join("lock"));
        if let Ok(lock) = &lock {
            let _ = lock.lock();
        }
        let mut removed = Vec::new();
        for one in self.list().into_iter().filter(|one| goes(one)).collect::<Vec<_>>() {
            let done = if one.unfinished { remove_unfinished(&one.path) } else { fs::remove_file(&one.path).is_ok() };
            if done {
                removed.push(one);
            }
        }
        removed
    }
}

/// A loop that is running now holds its lock and stays.
/// A leaf in tiles: its hash first, in blocks, then the tiles, so that all of it is never in memory.
fn read_tiles(file: &mut File, leaf: &Leaf) -> Option<Value> {
    file.seek(SeekFrom::Start(leaf.at)).ok()?;
    let (mut hasher, mut block, mut left) = (blake3::Hasher::new(), vec![0; 1 << 20], leaf.bytes);
    while left > 0 {
        let part = &mut block[..left.min(1 << 20) as usize];
        file.read_exact(part).ok()?;
        hasher.update(part);
        left -= part.len() as u64;
    }
    if hasher.finalize().to_hex().as_str() != leaf.blake3 {
        return None;
    }
    file.seek(SeekFrom::Start(leaf.at + 1)).ok()?;
    let mut rest = BufReader::with_capacity(1 << 20, file).take(leaf.bytes - 1);
    encode::read_tiles(&mut rest).filter(|_| rest.limit() == 0)
}

fn remove_unfinished(folder: &Path) -> bool {
    match File::open(folder.join("lock")) {
        Ok(lock) if lock.try_lock().is_err() => false,
        _ => fs::remove_dir_all(folder).is_ok(),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named).collect()
}

fn kept(path: &Path) -> Option<Kept> {
    let about = fs::metadata(path).ok()?;
    let index = read_index(&mut File::open(path).ok()?).unwrap_or_default();
    let name = if index.name.is_empty() { path.file_name()?.to_string_lossy().into_owned() } else { index.name };
    let used = about.modified().ok()?;
    Some(Kept { path: path.to_path_buf(), name, seconds: index.seconds, bytes: about.len(), used, unfinished: false })
}

fn unfinished(folder: &Path) -> Option<Kept> {
    let parts: Vec<fs::Metadata> = files(folder).iter().filter_map(|path| fs::metadata(path).ok()).collect();
    let used = parts.iter().filter_map(|part| part.modified().ok()).max()?;
    let name = fs::read_to_string(folder.join("name")).ok()?;
    let bytes = parts.iter().map(|part| part.len()).sum();
    Some(Kept { path: folder.to_path_buf(), name, seconds: 0.0, bytes, used, unfinished: true })
}

/// Reads the end of an entry: its index, if hash and length are right.
fn read_index(file: &mut File) -> Option<Index> {
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.checked_sub(TAIL)?)).ok()?;
    let mut tail = [0u8; TAIL as usize];
    file.read_exact(&mut tail).ok()?;
    let (hash, rest) = tail.split_at(32);
    let (count, magic) = rest.split_at(8);
    let count = u64::from_le_bytes(count.try_into().ok()?);
    if magic != MAGIC || count > length {
        return None;
    }
    file.seek(SeekFrom::Start(length.checked_sub(TAIL)?.checked_sub(count)?)).ok()?;
    let mut text = vec![0; usize::try_from(count).ok()?];
    file.read_exact(&mut text).ok()?;
    if blake3::hash(&text).as_bytes() != hash {
        return None;
    }
    serde_json::from_slice(&text).ok()
}

/// Counts and hashes what passes.
struct Counted<W> {
    file: W,
    at: u64,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.at += count as u64;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes a file that only its owner can read, whole or not at all.
pub fn write_private(target: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write_whole(target, 0o600, fill)
}

/// A folder that only its owner can enter: results are read as they lie there.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let about = fs::metadata(folder)?;
    if about.uid() != fs::metadata("/proc/self").map_or(about.uid(), |own| own.uid()) {
        return Err(io::Error::other("the folder belongs to somebody else"));
    }
    if about.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        (folder, store)
    }

    fn key(number: u8) -> Key {
        Key([number; 32])
    }

    fn values() -> Vec<Value> {
        vec![Value::Int(7), Value::Str("text".into())]
    }

    #[test]
    fn results_come_back_one_by_one() {
        let (_folder, store) = store();
        assert_eq!(store.find(&key(1)), (None, false));
        let index = Index { name: "x".into(), seconds: 2.5, printed: vec![Said::Line("a".into())], ..Index::default() };
        assert!(store.keep(&key(1), index, &values()).unwrap());
        let (found, damaged) = store.find(&key(1));
        let found = found.unwrap();
        assert_eq!((found.seconds, found.printed.len(), damaged), (2.5, 1, false));
        assert!(matches!(store.load(&key(1), 0), Some(Value::Int(7))));
        assert!(matches!(store.load(&key(1), 1), Some(Value::Str(text)) if &*text == "text"));
        assert_eq!(fs::metadata(store.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn any_byte_that_changed_removes_the_entry() {
        let (_folder, store) = store();
        store.keep(&key(1), Index::default(), &values()).unwrap();
        let whole = fs::read(store.path(&key(1))).unwrap();
        for place in 16..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            fs::write(store.path(&key(1)), &bytes).unwrap();
            let damaged = store.find(&key(1)).1 || (0..2).any(|leaf| store.load(&key(1), leaf).is_none());
            assert!(damaged && !store.path(&key(1)).exists(), "byte {place} of {}", whole.len());
        }
        for end in [0, 5, 40, whole.len() - 1] {
            fs::write(store.path(&key(1)), &whole[..end]).unwrap();
            assert!(store.find(&key(1)).1, "cut to {end} bytes");
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let (_folder, store) = store();
        for number in 1..=3 {
            store.keep(&key(number), Index { name: format!("{number}"), ..Index::default() }, &values()).unwrap();
            let age = std::time::Duration::from_secs(100 * u64::from(number));
            let file = File::options().write(true).open(store.path(&key(number))).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        assert!(store.find(&key(3)).0.is_some());
        let one = store.list()[0].bytes;
        assert_eq!(store.shrink(2 * one).into_iter().map(|gone| gone.name).collect::<Vec<_>>(), ["2"]);
        assert_eq!(store.list().into_iter().map(|left| left.name).collect::<Vec<_>>(), ["3", "1"]);
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("5G"), Some(5_000_000_000));
        assert_eq!(parse_size("200 MB"), Some(200_000_000));
        assert_eq!(parse_size("1024"), Some(1024));
        assert_eq!(parse_size("many"), None);
    }
}
