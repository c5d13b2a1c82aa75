//! The largest few of each of many rows, whose elements arrive piece by piece and are seen once.
//!
//! A row keeps candidates, and a bound: `k` elements seen so far are above it or equal to it. What does not exceed the
//! bound is never looked at alone; when the candidates are full, all but the `k` best are dropped and the bound rises.
//! Pieces must arrive in rising order of indices, so that of equal elements the earlier ones win.

use super::number::Number;
use crate::rt::tensor::Aligned;

/// A row held a NaN, which has no place in an order.
#[derive(Debug, PartialEq)]
pub struct NotANumber;

/// Rows and their candidates so far.
pub struct Chosen<T: Number> {
    k: usize,
    /// Most candidates of a row.
    room: usize,
    keys: Aligned<T::Key>,
    counts: Vec<usize>,
    /// NaN, which is above nothing, while there is no bound.
    bounds: Vec<T>,
    found: Vec<u32>,
    maxima: Vec<T>,
}

/// Candidates that there is room for beyond `k`, at least.
const SPARE: usize = 64;

/// Most candidates of a row of `width` elements of which `k` are wanted.
pub fn room(width: usize, k: usize) -> usize {
    (k + k.max(SPARE)).min(width.max(k))
}

impl<T: Number> Chosen<T> {
    /// For rows of `width` elements in all, `k` of which are wanted; no more than there are.
    pub fn new(rows: usize, width: usize, k: usize) -> Chosen<T> {
        let room = room(width, k);
        // Nothing but NaN exceeds infinity.
        let bound = if k == 0 { T::INFINITY } else { T::NAN };
        Chosen {
            k,
            room,
            keys: Aligned::scratch(rows * room),
            counts: vec![0; rows],
            bounds: vec![bound; rows],
            found: Vec::new(),
            maxima: Vec::new(),
        }
    }

    /// The next elements of a row, the first of which has index `first`.
    pub fn offer(&mut self, row: usize, piece: &[T], first: usize) -> Result<(), NotANumber> {
        let Chosen { k, room, .. } = *self;
        if self.bounds[row].is_nan() {
            self.bounds[row] = self.first_bound(piece)?;
        }
        let mut bound = self.bounds[row];
        self.found.clear();
        T::above(piece, bound, &mut self.found);
        let keys = &mut self.keys[row * room..][..room];
        let mut count = self.counts[row];
        for &at in &self.found {
            let x = piece[at as usize];
            if x.is_nan() {
                return Err(NotANumber);
            }
            if x <= bound {
                // The bound has risen since.
                continue;
            }
            if count == room {
                count = k;
                bound = best::<T>(keys, k);
                if x <= bound {
                    continue;
                }
            }
            keys[count] = x.key(first as u32 + at);
            count += 1;
        }
        if count > k + k / 2 {
            bound = best::<T>(&mut keys[..count], k);
            count = k;
        }
        (self.counts[row], self.bounds[row]) = (count, bound);
        Ok(())
    }

    /// A number that at least `k` elements of a piece exceed: just below the k-th largest of the maxima of groups.
    /// NaN, which stands for no bound, where the piece is too short to be worth it.
    fn first_bound(&mut self, piece: &[T]) -> Result<T, NotANumber> {
        let groups = self.k.saturating_mul(4).max(64).next_multiple_of(16);
        if self.k == 0 || groups.saturating_mul(2) > piece.len() {
            return Ok(T::NAN);
        }
        self.maxima.resize(groups, T::default());
        if T::maxima(piece, &mut self.maxima) {
            return Err(NotANumber);
        }
        let falling = |a: &T, b: &T| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal);
        let bound = *self.maxima.select_nth_unstable_by(self.k - 1, falling).1;
        // Nothing is below minus infinity, and elements equal to it may be wanted.
        Ok(if bound.below() < bound { bound.below() } else { T::NAN })
    }

    /// Writes what is kept of each row, by rising index: `k` entries a row. `None` if rows were shorter than that.
    /// The rows begin anew.
    pub fn write(&mut self, index: &mut [u32], values: &mut [T]) -> Option<()> {
        if self.k == 0 {
            return Some(());
        }
        let rows = index.chunks_exact_mut(self.k).zip(values.chunks_exact_mut(self.k));
        for (row, (index, values)) in rows.enumerate() {
            let count = self.counts[row];
            let keys = &mut self.keys[row * self.room..][..count];
            if count < self.k {
                return None;
            }
            if count > self.k {
                best::<T>(keys, self.k);
            }
            let keys = &mut keys[..self.k];
            keys.sort_unstable_by_key(|&key| T::opened(key).1);
            for ((index, value), &key) in index.iter_mut().zip(values).zip(&*keys) {
                (*value, *index) = T::opened(key);
            }
        }
        self.counts.fill(0);
        self.bounds.fill(T::NAN);
        Some(())
    }
}

/// Brings the `k` largest keys to the front; the smallest of their values.
fn best<T: Number>(keys: &mut [T::Key], k: usize) -> T {
    let (_, last, _) = keys.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    T::opened(*last).0
}
