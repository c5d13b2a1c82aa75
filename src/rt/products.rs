//! The geometry of matrix products: extents, tiles, and the checks that make calls to the BLAS safe.
//!
//! How a product is cut depends on its shape alone, never on the number of threads. Nothing here computes.

use super::error::{Error, Result, code};
use std::ffi::c_int;

/// Rows are cut at multiples of this, a multiple of what the kernels of OpenBLAS take at once (4 to 48): so a row has
/// the same bits whatever rows it is computed together with, and a chunk of a long product those of the whole, if the
/// chunk is a multiple of `CHUNK` rows.
const ROW_TILE: usize = 96;
/// At most so many rows are one call. Each call packs the right operand anew, so few large calls are faster.
const MOST_ROWS: usize = 1536;
/// Chunks of this many rows have the bits of the whole.
pub const CHUNK: usize = 768;
/// OpenBLAS has other kernels for products of up to a million multiplications. No rows are computed once by those and
/// once by the others: calls of at least this size are put together freely, smaller ones never.
const LARGE: usize = 4_000_000;
/// From twice this many columns on, they are cut.
const COLUMNS: usize = 1536;
/// From twice this many summed positions on, the sum is cut, and its parts are added in f64.
const SUM_PART: usize = 2048;
/// Elements of a call's result if parts of it are kept beside each other.
const PART_AREA: usize = 1 << 20;
/// A call of so many multiplications takes some fifty milliseconds; wanted are 2 to 16 calls, of that size or more.
/// Each call packs the right operand anew: at 2048 x 2048 two calls were 5% faster than four.
const CALL_WORK: usize = 4_000_000_000;

/// Many products at once: for each position of `loops`, `c[m, n] = sum over k of a[m, k] * b[k, n]`. Strides count elements.
#[derive(Clone, Debug)]
pub struct Products {
    /// Length, and strides in `a`, `b` and `c`.
    pub loops: Vec<(usize, [usize; 3])>,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Strides of `a` by row and by k. One of them is 1.
    pub a: [usize; 2],
    /// Strides of `b` by k and by column. One of them is 1.
    pub b: [usize; 2],
    /// Stride of `c` by row; its columns lie side by side.
    pub c: usize,
}

/// How products are cut: `(start, length)` of rows, of columns, and of parts of the sum.
pub struct Tiling {
    pub products: usize,
    pub rows: Vec<(usize, usize)>,
    pub columns: Vec<(usize, usize)>,
    pub parts: Vec<(usize, usize)>,
}

/// One rectangle of one product.
#[derive(Clone, Copy)]
pub struct Tile {
    pub product: usize,
    pub row: usize,
    pub column: usize,
    pub m: usize,
    pub n: usize,
}

/// One call: transposed or not, sizes, leading dimensions.
#[derive(Clone, Copy)]
pub struct Call {
    pub a_turned: bool,
    pub b_turned: bool,
    pub m: c_int,
    pub n: c_int,
    pub k: c_int,
    pub lda: c_int,
    pub ldb: c_int,
    pub ldc: c_int,
}

impl Products {
    /// How many products.
    pub fn count(&self) -> usize {
        self.loops.iter().map(|dim| dim.0).product()
    }

    pub fn at(&self, mut number: usize) -> [usize; 3] {
        let mut offsets = [0; 3];
        for (len, strides) in self.loops.iter().rev() {
            let here = number % len;
            number /= len;
            (0..3).for_each(|i| offsets[i] += here * strides[i]);
        }
        offsets
    }

    /// Columns and sums are cut by their own lengths only, so that how many rows there are changes no bit of a row.
    pub fn tiling(&self) -> Tiling {
        let width = self.n.div_ceil((self.n / COLUMNS).max(1)).next_multiple_of(64);
        let columns: Vec<(usize, usize)> = evenly(self.n, self.n.div_ceil(width.max(1)), 64);
        let parts = evenly(self.k, (self.k / SUM_PART).max(1), 1);
        let rows = self.row_cuts(&columns, &parts);
        Tiling { products: self.count(), rows, columns, parts }
    }

    /// Groups of whole tiles; what is left at the end goes with the last group if it is large enough.
    fn row_cuts(&self, columns: &[(usize, usize)], parts: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let longest = |cuts: &[(usize, usize)]| cuts.iter().map(|cut| cut.1).max().unwrap_or(1);
        // Multiplications of one row in one call.
        let (width, row) = (longest(columns), longest(columns) * longest(parts));
        let unit = ROW_TILE * LARGE.div_ceil(ROW_TILE * row.max(1)).clamp(1, CHUNK / ROW_TILE);
        let (whole, rest) = (self.m / unit, self.m % unit);
        let most = match (unit * row < LARGE, parts.len() > 1) {
            (true, _) => 1,
            (_, true) => (PART_AREA / (unit * width)).clamp(1, MOST_ROWS / unit),
            _ => MOST_ROWS / unit,
        };
        let groups = even_share(self.wanted_calls(columns.len() * parts.len()).max(whole.div_ceil(most)), whole);
        let mut cuts: Vec<(usize, usize)> =
            evenly(whole, groups, 1).into_iter().map(|(start, len)| (start * unit, len * unit)).collect();
        match cuts.last_mut() {
            Some((_, len)) if rest * row >= LARGE => *len += rest,
            _ if rest > 0 => cuts.push((whole * unit, rest)),
            _ => {}
        }
        cuts
    }

