//! A 2048 x 2048 product in the language, against the better of OpenBLAS on all cores and our own tiles from Rust.
//!
//! Run with `cargo bench --bench product` on an idle machine. Ratios of medians over nine runs taken in turn; bare
//! times are not printed. OpenBLAS with threads is timed in a process of its own, because here it has one thread.

use locus::base::axis::Axis;
use locus::rt::kernels::{prepare_process, set_threads};
use locus::rt::rng::{self, Key};
use locus::rt::{contract, tensor::Tensor};
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings};
use std::process::Command;
use std::time::Instant;

const SIZE: usize = 2048;
const RUNS: usize = 9;
/// Set for the process that times OpenBLAS with threads of its own.
const CHILD: &str = "LOCUS_BENCH_CHILD";

fn main() {
    if std::env::var_os(CHILD).is_some() {
        println!("{}", openblas_threaded());
        return;
    }
    prepare_process();
    let threads = set_threads(None);
    let (a, b) = operands();
    let world = BufferWorld::default();
    let mut session =
        Session::new(Box::new(DiskLoader::new(std::path::Path::new("."))), Settings::default(), Output::buffer(&world));
    let text = "use std.random\naxis m = 2048, k = 2048, n = 2048\n\
                let a = random.normal[m, k](root, \"a\")\nlet b = random.normal[k, n](root, \"b\")";
    if session.enter("set-up", text).is_err() {
        println!("the program does not run");
        std::process::exit(1);
    }
    let (mut language, mut tiles, mut threaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        language.push(in_language(&mut session));
        tiles.push(in_rust(&a, &b));
        threaded.push(child(threads));
    }
    let (language, tiles, threaded) = (median(language), median(tiles), median(threaded));
    let best = tiles.min(threaded);
    println!("threads {threads}");
    println!("language / best of both        {:.3} of its speed", best / language);
    println!("own tiles / threaded OpenBLAS  {:.3} of its speed", threaded / tiles);
}

fn operands() -> (Tensor, Tensor) {
    let (m, k, n) = (Axis::named("", "m"), Axis::named("", "k"), Axis::named("", "n"));
    let make = |label: &str, axes: &[(Axis, usize)]| rng::normal(Key::from_seed(1).derive(label), axes).expect("fits");
    (make("a", &[(m, SIZE), (k, SIZE)]), make("b", &[(k, SIZE), (n, SIZE)]))
}

fn in_language(session: &mut Session) -> f64 {
    match session.enter("product", "let c = a @[k] b") {
        Ok(outcomes) => outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum(),
        Err(_) => f64::INFINITY,
    }
}

fn in_rust(a: &Tensor, b: &Tensor) -> f64 {
    let start = Instant::now();
    let product = contract::contract(a, b, &[Axis::named("", "k")]);
    let time = start.elapsed().as_secs_f64();
    if product.is_ok() { time } else { f64::INFINITY }
}

fn child(threads: usize) -> f64 {
    let Ok(program) = std::env::current_exe() else { return f64::INFINITY };
    let mut command = Command::new(program);
    command
        .env(CHILD, "1")
        .env("OPENBLAS_NUM_THREADS", threads.to_string())
        .env("OMP_NUM_THREADS", threads.to_string());
    let printed = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    printed.ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY)
}

/// The second of two products, so that the first wakes the threads.
fn openblas_threaded() -> f64 {
    let a = ndarray::Array2::<f32>::from_shape_fn((SIZE, SIZE), |(i, j)| ((i * 7 + j * 3) % 11) as f32 - 5.0);
    let b = ndarray::Array2::<f32>::from_shape_fn((SIZE, SIZE), |(i, j)| ((i * 5 + j * 13) % 7) as f32 - 3.0);
    let mut c = ndarray::Array2::<f32>::zeros((SIZE, SIZE));
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        let start = Instant::now();
        ndarray::linalg::general_mat_mul(1.0, &a, &b, 0.0, &mut c);
        best = start.elapsed().as_secs_f64();
    }
    if c.iter().all(|x| x.is_finite()) { best } else { f64::INFINITY }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
