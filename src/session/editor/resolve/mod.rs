//! From a tree to its names: a walk that keeps what is in scope, in the order in which the checker looks.
//!
//! Items outside functions are read in order, then the functions, which see everything at the top. What is not found
//! stays unknown; nothing here reports anything.

mod expr;
mod item;

use std::collections::HashMap;
use std::path::Path;

use super::names::{Definition, Kind, Meaning, Names, Use};
use super::texts::Texts;
use crate::base::span::Span;
use crate::check::FORMS;
use crate::syntax::ast::{Ident, Program};

/// Types that no module declares.
pub const TYPES: &[&str] = &["bool", "f32", "f64", "file", "float", "int", "key", "list", "str"];

const CORE: usize = 0;
const AXES: usize = 1;

pub fn resolve(program: &Program, text: &str, texts: &Texts, folder: &Path) -> Names {
    let mut walker = Walker {
        text,
        texts,
        folder,
        names: Names::default(),
        values: Vec::new(),
        generics: Vec::new(),
        top_values: Vec::new(),
        tables: Tables::default(),
        arguments: Vec::new(),
        in_function: false,
    };
    walker.names.modules.extend(texts.library("core"));
    walker.names.modules.extend(texts.library("axes"));
    walker.program(program);
    walker.named_arguments();
    walker.names
}

/// What is declared at the top, whatever the order.
#[derive(Default)]
struct Tables {
    functions: HashMap<String, usize>,
    types: HashMap<String, usize>,
    axes: HashMap<String, usize>,
    /// `sae` of `use std.sae`
    aliases: HashMap<String, usize>,
    imported: HashMap<String, usize>,
}

/// `k: 3` in a call: whose parameter it is, is known once all functions were read.
struct NamedArgument {
    callee: Meaning,
    name: Ident,
}

struct Walker<'a> {
    text: &'a str,
    texts: &'a Texts,
    folder: &'a Path,
    names: Names,
    /// Names bound inside functions, lambdas and blocks, outermost first.
    values: Vec<(String, usize)>,
    /// Axis and element parameters of the function at hand.
    generics: Vec<(String, usize)>,
    top_values: Vec<(String, usize)>,
    tables: Tables,
    arguments: Vec<NamedArgument>,
    in_function: bool,
}

impl Walker<'_> {
    fn define(&mut self, name: &Ident, kind: Kind, from: u32) -> usize {
        self.names.definitions.push(Definition {
            name: name.name.clone(),
            span: name.span,
            kind,
            from,
            to: u32::MAX,
            mutable: false,
            top: false,
            from_record: false,
        });
        self.names.definitions.len() - 1
    }

    /// A name bound in a block, from `from` on.
    fn bind(&mut self, name: &Ident, kind: Kind, from: u32) -> usize {
        let place = self.define(name, kind, from);
        self.values.push((name.name.clone(), place));
        place
    }

    /// Ends the scopes that began after `mark`, at the byte `end`.
    fn unbind(&mut self, mark: usize, end: u32) {
        for (_, place) in self.values.split_off(mark) {
            self.names.definitions[place].to = end;
        }
    }

    fn note(&mut self, name: &str, span: Span, meaning: Meaning) {
        self.names.uses.push(Use { name: name.to_string(), span, meaning, shorthand: false });
    }

    /// What a name means as a value.
    fn value(&self, name: &str) -> Meaning {
        let last = |all: &[(String, usize)]| all.iter().rev().find(|(known, _)| known == name).map(|(_, place)| *place);
        let generic = || last(&self.generics).filter(|&place| self.is(place, Kind::ElementParameter));
        let tables = &self.tables;
        let here = last(&self.values)
            .or_else(generic)
            .or_else(|| last(&self.top_values))
            .or_else(|| tables.functions.get(name).copied())
            .or_else(|| tables.aliases.get(name).copied())
            .or_else(|| tables.imported.get(name).copied());
        match here {
            Some(place) => Meaning::Here(place),
            None if self.declares(CORE, name) => Meaning::Member { module: CORE, name: name.to_string() },
            None if FORMS.contains(&name) || name == "file" || name == "folder" => Meaning::Word,
            None => Meaning::Unknown,
        }
    }

    /// What a name means between square brackets.
    fn axis(&self, name: &str) -> Meaning {
        let generic = self.generics.iter().rev().find(|(known, _)| known == name).map(|(_, place)| *place);
        let here = generic
            .filter(|&place| self.is(place, Kind::AxisParameter))
            .or_else(|| self.tables.axes.get(name).copied())
            .or_else(|| self.tables.imported.get(name).copied());
        match here {
            Some(place) => Meaning::Here(place),
            None if self.declares(AXES, name) => Meaning::Member { module: AXES, name: name.to_string() },
            None => Meaning::Unknown,
        }
    }

    /// What a name means as a type; an axis counts as one, that of its indices.
    fn named_type(&self, name: &str) -> Meaning {
        if TYPES.contains(&name) {
            return Meaning::Word;
        }
        let generic = self.generics.iter().rev().find(|(known, _)| known == name).map(|(_, place)| *place);
        if let Some(place) = generic {
            return Meaning::Here(place);
        }
        match (self.axis(name), self.tables.types.get(name)) {
            (Meaning::Unknown, Some(&place)) => Meaning::Here(place),
            (Meaning::Unknown, None) if self.declares(CORE, name) => {
                Meaning::Member { module: CORE, name: name.to_string() }
            }
            (found, _) => found,
        }
    }

    fn is(&self, definition: usize, kind: Kind) -> bool {
        self.names.definitions[definition].kind == kind
    }

    fn declares(&self, module: usize, name: &str) -> bool {
        self.names.modules.get(module).is_some_and(|module| module.find(name).is_some())
    }

    fn use_axis(&mut self, name: &Ident) {
        let meaning = self.axis(&name.name);
        self.note(&name.name, name.span, meaning);
    }

    /// `sae.encode`: the member of the module that the alias stands for.
    fn member(&self, alias: &Meaning, name: &str) -> Option<Meaning> {
        let Meaning::Here(place) = alias else { return None };
        let (module, None) = self.names.behind.get(place)? else { return None };
        Some(Meaning::Member { module: *module, name: name.to_string() })
    }

    fn named_arguments(&mut self) {
        for NamedArgument { callee, name } in std::mem::take(&mut self.arguments) {
            let meaning = match &callee {
                Meaning::Here(place) => match self.names.behind.get(place) {
                    Some((module, Some(function))) => {
                        Meaning::MemberParameter { module: *module, function: function.clone() }
                    }
                    _ => self.own_parameter(*place, &name.name),
                },
                Meaning::Member { module, name } => {
                    Meaning::MemberParameter { module: *module, function: name.clone() }
                }
                _ => Meaning::Unknown,
            };
            self.note(&name.name, name.span, meaning);
        }
    }

    fn own_parameter(&self, function: usize, name: &str) -> Meaning {
        let parameters = self.names.parameters.get(&function).map_or(&[][..], Vec::as_slice);
        let named = parameters.iter().find(|&&place| self.names.definitions[place].name == name);
        named.map_or(Meaning::Unknown, |&place| Meaning::Here(place))
    }
}