    /// The rows in about `wanted` bands, whose bits are those of `tiling` if they are multiplied with its columns.
    pub fn bands(&self, wanted: usize) -> Vec<(usize, usize)> {
        let tiling = self.tiling();
        let longest = |cuts: &[(usize, usize)]| cuts.iter().map(|cut| cut.1).max().unwrap_or(1);
        let row = longest(&tiling.columns) * longest(&tiling.parts);
        let unit = ROW_TILE * LARGE.div_ceil(ROW_TILE * row.max(1)).clamp(1, CHUNK / ROW_TILE);
        if unit * row < LARGE {
            return tiling.rows;
        }
        let (whole, rest) = (self.m / unit, self.m % unit);
        let bands = evenly(whole, wanted.max(1).min(whole), 1);
        let mut cuts: Vec<(usize, usize)> = bands.into_iter().map(|(at, len)| (at * unit, len * unit)).collect();
        match cuts.last_mut() {
            Some((_, len)) if rest * row >= LARGE => *len += rest,
            _ if rest > 0 => cuts.push((whole * unit, rest)),
            _ => {}
        }
        cuts
    }

    /// Into how many calls the rows are cut so that all threads have work, if each makes `already` calls.
    fn wanted_calls(&self, already: usize) -> usize {
        let work = [self.count(), self.m, self.n, self.k].iter().fold(1usize, |work, &n| work.saturating_mul(n));
        (work / CALL_WORK).clamp(2, 16).div_ceil(self.count().max(1) * already)
    }

    /// The first elements of a tile in the three operands.
    pub fn offsets(&self, tile: Tile) -> [usize; 3] {
        let [a, b, c] = self.at(tile.product);
        [a + tile.row * self.a[0], b + tile.column * self.b[1], c + tile.row * self.c + tile.column]
    }

    /// Are all extents inside the slices, and do no two elements of `c` share a place?
    pub fn check(&self, a: usize, b: usize, c: usize) -> Result<Call> {
        let fault = |what: &str| Error::new(code::INTERNAL, format!("a matrix product with {what}: {self:?}"));
        let inside = |which: usize, dims: [(usize, usize); 2], len: usize| {
            let loops = self.loops.iter().map(|(n, strides)| (*n, strides[which]));
            let last =
                loops.chain(dims).try_fold(0usize, |sum, (n, stride)| sum.checked_add((n - 1).checked_mul(stride)?));
            last.is_some_and(|last| last < len)
        };
        let in_c = [(self.m, self.c), (self.n, 1)];
        if !inside(0, [(self.m, self.a[0]), (self.k, self.a[1])], a)
            || !inside(1, [(self.k, self.b[0]), (self.n, self.b[1])], b)
            || !inside(2, in_c, c)
        {
            return Err(fault("an operand outside its buffer"));
        }
        let mut places: Vec<(usize, usize)> = self.loops.iter().map(|(n, strides)| (strides[2], *n)).collect();
        places.extend(in_c.map(|(n, stride)| (stride, n)));
        places.retain(|&(_, n)| n > 1);
        places.sort();
        if places.iter().try_fold(1usize, |free, &(stride, n)| (stride >= free).then(|| stride * n)).is_none() {
            return Err(fault("results that overlap"));
        }
        let (a_turned, lda) = leading(self.a, self.m, self.k).ok_or_else(|| fault("a left operand without rows"))?;
        let (b_turned, ldb) = leading(self.b, self.k, self.n).ok_or_else(|| fault("a right operand without rows"))?;
        let number = |n: usize| c_int::try_from(n).map_err(|_| fault("an extent above 2^31"));
        Ok(Call {
            a_turned,
            b_turned,
            m: number(self.m)?,
            n: number(self.n)?,
            k: number(self.k)?,
            lda: number(lda)?,
            ldb: number(ldb)?,
            ldc: number(self.c.max(self.n))?,
        })
    }
}

impl Tiling {
    pub fn tiles(&self) -> usize {
        self.products * self.rows.len() * self.columns.len()
    }

    pub fn tile(&self, number: usize) -> Tile {
        let across = self.columns.len();
        let each = self.rows.len() * across;
        let (product, rest) = (number / each, number % each);
        let ((row, m), (column, n)) = (self.rows[rest / across], self.columns[rest % across]);
        Tile { product, row, column, m, n }
    }
}

/// `count` pieces of `0..len`, as equal as multiples of `unit` allow, the longer ones first.
fn evenly(len: usize, count: usize, unit: usize) -> Vec<(usize, usize)> {
    let units = len.div_ceil(unit);
    let mut cuts = Vec::with_capacity(count);
    let mut start = 0;
    for number in 0..count {
        let share = units / count + (number < units % count) as usize;
        let end = (start + share * unit).min(len);
        cuts.push((start, end - start));
        start = end;
    }
    cuts
}

/// At least `wanted` calls for so many units of rows, as many as threads share evenly: three calls on two threads take
/// as long as four. Few units are cut into more calls, since the longest of few is far above their mean.
fn even_share(wanted: usize, units: usize) -> usize {
    let even = wanted.next_power_of_two();
    let fine = if wanted > 2 && units < 6 * even { 2 * even } else { even };
    fine.min(units)
}

/// Is a matrix with these strides given to the BLAS transposed, and what is its leading dimension? `None` if neither
/// its rows nor its columns lie side by side.
pub fn leading(strides: [usize; 2], rows: usize, columns: usize) -> Option<(bool, usize)> {
    let [row, column] = strides;
    if (column == 1 || columns == 1) && (row >= columns || rows == 1) {
        return Some((false, if rows == 1 { columns } else { row }));
    }
    if (row == 1 || rows == 1) && (column >= rows || columns == 1) {
        return Some((true, if columns == 1 { rows } else { column }));
    }
    None
}
