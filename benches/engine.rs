//! The table of the engine: what `make bench` prints, and writes into `docs/performance.md` and `target/bench.json`.
//!
//! Run with `cargo bench --bench engine` on an idle machine; `LOCUS_BENCH_RUNS` says how often each side is measured,
//! `LOCUS_BENCH_ONLY` names parts (comma between), `LOCUS_PEER_PYTHON` a Python that has JAX, `LOCUS_BENCH_FULL` adds
//! what takes half an hour. Each part is independent: one that cannot run says why in the table, and the others go on.

#[path = "common/command.rs"]
mod command;
mod common;
#[path = "common/table.rs"]
mod table;

use common::{Product, Products, Steps, Turns, enter, least, median, runs, session};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use table::Table;

type Found = Result<(f64, Option<f64>), String>;

fn main() {
    if common::served_as_child() {
        return;
    }
    locus::rt::kernels::prepare_process();
    println!("threads {}, {} runs", locus::rt::kernels::set_threads(None), runs());
    let only = std::env::var("LOCUS_BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| part.trim() == name);
    let mut table = Table::default();
    let parts: [(&str, fn(&mut Table)); 10] = [
        ("topk", topk),
        ("memory", topk_memory),
        ("forward", forward),
        ("train", train),
        ("schemes", schemes),
        ("elementwise", elementwise),
        ("stream", command::streamed),
        ("replot", command::replot),
        ("hashes", command::hashes),
        ("kill", command::killed),
    ];
    for (name, part) in parts {
        if wanted(name) {
            part(&mut table);
        }
    }
    finish(&table, only.is_empty());
}

/// Writes what was found; the page only after a whole run, so that a part never replaces the whole.
fn finish(table: &Table, whole: bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    // The file is promised under `target`, wherever cargo builds.
    for folder in [target, root.join("target")] {
        let written =
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join("bench.json"), table.json()));
        if let Err(error) = written {
            println!("bench.json was not written: {error}");
        }
    }
    if whole && let Err(why) = table.write_into(&root.join("docs/performance.md"), runs()) {
        println!("docs/performance.md was not changed: {why}");
    }
}

const BATCH: usize = 4096;
const LARGE: (usize, usize, usize) = (768, 12288, 32);
const SMALL: (usize, usize, usize) = (128, 4096, 16);

