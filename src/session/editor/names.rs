//! What the names of a text stand for: where each is bound, where it is used, from where to where it can be used.
//!
//! Data and questions only; `resolve` fills it from the tree. It follows the checker's order of look-up, but does not
//! need a program that checks.

use std::collections::HashMap;
use std::rc::Rc;

use super::texts::Module;
use crate::base::span::Span;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Variable,
    Parameter,
    Function,
    Type,
    Axis,
    /// `d` of `fn f<d>`
    AxisParameter,
    /// `e` of `fn f<e: float>`
    ElementParameter,
    Input,
    Fit,
    /// `site q = ...`, which binds `q` too.
    Site,
    /// The name that a module goes by.
    Module,
    /// A name brought in by `use std.optim: adam`.
    Imported,
}

impl Kind {
    /// As a person would call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Variable => "variable",
            Kind::Parameter => "parameter",
            Kind::Function => "function",
            Kind::Type => "type",
            Kind::Axis => "axis",
            Kind::AxisParameter => "axis parameter",
            Kind::ElementParameter => "element parameter",
            Kind::Input => "input",
            Kind::Fit => "fit",
            Kind::Site => "site",
            Kind::Module => "module",
            Kind::Imported => "imported name",
        }
    }
}

/// Where a name is bound.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: String,
    pub span: Span,
    pub kind: Kind,
    /// The bytes between which it can be used.
    pub from: u32,
    pub to: u32,
    pub mutable: bool,
    /// Declared at the top of the file.
    pub top: bool,
    /// Taken out of a record by its name: `let { a } = r`.
    pub from_record: bool,
}

/// What a use of a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A definition of this text.
    Here(usize),
    /// What a module declares, by the module's number.
    Member {
        module: usize,
        name: String,
    },
    /// A parameter of a function of a module, named in a call.
    MemberParameter {
        module: usize,
        function: String,
    },
    /// A form that the checker knows, or a type of the language.
    Word,
    /// A field of the expression there.
    Field {
        of: Span,
    },
    /// A site of a model.
    Site,
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Use {
    pub name: String,
    pub span: Span,
    pub meaning: Meaning,
    /// `{ x }`, which is `{ x: x }`.
    pub shorthand: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occurrence {
    Definition(usize),
    Use(usize),
}

#[derive(Default)]
pub struct Names {
    pub definitions: Vec<Definition>,
    pub uses: Vec<Use>,
    /// `std.core`, `std.axes`, then those that the text uses.
    pub modules: Vec<Rc<Module>>,
    /// The module behind a definition: its number, and for an imported name the name there.
    pub behind: HashMap<usize, (usize, Option<String>)>,
    /// The parameters of a function, or of a lambda that has a name.
    pub parameters: HashMap<usize, Vec<usize>>,
    /// Functions, by definition, and the bytes of their whole text.
    pub functions: Vec<(u32, u32)>,
}

impl Names {
    /// The name that stands at a byte, or ends there.
    pub fn at(&self, offset: u32) -> Option<Occurrence> {
        let holds = |span: Span| span.start <= offset && offset <= span.end;
        let definitions = self.definitions.iter().enumerate();
        let definitions = definitions.map(|(place, found)| (Occurrence::Definition(place), found.span));
        let uses = self.uses.iter().enumerate().map(|(place, found)| (Occurrence::Use(place), found.span));
        let all = definitions.chain(uses).filter(|(_, span)| holds(*span));
        // Of `a.b`, where both touch, the one that begins here; else the shorter.
        all.min_by_key(|(_, span)| (span.start != offset, span.end - span.start)).map(|(found, _)| found)
    }

    pub fn span(&self, found: Occurrence) -> Span {
        match found {
            Occurrence::Definition(place) => self.definitions[place].span,
            Occurrence::Use(place) => self.uses[place].span,
        }
    }

    /// The definition in this text that an occurrence belongs to.
    pub fn definition(&self, found: Occurrence) -> Option<usize> {
        match found {
            Occurrence::Definition(place) => Some(place),
            Occurrence::Use(place) => match self.uses[place].meaning {
                Meaning::Here(definition) => Some(definition),
                _ => None,
            },
        }
    }

    /// What a module declares that an occurrence stands for: a member of a module, or an imported name.
    pub fn member(&self, found: Occurrence) -> Option<(&Rc<Module>, &str)> {
        if let Occurrence::Use(place) = found {
            match &self.uses[place].meaning {
                Meaning::Member { module, name } => return Some((self.modules.get(*module)?, name)),
                Meaning::MemberParameter { module, function } => return Some((self.modules.get(*module)?, function)),
                _ => {}
            }
        }
        let (module, name) = self.behind.get(&self.definition(found)?)?;
        Some((self.modules.get(*module)?, name.as_deref()?))
    }

    /// The module that an alias stands for.
    pub fn module(&self, definition: usize) -> Option<&Rc<Module>> {
        match self.behind.get(&definition) {
            Some((module, None)) => self.modules.get(*module),
            _ => None,
        }
    }

    /// What can be used at a byte, the nearest first.
    pub fn visible(&self, offset: u32) -> Vec<usize> {
        let in_function = self.functions.iter().any(|&(from, to)| from <= offset && offset <= to);
        let seen = |found: &Definition| {
            let anywhere = found.top && in_function;
            anywhere || (found.from <= offset && offset <= found.to)
        };
        let mut all: Vec<usize> = (0..self.definitions.len()).filter(|&place| seen(&self.definitions[place])).collect();
        all.sort_by_key(|&place| (self.definitions[place].top, u32::MAX - self.definitions[place].from));
        all
    }

    /// Every place where a definition of this text is written, its own first.
    pub fn places(&self, definition: usize) -> Vec<(Span, bool)> {
        let mut found = vec![(self.definitions[definition].span, false)];
        let used = self.uses.iter().filter(|used| used.meaning == Meaning::Here(definition));
        found.extend(used.map(|used| (used.span, used.shorthand)));
        found
    }
}
