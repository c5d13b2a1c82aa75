//! The BLAS: which of its kernels is in force, and matrix products over checked slices.
//!
//! OpenBLAS runs with one thread always; products are cut into fixed tiles that are spread over our own threads, so
//! the bits of a result depend on its shape and on the kernel, never on the number of threads. This file and `simd`
//! are the only ones of the runtime with `unsafe`: every pointer handed to C comes from a slice whose length was
//! checked against the extents first.

use super::error::{Error, Result, code};
use super::kernels::{cpu_features, was_restarted};
use super::products::{Call, Tiling};
use super::reduce::{FromF64, ToF64};
use super::tensor::Aligned;
use rayon::prelude::*;
use std::ffi::{CStr, c_char, c_int};
use std::sync::Once;

pub use super::kernels::{prepare_process, set_threads, threads, wanted_kernel};
pub use super::products::{Products, Tile, leading};

unsafe extern "C" {
    fn openblas_get_corename() -> *mut c_char;
    fn openblas_get_config() -> *mut c_char;
    fn openblas_get_num_threads() -> c_int;
    fn openblas_set_num_threads(threads: c_int);
    // LAPACK, which OpenBLAS contains. Matrices are column by column; numbers are passed by address; a first call with a
    // length of -1 asks for the size of the work space.
    fn dsyevd_(
        job: *const c_char,
        half: *const c_char,
        n: *const c_int,
        a: *mut f64,
        lda: *const c_int,
        values: *mut f64,
        work: *mut f64,
        work_length: *const c_int,
        whole_work: *mut c_int,
        whole_length: *const c_int,
        info: *mut c_int,
    );
    fn dgesdd_(
        job: *const c_char,
        m: *const c_int,
        n: *const c_int,
        a: *mut f64,
        lda: *const c_int,
        values: *mut f64,
        left: *mut f64,
        ld_left: *const c_int,
        right: *mut f64,
        ld_right: *const c_int,
        work: *mut f64,
        work_length: *const c_int,
        whole_work: *mut c_int,
        info: *mut c_int,
    );
}

/// What `locus info` and the record of a run say about the BLAS.
#[derive(Clone, Debug, PartialEq)]
pub struct BlasInfo {
    /// As OpenBLAS describes itself: version and build options.
    pub config: String,
    /// The kernels in force: `SkylakeX`, `Haswell`, ...
    pub corename: String,
    /// Threads of the BLAS itself; 1 once anything was computed.
    pub threads: usize,
    /// What the processor can do, of the things that matter for kernels.
    pub cpu_features: Vec<&'static str>,
    pub restarted: bool,
}

pub fn info() -> BlasInfo {
    set_single_thread();
    BlasInfo {
        // SAFETY: the function takes nothing and returns a static string.
        config: text(unsafe { openblas_get_config() }),
        corename: corename(),
        // SAFETY: the function takes nothing and returns a number.
        threads: unsafe { openblas_get_num_threads() }.max(1) as usize,
        cpu_features: cpu_features(),
        restarted: was_restarted(),
    }
}

/// The name of the kernels in force.
pub fn corename() -> String {
    // SAFETY: the function takes nothing and returns a static string.
    text(unsafe { openblas_get_corename() })
}

fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and OpenBLAS returns zero-terminated strings that live as long as the process.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().trim().to_string()
}

/// One BLAS thread from now on. Products call it themselves.
pub fn set_single_thread() {
    static ONCE: Once = Once::new();
    // SAFETY: the function takes a number; `Once` keeps two threads from calling it at the same time.
    ONCE.call_once(|| unsafe { openblas_set_num_threads(1) });
}

/// Element types that the BLAS knows.
pub trait Float: FromF64 + ToF64 {
    /// `c = a b`, row-major, by pointers.
    ///
    /// # Safety
    /// The extents that `call` describes must lie inside what the pointers point to, and nothing else may use `c`.
    unsafe fn gemm(call: &Call, a: *const Self, b: *const Self, c: *mut Self);

