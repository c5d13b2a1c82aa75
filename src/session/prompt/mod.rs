//! What was entered at the prompt and accepted: the ground of `:undo` and `:save`.
//!
//! An entry that failed in its middle is kept without the items that did not run. Nothing here runs a program.

mod meaning;
mod save;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::base::span::{FileId, Span};
use crate::syntax::ast::{Expr, ExprKind, Item, ItemKind, Stmt, StmtKind, StrPart, UseSource};
use crate::syntax::free::{DefKind, Names, Space};
use crate::syntax::parse;
use meaning::{Meanings, Place};

/// One accepted text.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As in messages: `<repl 3>`, or the path of a file that was loaded.
    pub name: String,
    pub text: String,
    /// What its paths are relative to.
    pub folder: PathBuf,
    items: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    range: Range<usize>,
    names: Names,
    /// It ran, or is a declaration that holds.
    kept: bool,
    /// It only showed a value, so that a program does without it.
    silent: bool,
    kind: PartKind,
}

#[derive(Clone, Debug, PartialEq)]
enum PartKind {
    /// Runs where it stands.
    Code,
    /// A function or a type, which holds for the whole of its text.
    Declared,
    /// `use`, with what it names.
    Use(String),
    /// Reads the file of this name.
    Input(String),
    /// Imports the program of this name.
    Neighbour(String),
}

impl Entry {
    pub fn new(name: &str, text: &str, folder: &Path) -> Entry {
        let (program, _) = parse::parse_program(FileId(0), text);
        let items = program.items.iter().map(Part::of).collect();
        Entry { name: name.to_string(), text: text.trim_end().to_string(), folder: folder.to_path_buf(), items }
    }

    /// Leaves out what runs at `span` and after it, and the functions of these names.
    pub fn cut_from(&mut self, span: Span, functions: &[String]) {
        for part in &mut self.items {
            let later = part.range.end > span.start as usize;
            let code = !matches!(part.kind, PartKind::Declared | PartKind::Use(_) | PartKind::Neighbour(_));
            let gone = part.names.defs.iter().any(|def| def.kind == DefKind::Function && functions.contains(&def.name));
            part.kept &= !(later && code || gone);
        }
    }

    /// Does nothing of the text come before what runs at `span`?
    pub fn begins_at(&self, span: Span) -> bool {
        !self.items.iter().any(|part| part.range.end <= span.start as usize)
    }

    /// The item at `span` shows a value and does nothing else.
    pub fn is_silent(&mut self, span: Span) {
        let inside = |part: &&mut Part| part.range.contains(&(span.start as usize));
        self.items.iter_mut().filter(inside).for_each(|part| part.silent = true);
    }

    /// The text without what is not kept.
    pub fn kept(&self) -> String {
        let cuts = self.items.iter().filter(|part| !part.kept).map(|part| save::cut(&self.text, &part.range));
        save::edited(&self.text, cuts.collect())
    }

    /// Does anything of it remain?
    pub fn is_empty(&self) -> bool {
        !self.items.iter().any(|part| part.kept)
    }
}

impl Part {
    fn of(item: &Item) -> Part {
        let kind = match &item.kind {
            ItemKind::Fn(_) | ItemKind::Type { .. } => PartKind::Declared,
            ItemKind::Use(item) => match &item.source {
                UseSource::Module(path) => PartKind::Use(path.clone()),
                UseSource::Path(path) => PartKind::Neighbour(path.clone()),
            },
            ItemKind::Input { value, .. } => PartKind::Input(path_of(value)),
            _ => PartKind::Code,
        };
        let range = item.span.start as usize..item.span.end as usize;
        Part { range, names: Names::of(item), kept: true, silent: false, kind }
    }
}

/// The text in `file("...")`.
fn path_of(input: &Expr) -> String {
    let ExprKind::Call { args, .. } = &input.kind else { return String::new() };
    let Some(ExprKind::Str(parts)) = args.first().map(|arg| &arg.value.kind) else { return String::new() };
    let text = |part: &StrPart| if let StrPart::Text(text) = part { text.clone() } else { String::new() };
    parts.iter().map(text).collect()
}

/// The entries of a session, in order.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub entries: Vec<Entry>,
}

impl Log {
    /// The values that stay what an earlier meaning of a name in `entry` made them: for each such name, those values.
    pub fn made_with_old(&self, entry: &Entry) -> Vec<(String, Vec<String>)> {
        let Some(last) = self.entries.len().checked_sub(1) else { return Vec::new() };
        let meanings = Meanings::new(&self.entries, None);
        let mut found = Vec::new();
        for def in entry.items.iter().flat_map(|part| &part.names.defs) {
            let space = match def.kind {
                DefKind::Function => Space::Value,
                DefKind::Type => Space::Type,
                _ => continue,
            };
            let Some(old) = meanings.current(&def.name, space, last, None) else { continue };
            if !meanings.is_declared(old) {
                continue;
            }
            let mut names: Vec<String> = Vec::new();
            for (place, part) in self.parts().filter(|(_, part)| part.kept && part.kind != PartKind::Declared) {
                let alive = |name: &str| meanings.current(name, Space::Value, last, None) == Some(place);
                let own = part.names.defs.iter().map(|def| &def.name).filter(|name| alive(name));
                let own: Vec<String> = own.cloned().collect();
                if !own.is_empty() && meanings.leads_to(place, old) {
                    names.extend(own);
                }
            }
            names.retain(|name| !entry.items.iter().flat_map(|part| &part.names.defs).any(|def| def.name == *name));
            if !names.is_empty() {
                found.push((def.name.clone(), names));
            }
        }
        found
    }

    fn parts(&self) -> impl Iterator<Item = (Place, &Part)> {
        self.entries.iter().enumerate().flat_map(|(entry, found)| {
            found.items.iter().enumerate().map(move |(item, part)| (Place { entry, item }, part))
        })
    }

    /// The session as one program for `folder`, or why it cannot be one. `library` are the names that need no entry.
    pub fn program(&self, folder: &Path, library: &BTreeSet<String>) -> Result<String, String> {
        save::program(&self.entries, folder, library)
    }
}

/// Does the text hold an `experiment` header?
pub fn begins_experiment(text: &str) -> bool {
    let (program, _) = parse::parse_program(FileId(0), text);
    program.items.iter().any(|item| matches!(item.kind, ItemKind::Experiment { .. }))
}

/// Is the text one expression?
pub fn is_expression(text: &str) -> bool {
    let (program, faults) = parse::parse_program(FileId(0), text);
    // What does not parse is reported when it is prepared.
    let plain = |item: &Item| matches!(&item.kind, ItemKind::Stmt(Stmt { kind: StmtKind::Expr(_), .. }));
    !faults.is_empty() || (program.items.len() == 1 && program.items.iter().all(plain))
}
