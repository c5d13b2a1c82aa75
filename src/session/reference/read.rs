//! What a module holds, read from its text: documentation, axes, public functions and types with the places they stand at.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use crate::syntax::ast::{FnItem, Item, ItemKind, Ty, Use};
use crate::syntax::parse;
use crate::syntax::scan;

/// A module, or a program that uses modules.
#[derive(Clone, Debug)]
pub struct Module {
    /// As people write it: `std.posdecomp.factors`, or the path of a file of their own.
    pub name: String,
    pub text: String,
    /// The text with comments as spaces: what tokens are cut from.
    pub code: String,
    /// The `##` lines at the head.
    pub doc: Option<String>,
    pub axes: Vec<Axis>,
    /// What is public, in the order of the text.
    pub entries: Vec<Entry>,
    pub uses: Vec<Use>,
    /// Every item, for what stands inside it.
    pub items: Vec<Part>,
    /// Names that the module declares, public or not.
    pub declared: BTreeSet<String>,
    /// Where a module of a person lies; nothing for the library.
    pub path: Option<PathBuf>,
    line_ends: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Axis {
    pub name: String,
    pub like: Option<String>,
    /// Where the name stands.
    pub start: usize,
}

/// A public function or type.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub doc: Option<String>,
    /// Bytes of the signature: a function without its body, a whole type.
    pub signature: (usize, usize),
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Function(Rc<FnItem>),
    Type(Ty),
}

/// An item and the names that it binds for itself by its head.
#[derive(Clone, Debug)]
pub struct Part {
    pub start: usize,
    pub end: usize,
    /// The function or type that it declares.
    pub declares: Option<String>,
    pub generics: Vec<String>,
    pub parameters: Vec<String>,
}

impl Module {
    pub fn library(name: &str, text: &str) -> Module {
        Module::read(&format!("std.{name}"), text, None)
    }

    /// A program that comes with the library.
    pub fn program(name: &str, text: &str) -> Module {
        Module::read(name, text, None)
    }

    /// A module of a person, or what is wrong with its text. `file` is the number of its text in messages.
    pub fn own(name: &str, text: &str, path: PathBuf, file: FileId) -> Result<Module, Vec<Diagnostic>> {
        let (_, errors) = parse::parse_program(file, text);
        if errors.is_empty() { Ok(Module::read(name, text, Some(path))) } else { Err(errors) }
    }

    fn read(name: &str, text: &str, path: Option<PathBuf>) -> Module {
        let file = FileId(0);
        let (program, _) = parse::parse_program(file, text);
        let mut module = Module {
            name: name.to_string(),
            text: text.to_string(),
            code: scan::scan(file, text).text,
            doc: program.doc,
            axes: Vec::new(),
            entries: Vec::new(),
            uses: Vec::new(),
            items: Vec::new(),
            declared: BTreeSet::new(),
            path,
            line_ends: text.match_indices('\n').map(|(place, _)| place).collect(),
        };
        program.items.into_iter().for_each(|item| module.take(item));
        module
    }

    fn take(&mut self, item: Item) {
        let (start, end) = places(item.span);
        let mut part = Part { start, end, declares: None, generics: Vec::new(), parameters: Vec::new() };
        match item.kind {
            ItemKind::Use(import) => self.uses.push(import),
            ItemKind::Axis(axes) => {
                let axis = |declared: crate::syntax::ast::AxisDecl| Axis {
                    start: declared.name.span.start as usize,
                    name: declared.name.name,
                    like: declared.like.map(|like| like.name),
                };
                self.axes.extend(axes.into_iter().map(axis));
            }
            ItemKind::Type { public, name, generics, ty } => {
                self.declared.insert(name.name.clone());
                part.declares = Some(name.name.clone());
                part.generics = generics.into_iter().map(|generic| generic.name.name).collect();
                if public {
                    let what = What::Type(ty);
                    self.entries.push(Entry { name: name.name, doc: item.doc, signature: (start, end), what });
                }
            }
            ItemKind::Fn(function) => {
                self.declared.insert(function.name.name.clone());
                part.declares = Some(function.name.name.clone());
                part.generics = names_of(&function);
                part.parameters = function.params.iter().map(|parameter| parameter.name.name.clone()).collect();
                if function.public {
                    let signature = head(&function, (start, end));
                    let name = function.name.name.clone();
                    self.entries.push(Entry { name, doc: item.doc, signature, what: What::Function(function) });
                }
            }
            _ => {}
        }
        self.items.push(part);
    }

    pub fn is_library(&self) -> bool {
        self.path.is_none()
    }

    /// What its functions are called by: the last part of its name.
    pub fn short(&self) -> &str {
        let stem = self.name.trim_end_matches(".exp");
        stem.rsplit(['.', '/']).next().unwrap_or(stem)
    }