    /// `c = factor a b`, or `c += factor a b` if `keep`; always by the kernels for matrices.
    ///
    /// # Safety
    /// As for `gemm`.
    unsafe fn scaled(call: &Call, factor: Self, keep: bool, a: *const Self, b: *const Self, c: *mut Self);
}

macro_rules! float {
    ($type:ty, $gemm:ident, $gemv:ident) => {
        impl Float for $type {
            unsafe fn gemm(call: &Call, a: *const $type, b: *const $type, c: *mut $type) {
                use cblas_sys::{CblasNoTrans, CblasRowMajor, CblasTrans};
                let turn = |turned| if turned { CblasTrans } else { CblasNoTrans };
                let Call { m, n, k, lda, ldb, ldc, .. } = *call;
                // SAFETY: the caller vouches for the extents.
                unsafe {
                    if n == 1 {
                        let (rows, columns) = if call.a_turned { (k, m) } else { (m, k) };
                        let step = if call.b_turned { 1 } else { ldb };
                        let turned = turn(call.a_turned);
                        cblas_sys::$gemv(CblasRowMajor, turned, rows, columns, 1.0, a, lda, b, step, 0.0, c, ldc);
                    } else if m == 1 {
                        // c = b' a: the same with the roles exchanged.
                        let (rows, columns) = if call.b_turned { (n, k) } else { (k, n) };
                        let step = if call.a_turned { lda } else { 1 };
                        let turned = turn(!call.b_turned);
                        cblas_sys::$gemv(CblasRowMajor, turned, rows, columns, 1.0, b, ldb, a, step, 0.0, c, 1);
                    } else {
                        let (turn_a, turn_b) = (turn(call.a_turned), turn(call.b_turned));
                        cblas_sys::$gemm(CblasRowMajor, turn_a, turn_b, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, ldc);
                    }
                }
            }

            unsafe fn scaled(call: &Call, factor: $type, keep: bool, a: *const $type, b: *const $type, c: *mut $type) {
                use cblas_sys::{CblasNoTrans, CblasRowMajor, CblasTrans};
                let turn = |turned| if turned { CblasTrans } else { CblasNoTrans };
                let Call { a_turned, b_turned, m, n, k, lda, ldb, ldc } = *call;
                let (turn_a, turn_b, kept) = (turn(a_turned), turn(b_turned), if keep { 1.0 } else { 0.0 });
                // SAFETY: the caller vouches for the extents.
                unsafe {
                    cblas_sys::$gemm(CblasRowMajor, turn_a, turn_b, m, n, k, factor, a, lda, b, ldb, kept, c, ldc)
                }
            }
        }
    };
}
float!(f32, cblas_sgemm, cblas_sgemv);
float!(f64, cblas_dgemm, cblas_dgemv);

/// A pointer that tasks may share because each writes its own part.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);
// SAFETY: the tasks of one product write disjoint parts (`Products::check` refuses overlaps), and the slice that the
// pointer comes from is borrowed mutably until all of them are done.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

/// A matrix in a slice: its rows start `row` elements apart. `turned`: what stands there is its transpose.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    pub values: &'a [T],
    pub row: usize,
    pub turned: bool,
}

impl<T> Matrix<'_, T> {
    /// Does a matrix of this size lie inside the slice?
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let (rows, columns) = if self.turned { (columns, rows) } else { (rows, columns) };
        columns <= self.row && inside(rows, columns, self.row, self.values.len())
    }
}

fn inside(rows: usize, columns: usize, row: usize, len: usize) -> bool {
    (rows - 1).checked_mul(row).and_then(|last| last.checked_add(columns)).is_some_and(|end| end <= len)
}

