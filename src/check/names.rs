//! What a name means at a place: variables, functions, modules, axes.

use super::modules::ModId;
use super::sizes::SizeScope;
use super::value::{FnVal, Val};
use super::{Checker, messages, special};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::Elem;
use crate::syntax::ast;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub name: String,
    pub val: Val,
    pub mutable: bool,
    pub span: Span,
    /// How many blocks of IR were open where it was bound.
    pub depth: usize,
}

/// What the generic parameters of the function being read stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generics {
    /// A plain parameter stands for one axis, a row for any number.
    pub axes: Vec<(String, Vec<Axis>)>,
    pub elems: Vec<(String, Elem)>,
    /// The parameters that are rows, which are written with dots.
    pub rows: Vec<String>,
}

/// The names of one function body (or of the top level) while it is read.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub module: ModId,
    pub vars: Vec<Var>,
    pub generics: Rc<Generics>,
    pub sizes: Rc<SizeScope>,
    /// Loops over an axis that enclose the place, for `site`: (axis, index).
    pub loops: Vec<(Axis, Val)>,
    /// The result type of a function that is not inlined: there `return` may leave from inside a loop.
    pub returns: Option<crate::ir::Type>,
    pub top_level: bool,
}

/// What a name can mean as an expression.
pub(super) enum Meaning {
    Val(Val),
    Module,
}

impl Checker {
    pub(super) fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame {
                module: ModId::USER,
                vars: Vec::new(),
                generics: Rc::default(),
                sizes: Rc::new(SizeScope::Top),
                loops: Vec::new(),
                returns: None,
                top_level: true,
            });
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    pub(super) fn here(&self) -> ModId {
        self.frames.last().map_or(ModId::USER, |frame| frame.module)
    }

    pub(super) fn bind(&mut self, name: &str, val: Val, mutable: bool, span: Span) {
        self.name_local(&val, name);
        self.note_type(span, &val);
        let depth = self.open_blocks();
        self.frame().vars.push(Var { name: name.to_string(), val, mutable, span, depth });
    }

    /// The meaning of a name, or an error and `Val::Error`.
    pub(super) fn lookup(&mut self, name: &str, span: Span) -> Meaning {
        if let Some(val) = self.frame().vars.iter().rev().find(|var| var.name == name).map(|var| var.val.clone()) {
            self.note_read(name);
            return Meaning::Val(val);
        }
        if let Some(&(_, elem)) = self.frame().generics.elems.iter().find(|(known, _)| known == name) {
            let form = special::find(&elem.to_string()).unwrap_or("f64");
            return Meaning::Val(Val::Fn(Rc::new(FnVal::Special(form))));
        }
        let here = self.here();
        if let Some(meaning) = self.module_member(here, name, span) {
            return meaning;
        }
        if self.modules[here.0].aliases.contains_key(name) {
            return Meaning::Module;
        }
        if let Some((id, original)) = self.modules[here.0].imported.get(name).cloned()
            && let Some(meaning) = self.module_member(id, &original, span)
        {
            return meaning;
        }
        if let Some(meaning) = self.module_member(ModId::CORE, name, span) {
            return meaning;
        }
        if let Some(form) = special::find(name) {
            return Meaning::Val(Val::Fn(Rc::new(FnVal::Special(form))));
        }
        let known = self.names_in_scope();
        let is_axis = self.find_axis(name).is_some();
        self.error(messages::unknown_name(span, name, &known, is_axis));
        Meaning::Val(Val::Error)
    }

    /// A function or a top-level value of a module.
    pub(super) fn module_member(&mut self, id: ModId, name: &str, span: Span) -> Option<Meaning> {
        let module = &self.modules[id.0];
        if let Some(var) = module.top.iter().rev().find(|var| var.name == name) {
            let (val, mutable) = (var.val.clone(), var.mutable);
            if mutable && !self.frames.last().is_some_and(|frame| frame.top_level) {
                self.error(messages::reads_mutable_top_level(span, name));
            }
            return Some(Meaning::Val(val));
        }
        let item = module.functions.get(name)?.clone();
        Some(Meaning::Val(Val::Fn(Rc::new(FnVal::Item { module: id, item }))))
    }

    /// A member of another module, which must be public.
    pub(super) fn public_member(&mut self, id: ModId, name: &ast::Ident) -> Val {
        if let Some(item) = self.modules[id.0].functions.get(&name.name)
            && !item.public
            && self.modules[id.0].name.starts_with("std.")
        {
            let module = self.modules[id.0].name.clone();
            self.error(messages::private(name.span, &name.name, &module));
            return Val::Error;
        }
        match self.module_member(id, &name.name, name.span) {
            Some(Meaning::Val(val)) => val,
            _ => {
                let module = &self.modules[id.0];
                let known: Vec<String> = module.functions.keys().cloned().collect();
                let text = module.name.clone();
                self.error(messages::unknown_in_module(name.span, &name.name, &text, &known));
                Val::Error
            }
        }
    }

    fn names_in_scope(&mut self) -> Vec<String> {
        let here = self.here();
        let mut names: Vec<String> = self.frame().vars.iter().map(|var| var.name.clone()).collect();
        for id in [here, ModId::CORE] {
            let module = &self.modules[id.0];
            names.extend(module.top.iter().map(|var| var.name.clone()));
            names.extend(module.functions.keys().cloned());
            names.extend(module.aliases.keys().cloned());
            names.extend(module.imported.keys().cloned());
        }
        names.extend(special::NAMES.iter().map(|name| name.to_string()));
        names
    }

    /// The one axis a name stands for at this place, if any.
    pub(super) fn find_axis(&mut self, name: &str) -> Option<Vec<Axis>> {
        if let Some((_, axes)) = self.frame().generics.axes.iter().find(|(known, _)| known == name) {
            return Some(axes.clone());
        }
        let here = self.here();
        if let Some(info) = self.modules[here.0].axes.get(name) {
            return Some(vec![info.axis]);
        }
        if let Some((id, original)) = self.modules[here.0].imported.get(name)
            && let Some(info) = self.modules[id.0].axes.get(original)
        {
            return Some(vec![info.axis]);
        }
        self.modules[ModId::AXES.0].axes.get(name).map(|info| vec![info.axis])
    }

    /// One axis by name; a row or an unknown name is an error.
    pub(super) fn axis(&mut self, name: &ast::Ident) -> Option<Axis> {
        match self.find_axis(&name.name) {
            Some(axes) if axes.len() == 1 => Some(axes[0]),
            Some(_) => {
                self.error(messages::row_where_axis_needed(name.span, &name.name));
                None
            }
            None => {
                self.unknown_axis(name);
                None
            }
        }
    }

    /// Any number of axes: a row, or one axis.
    pub(super) fn axes_of_ref(&mut self, axis: &ast::AxisRef) -> Option<Vec<Axis>> {
        let name = &axis.name;
        let Some(found) = self.find_axis(&name.name) else {
            self.unknown_axis(name);
            return None;
        };
        let generics = &self.frame().generics;
        let is_row = generics.rows.contains(&name.name) && generics.axes.iter().any(|(known, _)| *known == name.name);
        if is_row != axis.row {
            self.error(messages::dots(name.span, &name.name, is_row));
            return None;
        }
        Some(found)
    }

    fn unknown_axis(&mut self, name: &ast::Ident) {
        let here = self.here();
        let mut known: Vec<String> = self.frame().generics.axes.iter().map(|(name, _)| name.clone()).collect();
        for id in [here, ModId::AXES] {
            known.extend(self.modules[id.0].axes.keys().cloned());
        }
        self.error(messages::unknown_axis(name.span, &name.name, &known));
    }
}
