//! The losses that people train, against differences: a TopK dictionary with AuxK, and a GPT.
//!
//! The library states them in 32 bits, where differences are worth little. So its own text, with `f64` for `f32`,
//! is a second module: its gradient must agree with differences by every parameter (1e-6 of the larger of 1 and the
//! gradient), and the gradient in 32 bits with it.

mod common;

use common::differences::{global, on_a_large_stack, write_differences};
use common::run;
use locus::session::EngineKind;
use std::path::Path;

const TOLERANCE: f64 = 1e-6;

/// 32-bit numbers are exact to 6e-8. A gradient is a chain of some hundred operations; errors that add up like a
/// random walk stay below 64 units of the largest entry.
const NARROW_TOLERANCE: f64 = 64.0 * 5.96e-8;

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The text of a module in 64 bits, without the functions that read or draw 32-bit numbers.
fn widened(module: &str, without: &[&str]) -> String {
    let mut text = String::new();
    let mut skipping = false;
    for line in source(module).lines() {
        let name = line.trim_start_matches("pub ").strip_prefix("fn ").unwrap_or("");
        skipping |=
            without.iter().any(|dropped| name.strip_prefix(dropped).is_some_and(|rest| rest.starts_with(['(', '<'])));
        if !skipping && !line.starts_with("##") {
            text.push_str(&line.replace("f32", "f64"));
            text.push('\n');
        }
        // A function may stand on one line.
        skipping &= line != "}" && !(line.contains("fn ") && line.ends_with('}'));
    }
    text
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` is not once in the module");
    text.replace(from, to)
}

/// The parameters with their axes, in the order of the axes' names, as the numbers of a tensor are compared.
fn parameters(text: &str, names: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
    let split = |axes: &str| axes.split(", ").map(str::to_string).collect::<Vec<_>>();
    let found: Vec<_> = names.iter().map(|(name, axes)| (name.to_string(), split(axes))).collect();
    found.iter().for_each(|(name, _)| assert!(text.contains(&format!("let {name} = ")), "no parameter `{name}`"));
    found
}

/// Runs a program of `tests/gradients` with modules beside it, and compares `slopes`, `narrow` and differences.
fn compare(program: &str, modules: &[(&str, String)], names: &[(&str, &str)]) {
    compare_text(program, source(program), modules, names);
}

/// The same of a program that is not one of the files as it stands.
fn compare_text(program: &str, mut text: String, modules: &[(&str, String)], names: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in modules {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let parameters = parameters(&text, names);
    let fields: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    for (name, axes) in &parameters {
        write_differences(&mut text, &fields, name, axes);
        text.push_str(&format!("let n_{name} = 1.0 * narrow.{name}\n"));
    }
    let path = folder.path().join("program.exp");
    std::fs::write(&path, text).unwrap();
    let ran = on_a_large_stack(move || {
        let ran = run(&path, EngineKind::Jit, &[]);
        drop(folder);
        ran
    });
    assert_eq!(ran.fault.as_deref().unwrap_or(""), "");
    assert!(ran.failures.is_empty() && ran.tally.1 > 0, "{:?}", ran.failures);
    let largest = |numbers: &[f64]| numbers.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let (mut wide_off, mut narrow_off, mut scale) = (0.0f64, 0.0f64, 0.0f64);
    for name in fields {
        let wide = global(&ran, &format!("g_{name}"));
        let differences = global(&ran, &format!("d_{name}")).split_off(1);
        let narrow = global(&ran, &format!("n_{name}"));
        assert!(wide.len() == differences.len() && wide.len() == narrow.len(), "{name}");
        assert!(largest(&wide) > 1e-6 || name == "b_k", "no gradient reaches `{name}`: {wide:?}");
        for ((g, d), n) in wide.iter().zip(&differences).zip(&narrow) {
            let off = (g - d).abs() / g.abs().max(1.0);
            assert!(off <= TOLERANCE, "{name}: gradient {g}, difference {d}");
            (wide_off, narrow_off) = (wide_off.max(off), narrow_off.max((g - n).abs()));
        }
        scale = scale.max(largest(&wide));
    }
    println!("{program}: off by {wide_off:.1e} from differences, {:.1e} in 32 bits", narrow_off / scale);
    assert!(narrow_off <= NARROW_TOLERANCE * scale, "32 bits are off by {narrow_off:e} of {scale}");
}

#[test]
fn a_dictionary_with_dead_features() {
    let rest = [
        "init",
        "init_at",
        "project",
        "unit_decoder",
        "sums",
        "quality",
        "judge",
        "tile_sums",
        "evaluate",
        "evaluated",
        "sums_at",
        "sum_others",
        "by_position",
        "placed",
        "missed",
        "fvu",
        "ev_legacy",
        "explained",
        "l0",
        "density",
        "dead_share",
        "log_density",
        "recovered",
        "mmcs",
    ];
    let wide = widened("stdlib/sae.exp", &rest);
    let frozen = replaced(&wide, "let target = stop(x - rebuilt) + stop(p.b_dec)", "let target = held");
    let frozen = replaced(&frozen, "p: Sae[d, f], state: {", "p: Sae[d, f], held: f64[d, ..r], state: {");
    let names = [("W_enc", "d, f"), ("b_enc", "f"), ("W_dec", "d, f"), ("b_dec", "d")];
    compare("tests/gradients/auxk.exp", &[("wide.exp", wide), ("frozen.exp", frozen)], &names);
}

/// The parameters of a GPT with their axes.
const GPT: [(&str, &str); 20] = [
    ("emb", "dmodel, vocab"),
    ("pos_emb", "ctx, dmodel"),
    ("gain1", "dmodel, layer"),
    ("bias1", "dmodel, layer"),
    ("gain2", "dmodel, layer"),
    ("bias2", "dmodel, layer"),
    ("gain3", "dmodel"),
    ("bias3", "dmodel"),
    ("W_q", "dhead, dmodel, head, layer"),
    ("b_q", "dhead, head, layer"),
    ("W_k", "dhead, dmodel, head, layer"),
    ("b_k", "dhead, head, layer"),
    ("W_v", "dhead, dmodel, head, layer"),
    ("b_v", "dhead, head, layer"),
    ("W_o", "dhead, dmodel, head, layer"),
    ("b_o", "dmodel, layer"),
    ("W_in", "dmlp, dmodel, layer"),
    ("b_in", "dmlp, layer"),
    ("W_out", "dmlp, dmodel, layer"),
    ("b_out", "dmodel, layer"),
];

#[test]
fn a_small_gpt() {
    let wide =
        widened("stdlib/models/gpt2.exp", &["load", "load_with", "prefix", "matrices", "vectors", "read", "read_norm"]);
    compare("tests/gradients/gpt.exp", &[("wide.exp", wide)], &GPT);
}

/// The small GPT by its parameters, where position is not a row of a table that is added; that is `a_small_gpt`.
fn under_scheme(settings: &str, has_table: bool) {
    let files = ["init", "decayed", "save", "stored", "linear", "norm_of", "described", "load", "read", "stacked"];
    let wide = replaced(
        &widened("stdlib/models/small.exp", &files),
        "use std.positions\n",
        "use \"positions.exp\" as positions\n",
    );
    let positions = widened("stdlib/positions.exp", &["divided"]);
    let names: Vec<_> = GPT.into_iter().filter(|(name, _)| has_table || *name != "pos_emb").collect();
    let text = replaced(
        &source("tests/gradients/small.exp"),
        "small.settings(\"learned\")",
        &format!("small.settings({settings})"),
    );
    let text = if has_table {
        text
    } else {
        text.replace("pos_emb: pos_emb, ", "").replace("pos_emb: p.pos_emb", "pos_emb: 0.0")
    };
    compare_text(&format!("small GPT, {settings}"), text, &[("wide.exp", wide), ("positions.exp", positions)], &names);
}

#[test]
fn a_shortformer() {
    under_scheme("\"shortformer\"", true);
}

#[test]
fn a_rotary_gpt() {
    under_scheme("\"rotary\"", false);
    under_scheme("\"rotary\", layout: \"pairs\", turned: 2", false);
}

#[test]
fn a_sinusoidal_gpt() {
    under_scheme("\"sinusoidal\"", false);
}
