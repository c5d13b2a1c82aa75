//! The library's models against references that other programs made: every site within 1e-4 on both engines.

mod common;

use common::{programs, run};
use locus::session::EngineKind;
use std::path::Path;

/// What keeps a program from holding on that engine.
fn fault(path: &Path, engine: EngineKind) -> Option<String> {
    let ran = run(path, engine, &[]);
    let shown = format!("{} ({})", path.display(), engine.name());
    match (&ran.fault, ran.tally) {
        (Some(fault), _) => Some(format!("{shown}:\n{fault}")),
        (None, (_, 0)) => Some(format!("{shown} states no expectations")),
        (None, (held, judged)) if held < judged => Some(format!("{shown}: {}\n{}", ran.failures.join("; "), ran.text)),
        _ => None,
    }
}

fn all_hold(engine: EngineKind) {
    let faults: Vec<String> = programs("tests/reference").iter().filter_map(|path| fault(path, engine)).collect();
    assert!(faults.is_empty(), "{} programs failed:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_model_agrees_in_machine_code() {
    all_hold(EngineKind::Jit);
}

#[test]
fn every_model_agrees_on_the_oracle() {
    all_hold(EngineKind::Interp);
}