    /// The file of its page. A file of a person keeps its ending, so that no name of it is one of ours.
    pub fn page(&self) -> String {
        format!("{}.html", self.file())
    }

    pub fn source_page(&self) -> String {
        format!("{}.source.html", self.file())
    }

    fn file(&self) -> String {
        match &self.path {
            None => self.name.clone(),
            // What means something in an address does not stand in one.
            Some(_) => {
                let plain = |c: char| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
                format!("{}.exp", self.short().chars().map(plain).collect::<String>())
            }
        }
    }

    /// The line of a place, from 1.
    pub fn line(&self, place: usize) -> usize {
        self.line_ends.partition_point(|end| *end < place) + 1
    }

    /// The comment right above the line of a place.
    pub fn note_above(&self, place: usize) -> Option<String> {
        let above = self.text.get(..place)?;
        let above = above.get(..above.rfind('\n')?)?;
        let comment = |line: &&str| line.starts_with("# ") && !line.starts_with("# --");
        let mut lines: Vec<&str> =
            above.lines().rev().take_while(comment).map(|line| line.trim_start_matches("# ")).collect();
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join(" "))
    }

    /// The first sentence of what it says of itself.
    pub fn gist(&self) -> String {
        first_sentence(self.doc.as_deref().unwrap_or(""))
    }

    /// A function without its body, on one line; a type as it stands.
    pub fn signature(&self, entry: &Entry) -> String {
        let text = self.slice(entry.signature);
        match entry.what {
            What::Function(_) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            What::Type(_) => text.to_string(),
        }
    }

    pub fn slice(&self, (start, end): (usize, usize)) -> &str {
        self.text.get(start..end).unwrap_or("").trim()
    }
}

impl Entry {
    pub fn gist(&self) -> String {
        first_sentence(self.doc.as_deref().unwrap_or(""))
    }

    pub fn function(&self) -> Option<&FnItem> {
        match &self.what {
            What::Function(function) => Some(function),
            What::Type(_) => None,
        }
    }
}

fn places(span: Span) -> (usize, usize) {
    (span.start as usize, span.end as usize)
}

/// The axes and elements that a function is written for, and those it makes.
fn names_of(function: &FnItem) -> Vec<String> {
    let both = |generic: &crate::syntax::ast::Generic| {
        let makes = generic.makes.as_ref().map(|made| made.name.clone());
        std::iter::once(generic.name.name.clone()).chain(makes).collect::<Vec<_>>()
    };
    function.generics.iter().flat_map(both).collect()
}

/// A function up to its body or its derivative.
fn head(function: &FnItem, (start, end): (usize, usize)) -> (usize, usize) {
    let body = function.body.as_ref().map(|body| body.span.start as usize);
    let derivative = function.vjp.as_ref().map(|vjp| vjp.span.start as usize);
    (start, body.into_iter().chain(derivative).min().unwrap_or(end))
}

/// Up to the first full stop, of the first paragraph. `et al. 2024` does not end a sentence.
pub fn first_sentence(doc: &str) -> String {
    let paragraph = doc.trim().split("\n\n").next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit() || c.is_lowercase());
    let mut stops = paragraph.match_indices(". ").filter(|(at, _)| paragraph.get(at + 2..).is_some_and(ends));
    match stops.next() {
        Some((end, _)) => paragraph.get(..=end).unwrap_or(&paragraph).to_string(),
        None => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_sentences() {
        assert_eq!(first_sentence("One thing\nand more. Two.\n\nThree."), "One thing and more.");
        assert_eq!(first_sentence("As Gao et al. 2024 do. Two."), "As Gao et al. 2024 do.");
    }

    #[test]
    fn what_is_public_is_read_with_its_signature() {
        let text = "## What it is for. More.\n\naxis day like pos\n\n## Twice `x`.\npub fn twice<r>(x: f32[..r]) -> f32[..r] {\n  inner(x)\n}\n\nfn inner(x) { 2.0 * x }\n";
        let module = Module::library("sums", text);
        assert_eq!(
            (module.gist().as_str(), module.short(), module.page().as_str()),
            ("What it is for.", "sums", "std.sums.html")
        );
        assert_eq!(module.axes[0].like.as_deref(), Some("pos"));
        assert_eq!(module.entries.len(), 1);
        assert_eq!(module.slice(module.entries[0].signature), "pub fn twice<r>(x: f32[..r]) -> f32[..r]");
        assert_eq!(module.line(module.entries[0].signature.0), 6);
        assert!(module.declared.contains("inner"));
        assert_eq!(Module::library("a", "# One\n# thing.\naxis b\n").note_above(20), Some("One thing.".to_string()));
    }
}
