//! Why an expectation may have failed: what the recorded run had, and what this one has.
//!
//! Every condition that a number may depend on is named, also those that are as recorded: then it was none of them.

use super::machine::Machine;
use super::provenance::{Input, Judged, Record};

/// A key, and words about it: lines of a message.
pub type Lines = Vec<(&'static str, String)>;

/// The conditions of a run beside those of the recorded one.
pub fn conditions(now: &Record, recorded: Option<&Record>) -> Lines {
    let Some(then) = recorded else {
        return vec![("recorded", "no earlier run, so there is nothing to compare with".to_string())];
    };
    let mut lines = Lines::new();
    let mut same = true;
    let mut line = |key: &'static str, (as_recorded, words): (bool, String)| {
        same &= as_recorded;
        lines.push((key, words));
    };
    line("program", program(now, then));
    if !now.inputs.is_empty() || !then.inputs.is_empty() {
        line("inputs", inputs(&now.inputs, &then.inputs));
    }
    if !now.overrides.is_empty() || !then.overrides.is_empty() {
        line("set", pair(&overrides(then), &overrides(now)));
    }
    if now.program.seed.is_some() || then.program.seed.is_some() {
        line("seed", pair(&seed(then), &seed(now)));
    }
    if now.engine != then.engine {
        line("engine", pair(&then.engine, &now.engine));
    }
    line("machine", machine(&now.machine, &then.machine));
    if same {
        let words = if then.is_good() { "the recorded run held" } else { "the recorded run did not hold either" };
        lines.push(("note", format!("everything is as recorded, and {words}")));
    }
    lines
}

/// What the recorded run found where an expectation stands, if the programs can be compared line by line.
pub fn found_then<'a>(now: &Record, recorded: Option<&'a Record>, place: usize) -> Option<&'a Judged> {
    let then = recorded?;
    let (own, other) = (now.expectations.get(place)?, then.expectations.get(place)?);
    let same = now.expectations.len() == then.expectations.len() && subject(own) == subject(other);
    same.then_some(other)
}

/// `share` of `share = 0.13, expected 0.12 +- 0.02`.
fn subject(judged: &Judged) -> &str {
    judged.shown.split(" = ").next().unwrap_or("").split(" is at most ").next().unwrap_or("")
}

fn pair(then: &str, now: &str) -> (bool, String) {
    match then == now {
        true => (true, format!("{now}: as recorded")),
        false => (false, format!("recorded: {then}   now: {now}")),
    }
}

fn overrides(record: &Record) -> String {
    let all: Vec<String> = record.overrides.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    if all.is_empty() { "nothing".to_string() } else { all.join(", ") }
}

fn seed(record: &Record) -> String {
    record.program.seed.map_or("none".to_string(), |seed| seed.to_string())
}

