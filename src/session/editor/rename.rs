//! A new name for something, in all its uses, or the reason why not.
//!
//! The edits are tried before they are given: the changed texts are read again, and if any name in them stands for
//! something else than before, or anything else is wrong than before, the change is refused. So a clash needs no rules of its
//! own. Files that are not open are not looked at.

use std::path::Path;

use super::names::{Kind, Meaning, Names, Occurrence};
use super::texts::{Texts, real};
use super::{Analysis, analyse};
use crate::base::span::Span;
use crate::session::embedded::std_module;
use crate::syntax::parse::is_name;

/// The places of one document, by its number among those that are open, and what comes there.
pub type Edits = Vec<(usize, Span, String)>;

/// A definition, and the document that it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Target {
    document: usize,
    definition: usize,
}

/// The name at a place, if it can be changed.
pub fn renameable(open: &[&Analysis], document: usize, offset: u32) -> Result<(Span, String), String> {
    let target = target(open, document, offset)?;
    let found = open[document].names.at(offset).ok_or(NO_NAME)?;
    let name = open[target.document].names.definitions[target.definition].name.clone();
    Ok((open[document].names.span(found), name))
}

/// The edits of all open documents that give the name at a place a new one.
pub fn rename(texts: &Texts, open: &[&Analysis], document: usize, offset: u32, new: &str) -> Result<Edits, String> {
    if !is_name(new) {
        return Err(format!("`{new}` is no name: a name has letters, digits and `_`, and is no word of the language"));
    }
    let target = target(open, document, offset)?;
    let old = open[target.document].names.definitions[target.definition].name.clone();
    if old == new {
        return Ok(Vec::new());
    }
    let edits = edits(open, target, &old, new);
    tried(texts, open, target.document, &edits, new)?;
    Ok(edits)
}

/// Every place that a name is written at, in all open documents: its own first.
pub fn places(open: &[&Analysis], document: usize, offset: u32) -> Vec<(usize, Span)> {
    let Ok(target) = declared(open, document, offset) else { return Vec::new() };
    let old = open[target.document].names.definitions[target.definition].name.clone();
    edits(open, target, &old, &old).into_iter().map(|(document, span, _)| (document, span)).collect()
}

const NO_NAME: &str = "there is no name here";

fn target(open: &[&Analysis], document: usize, offset: u32) -> Result<Target, String> {
    let target = declared(open, document, offset)?;
    let analysis = open[target.document];
    let found = &analysis.names.definitions[target.definition];
    let name = &found.name;
    if found.from_record {
        return Err(format!("`{name}` is taken out of a record by its name: write `let NAME = record.{name}` first"));
    }
    match found.kind {
        Kind::Fit => Err(format!(
            "`{name}` is the label of the random numbers of this `fit`: under another name it trains something else"
        )),
        Kind::Module if !named_by_as(analysis, found.span) => {
            Err(format!("`{name}` is the name of a file: `as NAME` behind its `use` gives it another one here"))
        }
        Kind::Axis if shared_axis(name) => Err(format!("`{name}` is an axis of std.axes, which the library uses too")),
        _ => Ok(target),
    }
}

/// Where the name at a place is bound: here, or in an open neighbour.
fn declared(open: &[&Analysis], document: usize, offset: u32) -> Result<Target, String> {
    let names = &open[document].names;
    let found = names.at(offset).ok_or(NO_NAME)?;
    if let Some((module, name)) = names.member(found) {
        let Some(path) = &module.path else { return Err(format!("`{name}` belongs to {}", module.name)) };
        let home = open.iter().position(|other| other.path.as_deref().is_some_and(|other| real(other) == real(path)));
        let home = home.ok_or_else(|| format!("`{name}` belongs to {}: open it first", module.name))?;
        let top = |names: &Names| {
            let named = |place: &usize| names.definitions[*place].top && names.definitions[*place].name == name;
            (0..names.definitions.len()).rev().find(named)
        };
        let mut definition = top(&open[home].names).ok_or(NO_NAME)?;
        if let Occurrence::Use(place) = found
            && let Meaning::MemberParameter { .. } = names.uses[place].meaning
        {
            let parameters = open[home].names.parameters.get(&definition).map_or(&[][..], Vec::as_slice);
            let written = &names.uses[place].name;
            let named = parameters.iter().find(|&&place| open[home].names.definitions[place].name == *written);
            definition = *named.ok_or(NO_NAME)?;
        }
        return Ok(Target { document: home, definition });
    }
    if let Some(definition) = names.definition(found) {
        return Ok(Target { document, definition });
    }
    let Occurrence::Use(place) = found else { return Err(NO_NAME.to_string()) };
    let used = &names.uses[place];
    match used.meaning {
        Meaning::Site => {
            let own = names.definitions.iter().position(|site| site.kind == Kind::Site && site.name == used.name);
            let definition = own.ok_or_else(|| format!("the site `{}` belongs to another file", used.name))?;
            Ok(Target { document, definition })
        }
        Meaning::Field { .. } => Err(format!("`{}` is a field of a record, which other records share", used.name)),
        Meaning::Word => Err(format!("`{}` is a word of the language", used.name)),
        _ => Err(format!("nothing is known of `{}`", used.name)),
    }
}

fn shared_axis(name: &str) -> bool {
    let declares = |line: &str| line.strip_prefix("axis ").is_some_and(|rest| rest.split(' ').next() == Some(name));
    std_module("axes").is_some_and(|text| text.lines().any(declares))
}

fn named_by_as(analysis: &Analysis, span: Span) -> bool {
    let before = analysis.text.get(..span.start as usize).unwrap_or("");
    before.trim_end().ends_with(" as")
}

