//! The manifest of a bundle: what it holds, what its program reads, and what came of running it, as JSON.
//!
//! A manifest that is read is a claim of whoever made the bundle. It is written in one way only, so that equal bundles
//! are equal bytes; another way to write it is refused, and so is whatever contradicts itself. Times, the machine and
//! the places of files never stand here: the hash of the manifest names the bundle, wherever it was made.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::names;
use crate::rt::guard::quoted;
use crate::session::folder::sha256;
use crate::session::machine::Machine;
use crate::session::provenance::{self, Judged, Record};
use crate::session::world::printable;

/// The name of the manifest in the archive, where it comes first.
pub const MANIFEST: &str = "manifest.json";
/// The machine that a recorded run had: the last file. Not part of what the bundle is known by.
pub const CONDITIONS: &str = "conditions.json";
/// Which rules a bundle is written by; a change of them is another number.
pub const SCHEMA: u64 = 1;
/// A longer manifest is an attack on its reader.
pub const LONGEST: u64 = 4 << 20;

/// Words that are shown may have so many letters.
const LONGEST_WORDS: usize = 4000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `SCHEMA`, under a name that says what the file is.
    pub locus_bundle: u64,
    /// The version that wrote it.
    pub locus: String,
    /// The hash of the standard library of that version.
    pub library: String,
    pub program: Program,
    pub inputs: Vec<Input>,
    /// What came of running it; nothing, if it was not run.
    pub run: Option<Run>,
    /// Every other file of the archive but the conditions, in its order, sorted by path.
    pub files: Vec<File>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Paths are those in the archive.
    pub path: String,
    pub experiment: Option<String>,
    pub seed: Option<u64>,
    /// `--set`, as the bundle was made with.
    pub overrides: Vec<(String, String)>,
    /// The texts that it imports.
    pub modules: Vec<String>,
}

/// A file or folder that the program reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    pub path: String,
    pub folder: bool,
    /// As an `input` item states it: of a folder that of the lines of `sha256sum`.
    pub sha256: String,
    pub bytes: u64,
    /// The files of the archive that it is made of; none, if it is only described.
    pub files: Vec<String>,
    /// What the program says above the item: where to get it.
    pub about: Option<String>,
    /// Where the author says it can be had. Shown, never fetched.
    pub from: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub engine: String,
    /// Equal bits are promised for equal kernels only.
    pub kernel: String,
    pub expectations: Vec<Judged>,
    /// What the program wrote, under its name in the output folder; in the archive below `results`.
    pub written: Vec<File>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Input {
    /// Does it come with the bundle?
    pub fn is_enclosed(&self) -> bool {
        !self.files.is_empty()
    }
}

/// The hash of an input by those of its files, in their order.
pub fn hash_of(folder: bool, files: &[&File]) -> String {
    let name = |file: &File| file.path.rsplit('/').next().unwrap_or("").to_string();
    let line = |file: &&File| format!("{}  {}\n", file.sha256, name(file));
    match (folder, files) {
        (false, [file]) => file.sha256.clone(),
        _ => sha256(files.iter().map(line).collect::<String>().as_bytes()),
    }
}

/// Where a text stops being what it should be; never in words of our own types.
pub fn unread(error: &serde_json::Error) -> String {
    let what = if error.is_data() { "has another form than it should" } else { "is no JSON that can be read" };
    format!("{what}, at line {}, column {}", error.line(), error.column())
}

/// The machine of a recorded run; the error is the end of a sentence.
pub fn conditions(bytes: &[u8]) -> Result<Machine, String> {
    let machine: Machine = serde_json::from_slice(bytes).map_err(|error| unread(&error))?;
    let words = [&machine.locus, &machine.processor, &machine.openblas, &machine.kernel];
    match words.iter().all(|text| are_words(text, false, 500)) {
        true => Ok(machine),
        false => Err("holds words that are too long or no text".to_string()),
    }
}

