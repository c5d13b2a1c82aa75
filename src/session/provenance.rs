//! The record of a run: what its numbers came from, as JSON beside its results.
//!
//! Everything above `run` depends only on the program, its inputs and the machine; what differs from run to run
//! (the time) stands apart in `run`.

use serde::{Deserialize, Serialize};

use super::folder::{OutputFolder, sha256};
use super::load::Script;
use super::machine::Machine;
use super::remember::{Recalled, Resumed};
use super::run::Session;
use crate::rt::error::Result;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub program: Program,
    pub machine: Machine,
    pub engine: String,
    pub inputs: Vec<Input>,
    pub overrides: Vec<(String, String)>,
    pub expectations: Vec<Judged>,
    pub files: Vec<File>,
    pub run: Run,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub file: String,
    pub sha256: String,
    pub experiment: Option<String>,
    pub seed: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    pub line: usize,
    pub held: bool,
    /// A NaN is not a number in JSON either.
    pub found: Option<f64>,
    pub shown: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub finished: bool,
    pub seconds: f64,
    /// Results of earlier runs that were not computed again, with the time that they took then.
    #[serde(default)]
    pub remembered: Vec<Recalled>,
    /// What went on from where an earlier run was interrupted.
    #[serde(default)]
    pub resumed: Vec<Resumed>,
}

/// The name of the record of `positional_variance.exp`.
pub fn record_name(script: &Script) -> String {
    format!("{}.run.json", script.stem())
}

/// The record of a session that has run `script`.
pub fn record(session: &Session, script: &Script, seconds: f64, finished: bool) -> Record {
    let (experiment, seed) = match &session.checker.experiment {
        Some((name, seed)) => (Some(name.clone()), Some(*seed)),
        None => (None, None),
    };
    let journal = session.journal.lock();
    let line_of = |number: usize| {
        let site = session.checker.expectations.get(number);
        site.map_or(0, |site| session.sources().line_column(site.span).0)
    };
    Record {
        program: Program { file: script.name.clone(), sha256: sha256(script.text.as_bytes()), experiment, seed },
        machine: Machine::here(),
        engine: session.settings.engine.name().to_string(),
        inputs: session
            .inputs_read()
            .into_iter()
            .map(|input| Input { name: input.name, path: input.path, sha256: input.sha256, bytes: input.bytes })
            .collect(),
        overrides: session.settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        expectations: journal
            .expectations
            .iter()
            .map(|outcome| Judged {
                line: line_of(outcome.number),
                held: outcome.held,
                found: outcome.found.filter(|found| found.is_finite()),
                shown: outcome.shown.clone(),
            })
            .collect(),
        files: journal
            .written
            .iter()
            .map(|file| File { path: file.path.clone(), sha256: file.sha256.clone(), bytes: file.bytes })
            .collect(),
        run: Run {
            finished,
            seconds,
            remembered: session.memory.tally.recalled.clone(),
            resumed: session.memory.tally.resumed.clone(),
        },
    }
}

impl Record {
    /// A one-liner at a terminal leaves no files; an experiment leaves its record.
    pub fn is_worth_keeping(&self) -> bool {
        self.program.experiment.is_some() || !self.inputs.is_empty() || !self.files.is_empty()
    }

    pub fn write(&self, folder: &OutputFolder, script: &Script) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        folder.write(&record_name(script), text.as_bytes()).map(|written| written.path)
    }

    /// The record of an earlier run, if there is one that can be read.
    pub fn earlier(folder: &OutputFolder, script: &Script) -> Option<Record> {
        let text = std::fs::read_to_string(folder.path(&record_name(script))).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// What differs between an earlier run and this one, for the message of an expectation that failed.
    pub fn differences(&self, earlier: &Record) -> Vec<String> {
        let mut found = Vec::new();
        let (then, now) = (earlier.machine.shown(), self.machine.shown());
        if then != now {
            found.push(format!("machine  recorded: {then}   now: {now}"));
        }
        if earlier.machine.locus != self.machine.locus {
            found.push(format!("locus    recorded: {}   now: {}", earlier.machine.locus, self.machine.locus));
        }
        if earlier.program.sha256 != self.program.sha256 {
            found.push("program  changed since the recorded run".to_string());
        }
        for input in &self.inputs {
            let before = earlier.inputs.iter().find(|other| other.name == input.name);
            if let Some(before) = before.filter(|before| before.sha256 != input.sha256) {
                let short = |hash: &str| hash.chars().take(8).collect::<String>();
                let (then, now) = (short(&before.sha256), short(&input.sha256));
                found.push(format!("input    {} recorded: {then}   now: {now}", input.name));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_round_trip_and_name_what_changed() {
        let input = |hash: &str| Input { name: "w".into(), path: "w.bin".into(), sha256: hash.into(), bytes: 3 };
        let before = Record { inputs: vec![input("aaaaaaaaaaaa")], ..Record::default() };
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), before);
        let mut now = before.clone();
        assert!(now.differences(&before).is_empty());
        now.inputs = vec![input("bbbbbbbbbbbb")];
        now.machine.kernel = "Haswell".into();
        let found = now.differences(&before);
        assert_eq!(found.len(), 2);
        assert!(found[1].contains("aaaaaaaa   now: bbbbbbbb"), "{found:?}");
    }
}
