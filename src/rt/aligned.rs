//! Storage for elements: arrays aligned to cache lines, whose memory is kept and handed out again.
//!
//! Training repeats the same shapes, and fresh pages from the system cost more than the arithmetic on them. So a
//! large array that is freed goes to a pool, and the next array of about its size takes it over. It must never
//! hand out memory that was not initialised: recycled arrays hold old numbers, fresh ones zeros.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::account::{self, Account};

/// One cache line; makes a vector of them aligned to 64 bytes.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Memory for lines. Large pieces come from the system and go back to it at once: the allocator would keep what is
/// freed for a size that may never be asked for again, and peak memory would follow the number of steps.
enum Lines {
    Few(Vec<Line>),
    Many(memmap2::MmapMut),
}

/// From so many lines on (64 KiB) memory comes from the system.
const MANY: usize = 1024;

impl Lines {
    /// Fresh zeros.
    fn zeros(count: usize) -> Lines {
        if count >= MANY
            && let Ok(pages) = memmap2::MmapMut::map_anon(count * size_of::<Line>())
        {
            ask_for_large_pages(&pages);
            return Lines::Many(pages);
        }
        // Where the system refuses, the allocator has the words for it.
        Lines::Few(bytemuck::zeroed_vec(count))
    }
}

/// From so many bytes on (one of its large pages) the system is asked for large pages.
const LARGE_PAGE: usize = 2 << 20;

/// Kernels walk down columns of large matrices, where each row lies on a small page of its own: translating addresses
/// then costs more than the numbers do. A system that has no large pages goes on with small ones.
fn ask_for_large_pages(pages: &memmap2::MmapMut) {
    #[cfg(target_os = "linux")]
    if pages.len() >= LARGE_PAGE {
        let _ = pages.advise(memmap2::Advice::HugePage);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (pages, LARGE_PAGE);
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::Few(Vec::new())
    }
}

impl Deref for Lines {
    type Target = [Line];
    fn deref(&self) -> &[Line] {
        match self {
            Lines::Few(lines) => lines,
            Lines::Many(pages) => bytemuck::cast_slice(&pages[..]),
        }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        match self {
            Lines::Few(lines) => lines,
            Lines::Many(pages) => bytemuck::cast_slice_mut(&mut pages[..]),
        }
    }
}

/// A fixed-length array: aligned to 64 bytes if it was made here, wherever it lay if somebody gave it.
pub struct Aligned<T> {
    place: Place<T>,
    /// Who pays for it, if it is large and its session has an account.
    account: Option<Arc<Account>>,
}

enum Place<T> {
    Own {
        /// At least as many as the elements need.
        lines: Lines,
        len: usize,
    },
    Given {
        values: Vec<T>,
        _held: Held,
    },
}

impl<T: bytemuck::Pod> Aligned<T> {
    pub fn zeros(len: usize) -> Aligned<T> {
        let count = lines_for::<T>(len);
        super::profile::allocated(count * 64);
        let (mut lines, recycled, account) = obtain(count);
        if recycled {
            lines[..count].fill(Line([0; 64]));
        }
        Aligned { place: Place::Own { lines, len }, account }
    }

    /// An array of unspecified contents, for a caller that writes every element.
    pub fn scratch(len: usize) -> Aligned<T> {
        let count = lines_for::<T>(len);
        super::profile::allocated(count * 64);
        let (mut lines, _, account) = obtain(count);
        // In tests an element that nobody wrote must not look like a plausible number.
        if cfg!(test) {
            lines.fill(Line([0xA5; 64]));
        }
        Aligned { place: Place::Own { lines, len }, account }
    }

    /// Takes over an array that was made elsewhere, as it is.
    pub fn given(values: Vec<T>) -> Aligned<T> {
        let held = Held::new(values.len() * size_of::<T>());
        Aligned { place: Place::Given { values, _held: held }, account: None }
    }

    pub fn from_slice(values: &[T]) -> Aligned<T> {
        let mut out = Aligned::scratch(values.len());
        out.copy_from_slice(values);
        out
    }
}

