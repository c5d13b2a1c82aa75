//! Every program of `tests/run`, the short examples and the worlds on every engine and several thread counts.
//!
//! The printed text stands beside each program (`UPDATE=1` rewrites it from machine code's output). Machine code
//! and the oracle on the same IR must leave the same bits; the oracle on the IR before the passes must agree
//! within 1e-6.

mod common;

use common::{Ran, hash, programs, run};
use locus::session::EngineKind;
use std::path::{Path, PathBuf};

fn checked(path: &Path, engine: EngineKind) -> Result<Ran, String> {
    let ran = run(path, engine, &[]);
    match &ran.fault {
        Some(fault) => Err(format!("{} ({}):\n{fault}", path.display(), engine.name())),
        None if !ran.failures.is_empty() => Err(format!("{}: {}", path.display(), ran.failures.join("; "))),
        None => Ok(ran),
    }
}

/// The programs of `tests/run`, the short examples, and the worlds that take less than two seconds: `tests/examples.rs`
/// verifies the others once, `tests/training.rs` runs the training at a small size, and `smollm2.exp` reads a model that has
/// to be fetched.
fn all() -> Vec<PathBuf> {
    let long = [
        "positional_variance.exp",
        "train_gpt.exp",
        "smollm2.exp",
        "dictionary_in_model.exp",
        "head_dictionaries.exp",
        "layer0_exact.exp",
        "removing_position.exp",
        "four_schemes.exp",
        "rotary_exact.exp",
        "qk_dictionary.exp",
        "relative_qk_dictionary.exp",
        "offset_pair_kq.exp",
        "offset_pairs.exp",
        "offset_tokens.exp",
        "qk_pair_mask.exp",
        "relative_table.exp",
        "relative_limits.exp",
        "relative_low_rank.exp",
        "relative_tables.exp",
        "relative_alternate.exp",
        "offset_schemes.exp",
        "w5_relative.exp",
        "w6_halves.exp",
        "w7_pairs.exp",
        "pairs_limits.exp",
        "qk_identity.exp",
        "posdecomp_coverage.exp",
        "posdecomp_drawing.exp",
        "posdecomp_single.exp",
        "posdecomp_bits.exp",
        "posdecomp_firing.exp",
        "posdecomp_null.exp",
        "posdecomp_offenders.exp",
        "w2_sampled.exp",
        "own_dictionary.exp",
        "w4.exp",
        "w4_kinds.exp",
        "w7.exp",
        "w8.exp",
        "w8_bias.exp",
    ];
    let mut found: Vec<PathBuf> = ["tests/run", "examples", "tests/worlds"].into_iter().flat_map(programs).collect();
    found.retain(|path| !long.iter().any(|name| path.ends_with(name)));
    found
}

/// Collects what is wrong with each program, so that one run shows everything.
fn for_all(paths: Vec<PathBuf>, check: impl Fn(&Path) -> Result<(), String>) {
    let faults: Vec<String> = paths.iter().filter_map(|path| check(path).err()).collect();
    assert!(faults.is_empty(), "{} programs failed:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn each_prints_what_stands_beside_it() {
    for_all(programs("tests/run"), |path| {
        let ran = checked(path, EngineKind::Jit)?;
        let beside = path.with_extension("out");
        if std::env::var_os("UPDATE").is_some() {
            return std::fs::write(&beside, &ran.text).map_err(|fault| fault.to_string());
        }
        let wanted = std::fs::read_to_string(&beside).map_err(|fault| format!("{}: {fault}", beside.display()))?;
        if wanted == ran.text {
            return Ok(());
        }
        Err(format!("{}:\n--- expected\n{wanted}--- found\n{}", path.display(), ran.text))
    });
}

#[test]
fn machine_code_and_the_oracle_leave_the_same_bits() {
    for_all(all(), |path| {
        let (jit, oracle) = (checked(path, EngineKind::Jit)?, checked(path, EngineKind::Interp)?);
        if hash(&jit) == hash(&oracle) { Ok(()) } else { Err(format!("{}: the bits differ", path.display())) }
    });
}

#[test]
fn the_passes_change_nothing_beyond_rounding() {
    for_all(all(), |path| {
        let (after, before) = (checked(path, EngineKind::Interp)?, checked(path, EngineKind::InterpUnoptimised)?);
        if let Some(name) = common::difference(&after, &before) {
            return Err(format!("{}: `{name}` differs before and after the passes", path.display()));
        }
        Ok(())
    });
}

#[test]
fn the_bits_do_not_depend_on_runs_or_threads() {
    for_all(all(), |path| {
        let wanted = hash(&checked(path, EngineKind::Jit)?);
        for threads in [1, 2, 3] {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|fault| fault.to_string())?;
            let found = pool.install(|| checked(path, EngineKind::Jit))?;
            if hash(&found) != wanted {
                return Err(format!("{}: other bits at {threads} threads", path.display()));
            }
        }
        Ok(())
    });
}