/// Can a terminal show a text as it is, without taking it for lines of ours?
fn are_words(text: &str, lines: bool, longest: usize) -> bool {
    text.len() <= longest && text == printable(text) && (lines || !text.contains(['\n', '\t']))
}

impl Manifest {
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// What the bundle is known by: it covers every file, but not the machine that the run was made on.
    pub fn identity(&self) -> String {
        sha256(self.text().as_bytes())
    }

    /// Reads and judges a manifest; the error is the end of a sentence about it.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_string())?;
        let any: serde_json::Value = serde_json::from_str(text).map_err(|error| unread(&error))?;
        match any.get("locus_bundle").and_then(serde_json::Value::as_u64) {
            Some(SCHEMA) => {}
            Some(other) => return Err(format!("is of form {other}, and this version of locus reads form {SCHEMA}")),
            None => return Err("does not say of which form it is".to_string()),
        }
        let manifest: Manifest = serde_json::from_str(text).map_err(|error| unread(&error))?;
        if manifest.text() != text {
            return Err("is not written as `locus bundle` writes it".to_string());
        }
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        self.check_files()?;
        self.check_words()?;
        for path in std::iter::once(&self.program.path).chain(&self.program.modules) {
            if self.file(path).is_none() || !path.starts_with("files/") || !path.ends_with(".exp") {
                return Err(format!("names `{}` as a text of its program, and has no such text", quoted(path)));
            }
        }
        self.inputs.iter().try_for_each(|input| self.check_input(input))?;
        for written in self.run.iter().flat_map(|run| &run.written) {
            let path = format!("{}/{}", names::RESULTS, written.path);
            names::check(&path).map_err(|why| format!("says that the program wrote a file whose name {why}"))?;
            let other = self.file(&path).filter(|file| (file.bytes, &file.sha256) != (written.bytes, &written.sha256));
            if other.is_some() {
                return Err(format!("says two things about `{}`", quoted(&path)));
            }
        }
        self.check_all_named()
    }

    fn check_files(&self) -> Result<(), String> {
        let hash =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        for file in &self.files {
            names::check(&file.path).map_err(|why| format!("lists the name `{}`, which {why}", quoted(&file.path)))?;
            if !file.path.starts_with("files/") && !file.path.starts_with("results/") {
                return Err(format!("lists `{}`, which is neither in files/ nor in results/", quoted(&file.path)));
            }
        }
        if let Some([one, other]) = self.files.windows(2).find(|pair| matches!(pair, [a, b] if a.path >= b.path)) {
            let (one, other) = (quoted(&one.path), quoted(&other.path));
            return Err(format!("lists `{one}` before `{other}`, and files are sorted by name, each once"));
        }
        names::check_together(self.files.iter().map(|file| file.path.as_str()))
            .map_err(|why| format!("lies: {why}"))?;
        let hashes = self.files.iter().map(|file| &file.sha256).chain(self.inputs.iter().map(|input| &input.sha256));
        match hashes.chain([&self.library]).find(|text| !hash(text)) {
            Some(odd) => Err(format!("states the sha256 `{}`, which is none", quoted(odd))),
            None => Ok(()),
        }
    }

    /// Words come to a terminal. Only what a program says itself may have several lines.
    fn check_words(&self) -> Result<(), String> {
        let pairs = self.program.overrides.iter().flat_map(|(name, value)| [name, value]);
        let inputs = self.inputs.iter().flat_map(|input| [Some(&input.name), input.from.as_ref()]);
        let words = [Some(&self.locus), self.program.experiment.as_ref()].into_iter().chain(inputs).flatten();
        let run = self.run.iter().flat_map(|run| [&run.engine, &run.kernel]);
        let one_line = words.chain(pairs).chain(run).map(|text| (text, false));
        let said = self.inputs.iter().filter_map(|input| input.about.as_ref());
        let judged = self.run.iter().flat_map(|run| run.expectations.iter().map(|judged| &judged.shown));
        let lines = said.chain(judged).map(|text| (text, true));
        match one_line.chain(lines).find(|(text, lines)| !are_words(text, *lines, LONGEST_WORDS)) {
            Some((odd, _)) => Err(format!("holds words that are too long or no text: `{}`", quoted(odd))),
            None => Ok(()),
        }
    }

    fn check_input(&self, input: &Input) -> Result<(), String> {
        let lies = |what: &str| Err(format!("describes the input `{}` {what}", quoted(&input.name)));
        if names::check(&input.path).is_err() || !input.path.starts_with("files/") {
            return lies("at a place that is none");
        }
        if !input.is_enclosed() {
            return Ok(());
        }
        let own = |path: &String| match input.folder {
            true => path.rsplit_once('/').is_some_and(|(folder, _)| folder == input.path),
            false => *path == input.path && input.files.len() == 1,
        };
        let found: Vec<&File> =
            input.files.iter().filter(|path| own(path)).filter_map(|path| self.file(path)).collect();
        if found.len() != input.files.len() {
            return lies("by files that are not its own");
        }
        if input.bytes != found.iter().map(|file| file.bytes).fold(0, u64::saturating_add) {
            return lies("with another length than its files have");
        }
        if input.sha256 != hash_of(input.folder, &found) {
            return lies("with another sha256 than its files have");
        }
        Ok(())
    }

    /// Every file serves something.
    fn check_all_named(&self) -> Result<(), String> {
        let mut known: BTreeSet<&str> = self.program.modules.iter().map(String::as_str).collect();
        known.insert(&self.program.path);
        known.extend(self.inputs.iter().flat_map(|input| &input.files).map(String::as_str));
        let written: BTreeSet<&str> =
            self.run.iter().flat_map(|run| &run.written).map(|file| file.path.as_str()).collect();
        let serves = |path: &str| match path.strip_prefix("results/") {
            Some(name) => written.contains(name),
            None => known.contains(path),
        };
        match self.files.iter().find(|file| !serves(&file.path)) {
            Some(file) => Err(format!("lists `{}`, which nothing in it needs", quoted(&file.path))),
            None => Ok(()),
        }
    }

    /// A file of the archive; they are sorted.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().and_then(|place| self.files.get(place))
    }

    /// The folder that the program's own paths are relative to.
    pub fn folder(&self) -> &str {
        self.program.path.rsplit_once('/').map_or(names::FILES, |(folder, _)| folder)
    }

    fn sha256(&self, path: &str) -> String {
        self.file(path).map_or(String::new(), |file| file.sha256.clone())
    }

    /// Inputs that are described only.
    pub fn missing(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| !input.is_enclosed())
    }

    /// The run as a record, to compare another run with.
    pub fn record(&self, machine: Machine) -> Option<Record> {
        let run = self.run.as_ref()?;
        let inputs = self.inputs.iter().map(|input| provenance::Input {
            name: input.name.clone(),
            path: input.path.clone(),
            sha256: input.sha256.clone(),
            bytes: input.bytes,
        });
        let inside = format!("{}/", self.folder());
        let modules = self.program.modules.iter().map(|path| provenance::Module {
            name: path.strip_prefix(&inside).unwrap_or(path).to_string(),
            sha256: self.sha256(path),
        });
        Some(Record {
            program: provenance::Program {
                file: self.program.path.clone(),
                sha256: self.sha256(&self.program.path),
                experiment: self.program.experiment.clone(),
                seed: self.program.seed,
                modules: modules.collect(),
                library: self.library.clone(),
            },
            machine,
            engine: run.engine.clone(),
            inputs: inputs.collect(),
            overrides: self.program.overrides.clone(),
            expectations: run.expectations.clone(),
            files: Vec::new(),
            run: provenance::Run { finished: true, ..Default::default() },
            held: None,
        })
    }
}
