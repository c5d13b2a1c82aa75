//! Items: what they declare, then what they use.

use super::super::names::{Kind, Meaning};
use super::Walker;
use crate::base::span::Span;
use crate::syntax::ast::{
    AxisDecl, Claim, Expectation, FnItem, Generic, Ident, Item, ItemKind, Param, Program, StmtKind, Ty, TyKind, Use,
    UseSource,
};

impl Walker<'_> {
    pub(super) fn program(&mut self, program: &Program) {
        for item in &program.items {
            self.declare(item);
        }
        for item in program.items.iter().filter(|item| !matches!(item.kind, ItemKind::Fn(_))) {
            self.item(item);
        }
        self.in_function = true;
        for item in &program.items {
            if let ItemKind::Fn(function) = &item.kind {
                self.function(function);
            }
        }
    }

    fn declare(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Use(item) => self.use_item(item),
            ItemKind::Axis(axes) => {
                for decl in axes {
                    if !self.tables.axes.contains_key(&decl.name.name) {
                        let place = self.declare_name(&decl.name, Kind::Axis);
                        self.tables.axes.insert(decl.name.name.clone(), place);
                    }
                }
            }
            ItemKind::Type { name, .. } => {
                let place = self.declare_name(name, Kind::Type);
                self.tables.types.insert(name.name.clone(), place);
            }
            ItemKind::Fn(function) => {
                let place = self.declare_name(&function.name, Kind::Function);
                self.tables.functions.insert(function.name.name.clone(), place);
                self.names.functions.push((function.span.start, function.span.end));
            }
            _ => {}
        }
    }

    fn declare_name(&mut self, name: &Ident, kind: Kind) -> usize {
        let place = self.define(name, kind, 0);
        self.names.definitions[place].top = true;
        place
    }

    fn use_item(&mut self, item: &Use) {
        let module = self.texts.module(self.folder, &item.source).map(|module| {
            self.names.modules.push(module);
            self.names.modules.len() - 1
        });
        if item.names.is_empty() {
            let name = item.alias.clone().or_else(|| self.last_part(item));
            let Some(name) = name else { return };
            let place = self.declare_name(&name, Kind::Module);
            self.tables.aliases.insert(name.name, place);
            if let Some(module) = module {
                self.names.behind.insert(place, (module, None));
            }
        }
        for name in &item.names {
            let place = self.declare_name(name, Kind::Imported);
            self.tables.imported.insert(name.name.clone(), place);
            if let Some(module) = module {
                self.names.behind.insert(place, (module, Some(name.name.clone())));
            }
        }
    }

    /// `gpt2` of `use std.models.gpt2`, `near` of `use "lib/near.exp"`, with its place.
    fn last_part(&self, item: &Use) -> Option<Ident> {
        let (written, name) = match &item.source {
            UseSource::Module(path) => (path.as_str(), path.rsplit('.').next()?),
            UseSource::Path(path) => (path.as_str(), path.strip_suffix(".exp")?.rsplit('/').next()?),
        };
        let text = self.text.get(item.span.start as usize..item.span.end as usize)?;
        let start = text.find(written)? + written.rfind(name)?;
        let start = item.span.start as usize + start;
        Some(Ident { name: name.to_string(), span: Span::new(item.span.file, start, start + name.len()) })
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Axis(axes) => axes.iter().for_each(|decl| self.axis_decl(decl)),
            ItemKind::Input { name, value } => {
                self.expr(value);
                self.bind_at_top(name, Kind::Input, item.span.end);
            }
            ItemKind::Type { generics, ty, .. } => {
                self.generics(generics, item.span);
                self.ty(ty);
                self.end_generics(item.span.end);
            }
            ItemKind::Plot(plot) => self.plot_fields(&plot.fields),
            ItemKind::Expect(lines) => lines.iter().for_each(|line| self.expectation(line)),
            ItemKind::Experiment { fields, .. } => self.fields(fields),
            ItemKind::Stmt(stmt) => {
                let mark = self.values.len();
                self.stmt(stmt, item.span.end);
                for (name, place) in self.values.split_off(mark) {
                    self.names.definitions[place].top = true;
                    self.top_values.push((name, place));
                }
            }
            ItemKind::Fn(_) | ItemKind::Use(_) => {}
        }
    }

    fn bind_at_top(&mut self, name: &Ident, kind: Kind, from: u32) {
        let place = self.define(name, kind, from);
        self.names.definitions[place].top = true;
        self.top_values.push((name.name.clone(), place));
    }

    fn axis_decl(&mut self, decl: &AxisDecl) {
        let known = self.tables.axes.get(&decl.name.name).copied();
        if let Some(place) = known.filter(|&place| self.names.definitions[place].span != decl.name.span) {
            self.note(&decl.name.name, decl.name.span, Meaning::Here(place));
        }
        if let Some(size) = &decl.size {
            self.expr(size);
        }
        if let Some(like) = &decl.like {
            self.use_axis(like);
        }
    }

    fn expectation(&mut self, line: &Expectation) {
        self.expr(&line.value);
        match &line.claim {
            Claim::About { value, tolerance } => {
                self.expr(value);
                self.expr(tolerance);
            }
            Claim::Within { low, high, .. } => {
                self.expr(low);
                self.expr(high);
            }
            Claim::Compare { value, .. } => self.expr(value),
        }
    }

    fn function(&mut self, function: &FnItem) {
        let span = function.span;
        let mark = self.values.len();
        self.generics(&function.generics, span);
        let places = self.params(&function.params, span.start);
        let named = |place: &usize| self.names.definitions[*place].span == function.name.span;
        if let Some(place) = (0..self.names.definitions.len()).find(named) {
            self.names.parameters.insert(place, places);
        }
        if let Some(result) = &function.result {
            self.ty(result);
        }
        if let Some(body) = &function.body {
            self.stmts(&body.stmts);
        }
        if let Some(vjp) = &function.vjp {
            self.bind(&vjp.result, Kind::Variable, vjp.span.start);
            self.bind(&vjp.adjoint, Kind::Variable, vjp.span.start);
            for field in &vjp.fields {
                let meaning = self.value(&field.name.name);
                self.note(&field.name.name, field.name.span, meaning);
                self.expr(&field.value);
            }
        }
        self.unbind(mark, span.end);
        self.end_generics(span.end);
    }

    pub(super) fn params(&mut self, params: &[Param], from: u32) -> Vec<usize> {
        let mut places = Vec::new();
        for param in params {
            if let Some(ty) = &param.ty {
                self.ty(ty);
            }
            if let Some(default) = &param.default {
                self.expr(default);
            }
            places.push(self.bind(&param.name, Kind::Parameter, from));
        }
        places
    }

    fn generics(&mut self, generics: &[Generic], whole: Span) {
        for generic in generics {
            let kind = if generic.bound.is_some() { Kind::ElementParameter } else { Kind::AxisParameter };
            let place = self.define(&generic.name, kind, whole.start);
            self.generics.push((generic.name.name.clone(), place));
            if let Some(made) = &generic.makes {
                let place = self.define(made, Kind::AxisParameter, whole.start);
                self.generics.push((made.name.clone(), place));
            }
        }
    }

    fn end_generics(&mut self, end: u32) {
        for (_, place) in std::mem::take(&mut self.generics) {
            self.names.definitions[place].to = end;
        }
    }

    pub(super) fn ty(&mut self, ty: &Ty) {
        match &ty.kind {
            TyKind::Path(head) => self.type_name(head, ty.span),
            TyKind::Applied { head, axes } => {
                self.type_name(head, ty.span);
                axes.iter().for_each(|axis| self.use_axis(&axis.name));
            }
            TyKind::Record(fields) => fields.iter().for_each(|(_, ty)| self.ty(ty)),
            TyKind::List(item) => self.ty(item),
            TyKind::Fn(params, result) => {
                params.iter().for_each(|ty| self.ty(ty));
                self.ty(result);
            }
        }
    }

    /// The head of a type, `Sae` or `sae.Sae`; it stands at the start of the type.
    fn type_name(&mut self, head: &str, ty: Span) {
        let part = |from: usize, length: usize| {
            let start = ty.start as usize + from;
            Span::new(ty.file, start, start + length)
        };
        let Some((alias, name)) = head.rsplit_once('.') else {
            let meaning = self.named_type(head);
            return self.note(head, part(0, head.len()), meaning);
        };
        let of = self.tables.aliases.get(alias).map_or(Meaning::Unknown, |&place| Meaning::Here(place));
        let meaning = self.member(&of, name).unwrap_or(Meaning::Unknown);
        self.note(alias, part(0, alias.len()), of);
        self.note(name, part(alias.len() + 1, name.len()), meaning);
    }

    /// The parameters of a lambda that is given a name.
    pub(super) fn name_parameters(&mut self, kind: &StmtKind, places: Option<Vec<usize>>, bound: usize) {
        if let (StmtKind::Let { .. }, Some(places)) = (kind, places) {
            self.names.parameters.insert(bound, places);
        }
    }
}
