//! What an editor asks about a text, answered as data: what is wrong with it, what a name means and which type it has,
//! what can stand at a place, where a name is used.
//!
//! A text that does not check is the usual case here: the tree holds what could be read, names are found in it without
//! the checker, and the checker's notes say the types of whatever it got to. Nothing here knows a protocol or prints.

pub mod complete;
mod context;
pub mod describe;
mod forms;
pub mod members;
pub mod names;
pub mod outline;
pub mod places;
pub mod rename;
mod repair;
mod resolve;
pub mod texts;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::engines::EngineKind;
use super::fault::Failure;
use super::load::LONGEST_SCRIPT;
use super::run::{Output, Session, Settings};
use crate::base::axis::Lease;
use crate::base::diag::{Diagnostic, Label};
use crate::base::span::{FileId, Sources, Span};
use crate::check::notes::Notes;
use crate::rt::files::folder_of;
use crate::syntax::ast::{ItemKind, Program, UseSource};
use crate::syntax::format::format;
use crate::syntax::parse;
use members::{Member, members};
use names::Names;
use texts::Texts;

/// Everything that is known of one text.
pub struct Analysis {
    pub path: Option<PathBuf>,
    pub text: Rc<str>,
    pub program: Program,
    pub names: Names,
    /// What it declares at its top.
    pub members: Vec<Member>,
    pub found: Findings,
    /// The tree holds all of the text.
    pub whole: bool,
    notes: Notes,
    /// Given back last, when no type is left that holds one of its axes.
    _axes: Lease,
}

/// What is wrong with a text.
pub struct Findings {
    pub problems: Vec<Diagnostic>,
    /// The texts that problems point into; `file` is the one that was read.
    pub sources: Sources,
    pub file: FileId,
}

/// How far a text is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Depth {
    /// Calls of library functions are believed.
    Glance,
    /// All that `locus check` can find wrong, and what its names mean.
    Whole,
}

/// Parses and checks a text, works out its gradients, and finds its names: all that `locus check` can find wrong.
pub fn analyse(texts: &Texts, path: Option<&Path>, text: &str) -> Analysis {
    let Reading { program, whole, found, notes, axes } = read(texts, path, text, Depth::Whole);
    let (names, members) = (resolve::resolve(&program, text, texts, &home_of(path)), members(&program, text));
    Analysis {
        path: path.map(Path::to_path_buf),
        text: text.into(),
        program,
        names,
        members,
        found,
        whole,
        notes,
        _axes: axes,
    }
}

/// A part of the problems, soon: what is wrong in the text itself, the bodies of library functions left aside.
pub fn glance(texts: &Texts, path: Option<&Path>, text: &str) -> Findings {
    read(texts, path, text, Depth::Glance).found
}

struct Reading {
    program: Program,
    whole: bool,
    found: Findings,
    notes: Notes,
    axes: Lease,
}

fn read(texts: &Texts, path: Option<&Path>, text: &str, depth: Depth) -> Reading {
    let folder = home_of(path);
    let name = path.map_or_else(|| "untitled".to_string(), |path| path.display().to_string());
    let settings = Settings { engine: EngineKind::Interp, folder: folder.clone(), ..Settings::default() };
    let ((mut session, file, (program, mut problems, whole)), axes) = Lease::around(|| {
        let mut session = Session::new(Box::new(texts.loader(&folder)), settings, Output::buffer(&Default::default()));
        let file = session.checker.add_source(name, text);
        match depth {
            Depth::Whole => session.checker.keep_notes(file),
            Depth::Glance => session.checker.believe_functions(),
        }
        let checked = check(&mut session, file, text, depth);
        (session, file, checked)
    });
    let notes = session.checker.take_notes();
    let sources = std::mem::take(&mut session.checker.sources);
    drop(session);
    let here = Home { sources: &sources, file, program: &program };
    problems.iter_mut().for_each(|problem| here.bring(problem));
    Reading { program, whole, found: Findings { problems, sources, file }, notes, axes }
}

/// The tree, what `locus check` would say, and whether the tree holds all of the text. An empty text is a program that is not written yet.
fn check(session: &mut Session, file: FileId, text: &str, depth: Depth) -> (Program, Vec<Diagnostic>, bool) {
    if text.len() as u64 > LONGEST_SCRIPT {
        let message = format!("this text has {} bytes, and a script has at most {LONGEST_SCRIPT}", text.len());
        return (Program::default(), vec![Diagnostic::error("E043", Span::new(file, 0, 0), message)], false);
    }
    let (program, faults) = parse::parse_program(file, text);
    if !faults.is_empty() {
        if depth == Depth::Whole {
            // What could be read is checked for its types alone: what it lacks stands in the part that could not.
            let _ = session.checker.check_program(file, &program);
        }
        return (program, faults, false);
    }
    let outcome = match depth {
        Depth::Whole => session.judge_tree(file, &program),
        Depth::Glance => session.checker.check_program(file, &program).map(drop).map_err(Failure::Check),
    };
    let mut problems = std::mem::take(&mut session.checker.warnings);
    if let Err(failure) = outcome {
        problems.extend(failure.diagnostics().into_iter().cloned());
    }
    (program, problems, true)
}

/// The folder that neighbours of a script are named from.
fn home_of(path: Option<&Path>) -> PathBuf {
    path.map(|path| folder_of(path).to_path_buf()).unwrap_or_default()
}

/// The text whose problems are shown.
struct Home<'a> {
    sources: &'a Sources,
    file: FileId,
    program: &'a Program,
}

impl Home<'_> {
    /// A problem of a neighbour is shown where the text names it, with the place there as a label.
    fn bring(&self, problem: &mut Diagnostic) {
        for label in problem.primary.iter_mut().chain(&mut problem.labels) {
            label.span.file = self.sources.original(label.span.file);
        }
        let primary = problem.primary.take().unwrap_or(Label { span: Span::new(self.file, 0, 0), text: String::new() });
        if primary.span.file == self.file {
            problem.primary = Some(primary);
            return;
        }
        let name = &self.sources.get(primary.span.file).name;
        let span = self.use_of(name).unwrap_or(Span::new(self.file, 0, 0));
        problem.primary = Some(Label { span, text: format!("in `{name}`") });
        let text = if primary.text.is_empty() { "here".to_string() } else { primary.text };
        problem.labels.insert(0, Label { span: primary.span, text });
    }

    fn use_of(&self, name: &str) -> Option<Span> {
        self.program.items.iter().find_map(|item| match &item.kind {
            ItemKind::Use(used) => match &used.source {
                UseSource::Path(path) if name.ends_with(path.as_str()) => Some(item.span),
                _ => None,
            },
            _ => None,
        })
    }
}

/// A problem in words: the message, what is said at its place, notes, the help.
pub fn problem_text(problem: &Diagnostic) -> String {
    let mut lines = vec![problem.message.clone()];
    lines.extend(problem.primary.iter().map(|label| label.text.clone()).filter(|text| !text.is_empty()));
    let width = problem.notes.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    lines.extend(problem.notes.iter().map(|(key, text)| format!("{key:<width$}  {text}").trim().to_string()));
    lines.extend(problem.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}

/// The text as it is to be laid out, or nothing if it cannot be read.
pub fn formatted(text: &str) -> Option<String> {
    format(FileId(0), text).ok()
}
