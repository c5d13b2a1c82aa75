//! Walking through elements in logical order, in several arrays at once.
//!
//! A walk knows lengths and, for each of `N` arrays, strides. Neighbouring dims that all arrays can walk as one
//! are merged first, so that most walks are one or two loops deep. It yields stretches along the innermost dim,
//! never single elements, so that the inner loops are plain loops over slices. It never touches the arrays.

use rayon::prelude::*;

/// Dims from the outermost to the innermost, without those of length 1.
#[derive(Clone, Debug)]
pub struct Walk<const N: usize> {
    dims: Vec<(usize, [isize; N])>,
}

impl<const N: usize> Walk<N> {
    pub fn new(dims: impl IntoIterator<Item = (usize, [isize; N])>) -> Walk<N> {
        let mut kept: Vec<(usize, [isize; N])> = Vec::new();
        for (len, strides) in dims {
            if len == 1 {
                continue;
            }
            match kept.last_mut() {
                Some((outer, steps)) if (0..N).all(|i| steps[i] == strides[i] * len as isize) => {
                    *outer *= len;
                    *steps = strides;
                }
                _ => kept.push((len, strides)),
            }
        }
        Walk { dims: kept }
    }

    /// How many positions there are.
    pub fn count(&self) -> usize {
        self.dims.iter().map(|dim| dim.0).product()
    }

    /// Takes the innermost dim off; a dim of length 1 if there is none.
    pub fn pop(&mut self) -> (usize, [isize; N]) {
        self.dims.pop().unwrap_or((1, [0; N]))
    }

    pub fn inner(&self) -> (usize, [isize; N]) {
        self.dims.last().copied().unwrap_or((1, [0; N]))
    }

    /// The dims after merging, outermost first.
    pub fn dims(&self) -> &[(usize, [isize; N])] {
        &self.dims
    }

    /// The offsets of a position.
    pub fn at(&self, mut position: usize) -> [isize; N] {
        let mut offsets = [0; N];
        for (len, strides) in self.dims.iter().rev() {
            let here = (position % len) as isize;
            position /= len;
            for i in 0..N {
                offsets[i] += here * strides[i];
            }
        }
        offsets
    }

    /// Calls `run(offsets, n)` for the stretches that make up positions `start..start + count`: `n` elements from
    /// `offsets`, spaced by the innermost strides.
    pub fn runs(&self, start: usize, count: usize, mut run: impl FnMut([isize; N], usize)) {
        let (len, steps) = self.inner();
        let outer = &self.dims[..self.dims.len().saturating_sub(1)];
        let mut left = count.min(self.count().saturating_sub(start));
        if left == 0 {
            return;
        }
        let mut within = start % len;
        let mut counter = vec![0usize; outer.len()];
        let mut base = unravel(outer, start / len, &mut counter);
        loop {
            let n = left.min(len - within);
            let mut offsets = base;
            for i in 0..N {
                offsets[i] += within as isize * steps[i];
            }
            run(offsets, n);
            left -= n;
            if left == 0 {
                return;
            }
            within = 0;
            advance(outer, &mut counter, &mut base);
        }
    }
}

fn unravel<const N: usize>(dims: &[(usize, [isize; N])], mut position: usize, counter: &mut [usize]) -> [isize; N] {
    let mut base = [0; N];
    for ((len, strides), count) in dims.iter().zip(counter.iter_mut()).rev() {
        *count = position % len;
        position /= len;
        for i in 0..N {
            base[i] += *count as isize * strides[i];
        }
    }
    base
}

fn advance<const N: usize>(dims: &[(usize, [isize; N])], counter: &mut [usize], base: &mut [isize; N]) {
    for ((len, strides), count) in dims.iter().zip(counter.iter_mut()).rev() {
        *count += 1;
        for i in 0..N {
            base[i] += strides[i];
        }
        if *count < *len {
            return;
        }
        for i in 0..N {
            base[i] -= strides[i] * *len as isize;
        }
        *count = 0;
    }
}

/// About how many elements one task of a parallel fill writes.
const PIECE: usize = 1 << 15;

/// Fills `out` in pieces of whole units of `unit` elements: `fill(first, piece)` writes the units from number
/// `first`. Pieces are independent, so how they are spread over threads cannot change what is written.
pub fn fill<T: Send>(out: &mut [T], unit: usize, fill: impl Fn(usize, &mut [T]) + Sync) {
    if out.is_empty() || unit == 0 {
        return;
    }
    if out.len() <= PIECE || rayon::current_num_threads() == 1 {
        return fill(0, out);
    }
    let units = (PIECE / unit).max(1);
    out.par_chunks_mut(units * unit).enumerate().for_each(|(number, piece)| fill(number * units, piece));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_what_can_be_walked_as_one() {
        let walk = Walk::new([(2, [12, 0]), (3, [4, 0]), (1, [9, 9]), (4, [1, 0])]);
        assert_eq!(walk.dims(), [(24, [1, 0])]);
        let walk = Walk::new([(2, [12, 24]), (3, [4, 4]), (4, [1, 1])]);
        assert_eq!(walk.dims(), [(2, [12, 24]), (12, [1, 1])]);
    }

    #[test]
    fn runs_visit_each_position_in_order() {
        let walk = Walk::new([(3, [1, 5]), (2, [30, 0]), (4, [7, -2])]);
        for start in 0..24 {
            for count in 0..=(24 - start) {
                let mut seen = Vec::new();
                let (_, steps) = walk.inner();
                walk.runs(start, count, |offsets, n| {
                    for j in 0..n as isize {
                        seen.push([offsets[0] + j * steps[0], offsets[1] + j * steps[1]]);
                    }
                });
                let expected: Vec<[isize; 2]> = (start..start + count).map(|p| walk.at(p)).collect();
                assert_eq!(seen, expected);
            }
        }
    }

    #[test]
    fn a_walk_without_dims_has_one_position_and_an_empty_one_none() {
        let mut visits = 0;
        Walk::<1>::new([]).runs(0, 5, |_, n| visits += n);
        assert_eq!(visits, 1);
        Walk::new([(3, [1]), (0, [1])]).runs(0, 5, |_, n| visits += n);
        assert_eq!(visits, 1);
    }

    #[test]
    fn fill_gives_each_unit_its_number() {
        let mut out = vec![0usize; 3 * 50_000];
        fill(&mut out, 3, |first, piece| {
            for (i, unit) in piece.chunks_mut(3).enumerate() {
                unit.fill(first + i);
            }
        });
        assert!(out.iter().enumerate().all(|(i, &x)| x == i / 3));
    }
}
