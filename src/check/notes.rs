//! What an editor asks of the checker: the type of each name and expression of one file, and the sites of each captured
//! model. Kept only where somebody asked for it, and never read by the checker itself.

use super::Checker;
use super::value::Val;
use crate::base::axis::Axis;
use crate::base::span::{FileId, Span};
use crate::ir::Type;
use crate::syntax::ast;
use std::collections::HashMap;

/// Types and sites by place, whether or not the program checks.
#[derive(Debug, Default)]
pub struct Notes {
    file: Option<FileId>,
    /// By place: expressions, and names where they are bound.
    pub types: HashMap<(u32, u32), Type>,
    /// The sites that the model of each `capture` meets, by the place of the `capture`.
    pub sites: Vec<(Span, Vec<Site>)>,
    /// Those of the `capture` at hand.
    met: Vec<Site>,
}

/// A site as a forward pass meets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub name: String,
    pub ty: Type,
    /// The axes of the loops around it.
    pub loops: Vec<Axis>,
}

impl Checker {
    /// From now on, notes are kept about the file that is checked next.
    pub fn keep_notes(&mut self, file: FileId) {
        self.notes = Some(Box::new(Notes { file: Some(file), ..Notes::default() }));
    }

    pub fn take_notes(&mut self) -> Notes {
        self.notes.take().map(|notes| *notes).unwrap_or_default()
    }

    /// A later reading of the same place counts more (a function that is read alone has its own axis parameters then),
    /// unless nothing is known from it.
    pub(super) fn note_type(&mut self, span: Span, val: &Val) {
        let Some(notes) = &mut self.notes else { return };
        if notes.file != Some(span.file) || matches!(val, Val::Error) {
            return;
        }
        notes.types.insert((span.start, span.end), val.ty());
    }

    pub(super) fn note_site(&mut self, name: &ast::Ident, val: &Val, loops: &[Axis]) {
        let Some(notes) = &mut self.notes else { return };
        if !notes.met.iter().any(|site| site.name == name.name) {
            notes.met.push(Site { name: name.name.clone(), ty: val.ty(), loops: loops.to_vec() });
        }
    }

    /// The forward pass of the `capture` at `span` was read once.
    pub(super) fn note_sites(&mut self, span: Span) {
        let Some(notes) = &mut self.notes else { return };
        let met = std::mem::take(&mut notes.met);
        if notes.file == Some(span.file) {
            notes.sites.push((span, met));
        }
    }
}
