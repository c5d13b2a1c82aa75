//! A forward pass and a training step written in the language, against their matrix products alone.
//!
//! Run with `cargo bench --bench model` on an idle machine. The products are the better of OpenBLAS on all cores, in
//! a process of its own, and our own tiles from Rust. Ratios of minima over runs taken in turn; bare times are not
//! printed. The training step counts its forward products three times, with the unembedding as one of them.

use locus::base::axis::Axis;
use locus::rt::kernels::{prepare_process, set_threads};
use locus::rt::rng::{self, Key};
use locus::rt::{contract, tensor::Tensor};
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings};
use std::process::Command;
use std::time::Instant;

const RUNS: usize = 7;
/// Set for the process that times OpenBLAS with threads of its own: which figure.
const CHILD: &str = "LOCUS_BENCH_CHILD";

/// Products as rows, summed positions, columns; each with how often it is made.
type Products = Vec<(usize, [usize; 3])>;

struct Figure {
    name: &'static str,
    program: &'static str,
    /// What is timed; `{}` is the number of the run.
    step: &'static str,
    goal: f64,
    /// How often the products count.
    times: f64,
}

const FIGURES: [Figure; 2] = [
    Figure {
        name: "forward pass to the input of layer 6 / its products",
        program: include_str!("programs/forward.exp"),
        step: "capture gpt(tokens, ids) { x = resid_pre[layer: 6] }",
        goal: 1.15,
        times: 1.0,
    },
    Figure {
        name: "training step / three times its forward products",
        program: include_str!("programs/train_step.exp"),
        step: "let next = step(first.p, first.state, 1)",
        goal: 1.8,
        times: 3.0,
    },
];

fn products(figure: usize) -> Products {
    let layers = |count: usize, rows: usize, d: usize| {
        vec![(count, [rows, d, 3 * d]), (count, [rows, d, d]), (count, [rows, d, 4 * d]), (count, [rows, 4 * d, d])]
    };
    match figure {
        0 => layers(6, 16 * 128, 768),
        _ => layers(4, 32 * 128, 128).into_iter().chain([(1, [32 * 128, 128, 2048])]).collect(),
    }
}

fn main() {
    if let Some(figure) = std::env::var(CHILD).ok().and_then(|text| text.parse().ok()) {
        println!("{}", openblas_threaded(&products(figure)));
        return;
    }
    prepare_process();
    let threads = set_threads(None);
    println!("threads {threads}");
    let chosen = std::env::args().nth(1).and_then(|text| text.parse::<usize>().ok());
    for number in (0..FIGURES.len()).filter(|number| chosen.is_none_or(|chosen| chosen == *number)) {
        measure(number, threads);
    }
}

fn measure(number: usize, threads: usize) {
    let figure = &FIGURES[number];
    let world = BufferWorld::default();
    let loader = DiskLoader::new(std::path::Path::new("."));
    let mut session = Session::new(Box::new(loader), Settings::default(), Output::buffer(&world));
    if session.enter("set-up", figure.program).is_err() {
        println!("the program of `{}` does not run", figure.name);
        std::process::exit(1);
    }
    let operands: Vec<(usize, Tensor, Tensor)> = products(number).into_iter().map(operands).collect();
    let (mut language, mut tiles, mut threaded) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        language = language.min(in_language(&mut session, figure.step));
        tiles = tiles.min(in_rust(&operands));
        threaded = threaded.min(child(number, threads));
    }
    let best = tiles.min(threaded) * figure.times;
    println!("{:52} {:.3}, goal {}", figure.name, language / best, figure.goal);
    println!("{:52} {:.3}", "  threaded OpenBLAS / own tiles", threaded / tiles);
}

fn operands((count, [rows, inner, columns]): (usize, [usize; 3])) -> (usize, Tensor, Tensor) {
    let (m, k, n) = (Axis::named("", "m"), Axis::named("", "k"), Axis::named("", "n"));
    let make = |label: &str, axes: &[(Axis, usize)]| rng::normal(Key::from_seed(1).derive(label), axes).expect("fits");
    (count, make("a", &[(m, rows), (k, inner)]), make("b", &[(k, inner), (n, columns)]))
}

fn in_language(session: &mut Session, step: &str) -> f64 {
    match session.enter("step", step) {
        Ok(outcomes) => outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum(),
        Err(_) => f64::INFINITY,
    }
}

fn in_rust(operands: &[(usize, Tensor, Tensor)]) -> f64 {
    let start = Instant::now();
    for (count, a, b) in operands {
        for _ in 0..*count {
            if contract::contract(a, b, &[Axis::named("", "k")]).is_err() {
                return f64::INFINITY;
            }
        }
    }
    start.elapsed().as_secs_f64()
}

fn child(figure: usize, threads: usize) -> f64 {
    let Ok(program) = std::env::current_exe() else { return f64::INFINITY };
    let mut command = Command::new(program);
    command
        .env(CHILD, figure.to_string())
        .env("OPENBLAS_NUM_THREADS", threads.to_string())
        .env("OMP_NUM_THREADS", threads.to_string());
    let printed = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    printed.ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY)
}

/// The second of two rounds, so that the first wakes the threads.
fn openblas_threaded(products: &Products) -> f64 {
    let matrix = |rows: usize, columns: usize| {
        ndarray::Array2::<f32>::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3) % 11) as f32 - 5.0)
    };
    let make = |&(count, [m, k, n]): &(usize, [usize; 3])| (count, matrix(m, k), matrix(k, n), matrix(m, n));
    let mut work: Vec<_> = products.iter().map(make).collect();
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        let start = Instant::now();
        for (count, a, b, c) in &mut work {
            for _ in 0..*count {
                ndarray::linalg::general_mat_mul(1.0, a, b, 0.0, c);
            }
        }
        best = start.elapsed().as_secs_f64();
    }
    best
}