/// One product on this thread: `c = factor a b`, added to what `c` holds if `keep`. `[m, n, k]` are its extents; the
/// rows of `c` start `row` elements apart. For products so small that spreading them costs more than they do.
pub fn product<T: Float>(
    [m, n, k]: [usize; 3],
    factor: T,
    (a, b): (Matrix<T>, Matrix<T>),
    keep: bool,
    (c, row): (&mut [T], usize),
) -> Result<()> {
    if m == 0 || n == 0 || k == 0 {
        return Ok(());
    }
    let fault = || Error::new(code::INTERNAL, format!("a {m} x {n} x {k} product outside its operands"));
    if !a.holds(m, k) || !b.holds(k, n) || n > row || !inside(m, n, row, c.len()) {
        return Err(fault());
    }
    let number = |n: usize| c_int::try_from(n).map_err(|_| fault());
    let call = Call {
        a_turned: a.turned,
        b_turned: b.turned,
        m: number(m)?,
        n: number(n)?,
        k: number(k)?,
        lda: number(a.row)?,
        ldb: number(b.row)?,
        ldc: number(row)?,
    };
    set_single_thread();
    // SAFETY: all three matrices lie inside their slices, as just checked, and `c` is borrowed mutably.
    unsafe { T::scaled(&call, factor, keep, a.values.as_ptr(), b.values.as_ptr(), c.as_mut_ptr()) };
    Ok(())
}

/// Computes all products. An internal error, and nothing is touched, if an extent leaves its slice.
pub fn products<T: Float>(spec: &Products, a: &[T], b: &[T], c: &mut [T]) -> Result<()> {
    if spec.count() == 0 || spec.m == 0 || spec.n == 0 || spec.k == 0 {
        return Ok(());
    }
    let call = spec.check(a.len(), b.len(), c.len())?;
    set_single_thread();
    let job = Job { spec, tiling: spec.tiling(), call, a, b, c: Shared(c.as_mut_ptr()) };
    let tiles = job.tiling.tiles();
    let work = (spec.count() * spec.m * spec.n).saturating_mul(spec.k) / tiles;
    if job.tiling.parts.len() == 1 {
        spread(tiles, work, |number| job.direct(job.tiling.tile(number)));
    } else if tiles >= 2 * rayon::current_num_threads() {
        spread(tiles, work, |number| job.by_parts(job.tiling.tile(number)));
    } else {
        job.by_rounds();
    }
    Ok(())
}

/// Computes some rows and columns of one product densely into `out`, on this thread: with the bits of the whole if
/// they are a band and columns of its tiling.
pub fn rectangle<T: Float>(spec: &Products, tile: Tile, a: &[T], b: &[T], out: &mut [T]) -> Result<()> {
    let (from_a, from_b) = (tile.row * spec.a[0], tile.column * spec.b[1]);
    let (a, b) = (a.get(from_a..).unwrap_or(&[]), b.get(from_b..).unwrap_or(&[]));
    let part = Products { loops: Vec::new(), m: tile.m, n: tile.n, c: tile.n, ..spec.clone() };
    if part.m == 0 || part.n == 0 || part.k == 0 {
        out.fill(T::from_f64(0.0));
        return Ok(());
    }
    let call = part.check(a.len(), b.len(), out.len())?;
    set_single_thread();
    let (rows, columns) = (vec![(0, tile.m)], vec![(0, tile.n)]);
    let tiling = Tiling { products: 1, rows, columns, parts: spec.tiling().parts };
    let whole = Tile { product: 0, row: 0, column: 0, ..tile };
    let job = Job { spec: &part, tiling, call, a, b, c: Shared(out.as_mut_ptr()) };
    match job.tiling.parts.len() {
        1 => job.direct(whole),
        _ => job.by_parts(whole),
    }
    Ok(())
}

/// Runs `0..count` on all threads, if `work` multiplications each are worth it.
fn spread(count: usize, work: usize, one: impl Fn(usize) + Sync + Send) {
    let least = (100_000 / work.max(1)).max(1);
    if count <= least {
        (0..count).for_each(one);
    } else {
        (0..count).into_par_iter().with_min_len(least).for_each(one);
    }
}

/// Elements of parts that one task adds: what they and their sum take stays in the cache.
const ADD_WORK: usize = 1 << 14;

/// A checked `Products` with its operands.
struct Job<'a, T> {
    spec: &'a Products,
    tiling: Tiling,
    call: Call,
    a: &'a [T],
    b: &'a [T],
    c: Shared<T>,
}

