//! The `k` largest of a row, without sorting it.
//!
//! The row is dealt out to a few hundred groups like cards, element i to group i modulo their number. The k-th
//! largest of the groups' maxima is a bound that at least k elements reach, so only groups whose maximum exceeds it
//! can hold more: fewer than k groups. One pass over the row in vector code finds the maxima, a second looks at few
//! elements. What equals the bound is taken from the front of the row, since of equal ones the lowest index wins.

use crate::rt::simd;
use crate::rt::tensor::Element;
use std::cmp::Ordering;

/// Elements that can be ranked.
pub trait Rank: Element {
    fn is_nan(self) -> bool;
    /// Larger first. Never asked about NaN.
    fn falling(a: Self, b: Self) -> Ordering {
        b.partial_cmp(&a).unwrap_or(Ordering::Equal)
    }
    /// The largest of each group of a row no shorter than their number; true if there was a NaN.
    fn maxima(row: &[Self], out: &mut [Self]) -> bool {
        let mut nan = false;
        let width = out.len().max(1);
        out.copy_from_slice(&row[..out.len()]);
        for part in row.chunks(width) {
            for (most, &x) in out.iter_mut().zip(part) {
                nan |= x.is_nan();
                *most = if x > *most { x } else { *most };
            }
        }
        nan
    }
}

impl Rank for f32 {
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    fn maxima(row: &[f32], out: &mut [f32]) -> bool {
        simd::group_maxima_f32(row, out)
    }
}

impl Rank for f64 {
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
}

impl Rank for i64 {
    fn is_nan(self) -> bool {
        false
    }
}

/// The scratch of one thread.
pub struct Largest<T> {
    maxima: Vec<T>,
    ranked: Vec<T>,
    found: Vec<u32>,
}

impl<T> Default for Largest<T> {
    fn default() -> Largest<T> {
        Largest { maxima: Vec::new(), ranked: Vec::new(), found: Vec::new() }
    }
}

/// How many groups: enough that the bound is close, few enough that they are cheap to rank.
fn groups(width: usize, k: usize) -> usize {
    let wanted = k.saturating_mul(8).max(256).next_multiple_of(16);
    if wanted.saturating_mul(2) <= width { wanted } else { width }
}

impl<T: Rank> Largest<T> {
    /// The indices of the `k` largest (all, if there are fewer) in no particular order; `None` if the row has NaN.
    pub fn find(&mut self, row: &[T], k: usize) -> Option<&mut [u32]> {
        self.found.clear();
        let k = k.min(row.len());
        if k == 0 {
            return (!row.iter().any(|x| x.is_nan())).then_some(&mut self.found[..]);
        }
        let groups = groups(row.len(), k);
        self.maxima.resize(groups, row[0]);
        if T::maxima(row, &mut self.maxima) {
            return None;
        }
        self.ranked.clone_from(&self.maxima);
        let bound = *self.ranked.select_nth_unstable_by(k - 1, |a, b| T::falling(*a, *b)).1;
        for group in 0..groups {
            if self.maxima[group] > bound {
                let members = (group..row.len()).step_by(groups);
                self.found.extend(members.filter(|&at| row[at] > bound).map(|at| at as u32));
            }
        }
        self.settle(row, bound, k);
        Some(&mut self.found[..])
    }

    /// Brings what exceeds the bound to exactly `k`: drops the smallest, or adds the first that equal it.
    fn settle(&mut self, row: &[T], bound: T, k: usize) {
        if self.found.len() > k {
            let order = |a: &u32, b: &u32| T::falling(row[*a as usize], row[*b as usize]).then(a.cmp(b));
            self.found.select_nth_unstable_by(k - 1, order);
            self.found.truncate(k);
        }
        let missing = k - self.found.len();
        let equal = row.iter().enumerate().filter(|&(_, &x)| x == bound);
        self.found.extend(equal.take(missing).map(|(at, _)| at as u32));
    }
}