impl<T: bytemuck::Pod> Clone for Aligned<T> {
    fn clone(&self) -> Aligned<T> {
        Aligned::from_slice(self)
    }
}

impl<T: bytemuck::Pod> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Own { lines, len } => &bytemuck::cast_slice(lines)[..*len],
            Place::Given { values, .. } => values,
        }
    }
}

impl<T: bytemuck::Pod> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Own { lines, len } => &mut bytemuck::cast_slice_mut(lines)[..*len],
            Place::Given { values, .. } => values,
        }
    }
}

impl<T> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let len = match &self.place {
            Place::Own { len, .. } => *len,
            Place::Given { values, .. } => values.len(),
        };
        write!(f, "[{len} elements]")
    }
}

impl<T> Drop for Aligned<T> {
    fn drop(&mut self) {
        if let Place::Own { lines, .. } = &mut self.place {
            let lines = std::mem::take(lines);
            if let Some(account) = &self.account {
                account.give_back(lines.len() * 64);
            }
            give_back(lines);
        }
    }
}

/// Lines of the large arrays in use, those of the pool aside.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most that `LIVE` has been.
static MOST: AtomicUsize = AtomicUsize::new(0);
/// Lines that the pool may hold beyond what was in use at the highest (64 MB), or a quarter of that.
const SPARE: usize = 1_000_000;
/// Bytes that arrays in use and the pool may take together.
static BUDGET: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sets how many bytes all arrays may take (`--memory`). Above it the pool gives up what it holds; an array that does
/// not fit even then is refused by those who can say so (`lacks_room`).
pub fn set_budget(bytes: usize) {
    BUDGET.store(bytes, Ordering::Relaxed);
    set_pool_limit((bytes / 4).min(1 << 30));
}

/// Bytes of the arrays in use that are large enough to be counted.
pub fn live_bytes() -> usize {
    LIVE.load(Ordering::Relaxed) * 64
}

/// If an array of so many bytes does not fit any more into the budget of the process, or of the session that owns this
/// thread: how many would.
pub fn lacks_room(bytes: usize) -> Option<usize> {
    let left = BUDGET.load(Ordering::Relaxed).saturating_sub(live_bytes());
    let left = account::current().map_or(left, |account| left.min(account.left()));
    (bytes > left).then_some(left)
}

/// Memory that was not taken here but counts as in use while this lives: the bytes of input files, and given arrays.
#[derive(Debug)]
pub struct Held {
    lines: usize,
    account: Option<Arc<Account>>,
}

impl Held {
    pub fn new(bytes: usize) -> Held {
        let lines = bytes / 64;
        LIVE.fetch_add(lines, Ordering::Relaxed);
        let account = account::current().filter(|_| lines > 0);
        if let Some(account) = &account {
            account.take(lines * 64);
        }
        Held { lines, account }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        LIVE.fetch_sub(self.lines, Ordering::Relaxed);
        if let Some(account) = &self.account {
            account.give_back(self.lines * 64);
        }
    }
}

/// A new array of at least `count` lines: from the pool (then with old contents), or fresh zeros; and who pays for it.
fn obtain(count: usize) -> (Lines, bool, Option<Arc<Account>>) {
    if count < SMALL {
        return (Lines::zeros(count), false, None);
    }
    let (lines, recycled) = match take(count) {
        Some(lines) => (lines, true),
        None => {
            make_room(count);
            (Lines::zeros(count), false)
        }
    };
    let live = LIVE.fetch_add(lines.len(), Ordering::Relaxed) + lines.len();
    MOST.fetch_max(live, Ordering::Relaxed);
    let account = account::current();
    if let Some(account) = &account {
        account.take(lines.len() * 64);
    }
    (lines, recycled, account)
}

/// Frees kept arrays where a fresh one of `count` lines would lift the sum above what it may be.
fn make_room(count: usize) {
    let needed = LIVE.load(Ordering::Relaxed).saturating_add(count);
    pool().shrink_to(room_beside(needed));
}

