//! `locus fmt` on files: which ones are meant, how each should be laid out, and writing that in place of it.
//!
//! A file is replaced as a whole, and only by a text that the formatter has compared with it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::folder::write_atomically;
use super::load::{self, LONGEST_SCRIPT, Script};
use crate::base::diag::Diagnostic;
use crate::base::span::Sources;
use crate::rt::files::reason;
use crate::syntax::format::format;

/// A text before and after.
pub struct Laid {
    pub script: Script,
    pub after: String,
}

/// Why a text stays as it is: the messages, and the text that they speak of.
pub struct Left {
    pub diagnostics: Vec<Diagnostic>,
    pub sources: Sources,
}

impl From<Diagnostic> for Left {
    fn from(diagnostic: Diagnostic) -> Left {
        Left { diagnostics: vec![diagnostic], sources: Sources::default() }
    }
}

impl Laid {
    pub fn changed(&self) -> bool {
        self.script.text != self.after
    }

    /// Replaces the file. A link stays, and what it leads to is replaced.
    pub fn write(&self) -> Result<(), Diagnostic> {
        let target = fs::canonicalize(&self.script.path).unwrap_or_else(|_| self.script.path.clone());
        write_atomically(&target, self.after.as_bytes()).map_err(|error| {
            Diagnostic::plain("R008", format!("cannot write `{}`: {}", self.script.name, reason(&error)))
                .help("the file is as it was")
        })
    }
}

/// Lays out a file.
pub fn lay_out(path: &Path) -> Result<Laid, Left> {
    lay_out_text(load::read_any_script(path)?)
}

/// Lays out what comes from `input`, a text as long as a script may be.
pub fn lay_out_input(input: impl Read) -> Result<Laid, Left> {
    let name = "standard input";
    let unreadable = |why: String| Left::from(Diagnostic::plain("E043", format!("cannot read {name}: {why}")));
    let mut bytes = Vec::new();
    input.take(LONGEST_SCRIPT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LONGEST_SCRIPT {
        return Err(unreadable(format!("a script has at most {LONGEST_SCRIPT} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_string()))?;
    lay_out_text(Script { name: name.to_string(), path: PathBuf::new(), text })
}

fn lay_out_text(script: Script) -> Result<Laid, Left> {
    let mut sources = Sources::default();
    let file = sources.add(&script.name, &script.text);
    match format(file, &script.text) {
        Ok(after) => Ok(Laid { script, after }),
        Err(diagnostics) => Err(Left { diagnostics, sources }),
    }
}

/// The files that these paths mean: a file itself, and of a folder all `.exp` files in it, as deep as folders go. Links
/// in a folder are not followed and hidden folders are passed over. Sorted, each once.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let shown = path.display();
    if !path.is_dir() {
        if path.exists() && !is_program(path) {
            return Err(Diagnostic::plain(
                "E043",
                format!("`{shown}` is not laid out: its name does not end in `.exp`"),
            ));
        }
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let unreadable =
            |error| Diagnostic::plain("E043", format!("cannot read the folder `{}`: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if kind.is_file() && is_program(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    if found.is_empty() {
        return Err(Diagnostic::plain("E043", format!("there are no `.exp` files in `{shown}`")));
    }
    found.sort();
    Ok(found)
}

fn is_program(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "exp")
}
