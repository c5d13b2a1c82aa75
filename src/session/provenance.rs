//! The record of a run: what its numbers came from, as JSON beside its results.
//!
//! Everything above `run` depends only on the program, its inputs and the machine; what differs from run to run
//! (the time) stands apart in `run`.

use serde::{Deserialize, Serialize};

use super::embedded;
use super::folder::{OutputFolder, sha256};
use super::load::Script;
use super::machine::Machine;
use super::remember::{Recalled, Resumed};
use super::run::Session;
use crate::rt::error::Result;
use crate::rt::files::short_file;

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
    /// The last run in which everything held, if this is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<Record>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub file: String,
    pub sha256: String,
    pub experiment: Option<String>,
    pub seed: Option<u64>,
    /// The texts that it imports, in the order in which they were read.
    #[serde(default)]
    pub modules: Vec<Module>,
    /// The hash of the standard library.
    #[serde(default)]
    pub library: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Relative to the program's folder.
    pub name: String,
    pub sha256: String,
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
        program: Program {
            file: script.name.clone(),
            sha256: sha256(script.text.as_bytes()),
            experiment,
            seed,
            modules: modules(session, script)
                .map(|(name, text)| Module { name, sha256: sha256(text.as_bytes()) })
                .collect(),
            library: embedded::library_hash(),
        },
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
        held: None,
    }
}

/// The texts that a script imports, by name relative to its folder; those of the library come with the program.
pub fn modules<'a>(session: &'a Session, script: &Script) -> impl Iterator<Item = (String, &'a str)> {
    let folder = script.folder().display().to_string();
    let folder = folder.trim_start_matches("./").trim_end_matches('/').to_string();
    let inside = move |name: &str| {
        let rest = name.strip_prefix(&folder).unwrap_or(name);
        if folder == "." { name.to_string() } else { rest.trim_start_matches('/').to_string() }
    };
    let neighbours = session.sources().neighbours(session.file);
    neighbours.map(move |source| (inside(&source.name), source.text.as_str()))
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

    /// The record of an earlier run, if there is one that can be read. The folder may be a stranger's.
    pub fn earlier(folder: &OutputFolder, script: &Script) -> Option<Record> {
        const LONGEST: u64 = 64 << 20;
        let text = short_file(&folder.path(&record_name(script)), LONGEST).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Did the program come to its end, and everything hold that it expects?
    pub fn is_good(&self) -> bool {
        self.run.finished && self.expectations.iter().all(|judged| judged.held)
    }

    /// The run that this record is to be held against: the last good one, if there was one.
    pub fn standard(&self) -> &Record {
        self.held.as_deref().filter(|_| !self.is_good()).unwrap_or(self)
    }

    /// Keeps what the last good run was, so that it can still be compared after a run in which something failed.
    pub fn follows(&mut self, earlier: Option<&Record>) {
        let last = earlier.map(Record::standard).filter(|last| last.is_good() && !self.is_good());
        self.held = last.map(|last| Box::new(Record { held: None, ..last.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_round_trip_and_those_of_older_versions_are_read() {
        let input = Input { name: "w".into(), path: "w.bin".into(), sha256: "aa".into(), bytes: 3 };
        let record = Record { inputs: vec![input], ..Record::default() };
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("\"held\""), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        let old = text.replace(",\"modules\":[],\"library\":\"\"", "");
        assert_ne!(old, text);
        assert_eq!(serde_json::from_str::<Record>(&old).unwrap(), record);
    }

    #[test]
    fn a_good_run_is_kept_through_runs_that_fail() {
        let run = |seconds: f64, held: bool| Record {
            expectations: vec![Judged { held, ..Judged::default() }],
            run: Run { finished: true, seconds, ..Run::default() },
            ..Record::default()
        };
        let (good, mut second, mut third) = (run(1.0, true), run(2.0, false), run(3.0, false));
        second.follows(Some(&good));
        third.follows(Some(&second));
        assert_eq!(third.standard(), &good);
        let mut fourth = run(4.0, true);
        fourth.follows(Some(&third));
        assert_eq!(fourth.held, None);
        let mut first = run(5.0, false);
        first.follows(None);
        assert_eq!(first.standard(), &first);
    }
}
