//! What a function declares: its generic parameters, and its types with placeholders for them.

use super::Checker;
use super::modules::ModId;
use super::names::Generics;
use crate::base::axis::{Axis, AxisKind};
use crate::ir::{Elem, FuncId, Type};
use crate::syntax::ast::{self, StmtKind, TyKind};
use std::collections::BTreeSet;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GenericKind {
    Axis,
    Row,
    /// `-> b`: an axis that the function makes.
    Made,
    /// An element type; the placeholder stands in `Elem::Index`.
    Element(Bound),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    Float,
    Number,
    Any,
}

impl Bound {
    pub fn admits(self, elem: Elem) -> bool {
        match self {
            Bound::Float => elem.is_float(),
            Bound::Number => elem.is_float() || elem == Elem::Int,
            Bound::Any => true,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Generic {
    pub name: String,
    pub kind: GenericKind,
    /// Stands for the parameter in the types of the signature.
    pub placeholder: Axis,
}

#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub generics: Vec<Generic>,
    /// Types with placeholders; `None` where the parameter has no type.
    pub params: Vec<(String, Option<Type>)>,
    pub result: Option<Type>,
}

/// A function that is called rather than inlined: it recurses, or returns from inside a loop.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub func: FuncId,
    pub result: Type,
}

impl Signature {
    pub fn generic(&self, placeholder: Axis) -> Option<&Generic> {
        self.generics.iter().find(|generic| generic.placeholder == placeholder)
    }

    pub fn fully_typed(&self) -> bool {
        self.params.iter().all(|(_, ty)| ty.as_ref().is_some_and(is_data))
    }
}

fn is_data(ty: &Type) -> bool {
    match ty {
        Type::Fn(..) => false,
        Type::Record(fields) => fields.iter().all(|(_, ty)| is_data(ty)),
        Type::List(item) => is_data(item),
        _ => true,
    }
}

impl Checker {
    pub(super) fn signature(&mut self, module: ModId, item: &ast::FnItem) -> Rc<Signature> {
        let key = (module, item.name.name.clone());
        if let Some(known) = self.signatures.get(&key) {
            return known.clone();
        }
        let signature = Rc::new(self.read_signature(module, item));
        self.signatures.insert(key, signature.clone());
        signature
    }

    fn read_signature(&mut self, module: ModId, item: &ast::FnItem) -> Signature {
        let mut rows = BTreeSet::new();
        for ty in item.params.iter().filter_map(|param| param.ty.as_ref()).chain(&item.result) {
            rows.extend(rows_in(ty));
        }
        let mut generics = Vec::new();
        let mut names = Generics::default();
        for generic in &item.generics {
            let name = &generic.name.name;
            let bound = generic.bound.as_ref().map(|bound| bound.name.as_str());
            let kind = match bound {
                Some("float") => GenericKind::Element(Bound::Float),
                Some("number") => GenericKind::Element(Bound::Number),
                Some(_) => GenericKind::Element(Bound::Any),
                None if rows.contains(name) => GenericKind::Row,
                None => GenericKind::Axis,
            };
            declare(&mut generics, &mut names, name, kind);
            if let Some(made) = &generic.makes {
                declare(&mut generics, &mut names, &made.name, GenericKind::Made);
            }
        }
        self.in_module(module, names, |checker| Signature {
            generics,
            params: item
                .params
                .iter()
                .map(|param| (param.name.name.clone(), param.ty.as_ref().map(|ty| checker.resolve_type(ty))))
                .collect(),
            result: item.result.as_ref().map(|ty| checker.resolve_type(ty)),
        })
    }
}

fn declare(generics: &mut Vec<Generic>, names: &mut Generics, name: &str, kind: GenericKind) {
    let axis_kind = if kind == GenericKind::Row { AxisKind::Row } else { AxisKind::Rigid };
    let placeholder = Axis::fresh(name, axis_kind);
    match kind {
        GenericKind::Element(_) => names.elems.push((name.to_string(), Elem::Index(placeholder))),
        _ => names.axes.push((name.to_string(), vec![placeholder])),
    }
    if kind == GenericKind::Row {
        names.rows.push(name.to_string());
    }
    generics.push(Generic { name: name.to_string(), kind, placeholder });
}

/// The names that a written type uses as rows.
pub(super) fn rows_in(ty: &ast::Ty) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_rows(ty, &mut found);
    found
}

fn collect_rows(ty: &ast::Ty, found: &mut BTreeSet<String>) {
    match &ty.kind {
        TyKind::Path(_) => {}
        TyKind::Applied { axes, .. } => {
            found.extend(axes.iter().filter(|axis| axis.row).map(|axis| axis.name.name.clone()))
        }
        TyKind::Record(fields) => fields.iter().for_each(|(_, ty)| collect_rows(ty, found)),
        TyKind::List(item) => collect_rows(item, found),
        TyKind::Fn(params, result) => {
            params.iter().for_each(|ty| collect_rows(ty, found));
            collect_rows(result, found);
        }
    }
}

/// Does a block leave the function from inside a loop? Then the function cannot be inlined.
pub(super) fn returns_in_loop(block: &ast::Block) -> bool {
    block.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::For { body, .. } | StmtKind::While { body, .. } => has_return(body),
        StmtKind::Expr(expr) => nested_blocks(expr).into_iter().any(returns_in_loop),
        _ => false,
    })
}

/// Is there a `return` among the statements (not inside lambdas)?
pub(super) fn has_return(block: &ast::Block) -> bool {
    block.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Return(_) => true,
        StmtKind::For { body, .. } | StmtKind::While { body, .. } => has_return(body),
        StmtKind::Expr(expr) => nested_blocks(expr).into_iter().any(has_return),
        _ => false,
    })
}

/// The blocks of a statement-like expression: `if`, `match`, a bare block.
pub(super) fn nested_blocks(expr: &ast::Expr) -> Vec<&ast::Block> {
    match &expr.kind {
        ast::ExprKind::If { then, other, .. } => {
            let mut blocks = vec![then];
            blocks.extend(other.iter().flat_map(|other| nested_blocks(other)));
            blocks
        }
        ast::ExprKind::Match { arms, .. } => arms.iter().flat_map(|arm| nested_blocks(&arm.body)).collect(),
        ast::ExprKind::Block(block) => vec![block],
        _ => Vec::new(),
    }
}
