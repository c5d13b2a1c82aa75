//! The BLAS: which of its kernels is in force, and matrix products over checked slices.
//!
//! OpenBLAS runs with one thread always; products are cut into fixed tiles that are spread over our own threads, so
//! the bits of a result depend on its shape and on the kernel, never on the number of threads. This file and `simd`
//! are the only ones of the runtime with `unsafe`: every pointer handed to C comes from a slice whose length was
//! checked against the extents first.

use super::error::{Error, Result, code};
use super::tensor::Element;
use rayon::prelude::*;
use std::ffi::{CStr, c_char, c_int};
use std::sync::Once;

unsafe extern "C" {
    fn openblas_get_corename() -> *mut c_char;
    fn openblas_get_config() -> *mut c_char;
    fn openblas_get_num_threads() -> c_int;
    fn openblas_set_num_threads(threads: c_int);
}

/// Set when the program was executed anew, so that it happens once.
const RESTARTED: &str = "LOCUS_BLAS_RESTARTED";
const CORETYPE: &str = "OPENBLAS_CORETYPE";

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
        restarted: std::env::var_os(RESTARTED).is_some(),
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

/// Executes the program anew, once, if OpenBLAS chose kernels below what the processor has: it does so without a word
/// when it is older than the processor, and they are five times slower. To be called first in `main`, never by a
/// library. A choice that the person made by `OPENBLAS_CORETYPE` stands.
pub fn prepare_process() {
    let chosen = std::env::var_os(CORETYPE).is_some() || std::env::var_os(RESTARTED).is_some();
    if let (false, Some(better)) = (chosen, better_kernels(&corename(), &cpu_features())) {
        restart(better);
    }
    set_single_thread();
}

#[cfg(unix)]
fn restart(kernels: &str) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let mut args = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).env(RESTARTED, "1").env(CORETYPE, kernels);
    command.env("OPENBLAS_NUM_THREADS", "1").env("OMP_NUM_THREADS", "1");
    // Returns only if it failed; then the slow kernels have to do.
    let _ = command.exec();
}

#[cfg(not(unix))]
fn restart(_: &str) {}

/// The name to put into `OPENBLAS_CORETYPE` for the fastest kernels that this processor has.
pub fn wanted_kernel() -> String {
    let corename = corename();
    better_kernels(&corename, &cpu_features()).map_or(corename.to_uppercase(), str::to_string)
}

/// The kernels to ask for, if those in force are below what the processor has.
fn better_kernels(corename: &str, features: &[&str]) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().all(|name| features.contains(name));
    let (wanted, name) = if has(&["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"]) {
        (3, "SKYLAKEX")
    } else if has(&["avx2", "fma"]) {
        (2, "HASWELL")
    } else {
        return None;
    };
    (kernel_class(corename) < wanted).then_some(name)
}

/// 0: SSE, 1: AVX, 2: AVX2, 3: AVX-512. An unknown name is a newer one, and stands.
fn kernel_class(corename: &str) -> u32 {
    match corename.to_ascii_lowercase().as_str() {
        "katmai" | "coppermine" | "northwood" | "prescott" | "banias" | "atom" | "core2" | "penryn" | "dunnington"
        | "nehalem" | "athlon" | "opteron" | "opteron_sse3" | "barcelona" | "nano" | "bobcat" | "generic" => 0,
        "sandybridge" | "bulldozer" | "piledriver" | "steamroller" | "excavator" => 1,
        "haswell" | "zen" => 2,
        _ => 3,
    }
}

fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! look {
            ($($name:tt),*) => { $(if std::is_x86_feature_detected!($name) { found.push($name); })* };
        }
        look!("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512vnni", "avx512bf16");
    }
    found
}

/// Threads that work is spread over.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Sets the number of threads for the whole process: `wanted`, or `LOCUS_THREADS`, or one per processor. Works once,
/// before anything was computed; returns the number in force.
pub fn set_threads(wanted: Option<usize>) -> usize {
    let from_environment = || std::env::var("LOCUS_THREADS").ok().and_then(|text| text.trim().parse().ok());
    let count = wanted.or_else(from_environment).filter(|&count| count > 0);
    let count = count.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    // Fails if the pool exists already; then its number stands.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|i| format!("locus-{i}")).build_global();
    threads()
}

