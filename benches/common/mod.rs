//! What the benchmarks share: counting, taking turns with a baseline, products in processes of their own, sessions
//! that tell when each step of a `fit` begins and ends.
//!
//! Bare times are never reported: every figure is a ratio of two things that were measured in turn.

use locus::base::axis::Axis;
use locus::rt::ctx::{Expectation, World};
use locus::rt::error::Result as Outcome;
use locus::rt::rng::{self, Key};
use locus::rt::{contract, tensor::Tensor};
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How often each side is measured, unless `LOCUS_BENCH_RUNS` says otherwise.
const RUNS: usize = 7;
/// Set for a process that times products: `blas:m,k,n,count;...` or `tiles:...`.
const CHILD: &str = "LOCUS_BENCH_CHILD";

pub fn runs() -> usize {
    let told = std::env::var("LOCUS_BENCH_RUNS").ok().and_then(|text| text.parse().ok());
    told.filter(|&runs| runs > 0).unwrap_or(RUNS)
}

pub fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Two things measured in turn.
#[derive(Default, Clone)]
pub struct Turns {
    pub ours: Vec<f64>,
    pub baseline: Vec<f64>,
}

impl Turns {
    /// The ratio of medians.
    pub fn ratio(&self) -> f64 {
        median(&self.ours) / median(&self.baseline)
    }

    /// The ratio of the least times: on a busy machine the better guide, because other work only adds.
    pub fn least(&self) -> f64 {
        least(&self.ours) / least(&self.baseline)
    }
}

/// A product of an `m` x `k` by a `k` x `n` matrix, done `count` times.
#[derive(Clone, Copy)]
pub struct Product {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub count: usize,
}

/// The time of products on all cores: the better of OpenBLAS with threads and our own tiles, each in a process of its
/// own, so that neither touches the memory of what is measured beside it. Each call takes one sample of both.
pub struct Products {
    shapes: String,
    blas: Vec<f64>,
    tiles: Vec<f64>,
}

impl Products {
    pub fn new(products: &[Product]) -> Products {
        let shape = |p: &Product| format!("{},{},{},{}", p.m, p.k, p.n, p.count);
        let shapes = products.iter().map(shape).collect::<Vec<String>>().join(";");
        Products { shapes, blas: Vec::new(), tiles: Vec::new() }
    }

    pub fn sample(&mut self) {
        self.blas.push(in_child(&format!("blas:{}", self.shapes)));
        self.tiles.push(in_child(&format!("tiles:{}", self.shapes)));
    }

    /// The samples of the better way.
    pub fn best(&self) -> Vec<f64> {
        if median(&self.blas) <= median(&self.tiles) { self.blas.clone() } else { self.tiles.clone() }
    }
}

fn in_child(what: &str) -> f64 {
    let Ok(program) = std::env::current_exe() else { return f64::INFINITY };
    let mut command = Command::new(program);
    command.env(CHILD, what);
    if what.starts_with("blas") {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        command.env("OPENBLAS_NUM_THREADS", &threads).env("OMP_NUM_THREADS", &threads);
    }
    let printed = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    printed.ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY)
}

/// If this process was started to time products: times them, prints seconds, and says so.
pub fn served_as_child() -> bool {
    let Ok(what) = std::env::var(CHILD) else { return false };
    let (way, shapes) = what.split_once(':').unwrap_or(("tiles", ""));
    let mut total = 0.0;
    for shape in shapes.split(';') {
        let numbers: Vec<usize> = shape.split(',').filter_map(|text| text.parse().ok()).collect();
        let [m, k, n, count] = numbers[..] else { continue };
        total += if way == "blas" { blas(m, k, n, count) } else { tiles(m, k, n, count) };
    }
    println!("{total}");
    true
}