/// The sizes of the dictionary as overrides of `topk_step.exp`.
fn sizes((d, f, k): (usize, usize, usize), steps: usize) -> Vec<(&'static str, String)> {
    let sizes = [("dmodel", d), ("feature", f), ("k", k), ("steps", steps)];
    sizes.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

fn topk(table: &mut Table) {
    for (shape, name, goal) in
        [(LARGE, "TopK step, d 768, F 12288, k 32", 1.4), (SMALL, "TopK step, d 128, F 4096, k 16", 1.8)]
    {
        table.add(&format!("{name}: x encoder product"), goal, topk_step(shape));
    }
}

/// One step of the fit against the encoder's product, taken between the steps.
fn topk_step((d, f, k): (usize, usize, usize)) -> Found {
    let encoder = Products::new(&[Product { m: BATCH, k: d, n: f, count: 1 }]);
    let turns =
        stepped(encoder, |steps| session("topk_step.exp", &sizes((d, f, k), runs() + 1), Box::new(steps)).map(|_| ()))?;
    Ok((turns.ratio(), Some(turns.least())))
}

/// Runs something that reports its steps, with a sample of the products between each two.
fn stepped(products: Products, work: impl FnOnce(Steps) -> Result<(), String>) -> Result<Turns, String> {
    let products = Arc::new(Mutex::new(products));
    let shared = products.clone();
    let steps = Steps::with(move || {
        if let Ok(mut products) = shared.lock() {
            products.sample();
        }
    });
    work(steps.clone())?;
    let ours = steps.times();
    if ours.is_empty() {
        return Err("no step was reported".to_string());
    }
    let baseline = products.lock().map(|products| products.best()).unwrap_or_default();
    Ok(Turns { ours, baseline })
}

/// Peak memory of the first of the steps beyond what it must hold, and the largest array that it asked for.
fn topk_memory(table: &mut Table) {
    let (d, f, _) = LARGE;
    let held = 4 * (3 * (2 * d * f + f + d) + 2 * BATCH * d);
    let (peak, buffers) = match command::profiled("topk_step.exp", &sizes(LARGE, 3)) {
        Ok(profile) => {
            let peak = profile["peak_bytes"].as_f64().unwrap_or(f64::NAN);
            let lines = profile["lines"].as_array().cloned().unwrap_or_default();
            let whole = (BATCH * f * 4) as f64;
            let large = lines.iter().filter(|line| line["largest_bytes"].as_f64().unwrap_or(0.0) >= whole).count();
            (Ok(((peak - held as f64) / 1e6, None)), Ok((large as f64, None)))
        }
        Err(why) => (Err(why.clone()), Err(why)),
    };
    table.add("TopK step, d 768: MB beyond parameters, moments and batch", 150.0, peak);
    table.add("TopK step, d 768: lines that allocate batch x F elements", 0.0, buffers);
}

/// A model of the shape of GPT-2 small, to the input of layer 6, against the products that it must do.
fn forward(table: &mut Table) {
    table.add("forward pass to layer 6: x its products", 1.15, forward_pass());
}

fn forward_pass() -> Found {
    let (rows, d) = (16 * 128, 768);
    let shape = |k, n| Product { m: rows, k, n, count: 6 };
    let mut products = Products::new(&[shape(d, 3 * d), shape(d, d), shape(d, 4 * d), shape(4 * d, d)]);
    let mut session = session("forward.exp", &[], Box::new(Steps::default()))?;
    let text = "let x = (capture gpt(tokens, ids) { x = resid_pre[layer: 6] }).x";
    enter(&mut session, text)?;
    let mut ours = Vec::new();
    for _ in 0..runs() {
        ours.push(enter(&mut session, text)?);
        products.sample();
    }
    let turns = Turns { ours, baseline: products.best() };
    Ok((turns.ratio(), Some(turns.least())))
}

/// The loop that a person would write around the step of `train_step.exp`, with a report at each.
const LOOP: &str = "use std.raw\nfn many(n: int) {\n  let mut p = first.p\n  let mut s = first.state\n  \
                    for i in 0..n {\n    let f = step(p, s, i + 1)\n    p = f.p\n    s = f.state\n    \
                    raw.report(\"step\", i + 1, n, \"loss\", f.loss)\n  }\n  p.pos_emb\n}\n";

fn train(table: &mut Table) {
    let (rows, d) = (32 * 128, 128);
    let layer = |k, n| Product { m: rows, k, n, count: 4 };
    let forward = [layer(d, 3 * d), layer(d, d), layer(d, 4 * d), layer(4 * d, d)];
    let unembedding = Product { m: rows, k: d, n: 2048, count: 1 };
    let products = Products::new(&[forward[0], forward[1], forward[2], forward[3], unembedding]);
    let before = jax();
    let turns = stepped(products, |steps| {
        let mut session = session("train_step.exp", &[], Box::new(steps))?;
        enter(&mut session, &format!("{LOOP}let after = many({})", runs() + 1)).map(|_| ())
    });
    let after = before.clone().and_then(|_| jax());
    let ratio = turns.as_ref().map(|turns| (turns.ratio() / 3.0, Some(turns.least() / 3.0))).map_err(String::clone);
    table.add("training step, 4 layers, d 128: x 3 x its forward products", 1.8, ratio);
    let peer = turns.and_then(|turns| {
        let (a, b) = (before?, after?);
        let (ours, fastest) = (median(&turns.ours), least(&turns.ours));
        Ok((ours / a.0.min(b.0), Some(fastest / a.1.min(b.1))))
    });
    table.add("training step, 4 layers, d 128: x the same in JAX", 1.0, peer);
}

/// The steps of `examples/train_gpt.exp` at context 256, by positional scheme, against the same in JAX.
fn schemes(table: &mut Table) {
    for scheme in ["learned", "sinusoidal", "rotary", "shortformer", "learned_offset"] {
        table.add(&format!("training step, context 256, {scheme}: x the same in JAX"), 1.0, scheme_step(scheme));
    }
}

fn scheme_step(scheme: &str) -> Found {
    let tokens = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sotu.tokens.npy");
    let (tokens, steps) = (tokens.display().to_string(), (runs() + 2).to_string());
    let peer = || peer("train_gpt_jax.py", &[scheme, "-", &tokens, "--steps", &steps, "--skip-judging", "--json"]);
    let before = peer()?;
    let timed = Steps::default();
    let overrides = [("scheme", scheme.to_string()), ("steps", steps.clone()), ("judge_every", "16".to_string())];
    session("../../examples/train_gpt.exp", &overrides, Box::new(timed.clone()))?;
    let after = peer()?;
    let ours = timed.times();
    Ok((median(&ours) / before.0.min(after.0), Some(least(&ours) / before.1.min(after.1))))
}

/// Median and least seconds of the step of `train_step.exp` in JAX, where it is installed.
fn jax() -> Result<(f64, f64), String> {
    peer("train_step_jax.py", &[&runs().to_string(), "--json"])
}

/// Median and least seconds of a step, as a script of `benches/peers` tells them.
fn peer(script: &str, args: &[&str]) -> Result<(f64, f64), String> {
    let python = std::env::var("LOCUS_PEER_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(script);
    let output = Command::new(&python).arg(script).args(args).output();
    let output = output.map_err(|error| format!("{python}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).to_string();
    let found: serde_json::Value = serde_json::from_str(text.trim()).map_err(|_| format!("{python} has no JAX"))?;
    match (found["step"].as_f64(), found["step_min"].as_f64()) {
        (Some(step), Some(best)) => Ok((step, best)),
        _ => Err("the peer told no times".to_string()),
    }
}

/// The figures that another program of this folder prints as `NAME  VALUE (goal G)`.
fn elementwise(table: &mut Table) {
    let lines = printed_by("elementwise");
    let named = [("clamp, 16 Mi", 1.1), ("clamp, 64 Ki", 1.8), ("exp, 16 Mi", 1.3)];
    for (name, goal) in named {
        let found = lines.clone().and_then(|lines| {
            let line = lines.lines().find_map(|line| line.strip_prefix(name).map(str::to_string));
            let word = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
            word.map(|value| (value, None)).ok_or_else(|| format!("the program does not print `{name}`"))
        });
        table.add(&format!("{name}: x hand-fused Rust"), goal, found);
    }
}

fn printed_by(name: &str) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(format!("benches/{name}.rs")).exists() {
        return Err(format!("there is no benches/{name}.rs"));
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let output = Command::new(cargo).args(["bench", "--quiet", "--bench", name]).current_dir(root).output();
    let output = output.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).to_string())
}
