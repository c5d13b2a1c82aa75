//! Elementwise chains in the language against the same chains fused by hand in Rust, and the optimiser's sweeps
//! against the product whose step they belong to.
//!
//! Run with `cargo bench --bench elementwise`. Both sides use the same threads and the widest vectors of the machine,
//! and take turns; ratios of the least of their times are printed, because other work on the machine only adds. The
//! hand-written side must never call the runtime.

use locus::rt::kernels::{prepare_process, set_threads};
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings};
use rayon::prelude::*;
use std::time::Instant;

const RUNS: usize = 15;
/// How often each side goes over the arrays: often over small ones, so that the clock is fine enough; over large
/// ones, because the memory of the first result is fresh from the system and the others take it over.
const REPEATS: usize = 400;
const LARGE_REPEATS: usize = 6;
const LARGE: usize = 1 << 24;
const SMALL: usize = 1 << 16;

fn main() {
    prepare_process();
    println!("threads {}", set_threads(None));
    let clamp = "maximum(0.0, a * s + b) * g";
    let exp = "exp(a - s) * g";
    println!("clamp, 16 Mi   {:.3} (goal 1.1)", ratio(LARGE, LARGE_REPEATS, clamp, clamp_large));
    println!("clamp, 64 Ki   {:.3} (goal 1.8)", ratio(SMALL, REPEATS, clamp, clamp_small));
    println!("exp, 16 Mi     {:.3} (goal 1.3)", ratio(LARGE, LARGE_REPEATS, exp, exp_large));
    optimiser();
}

/// Projection, clip, Adam and rows of length 1 for a dictionary of d 768 and F 12288, and the encoder's product of a
/// batch of 4096.
fn optimiser() {
    let world = BufferWorld::default();
    let loader = Box::new(DiskLoader::new(std::path::Path::new(".")));
    let mut session = Session::new(loader, Settings::default(), Output::buffer(&world));
    let text = "use std.random\nuse std.sae\nuse std.optim\naxis d = 768, f = 12288, b = 4096\n\
                let w = random.normal[f, d](root, \"w\")\nlet v = random.normal[f, d](root, \"v\")\n\
                let x = random.normal[b, d](root, \"x\")\n\
                let p = sae.init[d, f](root)\nlet o = optim.adam(lr: 1e-3, clip: 1.0)";
    if session.enter("set-up", text).is_err() {
        println!("the program does not run");
        std::process::exit(1);
    }
    let steps = |count: usize| {
        format!(
            "let y = {{\n  let mut q = p\n  let mut state = o.init(p)\n  for i in 0..{count} {{\n    \
             let g = {{ W_enc: w, b_enc: p.b_enc, W_dec: v, b_dec: p.b_dec }}\n    \
             let moved = o.step(q, sae.project(q, g), state, i, 100)\n    q = sae.unit_decoder(moved.p)\n    \
             state = moved.state\n  }}\n  q.b_enc\n}}"
        )
    };
    let (mut few, mut many, mut product) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..5 {
        few = few.min(in_language(&mut session, &steps(2)));
        many = many.min(in_language(&mut session, &steps(8)));
        product = product.min(in_language(&mut session, "let z = x @[d] w"));
    }
    let step = (many - few) / 6.0;
    println!("               {:.1} ms against {:.1} ms", step * 1e3, product * 1e3);
    println!("optimiser      {:.3} of the encoder's product (goal 0.1)", step / product);
}

/// The three operands.
struct Arrays {
    a: Vec<f32>,
    b: Vec<f32>,
    g: Vec<f32>,
    out: Vec<f32>,
}