impl<T: Float> Job<'_, T> {
    /// The tile over all summed positions, straight into the result.
    fn direct(&self, tile: Tile) {
        let [a, b, c] = self.spec.offsets(tile);
        let call = Call { m: tile.m as c_int, n: tile.n as c_int, ..self.call };
        // SAFETY: `check` has shown that the last element of each operand lies inside its slice, and the tile is a
        // part of it; no two tiles overlap in `c`, and the slice behind it is borrowed until all are done.
        unsafe { T::gemm(&call, self.a.as_ptr().add(a), self.b.as_ptr().add(b), self.c.get().add(c)) }
    }

    /// One part of the sum of a tile, densely into `out`.
    fn part(&self, tile: Tile, part: usize, out: &mut [T]) {
        let [a, b, _] = self.spec.offsets(tile);
        let (start, k) = self.tiling.parts[part];
        let (m, n) = (tile.m as c_int, tile.n as c_int);
        let call = Call { m, n, k: k as c_int, ldc: n, ..self.call };
        let (a, b) = (&self.a[a + start * self.spec.a[1]..], &self.b[b + start * self.spec.b[0]..]);
        let out = &mut out[..tile.m * tile.n];
        // SAFETY: as in `direct` for the operands; `out` has just been cut to the size of the tile.
        unsafe { T::gemm(&call, a.as_ptr(), b.as_ptr(), out.as_mut_ptr()) }
    }

    /// All parts of a tile one after the other.
    fn by_parts(&self, tile: Tile) {
        let mut out = Aligned::<T>::scratch(tile.m * tile.n);
        let mut total = Aligned::<f64>::zeros(tile.m * tile.n);
        for part in 0..self.tiling.parts.len() {
            self.part(tile, part, &mut out);
            add(&mut total, &out);
        }
        self.store(tile, &total);
    }

    /// The same with the parts spread over threads, some at a time: for few tiles.
    fn by_rounds(&self) {
        let tiles: Vec<Tile> = (0..self.tiling.tiles()).map(|number| self.tiling.tile(number)).collect();
        let parts = self.tiling.parts.len();
        let round = (4 * rayon::current_num_threads()).div_ceil(tiles.len());
        if parts <= round {
            let made = self.round(&tiles, 0, parts);
            return tiles.iter().zip(made.chunks(parts)).for_each(|(&tile, parts)| self.store_sum(tile, parts));
        }
        let mut totals: Vec<Aligned<f64>> = tiles.iter().map(|tile| Aligned::zeros(tile.m * tile.n)).collect();
        for first in (0..parts).step_by(round) {
            let here = round.min(parts - first);
            let made = self.round(&tiles, first, here);
            totals.par_iter_mut().zip(made.par_chunks(here)).for_each(|(total, parts)| {
                parts.iter().for_each(|part| add(total, part));
            });
        }
        tiles.into_par_iter().zip(&totals).for_each(|(tile, total)| self.store(tile, total));
    }

    /// `count` parts of every tile, from part `first` on.
    fn round(&self, tiles: &[Tile], first: usize, count: usize) -> Vec<Aligned<T>> {
        let made = (0..tiles.len() * count).into_par_iter().map(|number| {
            let tile = tiles[number / count];
            let mut out = Aligned::<T>::scratch(tile.m * tile.n);
            self.part(tile, first + number % count, &mut out);
            out
        });
        made.collect()
    }

    /// Stores the sum of all parts of a tile, with the bits of `by_parts`, but without a total in memory.
    fn store_sum(&self, tile: Tile, parts: &[Aligned<T>]) {
        let rows = (ADD_WORK / (tile.n * parts.len())).max(1);
        (0..tile.m.div_ceil(rows)).into_par_iter().for_each(|piece| {
            let start = piece * rows;
            let here = Tile { row: tile.row + start, m: rows.min(tile.m - start), ..tile };
            let mut total = vec![0f64; here.m * here.n];
            let of = start * tile.n..(start + here.m) * tile.n;
            parts.iter().for_each(|part| add(&mut total, &part[of.clone()]));
            self.store(here, &total);
        });
    }

    fn store(&self, tile: Tile, total: &[f64]) {
        let [_, _, c] = self.spec.offsets(tile);
        for (row, values) in total.chunks_exact(tile.n).enumerate() {
            // SAFETY: a row of a tile lies inside `c` (`check`), no other task writes it, and the slice behind it is
            // borrowed until all are done.
            let target = unsafe { std::slice::from_raw_parts_mut(self.c.get().add(c + row * self.spec.c), tile.n) };
            target.iter_mut().zip(values).for_each(|(x, &y)| *x = T::from_f64(y));
        }
    }
}