fn blas(m: usize, k: usize, n: usize, count: usize) -> f64 {
    let a = ndarray::Array2::<f32>::from_shape_fn((m, k), |(i, j)| ((i * 7 + j * 3) % 11) as f32 - 5.0);
    let b = ndarray::Array2::<f32>::from_shape_fn((k, n), |(i, j)| ((i * 5 + j * 13) % 7) as f32 - 3.0);
    let mut c = ndarray::Array2::<f32>::zeros((m, n));
    repeated(count, || ndarray::linalg::general_mat_mul(1.0, &a, &b, 0.0, &mut c))
}

fn tiles(m: usize, k: usize, n: usize, count: usize) -> f64 {
    locus::rt::kernels::set_threads(None);
    let (am, ak, an) = (Axis::named("", "m"), Axis::named("", "k"), Axis::named("", "n"));
    let make = |label: &str, axes: &[(Axis, usize)]| rng::normal(Key::from_seed(1).derive(label), axes).ok();
    let (Some(a), Some(b)) = (make("a", &[(am, m), (ak, k)]), make("b", &[(ak, k), (an, n)])) else {
        return f64::INFINITY;
    };
    repeated(count, || drop(product(&a, &b, ak)))
}

fn product(a: &Tensor, b: &Tensor, over: Axis) -> Outcome<locus::rt::value::Value> {
    contract::contract(a, b, &[over])
}

/// As often as the program makes the product, each time counted like each of its steps, after two that wake threads and
/// fill caches.
fn repeated(count: usize, mut work: impl FnMut()) -> f64 {
    (0..2).for_each(|_| work());
    let start = Instant::now();
    (0..count).for_each(|_| work());
    start.elapsed().as_secs_f64()
}

/// The path of a program in `benches/programs`, if it is there.
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/programs").join(name);
    path.exists().then_some(path)
}

/// A session that has run a program of `benches/programs`, with sizes replaced.
pub fn session(name: &str, overrides: &[(&str, String)], world: Box<dyn World>) -> Result<Session, String> {
    let path = program(name).ok_or_else(|| format!("there is no benches/programs/{name}"))?;
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
    let overrides = overrides.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let settings = Settings { overrides, folder: folder.clone(), ..Settings::default() };
    let output = Output { world, ..Output::buffer(&BufferWorld::default()) };
    let mut session = Session::new(Box::new(DiskLoader::new(&folder)), settings, output);
    enter(&mut session, &text)?;
    Ok(session)
}

/// Seconds that the statements of a text took, machine code included.
pub fn enter(session: &mut Session, text: &str) -> Result<f64, String> {
    match session.enter("bench.exp", text) {
        Ok(outcomes) => Ok(outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum()),
        Err(failure) => Err(failure.diagnostics().iter().map(|shown| shown.message.clone()).collect()),
    }
}

/// Times the steps of a loop that reports progress, and does something else between them, outside the measured time.
#[derive(Clone, Default)]
pub struct Steps {
    inner: Arc<Mutex<StepsInner>>,
}

#[derive(Default)]
struct StepsInner {
    between: Option<Box<dyn FnMut() + Send>>,
    last: Option<Instant>,
    times: Vec<f64>,
}

impl Steps {
    pub fn with(between: impl FnMut() + Send + 'static) -> Steps {
        let inner = StepsInner { between: Some(Box::new(between)), ..StepsInner::default() };
        Steps { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The time of each step but the first, which pays for machine code and fresh memory.
    pub fn times(&self) -> Vec<f64> {
        self.inner.lock().map(|inner| inner.times.clone()).unwrap_or_default()
    }
}

impl World for Steps {
    fn print(&mut self, _: &str) {}
    fn progress(&mut self, _: &str, _: u64, _: u64, _: &str, _: f64) {
        let Ok(mut inner) = self.inner.lock() else { return };
        if let Some(last) = inner.last {
            inner.times.push(last.elapsed().as_secs_f64());
        }
        if let Some(between) = &mut inner.between {
            between();
        }
        inner.last = Some(Instant::now());
    }
    fn write(&mut self, name: &str, _: &[u8]) -> Outcome<String> {
        Ok(name.to_string())
    }
    fn expectation(&mut self, _: Expectation) {}
}