/// Rows of a product that are computed by one call.
pub const ROW_TILE: usize = 256;
/// Wanted number of independent calls, below which columns are cut too.
const ENOUGH_TILES: usize = 16;

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

/// Element types that the BLAS knows.
pub trait Float: Element + Default + std::ops::AddAssign {
    /// `c = a b`, row-major, by pointers.
    ///
    /// # Safety
    /// The extents that `call` describes must lie inside what the pointers point to, and nothing else may use `c`.
    unsafe fn gemm(call: &Call, a: *const Self, b: *const Self, c: *mut Self);
}

/// One call: transposed or not, sizes, leading dimensions.
pub struct Call {
    a_turned: bool,
    b_turned: bool,
    m: c_int,
    n: c_int,
    k: c_int,
    lda: c_int,
    ldb: c_int,
    ldc: c_int,
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
                        cblas_sys::$gemm(
                            CblasRowMajor, turn_a, turn_b, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, ldc,
                        );
                    }
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

/// Computes all products. An internal error, and nothing is touched, if an extent leaves its slice.
pub fn products<T: Float>(spec: &Products, a: &[T], b: &[T], c: &mut [T]) -> Result<()> {
    if spec.count() == 0 || spec.m == 0 || spec.n == 0 || spec.k == 0 {
        return Ok(());
    }
    let call = spec.check(a.len(), b.len(), c.len())?;
    set_single_thread();
    let width = spec.column_tile();
    let (down, across) = (spec.m.div_ceil(ROW_TILE), spec.n.div_ceil(width));
    let target = Shared(c.as_mut_ptr());
    let one = |number: usize| {
        let (product, tile) = (number / (down * across), number % (down * across));
        let (row, column) = (tile / across * ROW_TILE, tile % across * width);
        let [from_a, from_b, from_c] = spec.at(product);
        let (m, n) = (ROW_TILE.min(spec.m - row), width.min(spec.n - column));
        let part = Call { m: m as c_int, n: n as c_int, ..call };
        let (from_a, from_b) = (from_a + row * spec.a[0], from_b + column * spec.b[1]);
        let from_c = from_c + row * spec.c + column;
        // SAFETY: `check` has shown that the last element of each operand lies inside its slice, and the tile is a
        // part of it; no two tiles overlap in `c`.
        unsafe { T::gemm(&part, a.as_ptr().add(from_a), b.as_ptr().add(from_b), target.get().add(from_c)) }
    };
    let tiles = spec.count() * down * across;
    let work = ROW_TILE.min(spec.m) * width.min(spec.n) * spec.k;
    // About 100,000 multiplications are worth a task.
    let least = (100_000 / work.max(1)).max(1);
    if tiles <= least {
        (0..tiles).for_each(one);
    } else {
        (0..tiles).into_par_iter().with_min_len(least).for_each(one);
    }
    Ok(())
}

impl Products {
    /// How many products.
    pub fn count(&self) -> usize {
        self.loops.iter().map(|dim| dim.0).product()
    }

    fn at(&self, mut number: usize) -> [usize; 3] {
        let mut offsets = [0; 3];
        for (len, strides) in self.loops.iter().rev() {
            let here = number % len;
            number /= len;
            (0..3).for_each(|i| offsets[i] += here * strides[i]);
        }
        offsets
    }

    /// Columns of one call. It depends on the shape alone: results must not depend on the number of threads.
    fn column_tile(&self) -> usize {
        let tiles = self.count() * self.m.div_ceil(ROW_TILE);
        if tiles >= ENOUGH_TILES {
            return self.n;
        }
        let width = self.n.div_ceil(ENOUGH_TILES.div_ceil(tiles));
        width.next_multiple_of(64).max(256).min(self.n)
    }

    /// Are all extents inside the slices, and do no two elements of `c` share a place?
    fn check(&self, a: usize, b: usize, c: usize) -> Result<Call> {
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
