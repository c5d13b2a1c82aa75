//! Checkpoints of the long loops of an item: how far they came, and the values that they carry.
//!
//! A checkpoint is written by time, under a new name, when the one before it is still there; what is read must say
//! its own hash. Nothing here may change what a loop computes: it hands out values that the loop itself had.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::encode;
use super::store::{private_folder, write_private};
use crate::rt::value::Value;

const MAGIC: &[u8; 16] = b"locus rounds v1\n";
/// Seconds between checkpoints, unless writing one takes long.
const INTERVAL: f64 = 5.0;
/// Writing may take this share of the time.
const SHARE: f64 = 0.05;

/// How a person asks a running program to end, told to its loops.
#[derive(Debug, Default)]
pub struct Stop {
    /// A loop that can be gone on with is running: it is let finish its round.
    pub looping: AtomicBool,
    /// The loop shall write a checkpoint and end.
    pub soon: AtomicBool,
    /// The number of the signal that asked.
    pub signal: AtomicI32,
}

/// How far an interrupted loop came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub round: i64,
    pub of: i64,
}

/// The loops of one item while it runs.
#[derive(Debug)]
pub struct Loops {
    folder: PathBuf,
    /// For lists.
    name: String,
    /// Old checkpoints are not read.
    fresh: bool,
    interval: Duration,
    stop: Arc<Stop>,
    interrupt: Arc<AtomicBool>,
    /// Held while checkpoints are read or written; another process with the same item then does without.
    lock: Option<File>,
    /// Checkpoints cannot be written (the disk is full), or another process writes them.
    silent: bool,
    due: Instant,
    started: Instant,
    of: i64,
    /// Where the item went on from.
    pub resumed: Option<Place>,
    /// The last checkpoint.
    pub saved: Option<Place>,
    /// What to tell the person.
    pub notes: Vec<String>,
}

impl Loops {
    pub fn new(folder: PathBuf, name: String, fresh: bool, stop: Arc<Stop>, interrupt: Arc<AtomicBool>) -> Loops {
        let seconds = super::seconds("LOCUS_CHECKPOINT_SECONDS").unwrap_or(INTERVAL);
        let now = Instant::now();
        Loops {
            folder,
            name,
            fresh,
            interval: Duration::from_secs_f64(seconds),
            stop,
            interrupt,
            lock: None,
            silent: false,
            due: now,
            started: now,
            of: 0,
            resumed: None,
            saved: None,
            notes: Vec::new(),
        }
    }

    /// A loop begins: the round to begin with and the values to begin from, if it was interrupted before.
    pub fn start(&mut self, number: i64, lo: i64, hi: i64, inits: &[Value]) -> Option<(i64, Vec<Value>)> {
        let found = if self.folder.exists() && self.locked() { self.newest(number, lo, hi, inits) } else { None };
        if let Some((round, _)) = found {
            let place = Place { round, of: hi };
            self.saved = Some(place);
            if round > lo {
                self.resumed = Some(place);
                self.notes.push(format!("`{}` goes on from step {round} of {hi}", self.name));
            }
        }
        self.of = hi;
        self.started = Instant::now();
        self.due = self.started + self.interval;
        self.stop.looping.store(true, Ordering::Relaxed);
        found
    }

    /// Is it time for a checkpoint?
    pub fn is_due(&self) -> bool {
        self.stop.soon.load(Ordering::Relaxed) || (!self.silent && Instant::now() >= self.due)
    }