fn edits(open: &[&Analysis], target: Target, old: &str, new: &str) -> Edits {
    let home = open[target.document];
    let mut found: Edits = Vec::new();
    let mut add = |document: usize, span: Span, shorthand: bool| {
        let text = if shorthand { format!("{old}: {new}") } else { new.to_string() };
        if !found.iter().any(|(known, place, _)| *known == document && *place == span) {
            found.push((document, span, text));
        }
    };
    for (span, shorthand) in home.names.places(target.definition) {
        add(target.document, span, shorthand);
    }
    if home.names.definitions[target.definition].kind == Kind::Site {
        let captured = home.names.uses.iter().filter(|used| used.meaning == Meaning::Site && used.name == old);
        captured.for_each(|used| add(target.document, used.span, false));
    }
    for (number, other) in open.iter().enumerate().filter(|(number, _)| *number != target.document) {
        for (span, shorthand) in from_outside(other, home, target.definition) {
            add(number, span, shorthand);
        }
    }
    found
}

/// The places of another document that name a definition of `home`.
fn from_outside(other: &Analysis, home: &Analysis, definition: usize) -> Vec<(Span, bool)> {
    let Some(path) = home.path.as_deref().map(real) else { return Vec::new() };
    let names = &other.names;
    let found = &home.names.definitions[definition];
    let is_home = |module: usize| {
        names.modules.get(module).and_then(|module| module.path.as_deref()).is_some_and(|other| real(other) == path)
    };
    let function = home.names.parameters.iter().find(|(_, places)| places.contains(&definition));
    let function = function.map(|(function, _)| home.names.definitions[*function].name.as_str());
    let mut places = Vec::new();
    for used in &names.uses {
        let here = match &used.meaning {
            Meaning::Member { module, name } => found.top && *name == found.name && is_home(*module),
            Meaning::MemberParameter { module, function: called } => {
                Some(called.as_str()) == function && used.name == found.name && is_home(*module)
            }
            _ => false,
        };
        if here {
            places.push((used.span, used.shorthand));
        }
    }
    for (imported, (module, name)) in &names.behind {
        if found.top && name.as_deref() == Some(&found.name) && is_home(*module) {
            places.extend(names.places(*imported));
        }
    }
    places.sort_by_key(|(span, _)| span.start);
    places
}

/// Reads the changed texts and compares what their names stand for.
fn tried(texts: &Texts, open: &[&Analysis], home: usize, edits: &Edits, new: &str) -> Result<(), String> {
    let touched: Vec<usize> =
        (0..open.len()).filter(|number| edits.iter().any(|(known, ..)| known == number)).collect();
    let hides = |number: &usize| {
        let may_use = touched.contains(number) || imports(open[*number], open[home]);
        may_use && !open[*number].whole
    };
    if let Some(number) = (0..open.len()).find(hides) {
        let name = shown(open[number].path.as_deref());
        return Err(format!("{name} cannot be read in full, so some uses may be hidden: repair it first"));
    }
    let changed: Vec<String> = touched.iter().map(|&number| apply(open[number], number, edits)).collect();
    let mut texts = texts.clone();
    for (&number, text) in touched.iter().zip(&changed) {
        if let Some(path) = &open[number].path {
            texts = texts.with(path, text);
        }
    }
    for (&number, text) in touched.iter().zip(&changed) {
        let (before, after) = (open[number], analyse(&texts, open[number].path.as_deref(), text));
        if let Some(place) = differs(&before.names, &after.names) {
            let line = before.found.sources.line_column(place).0;
            let name = shown(before.path.as_deref());
            return Err(format!("`{new}` already means something else on line {line} of {name}"));
        }
        let wrong = |analysis: &Analysis| {
            let mut codes: Vec<&str> = analysis.found.problems.iter().map(|problem| problem.code).collect();
            codes.sort_unstable();
            codes.join(" ")
        };
        if wrong(before) != wrong(&after) {
            let why = after.found.problems.first().map_or(String::new(), |problem| format!(": {}", problem.message));
            return Err(format!("with the name `{new}` the program does not check{why}"));
        }
    }
    Ok(())
}

fn imports(importer: &Analysis, home: &Analysis) -> bool {
    let Some(path) = home.path.as_deref().map(real) else { return false };
    importer.names.modules.iter().any(|module| module.path.as_deref().is_some_and(|other| real(other) == path))
}

fn shown(path: Option<&Path>) -> String {
    path.and_then(Path::file_name).map_or("this text".to_string(), |name| name.to_string_lossy().into_owned())
}

fn apply(analysis: &Analysis, number: usize, edits: &Edits) -> String {
    let mut own: Vec<_> = edits.iter().filter(|(known, ..)| *known == number).collect();
    own.sort_by_key(|(_, span, _)| std::cmp::Reverse(span.start));
    let mut text = analysis.text.to_string();
    for (_, span, new) in own {
        text.replace_range(span.start as usize..span.end as usize, new);
    }
    text
}

/// The first use that stands for something else. Both walks meet the same names in the same order.
fn differs(before: &Names, after: &Names) -> Option<Span> {
    if before.uses.len() != after.uses.len() || before.definitions.len() != after.definitions.len() {
        return before.definitions.first().map(|found| found.span);
    }
    let same = |a: &Meaning, b: &Meaning| match (a, b) {
        (Meaning::Here(a), Meaning::Here(b)) => a == b,
        (Meaning::Member { module: a, .. }, Meaning::Member { module: b, .. }) => a == b,
        (Meaning::MemberParameter { module: a, .. }, Meaning::MemberParameter { module: b, .. }) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    let pairs = before.uses.iter().zip(&after.uses);
    let changed = pairs.filter(|(old, new)| !same(&old.meaning, &new.meaning));
    changed.map(|(old, _)| old.span).next()
}
