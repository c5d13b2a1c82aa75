//! Storage for elements: arrays aligned to cache lines, whose memory is kept and handed out again.
//!
//! Training repeats the same shapes, and fresh pages from the system cost more than the arithmetic on them. So a
//! large array that is freed goes to a pool, and the next array of about its size takes it over. It must never
//! hand out memory that was not initialised: recycled arrays hold old numbers, fresh ones zeros.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// One cache line; makes a vector of them aligned to 64 bytes.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A fixed-length array aligned to 64 bytes.
pub struct Aligned<T> {
    /// At least as many as the elements need.
    lines: Vec<Line>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: bytemuck::Pod> Aligned<T> {
    pub fn zeros(len: usize) -> Aligned<T> {
        let count = lines_for::<T>(len);
        let lines = match take(count) {
            Some(mut lines) => {
                lines[..count].fill(Line([0; 64]));
                lines
            }
            None => bytemuck::zeroed_vec(count),
        };
        Aligned { lines, len, element: std::marker::PhantomData }
    }

    /// An array of unspecified contents, for a caller that writes every element.
    pub fn scratch(len: usize) -> Aligned<T> {
        let count = lines_for::<T>(len);
        let mut lines = take(count).unwrap_or_else(|| bytemuck::zeroed_vec(count));
        // In tests an element that nobody wrote must not look like a plausible number.
        if cfg!(test) {
            lines.fill(Line([0xA5; 64]));
        }
        Aligned { lines, len, element: std::marker::PhantomData }
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
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl<T: bytemuck::Pod> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl<T> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} elements]", self.len)
    }
}

impl<T> Drop for Aligned<T> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.lines));
    }
}

fn lines_for<T>(len: usize) -> usize {
    let count = (len * size_of::<T>()).div_ceil(64);
    LARGEST.fetch_max(count, std::sync::atomic::Ordering::Relaxed);
    count
}

/// Lines of the largest array that was asked for.
static LARGEST: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Bytes of the largest array that was asked for since the last call.
pub fn take_largest() -> usize {
    LARGEST.swap(0, std::sync::atomic::Ordering::Relaxed) * 64
}

/// Below this many lines (16 KiB) the system's allocator is as fast as the pool.
const SMALL: usize = 256;

struct Pool {
    /// Free arrays by their number of lines; of equal size, the one freed last is taken first (it may be in cache).
    shelves: BTreeMap<usize, Vec<(u64, Vec<Line>)>>,
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
    pool.shrink(0);
}

/// Bytes that the pool holds now.
pub fn pool_bytes() -> usize {
    pool().held * 64
}

/// A kept array of at least `count` lines, at most an eighth larger.
fn take(count: usize) -> Option<Vec<Line>> {
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

fn give_back(lines: Vec<Line>) {
    let size = lines.len();
    if size < SMALL {
        return;
    }
    let mut pool = pool();
    // One array may not push out everything else.
    if size > pool.limit / 2 {
        return;
    }
    pool.shrink(size);
    pool.clock += 1;
    let stamp = pool.clock;
    pool.shelves.entry(size).or_default().push((stamp, lines));
    pool.held += size;
}

impl Pool {
    /// Frees the arrays that waited longest until `extra` more lines fit.
    fn shrink(&mut self, extra: usize) {
        while self.held + extra > self.limit {
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
