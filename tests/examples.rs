//! The programs that people are shown, and the worlds with known answers: every expectation holds, and the bits
//! depend on nothing but the program.

mod common;

use common::differences::on_a_large_stack;
use common::{Ran, hash, programs, run};
use locus::session::EngineKind;
use std::path::{Path, PathBuf};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// What keeps a program from being verified.
fn fault(path: &Path, ran: &Ran) -> Option<String> {
    let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match (&ran.fault, ran.tally) {
        (Some(fault), _) => Some(format!("{shown}:\n{fault}")),
        (None, (_, 0)) => Some(format!("{shown} states no expectations")),
        (None, (held, judged)) if held < judged => Some(format!("{shown}: {}", ran.failures.join("; "))),
        _ => None,
    }
}

fn verified(paths: Vec<PathBuf>) {
    let work =
        move || paths.iter().filter_map(|path| fault(path, &run(path, EngineKind::Jit, &[]))).collect::<Vec<_>>();
    let faults = on_a_large_stack(work);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_short_examples_hold() {
    verified(vec![example("first_steps.exp"), example("reference.exp")]);
}

#[test]
fn the_examples_about_dictionaries_hold() {
    verified(vec![example("own_dictionary.exp"), example("dictionary_in_model.exp"), example("head_dictionaries.exp")]);
}

#[test]
fn the_examples_about_position_hold() {
    verified(vec![example("four_schemes.exp"), example("layer0_exact.exp"), example("removing_position.exp")]);
}

/// With `LOCUS_FULL=1` also those that `make long` verifies.
#[test]
fn the_examples_about_pairs_hold() {
    let mut shown =
        vec![example("rotary_exact.exp"), example("qk_dictionary.exp"), example("relative_qk_dictionary.exp")];
    if std::env::var_os("LOCUS_FULL").is_some() {
        let long =
            ["offset_pair_kq.exp", "offset_pairs.exp", "offset_tokens.exp", "qk_pair_mask.exp", "relative_table.exp"];
        shown.extend(long.map(example));
    }
    verified(shown);
}

/// With `LOCUS_FULL=1` also the table of every kind of dictionary, two minutes.
#[test]
fn the_worlds_hold() {
    let mut worlds = programs("tests/worlds");
    worlds.retain(|path| std::env::var_os("LOCUS_FULL").is_some() || !path.ends_with("w4_kinds.exp"));
    verified(worlds);
}

/// So small that a run takes seconds; what it finds means nothing, and no expectation is asked about.
const REDUCED: &[(&str, &str)] = &[
    ("steps", "4"),
    ("windows", "24"),
    ("size_of_batch", "256"),
    ("feature", "64"),
    ("k", "4"),
    ("listed", "2"),
    ("told", "6"),
    ("choices", "2"),
    ("of_guard", "3"),
    ("of_scores", "8"),
];

/// What of the program takes time and cannot be set: the held-out text, and the start of the decoder's bias.
const SHORTENED: &[(&str, &str)] =
    &[("int(s) % 256 == 0", "int(s) % 4_096 == 0"), ("sample -> first: 0..4_096", "sample -> first: 0..1_024")];

/// The demonstration on less text, in a folder of its own.
fn write_reduced(folder: &Path) -> PathBuf {
    let mut text = std::fs::read_to_string(example("positional_variance.exp")).unwrap();
    for (from, to) in SHORTENED {
        assert_eq!(text.matches(from).count(), 1, "`{from}` is not once in the demonstration");
        text = text.replace(from, to);
    }
    let path = folder.join("reduced.exp");
    for place in ["data", "models"] {
        text = text.replace(&format!("file(\"{place}/"), &format!("file(\"{}/", example(place).display()));
    }
    std::fs::write(&path, text).unwrap();
    path
}

fn reduced(path: &Path, engine: EngineKind, threads: Option<usize>) -> String {
    hash(&run_reduced(path, engine, threads))
}

fn run_reduced(path: &Path, engine: EngineKind, threads: Option<usize>) -> Ran {
    let path = path.to_path_buf();
    let work = move || run(&path, engine, REDUCED);
    let ran = match threads {
        None => on_a_large_stack(work),
        Some(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(256 << 20).build().unwrap();
            pool.install(work)
        }
    };
    assert_eq!(ran.fault.as_deref().unwrap_or(""), "");
    assert!(ran.text.contains("layer 3: FVU") && ran.tally.1 >= 10, "{}", ran.text);
    ran
}

#[test]
fn the_passes_change_nothing_of_the_demonstration_beyond_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_reduced(folder.path());
    let after = run_reduced(&path, EngineKind::Jit, None);
    let before = run_reduced(&path, EngineKind::InterpUnoptimised, None);
    assert_eq!(common::difference(&after, &before), None, "a value differs");
}

#[test]
fn the_demonstration_has_the_same_bits_whatever_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_reduced(folder.path());
    let wanted = reduced(&path, EngineKind::Jit, None);
    assert_eq!(reduced(&path, EngineKind::Jit, None), wanted, "a second run");
    assert_eq!(reduced(&path, EngineKind::Interp, None), wanted, "the oracle");
    for threads in [1, 2, 3] {
        assert_eq!(reduced(&path, EngineKind::Jit, Some(threads)), wanted, "{threads} threads");
    }
}
