//! A dictionary in the files of another program: read, written, and checked before it takes its name.
//!
//! Reading, writing and what is computed are the library's; here are only the two programs that call it, and the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::fault::{Failure, plain};
use super::folder::OutputFolder;
use super::load::DiskLoader;
use super::world::BufferWorld;
use super::{EngineKind, Output, Session, Settings};
use crate::base::diag::Diagnostic;
use crate::rt::error::{Error, code};

const WRITE: &str = include_str!("write.exp");
const CHECK: &str = include_str!("check.exp");

/// Where the programs write, below the folder that takes the place of the result.
const PART: &str = "converted";

/// The files of a program for dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    SaeLens,
    Sparsify,
    DictionaryLearning,
    GemmaScope,
    OpenAi,
}

impl Format {
    /// What the name of a result says: only Gemma Scope has `.npz`, only OpenAI a `.pt` of its own.
    pub fn of(path: &Path) -> Format {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Format::GemmaScope,
            Some("pt") => Format::OpenAi,
            _ => Format::SaeLens,
        }
    }

    /// The function of `std.sae.save`.
    fn writer(self) -> &'static str {
        match self {
            Format::SaeLens => "saelens",
            Format::Sparsify => "sparsify",
            Format::DictionaryLearning => "dictionary_learning",
            Format::GemmaScope => "gemma",
            Format::OpenAi => "openai",
        }
    }

    /// The only file of a format that is no folder.
    fn file(self) -> Option<&'static str> {
        match self {
            Format::GemmaScope => Some("params.npz"),
            Format::OpenAi => Some("autoencoder.pt"),
            _ => None,
        }
    }
}

/// Reads the dictionary at `from`, writes it to `to`, and returns what was found on the way, one line each.
///
/// # Errors
/// What cannot be read, what `format` cannot say, a result that computes something else, a `to` that exists. Then nothing is at `to`.
pub fn convert(
    from: &Path,
    to: &Path,
    format: Format,
    interrupt: &Arc<AtomicBool>,
) -> Result<Vec<String>, Box<Diagnostic>> {
    if to.symlink_metadata().is_ok() {
        let error = Error::new(code::FILE, format!("`{}` exists already", to.display()));
        return Err(Box::new(plain(error.help("nothing was changed; give another name, or remove it first"))));
    }
    let unwritable = |error: std::io::Error| {
        Box::new(plain(Error::new(code::FILE, format!("cannot write `{}`: {error}", to.display()))))
    };
    let parent = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder for the result is made when there is one.
    let nearest = parent.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let work = tempfile::Builder::new().prefix(".locus-").tempdir_in(nearest).map_err(unwritable)?;

    // Paths go in last and at one place each: they may hold any word.
    let write = WRITE.replace("WRITER", format.writer()).replace("SOURCE", &input(from));
    let mut lines = run("write", &write, work.path(), interrupt)?;
    let made = work.path().join(PART);
    // A file goes to the name that was asked for; a folder does too if the format is one.
    let made = format.file().map_or(made.clone(), |file| made.join(file));
    let check = CHECK.split_once("BEFORE").and_then(|(start, rest)| Some((start, rest.split_once("AFTER")?)));
    let check = check.map_or_else(String::new, |(start, (middle, end))| {
        format!("{start}{}{middle}{}{end}", input(from), input(&made))
    });
    lines.extend(run("check", &check, work.path(), interrupt)?);
    fs::create_dir_all(parent).and_then(|()| fs::rename(&made, to)).map_err(unwritable)?;
    Ok(lines)
}

/// An input item's right side.
fn input(path: &Path) -> String {
    let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let shown = path.display().to_string();
    let mut quoted = String::new();
    for letter in shown.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '{' | '}' => quoted.extend([letter, letter]),
            _ => quoted.push(letter),
        }
    }
    format!("{}(\"{quoted}\")", if path.is_dir() { "folder" } else { "file" })
}

/// Runs one of the programs; what it printed. A fault is told without the program's text, which is not the person's.
fn run(name: &str, text: &str, folder: &Path, interrupt: &Arc<AtomicBool>) -> Result<Vec<String>, Box<Diagnostic>> {
    let world = BufferWorld { folder: Some(OutputFolder::new(folder)), ..BufferWorld::default() };
    let settings = Settings { engine: EngineKind::Interp, folder: folder.to_path_buf(), ..Settings::default() };
    let output = Output { interrupt: interrupt.clone(), ..Output::buffer(&world) };
    let mut session = Session::new(Box::new(DiskLoader::new(folder)), settings, output);
    session.enter(name, text).map_err(|failure| told(&failure))?;
    // What was written has another name in the end.
    Ok(world.text().lines().filter(|line| !line.starts_with("wrote ")).map(str::to_string).collect())
}

fn told(failure: &Failure) -> Box<Diagnostic> {
    let first = failure.diagnostics().first().copied().cloned();
    let first = first.unwrap_or_else(|| Diagnostic::plain(code::INTERNAL, "no reason given"));
    let mut told = Diagnostic::plain(first.code, first.message);
    (told.notes, told.help) = (first.notes, first.help);
    Box::new(told)
}