fn ratio(count: usize, repeats: usize, formula: &str, by_hand: fn(f32, &mut Arrays)) -> f64 {
    let world = BufferWorld::default();
    let loader = Box::new(DiskLoader::new(std::path::Path::new(".")));
    let mut session = Session::new(loader, Settings::default(), Output::buffer(&world));
    let names = "let a = random.normal[n](root, \"a\")\nlet b = random.normal[n](root, \"b\")\n\
                 let g = random.normal[n](root, \"g\")\nlet s: f32 = 1.25\n";
    let text = format!("use std.random\naxis n = {count}\n{names}");
    if session.enter("set-up", &text).is_err() {
        println!("the program does not run");
        std::process::exit(1);
    }
    let wave = |step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect();
    let mut arrays = Arrays { a: wave(0.1), b: wave(0.3), g: wave(0.7), out: vec![0.0; count] };
    // What a round yields feeds the next, so that nothing can be left out or moved before the loop.
    let program = format!("let y = {{\n  let mut a = a\n  for i in 0..{repeats} {{\n    a = {formula}\n  }}\n  a\n}}");
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        ours = ours.min(in_language(&mut session, &program));
        let start = Instant::now();
        (0..repeats).for_each(|_| by_hand(std::hint::black_box(1.25), &mut arrays));
        theirs = theirs.min(start.elapsed().as_secs_f64());
        std::hint::black_box(&arrays.out);
    }
    println!("               {:.3} ms against {:.3} ms", ours * 1e3 / repeats as f64, theirs * 1e3 / repeats as f64);
    ours / theirs
}

fn in_language(session: &mut Session, program: &str) -> f64 {
    match session.enter("chain", program) {
        Ok(outcomes) => outcomes.iter().map(|outcome| outcome.time.as_secs_f64()).sum(),
        Err(_) => f64::INFINITY,
    }
}

/// Compiles a loop for the widest vectors that the machine has.
macro_rules! widest {
    ($name:ident, |$a:ident, $b:ident, $g:ident, $s:ident| $body:expr) => {
        fn $name(s: f32, a: &[f32], b: &[f32], g: &[f32], out: &mut [f32]) {
            #[inline(always)]
            fn plain($s: f32, a: &[f32], b: &[f32], g: &[f32], out: &mut [f32]) {
                for (((out, &$a), &$b), &$g) in out.iter_mut().zip(a).zip(b).zip(g) {
                    *out = $body;
                }
            }
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2(s: f32, a: &[f32], b: &[f32], g: &[f32], out: &mut [f32]) {
                    plain(s, a, b, g, out)
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")]
                fn avx512(s: f32, a: &[f32], b: &[f32], g: &[f32], out: &mut [f32]) {
                    plain(s, a, b, g, out)
                }
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                    // SAFETY: the processor was just found to have the features.
                    return unsafe { avx512(s, a, b, g, out) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    return unsafe { avx2(s, a, b, g, out) };
                }
            }
            plain(s, a, b, g, out)
        }
    };
}
widest!(clamp, |a, b, g, s| (a * s + b).max(0.0) * g);
widest!(grow, |a, _b, g, s| exponential(a - s) * g);

/// The exponential as one writes it for f32 vectors: 2^k times a polynomial of degree 6.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let k = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = x - k * 0.693_359_4 + k * 2.121_944_4e-4;
    let p =
        1.0 + r * (1.0 + r * (0.5 + r * (0.166_666_67 + r * (0.041_666_67 + r * (8.333_334e-3 + r * 1.388_889e-3)))));
    p * f32::from_bits(((k as i32 + 127) << 23) as u32)
}

type Chain = fn(f32, &[f32], &[f32], &[f32], &mut [f32]);

fn spread(s: f32, arrays: &mut Arrays, chain: Chain) {
    let Arrays { a, b, g, out } = &mut *arrays;
    const PART: usize = 1 << 16;
    let parts = out.par_chunks_mut(PART).zip(a.par_chunks(PART)).zip(b.par_chunks(PART)).zip(g.par_chunks(PART));
    parts.for_each(|(((out, a), b), g)| chain(s, a, b, g, out));
    std::mem::swap(&mut arrays.a, &mut arrays.out);
}

fn clamp_large(s: f32, arrays: &mut Arrays) {
    spread(s, arrays, clamp);
}

fn clamp_small(s: f32, arrays: &mut Arrays) {
    clamp(s, &arrays.a, &arrays.b, &arrays.g, &mut arrays.out);
    std::mem::swap(&mut arrays.a, &mut arrays.out);
}

fn exp_large(s: f32, arrays: &mut Arrays) {
    spread(s, arrays, grow);
}
