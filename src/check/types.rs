//! Types as written, read into types as the checker knows them.

use super::modules::ModId;
use super::names::Generics;
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::ir::{AxisSet, Elem, Type};
use crate::syntax::ast::{self, TyKind};
use std::rc::Rc;

impl Checker {
    /// The type that a written type stands for here. Generic names stand for what the frame says.
    pub(super) fn resolve_type(&mut self, ty: &ast::Ty) -> Type {
        match &ty.kind {
            TyKind::Path(path) => self.named_type(path, &[], ty),
            TyKind::Applied { head, axes } => self.named_type(head, axes, ty),
            TyKind::Record(fields) => {
                Type::Record(fields.iter().map(|(name, ty)| (name.name.clone(), self.resolve_type(ty))).collect())
            }
            TyKind::List(item) => Type::List(Box::new(self.resolve_type(item))),
            TyKind::Fn(params, result) => {
                let params = params.iter().map(|ty| self.resolve_type(ty)).collect();
                Type::Fn(params, Box::new(self.resolve_type(result)))
            }
        }
    }

    fn named_type(&mut self, head: &str, axes: &[ast::AxisRef], ty: &ast::Ty) -> Type {
        if let Some(elem) = self.element(head) {
            let mut set = AxisSet::empty();
            for written in axes {
                for axis in self.axes_of_ref(written).unwrap_or_default() {
                    if !set.insert(axis) {
                        self.error(messages::axis_twice(written.name.span, axis));
                    }
                }
            }
            return Type::Tensor(elem, set);
        }
        match head {
            "str" => return Type::Str,
            "key" => return Type::Key,
            "file" => return Type::File,
            _ => {}
        }
        self.declared_type(head, axes, ty)
    }

    /// `f32`, `int`, a generic element, or an axis in element position.
    fn element(&mut self, head: &str) -> Option<Elem> {
        match head {
            "f32" => return Some(Elem::F32),
            "f64" | "float" => return Some(Elem::F64),
            "int" => return Some(Elem::Int),
            "bool" => return Some(Elem::Bool),
            _ => {}
        }
        if let Some((_, elem)) = self.frame().generics.elems.iter().find(|(name, _)| name == head) {
            return Some(*elem);
        }
        let axes = self.find_axis(head)?;
        (axes.len() == 1).then(|| Elem::Index(axes[0]))
    }

    /// A `type` item with its axis parameters; the last one may take all that remain.
    fn declared_type(&mut self, head: &str, axes: &[ast::AxisRef], ty: &ast::Ty) -> Type {
        let here = self.here();
        let Some((module, name)) = self.type_home(here, head) else {
            let known: Vec<String> = self.modules[here.0].types.keys().cloned().collect();
            self.error(messages::unknown_type(ty.span, head, &known));
            return Type::Error;
        };
        let Some(decl) = self.modules[module.0].types.get(&name).cloned() else { return Type::Error };
        let mut given: Vec<Vec<Axis>> = Vec::new();
        for axis in axes {
            let found = self.axes_of_ref(axis).unwrap_or_default();
            if let Some(&twice) = found.iter().find(|axis| given.iter().flatten().any(|known| known == *axis)) {
                self.error(messages::axis_twice(axis.name.span, twice));
                return Type::Error;
            }
            given.push(found);
        }
        let rows = super::functions::rows_in(&decl.ty);
        let mut generics = Generics::default();
        for (place, generic) in decl.generics.iter().enumerate() {
            let last = place + 1 == decl.generics.len();
            let is_row = rows.contains(&generic.name.name);
            let taken = if is_row && last {
                given.get(place..).unwrap_or(&[]).concat()
            } else {
                given.get(place).cloned().unwrap_or_default()
            };
            if taken.is_empty() && !is_row {
                self.error(messages::type_arity(ty.span, head, decl.generics.len(), axes.len()));
                return Type::Error;
            }
            generics.axes.push((generic.name.name.clone(), taken));
            if is_row {
                generics.rows.push(generic.name.name.clone());
            }
        }
        let last_is_row = decl.generics.last().is_some_and(|g| rows.contains(&g.name.name));
        if given.len() > decl.generics.len() && !last_is_row {
            self.error(messages::type_arity(ty.span, head, decl.generics.len(), axes.len()));
        }
        if self.resolving.contains(&(module, name.clone())) {
            self.error(messages::type_in_itself(ty.span, head));
            return Type::Error;
        }
        if self.too_deep(ty.span) || self.read_one(ty.span) {
            return Type::Error;
        }
        self.resolving.push((module, name));
        let made = self.in_module(module, generics, |checker| checker.resolve_type(&decl.ty));
        self.resolving.pop();
        self.type_of_fair_size(made, ty.span)
    }

    fn type_home(&self, here: ModId, head: &str) -> Option<(ModId, String)> {
        if let Some((alias, name)) = head.rsplit_once('.') {
            let id = *self.modules[here.0].aliases.get(alias)?;
            return self.modules[id.0].types.get(name).filter(|decl| decl.public).map(|_| (id, name.to_string()));
        }
        if self.modules[here.0].types.contains_key(head) {
            return Some((here, head.to_string()));
        }
        if let Some((id, name)) = self.modules[here.0].imported.get(head)
            && self.modules[id.0].types.contains_key(name)
        {
            return Some((*id, name.clone()));
        }
        self.modules[ModId::CORE.0].types.contains_key(head).then(|| (ModId::CORE, head.to_string()))
    }

    /// Runs `work` with the names of another module and the given generics.
    pub(super) fn in_module<T>(
        &mut self,
        module: ModId,
        generics: Generics,
        work: impl FnOnce(&mut Checker) -> T,
    ) -> T {
        let sizes = self.size_scope();
        self.frames.push(super::names::Frame {
            module,
            vars: Vec::new(),
            generics: Rc::new(generics),
            sizes,
            loops: Vec::new(),
            returns: None,
            top_level: false,
        });
        let out = work(self);
        self.frames.pop();
        out
    }
}