/// The script, the texts that it imports, and the library.
fn program(now: &Record, then: &Record) -> (bool, String) {
    let mut changed = Vec::new();
    if now.program.sha256 != then.program.sha256 {
        changed.push("the program".to_string());
    }
    for module in &now.program.modules {
        match then.program.modules.iter().find(|other| other.name == module.name) {
            Some(other) if other.sha256 == module.sha256 => {}
            Some(_) => changed.push(format!("`{}`", module.name)),
            None => changed.push(format!("`{}` (new)", module.name)),
        }
    }
    let gone = then.program.modules.iter().filter(|old| !now.program.modules.iter().any(|new| new.name == old.name));
    changed.extend(gone.map(|module| format!("`{}` (gone)", module.name)));
    // Records of older versions do not name the library.
    if !then.program.library.is_empty() && now.program.library != then.program.library {
        changed.push("the standard library".to_string());
    }
    match changed.is_empty() {
        true => (true, "as recorded".to_string()),
        false => (false, format!("changed since the recorded run: {}", changed.join(", "))),
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

fn inputs(now: &[Input], then: &[Input]) -> (bool, String) {
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for input in now {
        let own = short(&input.sha256);
        match then.iter().find(|old| old.name == input.name) {
            Some(old) if old.sha256 == input.sha256 => same.push(format!("{} {own}", input.name)),
            Some(old) => other.push(format!("{} recorded: {}   now: {own}", input.name, short(&old.sha256))),
            None => other.push(format!("{} {own}: not in the recorded run", input.name)),
        }
    }
    let gone = then.iter().filter(|old| !now.iter().any(|new| new.name == old.name));
    other.extend(gone.map(|old| format!("{} {}: not in this run", old.name, short(&old.sha256))));
    let as_recorded = other.is_empty();
    if !same.is_empty() {
        let words = match same.len() {
            1 => "as recorded",
            2 => "both as recorded",
            _ => "all as recorded",
        };
        // With others before them they are the rest.
        other.push(format!("{}: {}", same.join(", "), if as_recorded { words } else { "as recorded" }));
    }
    (as_recorded, other.join("; "))
}

/// Kernel and threads always; version and processor where they differ.
fn machine(now: &Machine, then: &Machine) -> (bool, String) {
    let mut words = (Vec::new(), Vec::new());
    if now.locus != then.locus {
        words.0.push(format!("locus {}", then.locus));
        words.1.push(format!("locus {}", now.locus));
    }
    if now.processor != then.processor {
        words.0.push(then.processor.clone());
        words.1.push(now.processor.clone());
    }
    let openblas = |machine: &Machine| machine.openblas.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    if openblas(now) != openblas(then) {
        words.0.push(openblas(then));
        words.1.push(openblas(now));
    }
    words.0.push(then.shown());
    words.1.push(now.shown());
    let (then, now) = (words.0.join(", "), words.1.join(", "));
    pair(&then, &now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::provenance::{Module, Program, Run};

    fn record() -> Record {
        let input = |name: &str, hash: &str| Input { name: name.into(), sha256: hash.into(), ..Input::default() };
        Record {
            program: Program { sha256: "p".into(), seed: Some(4), ..Program::default() },
            machine: Machine { kernel: "SkylakeX".into(), threads: 1, locus: "0.1.0".into(), ..Machine::default() },
            inputs: vec![input("weights", "4f1c0d9e77"), input("heldout", "a90e77b288")],
            expectations: vec![Judged {
                held: true,
                shown: "share = 0.1184, expected 0.1184 +- 0.005".into(),
                ..Judged::default()
            }],
            run: Run { finished: true, ..Run::default() },
            ..Record::default()
        }
    }

    fn shown(now: &Record, then: &Record) -> Vec<String> {
        conditions(now, Some(then)).into_iter().map(|(key, words)| format!("{key}: {words}")).collect()
    }

    #[test]
    fn everything_is_as_recorded() {
        let expected = [
            "program: as recorded",
            "inputs: weights 4f1c0d9e, heldout a90e77b2: both as recorded",
            "seed: 4: as recorded",
            "machine: OpenBLAS SkylakeX, 1 thread: as recorded",
            "note: everything is as recorded, and the recorded run held",
        ];
        assert_eq!(shown(&record(), &record()), expected);
        assert_eq!(conditions(&record(), None).len(), 1);
    }

    #[test]
    fn whatever_differs_is_named() {
        let mut now = record();
        now.program.sha256 = "other".into();
        now.program.modules = vec![Module { name: "near.exp".into(), sha256: "m".into() }];
        now.inputs[0].sha256 = "ffffffff00".into();
        now.machine = Machine { kernel: "Haswell".into(), threads: 2, locus: "0.2.0".into(), ..now.machine };
        now.overrides = vec![("steps".into(), "20".into())];
        let expected = [
            "program: changed since the recorded run: the program, `near.exp` (new)",
            "inputs: weights recorded: 4f1c0d9e   now: ffffffff; heldout a90e77b2: as recorded",
            "set: recorded: nothing   now: steps = 20",
            "seed: 4: as recorded",
            "machine: recorded: locus 0.1.0, OpenBLAS SkylakeX, 1 thread   now: locus 0.2.0, OpenBLAS Haswell, 2 threads",
        ];
        assert_eq!(shown(&now, &record()), expected);
        now.inputs.remove(1);
        assert!(shown(&now, &record())[1].ends_with("heldout a90e77b2: not in this run"));
    }

    #[test]
    fn the_number_of_the_recorded_run_is_found() {
        let (now, then) = (record(), record());
        assert!(found_then(&now, Some(&then), 0).is_some());
        assert!(found_then(&now, Some(&then), 1).is_none());
        let mut other = record();
        other.expectations[0].shown = "mass = 0.1, expected 0.2 +- 0.1".into();
        assert!(found_then(&other, Some(&then), 0).is_none());
    }
}