    /// Writes a checkpoint: `values` are those at the beginning of round `round`.
    pub fn save(&mut self, number: i64, round: i64, values: &[Value]) {
        let begun = Instant::now();
        if !self.silent && self.locked() {
            match self.write(number, round, values) {
                Ok(()) => self.saved = Some(Place { round, of: self.of }),
                Err(why) => {
                    self.silent = true;
                    self.notes.push(format!("no checkpoints of `{}` are kept: {}", self.name, reason(&why)));
                }
            }
        }
        let took = begun.elapsed();
        self.due = Instant::now() + self.interval.max(took.mul_f64(1.0 / SHARE));
        if self.stop.soon.load(Ordering::Relaxed) {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    /// A loop has ended with `values`; if it took long, what follows need not repeat it.
    pub fn end(&mut self, number: i64, hi: i64, values: &[Value]) {
        self.stop.looping.store(false, Ordering::Relaxed);
        if self.started.elapsed() >= self.interval {
            self.save(number, hi, values);
        }
        if self.stop.soon.load(Ordering::Relaxed) {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }

    /// The item is done: nothing of it is left to go on with.
    pub fn finish(&mut self) {
        self.stop.looping.store(false, Ordering::Relaxed);
        if self.lock.is_some() || (self.folder.exists() && self.locked()) {
            let _ = fs::remove_dir_all(&self.folder);
            self.lock = None;
        }
    }

    /// Takes the folder for this process, making it where it is missing.
    fn locked(&mut self) -> bool {
        if self.lock.is_some() {
            return true;
        }
        let taken = private_folder(&self.folder).and_then(|()| {
            let lock = File::options().create(true).truncate(false).write(true).open(self.folder.join("lock"))?;
            lock.try_lock().map_err(io::Error::other)?;
            // The one before us may have removed the folder between the two steps.
            fs::metadata(self.folder.join("lock"))?;
            fs::write(self.folder.join("name"), &self.name)?;
            Ok(lock)
        });
        match taken {
            Ok(lock) => self.lock = Some(lock),
            Err(_) => {
                self.silent = true;
                self.notes.push(format!("`{}` runs without checkpoints: another process writes them", self.name));
            }
        }
        self.lock.is_some()
    }

    fn path(&self, number: i64, round: i64) -> PathBuf {
        self.folder.join(format!("{number}-{round:020}"))
    }

    /// The checkpoints of a loop, newest first.
    fn generations(&self, number: i64) -> Vec<(i64, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let round = |path: &PathBuf| {
            let (of, round) = path.file_name()?.to_str()?.split_once('-')?;
            (of.parse() == Ok(number)).then(|| round.parse::<i64>().ok()).flatten()
        };
        let mut found: Vec<(i64, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter_map(|path| Some((round(&path)?, path)))
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.0));
        found
    }

    fn newest(&mut self, number: i64, lo: i64, hi: i64, inits: &[Value]) -> Option<(i64, Vec<Value>)> {
        for (round, path) in self.generations(number) {
            if self.fresh {
                let _ = fs::remove_file(&path);
                continue;
            }
            let values = read(&path, number, round);
            match values.filter(|values| alike(values, inits) && (lo..=hi).contains(&round)) {
                Some(values) => return Some((round, values)),
                None => {
                    let _ = fs::remove_file(&path);
                    self.notes.push(format!("a damaged checkpoint of `{}` (step {round}) was removed", self.name));
                }
            }
        }
        None
    }

    fn write(&self, number: i64, round: i64, values: &[Value]) -> io::Result<()> {
        write_private(&self.path(number, round), |file| {
            let mut out = Hashed { file: BufWriter::with_capacity(1 << 20, file), hasher: blake3::Hasher::new() };
            out.write_all(MAGIC)?;
            out.write_all(&number.to_le_bytes())?;
            out.write_all(&round.to_le_bytes())?;
            out.write_all(&(values.len() as u64).to_le_bytes())?;
            for value in values {
                encode::write(value, true, &mut out)?;
            }
            let hash = out.hasher.finalize();
            out.file.write_all(hash.as_bytes())?;
            out.flush()
        })?;
        // One generation stays in reserve.
        for (_, old) in self.generations(number).into_iter().skip(2) {
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.stop.looping.store(false, Ordering::Relaxed);
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_string(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "permission denied".to_string(),
        _ => error.to_string(),
    }
}

/// Are these the values of the same loop: of the same kinds, over the same axes?
fn alike(values: &[Value], inits: &[Value]) -> bool {
    let one = |(a, b): (&Value, &Value)| match (a, b) {
        // What is undefined before the first round has a value after it; what a representation stands for is a tensor.
        (_, Value::None | Value::Sparse(_) | Value::Chunked(_)) | (Value::Sparse(_), Value::Tensor(_)) => true,
        (Value::Tensor(a), Value::Tensor(b)) => {
            a.dtype() == b.dtype() && a.rank() == b.rank() && a.dims.iter().all(|dim| b.dim(dim.axis).is_some())
        }
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    values.len() == inits.len() && values.iter().zip(inits).all(one)
}

fn read(path: &Path, number: i64, round: i64) -> Option<Vec<Value>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    let (content, hash) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if blake3::hash(content).as_bytes() != hash {
        return None;
    }
    let (head, mut rest) = content.split_at_checked(40)?;
    let field = |at: usize| head.get(at..at + 8)?.try_into().ok().map(i64::from_le_bytes);
    if &head[..16] != MAGIC || field(16)? != number || field(24)? != round {
        return None;
    }
    let values = (0..field(32)?).map(|_| encode::read(&mut rest)).collect::<Option<Vec<Value>>>()?;
    rest.is_empty().then_some(values)
}

struct Hashed<W> {
    file: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops(folder: &Path, fresh: bool) -> Loops {
        Loops::new(folder.join("item"), "x".to_string(), fresh, Arc::default(), Arc::default())
    }

    fn int(values: &[Value]) -> i64 {
        match values {
            [Value::Int(x)] => *x,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_loop_goes_on_from_its_newest_sound_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let init = [Value::Int(0)];
        let mut first = loops(folder.path(), false);
        assert!(first.start(0, 0, 10, &init).is_none());
        for round in [2, 4, 6] {
            first.save(0, round, &[Value::Int(round * 10)]);
        }
        assert_eq!(first.generations(0).len(), 2);
        drop(first);
        let mut second = loops(folder.path(), false);
        let (round, values) = second.start(0, 0, 10, &init).unwrap();
        assert_eq!((round, int(&values)), (6, 60));
        drop(second);
        let newest = folder.path().join(format!("item/0-{:020}", 6));
        let mut bytes = fs::read(&newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&newest, bytes).unwrap();
        let mut third = loops(folder.path(), false);
        let (round, values) = third.start(0, 0, 10, &init).unwrap();
        assert_eq!((round, int(&values)), (4, 40));
        assert!(third.notes[0].contains("damaged") && !newest.exists());
        drop(third);
        assert!(loops(folder.path(), true).start(0, 0, 10, &init).is_none());
        assert!(loops(folder.path(), false).start(0, 0, 10, &init).is_none());
    }

    #[test]
    fn two_processes_do_not_share_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = loops(folder.path(), false);
        first.start(0, 0, 10, &[Value::Int(0)]);
        first.save(0, 3, &[Value::Int(3)]);
        let mut second = loops(folder.path(), false);
        assert!(second.start(0, 0, 10, &[Value::Int(0)]).is_none());
        second.save(0, 5, &[Value::Int(5)]);
        assert!(second.notes[0].contains("another process"));
        second.finish();
        assert_eq!(first.generations(0).len(), 1);
        first.finish();
        assert!(!folder.path().join("item").exists());
    }

    #[test]
    fn a_checkpoint_of_another_loop_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = loops(folder.path(), false);
        first.start(0, 0, 10, &[Value::Int(0)]);
        first.save(0, 3, &[Value::Int(3)]);
        drop(first);
        let mut second = loops(folder.path(), false);
        assert!(second.start(1, 0, 10, &[Value::Int(0)]).is_none());
        assert!(second.start(0, 0, 10, &[Value::F64(0.0)]).is_none());
    }
}
