//! The geometry of matrix products: extents, tiles, and the checks that make calls to the BLAS safe.
//!
//! How a product is cut depends on its columns and on the length of the sum, never on the number of threads, rows or
//! products: a whole tile of rows has the same bits whatever it is computed together with. Nothing here computes.

use super::error::{Error, Result, code};
use std::ffi::c_int;

/// Rows of a product that are computed by one call. How many rows there are changes no bit of a whole tile.
pub const ROW_TILE: usize = 256;
/// From twice this many columns on, they are cut.
const COLUMNS: usize = 1536;
/// From twice this many summed positions on, the sum is cut, and its parts are added in f64.
const SUM_PART: usize = 2048;

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

    /// Columns of one call. Like the parts of the sum it must not depend on the number of rows or of products.
    pub fn column_tile(&self) -> usize {
        self.n.div_ceil((self.n / COLUMNS).max(1)).next_multiple_of(64).min(self.n)
    }

    /// Into how many parts the sum is cut.
    pub fn parts(&self) -> usize {
        (self.k / SUM_PART).max(1)
    }

    /// Where a part of the sum begins, and its length.
    pub fn part(&self, number: usize) -> (usize, usize) {
        let start = |number: usize| self.k * number / self.parts();
        (start(number), start(number + 1) - start(number))
    }

    pub fn tiles(&self) -> usize {
        self.count() * self.m.div_ceil(ROW_TILE) * self.n.div_ceil(self.column_tile())
    }

    /// Multiplications of a tile.
    pub fn tile_work(&self) -> usize {
        ROW_TILE.min(self.m) * self.column_tile() * self.k
    }

    pub fn tile(&self, number: usize) -> Tile {
        let width = self.column_tile();
        let (down, across) = (self.m.div_ceil(ROW_TILE), self.n.div_ceil(width));
        let (product, rest) = (number / (down * across), number % (down * across));
        let (row, column) = (rest / across * ROW_TILE, rest % across * width);
        Tile { product, row, column, m: ROW_TILE.min(self.m - row), n: width.min(self.n - column) }
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
            let last = loops.chain(dims).try_fold(0usize, |sum, (n, stride)| {
                sum.checked_add((n - 1).checked_mul(stride)?)
            });
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
