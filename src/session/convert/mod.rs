//! A dictionary in the files of another program: read, written, and checked before it takes its name.
//!
//! Reading, writing and what is computed are the library's; here are only the two programs that call it, and the files.

mod beside;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use self::beside::Beside;
use super::fault::{Failure, plain};
use super::folder::OutputFolder;
use super::load::DiskLoader;
use super::world::BufferWorld;
use super::{EngineKind, Output, Session, Settings};
use crate::base::diag::Diagnostic;
use crate::rt::error::{Error, code};
use crate::rt::files::{folder_of, reason};

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
    if let Err(cause) = from.metadata() {
        let what = format!("cannot read `{}`: {}", from.display(), reason(&cause));
        return Err(Box::new(plain(Error::new(code::FILE, what))));
    }
    if to.symlink_metadata().is_ok() {
        let error = Error::new(code::FILE, format!("`{}` exists already", to.display()));
        return Err(Box::new(plain(error.help("nothing was changed; give another name, or remove it first"))));
    }
    let unwritable = |error: std::io::Error| {
        Box::new(plain(Error::new(code::FILE, format!("cannot write `{}`: {}", to.display(), reason(&error)))))
    };
    let parent = folder_of(to);
    // A folder for the result is made when there is one.
    let nearest = parent.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let work = tempfile::Builder::new().prefix(".locus-").tempdir_in(nearest).map_err(unwritable)?;

    let beside = Beside::of(from, format);
    let write = writing(from, format, &beside.metadata);
    let mut lines = run("write", &write, work.path(), from, interrupt)?;
    lines.extend(beside.left_out.iter().cloned());
    let made = work.path().join(PART);
    beside.copy(from, &made).map_err(unwritable)?;
    // A file goes to the name that was asked for; a folder does too if the format is one.
    let made = format.file().map_or(made.clone(), |file| made.join(file));
    lines.extend(run("check", &checking(from, &made), work.path(), from, interrupt)?);
    fs::create_dir_all(parent).and_then(|()| fs::rename(&made, to)).map_err(unwritable)?;
    Ok(lines)
}

/// The program that reads `from` and writes it. What people may have named goes in last and at one place: it may hold any word.
fn writing(from: &Path, format: Format, metadata: &str) -> String {
    let about = if metadata.is_empty() { String::new() } else { format!(", metadata: {}", quoted(metadata)) };
    let (start, rest) = WRITE.split_once("SOURCE").unwrap_or((WRITE, ""));
    format!("{start}{}{}", input(from), rest.replace("WRITER", format.writer()).replace("METADATA", &about))
}

/// The program that compares what two files compute.
fn checking(from: &Path, made: &Path) -> String {
    let (start, rest) = CHECK.split_once("BEFORE").unwrap_or((CHECK, ""));
    let (middle, end) = rest.split_once("AFTER").unwrap_or((rest, ""));
    format!("{start}{}{middle}{}{end}", input(from), input(made))
}

/// An input item's right side.
fn input(path: &Path) -> String {
    let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    format!("{}({})", if path.is_dir() { "folder" } else { "file" }, quoted(&path.display().to_string()))
}

/// A text as the language writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '{' | '}' => quoted.extend([letter, letter]),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Runs one of the programs in `folder`, which reads `from` too; what it printed. A fault is told without the program's text, which is not the person's.
fn run(
    name: &str,
    text: &str,
    folder: &Path,
    from: &Path,
    interrupt: &Arc<AtomicBool>,
) -> Result<Vec<String>, Box<Diagnostic>> {
    let world = BufferWorld { folder: Some(OutputFolder::new(folder)), ..BufferWorld::default() };
    let (folder, read) = (folder.to_path_buf(), vec![from.to_path_buf()]);
    let settings = Settings { engine: EngineKind::Interp, folder: folder.clone(), read, ..Settings::default() };
    let output = Output { interrupt: interrupt.clone(), ..Output::buffer(&world) };
    let mut session = Session::new(Box::new(DiskLoader::new(&folder)), settings, output);
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