fn add<T: ToF64>(total: &mut [f64], part: &[T]) {
    T::add_to(total, part);
}

// ---- decompositions ------------------------------------------------------------------------------------------------

/// Replaces a symmetric matrix `a` of `n` by `n` by its eigenvectors, one a row, from the smallest eigenvalue up. False if the
/// method does not converge, or `n` is beyond what LAPACK counts.
pub fn eigh(a: &mut [f64], values: &mut [f64], n: usize) -> bool {
    set_single_thread();
    assert!(a.len() == n * n && values.len() == n);
    let Ok(size) = c_int::try_from(n) else { return false };
    let (mut work, mut whole) = (vec![0.0], vec![0]);
    for round in 0..2 {
        let asks = round == 0;
        let (work_length, whole_length) = (length(&work, asks), length(&whole, asks));
        let mut info = 0;
        // SAFETY: `a` holds n x n numbers and `values` n, as asserted; the work spaces are as long as said, and LAPACK itself said in the
        // first round how long they must be.
        unsafe {
            dsyevd_(
                c"V".as_ptr(),
                c"U".as_ptr(),
                &size,
                a.as_mut_ptr(),
                &size,
                values.as_mut_ptr(),
                work.as_mut_ptr(),
                &work_length,
                whole.as_mut_ptr(),
                &whole_length,
                &mut info,
            );
        }
        if info != 0 {
            return false;
        }
        if asks {
            (work, whole) = (vec![0.0; work[0] as usize], vec![0; whole[0] as usize]);
        }
    }
    true
}

/// The singular values of the matrix `a`, column by column, with `m` rows and `n` columns; k is the smaller of the two. `left` gets k
/// columns of `m`, `right` k rows of `n` (column by column: k numbers for each column). False as for `eigh`.
pub fn svd(a: &mut [f64], m: usize, n: usize, left: &mut [f64], values: &mut [f64], right: &mut [f64]) -> bool {
    set_single_thread();
    let k = m.min(n);
    assert!(a.len() == m * n && left.len() == m * k && right.len() == k * n && values.len() == k);
    let (Ok(rows), Ok(columns), Ok(count)) = (c_int::try_from(m), c_int::try_from(n), c_int::try_from(k)) else {
        return false;
    };
    let mut whole = vec![0; 8 * k];
    let mut work = vec![0.0];
    for round in 0..2 {
        let work_length = length(&work, round == 0);
        let mut info = 0;
        // SAFETY: all slices are as long as LAPACK takes them to be, as asserted, 8 k for its whole numbers; it said itself in the first
        // round how long the work space must be.
        unsafe {
            dgesdd_(
                c"S".as_ptr(),
                &rows,
                &columns,
                a.as_mut_ptr(),
                &rows,
                values.as_mut_ptr(),
                left.as_mut_ptr(),
                &rows,
                right.as_mut_ptr(),
                &count,
                work.as_mut_ptr(),
                &work_length,
                whole.as_mut_ptr(),
                &mut info,
            );
        }
        if info != 0 {
            return false;
        }
        if round == 0 {
            work = vec![0.0; work[0] as usize];
        }
    }
    true
}

/// The length of a work space, or the sign that asks for it.
fn length<T>(space: &[T], asks: bool) -> c_int {
    if asks { -1 } else { c_int::try_from(space.len()).unwrap_or(c_int::MAX) }
}