/// The lines that may be kept for later while `live` are in use: within the budget, and so few that a stage of a program
/// which is over does not leave its shapes to the next. What is in use at the highest decides the peak then, which does
/// not follow how much data went by; a step that repeats has room for its own shapes.
fn room_beside(live: usize) -> usize {
    let most = MOST.load(Ordering::Relaxed).max(live);
    let budget = BUDGET.load(Ordering::Relaxed) / 64;
    most.saturating_add(SPARE.max(most / 4)).min(budget).saturating_sub(live)
}

fn lines_for<T>(len: usize) -> usize {
    (len * size_of::<T>()).div_ceil(64)
}

/// Below this many lines (16 KiB) the system's allocator is as fast as the pool.
const SMALL: usize = 256;

struct Pool {
    /// Free arrays by their number of lines; of equal size, the one freed last is taken first (it may be in cache).
    shelves: BTreeMap<usize, Vec<(u64, Lines)>>,
    held: usize,
    limit: usize,
    /// Counts the arrays given back, so that the oldest can be found.
    clock: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { shelves: BTreeMap::new(), held: 0, limit: (1 << 30) / 64, clock: 0 });

fn pool() -> std::sync::MutexGuard<'static, Pool> {
    // A panic while the lock is held leaves the pool usable: at worst an array is freed instead of kept.
    POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The most bytes that the pool keeps for later; what is above is freed. 0 switches it off.
pub fn set_pool_limit(bytes: usize) {
    let mut pool = pool();
    pool.limit = bytes / 64;
    let limit = pool.limit;
    pool.shrink_to(limit);
}

/// Bytes that the pool holds now.
pub fn pool_bytes() -> usize {
    pool().held * 64
}

/// A kept array of at least `count` lines, at most an eighth larger.
fn take(count: usize) -> Option<Lines> {
    if count < SMALL {
        return None;
    }
    let mut pool = pool();
    let size = *pool.shelves.range(count..=count + count / 8).next()?.0;
    let shelf = pool.shelves.get_mut(&size)?;
    let (_, lines) = shelf.pop()?;
    if shelf.is_empty() {
        pool.shelves.remove(&size);
    }
    pool.held -= size;
    Some(lines)
}

fn give_back(lines: Lines) {
    let size = lines.len();
    if size < SMALL {
        return;
    }
    let live = LIVE.fetch_sub(size, Ordering::Relaxed) - size;
    let mut pool = pool();
    let room = room_beside(live).min(pool.limit);
    // One array may not push out everything else.
    if size > pool.limit / 2 || size > room {
        return;
    }
    pool.shrink_to(room - size);
    pool.clock += 1;
    let stamp = pool.clock;
    pool.shelves.entry(size).or_default().push((stamp, lines));
    pool.held += size;
}

impl Pool {
    /// Frees the arrays that waited longest until no more than `most` lines are held.
    fn shrink_to(&mut self, most: usize) {
        while self.held > most {
            let oldest = self.shelves.iter().filter_map(|(size, shelf)| Some((shelf.first()?.0, *size))).min();
            let Some((_, size)) = oldest else { return };
            if let Some(shelf) = self.shelves.get_mut(&size) {
                shelf.remove(0);
                if shelf.is_empty() {
                    self.shelves.remove(&size);
                }
            }
            self.held -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_aligned_and_hold_what_they_were_given() {
        for len in [0, 1, 7, 16, 17, 5000] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let array = Aligned::from_slice(&values);
            assert_eq!(&array[..], &values[..]);
            assert_eq!(array.as_ptr() as usize % 64, 0);
            assert_eq!(&array.clone()[..], &values[..]);
        }
    }

    #[test]
    fn zeros_are_zero_after_recycling() {
        for _ in 0..4 {
            let mut array = Aligned::<u64>::zeros(10_000);
            assert!(array.iter().all(|&x| x == 0));
            array.fill(7);
        }
    }

    #[test]
    fn a_larger_array_lends_only_what_was_asked() {
        drop(Aligned::<u8>::scratch(100_000));
        let array = Aligned::<u8>::scratch(95_000);
        assert_eq!(array.len(), 95_000);
    }
}
