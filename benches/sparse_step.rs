//! The parts of a training step of a TopK dictionary, against the encoder's product alone.
//!
//! Run with `cargo bench --bench sparse_step` on an idle machine. All parts are timed in turn in one process; printed
//! are ratios of minima to the product's, for two shapes and both layouts of the weights. Bare times are not printed.

use locus::base::axis::Axis;
use locus::base::kernel::{Kernel, Step};
use locus::base::ops::{DType, ScalarOp};
use locus::rt::kernels::{prepare_process, set_threads};
use locus::rt::rng::{self, Key};
use locus::rt::sparse::{decode::decode, gradient::by_feature, sampled::sampled, top};
use locus::rt::value::Value;
use locus::rt::{contract::contract, error::Result, tensor::Tensor};
use std::time::Instant;

struct Shape {
    batch: usize,
    width: usize,
    features: usize,
    k: i64,
    runs: usize,
}

const SHAPES: [Shape; 2] = [
    Shape { batch: 4096, width: 768, features: 12_288, k: 32, runs: 9 },
    Shape { batch: 4096, width: 128, features: 4096, k: 16, runs: 40 },
];

const PARTS: [&str; 6] =
    ["product alone", "product, selection", "decode", "gradient of code", "gradient of decoder", "gradient of encoder"];

struct Operands {
    x: Tensor,
    encoder: Tensor,
    decoder: Tensor,
    bias: Tensor,
}

fn main() {
    prepare_process();
    println!("threads {}", set_threads(None));
    for shape in &SHAPES {
        for turned in [false, true] {
            match measure(shape, turned) {
                Ok(times) => report(shape, turned, times),
                Err(fault) => println!("{fault}"),
            }
        }
    }
}

fn axes() -> [Axis; 3] {
    ["batch", "d", "feature"].map(|name| Axis::named("", name))
}

/// `turned`: the encoder lies feature by feature, the decoder the other way.
fn operands(shape: &Shape, turned: bool) -> Result<Operands> {
    let [b, d, f] = axes();
    let make = |label: &str, axes: &[(Axis, usize)]| rng::normal(Key::from_seed(1).derive(label), axes);
    let (b, d, f) = ((b, shape.batch), (d, shape.width), (f, shape.features));
    let (by_d, by_f) = ([d, f], [f, d]);
    let (encoder, decoder) = if turned { (by_f, by_d) } else { (by_d, by_f) };
    Ok(Operands {
        x: make("x", &[b, d])?,
        encoder: make("encoder", &encoder)?,
        decoder: make("decoder", &decoder)?,
        bias: make("bias", &[f])?,
    })
}

fn measure(shape: &Shape, turned: bool) -> Result<[f64; 6]> {
    let [b, d, f] = axes();
    let Operands { x, encoder, decoder, bias } = operands(shape, turned)?;
    let steps = vec![Step { op: ScalarOp::Add, args: vec![0, 1], result: DType::F32 }];
    let kernel = Kernel { inputs: vec![DType::F32; 2], scalar: vec![false; 2], steps, outputs: vec![2] };
    let mut best = [f64::INFINITY; 6];
    for _ in 0..shape.runs {
        let mut start = Instant::now();
        let mut part = 0;
        let mut lap = || {
            best[part] = best[part].min(start.elapsed().as_secs_f64());
            part += 1;
            start = Instant::now();
        };
        drop(contract(&x, &encoder, &[d])?);
        lap();
        let finish = top::Finish { kernel: &kernel, code: None, others: vec![Value::Tensor(bias.clone())] };
        let code = top::top_product(&x, &encoder, &[d], Some(finish), f, shape.k)?;
        lap();
        let back = decode(&code, &decoder, &[f])?;
        lap();
        let slope = sampled(&back, &decoder, &[d], &code)?;
        lap();
        let of_decoder = by_feature(&code, &back, &[b])?;
        lap();
        let of_encoder = by_feature(&slope, &x, &[b])?;
        lap();
        drop((of_decoder, of_encoder));
    }
    Ok(best)
}

fn report(shape: &Shape, turned: bool, times: [f64; 6]) {
    let Shape { batch, width, features, k, .. } = shape;
    let layout = if turned { "weights turned" } else { "weights as made" };
    println!("\nx[{batch}, {width}], {features} features, k = {k}, {layout}");
    for (name, time) in PARTS.iter().zip(times).skip(1) {
        println!("  {name:<22}{:.3}", time / times[0]);
    }
    println!("  {:<22}{:.3}", "all", times[1..].iter().sum::<f64>() / times[0]);
    // 2 m n k operations; a hint whether the product itself was disturbed.
    let work = 2.0 * (batch * width) as f64 * *features as f64;
    println!("  product alone: {:.0} thousand million operations a second", work / times[0] / 1e9);
}