#[cfg(test)]
mod tests {
    use super::super::products::CHUNK;
    use super::*;

    fn simple(m: usize, n: usize, k: usize) -> Products {
        Products { loops: Vec::new(), m, n, k, a: [k, 1], b: [n, 1], c: n }
    }

    #[test]
    fn refuses_extents_outside_the_slices_and_overlapping_results() {
        let spec = simple(3, 4, 5);
        let (a, b) = (vec![1f32; 15], vec![1f32; 20]);
        let mut c = vec![0f32; 12];
        assert!(products(&spec, &a, &b, &mut c).is_ok());
        assert_eq!(c, [5.0; 12]);
        assert!(products(&spec, &a[1..], &b, &mut c).is_err());
        assert!(products(&spec, &a, &b[1..], &mut c).is_err());
        assert!(products(&spec, &a, &b, &mut c[1..]).is_err());
        let mut wrong = spec.clone();
        wrong.c = 3;
        assert!(products(&wrong, &a, &b, &mut c).is_err());
        let mut wrong = spec.clone();
        wrong.loops = vec![(2, [0, 0, 0])];
        assert!(products(&wrong, &a, &b, &mut c).is_err());
        let mut wrong = spec.clone();
        wrong.a = [usize::MAX, 1];
        assert!(products(&wrong, &a, &b, &mut c).is_err());
        let mut wrong = spec;
        wrong.a = [2, 2];
        assert!(products(&wrong, &a, &b, &mut c).is_err());
    }

    /// A chunk of whole row tiles has the bits that its rows have in the whole.
    #[test]
    fn rows_do_not_depend_on_how_many_there_are() {
        let noise =
            |n: usize| (0..n).map(|i| ((i * 2_654_435_761) % 1_000_003) as f32 / 1e6 - 0.5).collect::<Vec<f32>>();
        let shapes =
            [(1000, 1700, 530), (1000, 3100, 70), (1160, 96, 4200), (2100, 17, 33), (1600, 5, 5000), (900, 1, 70)];
        for (m, n, k) in shapes {
            let (a, b) = (noise(m * k), noise(k * n));
            let mut whole = vec![0f32; m * n];
            products(&simple(m, n, k), &a, &b, &mut whole).unwrap();
            for (lo, hi) in [(0, CHUNK), (CHUNK, m), (2 * CHUNK, m), (96, m), (480, 768)] {
                // Between multiples of `CHUNK` only large products are the same.
                if hi <= lo || hi > m || (lo % CHUNK != 0 && n * k < 100_000) {
                    continue;
                }
                let mut part = vec![0f32; (hi - lo) * n];
                products(&simple(hi - lo, n, k), &a[lo * k..hi * k], &b, &mut part).unwrap();
                let same = part.iter().zip(&whole[lo * n..hi * n]).all(|(x, y)| x.to_bits() == y.to_bits());
                assert!(same, "{m} x {n} x {k}, rows {lo}..{hi}");
            }
        }
    }

    #[test]
    fn parts_of_a_sum_give_the_same_bits_by_both_ways() {
        let spec = simple(300, 40, 9000);
        let noise = |n: usize| (0..n).map(|i| ((i * 7919) % 1009) as f64 / 1e3 - 0.5).collect::<Vec<f64>>();
        let (a, b) = (noise(300 * 9000), noise(9000 * 40));
        let run = |rounds: bool| {
            let mut c = vec![0f64; 300 * 40];
            let call = spec.check(a.len(), b.len(), c.len()).unwrap();
            let job = Job { spec: &spec, tiling: spec.tiling(), call, a: &a, b: &b, c: Shared(c.as_mut_ptr()) };
            match rounds {
                true => job.by_rounds(),
                false => (0..job.tiling.tiles()).for_each(|number| job.by_parts(job.tiling.tile(number))),
            }
            c
        };
        assert!(spec.tiling().parts.len() > 1);
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn says_what_is_in_force() {
        let info = info();
        assert_eq!(info.threads, 1);
        assert!(info.config.contains("OpenBLAS") && !info.corename.is_empty());
    }
}
