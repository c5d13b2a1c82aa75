//! Derivatives of primitives: the `vjp` clause of an intrinsic, read for concrete types.

use super::Checker;
use super::call::generics_of;
use super::functions::{GenericKind, Signature};
use super::modules::ModId;
use super::names::{Frame, Generics};
use super::sizes::SizeScope;
use super::solve::Solver;
use super::value::Val;
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::ops::ScalarOp;
use crate::ir::{FuncId, Type};
use crate::syntax::ast::FnItem;
use std::rc::Rc;

/// A function of (args..., result, adjoint of the result) that yields the adjoint of each listed argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjoint {
    pub func: FuncId,
    pub args: Vec<usize>,
}

impl Checker {
    /// The adjoint function of primitive `name` for these types, or `None` if it declares no derivative.
    pub fn vjp(
        &mut self,
        name: &str,
        axes: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Result<Option<Adjoint>, Diagnostic> {
        let found = self.modules.iter().enumerate().find_map(|(place, module)| {
            let item = module.functions.get(name)?;
            (item.intrinsic && item.vjp.is_some()).then(|| (ModId(place), item.clone()))
        });
        let Some((module, item)) = found else { return Ok(None) };
        self.budget.renew();
        let signature = self.signature(module, &item);
        let generics = match self.vjp_generics(&signature, name, axes, args, result) {
            Some(generics) => generics,
            None => return Ok(None),
        };
        let adjoint = self.read_vjp(module, &item, generics, args, result);
        match self.errors.is_empty() {
            true => Ok(adjoint),
            false => Err(self.errors.remove(0)),
        }
    }

    /// Scalar operations meet over the union of axes, so their rows stand for those of the result.
    fn vjp_generics(
        &self,
        signature: &Signature,
        name: &str,
        axes: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Option<Generics> {
        if ScalarOp::from_name(name).is_some() {
            let elem = args.last()?.elem()?;
            let all: Vec<Axis> = result.axes()?.iter().collect();
            let mut generics = Generics::default();
            for generic in &signature.generics {
                match generic.kind {
                    GenericKind::Element(_) => generics.elems.push((generic.name.clone(), elem)),
                    _ => {
                        generics.axes.push((generic.name.clone(), all.clone()));
                        generics.rows.push(generic.name.clone());
                    }
                }
            }
            return Some(generics);
        }
        // No axes may mean an empty row, or that the call named none and the operands say them.
        let solved = |named: bool| {
            let mut solver = Solver::new(signature);
            if named {
                solver.explicit(axes).ok()?;
            }
            for ((_, pattern), ty) in signature.params.iter().zip(args) {
                solver.argument(pattern.as_ref()?, ty).ok()?;
            }
            solver.solve().ok()
        };
        let subst = solved(true).or_else(|| if axes.is_empty() { solved(false) } else { None })?;
        Some(generics_of(signature, &subst))
    }

    fn read_vjp(
        &mut self,
        module: ModId,
        item: &Rc<FnItem>,
        generics: Generics,
        args: &[Type],
        result: &Type,
    ) -> Option<Adjoint> {
        let vjp = item.vjp.as_ref()?;
        let span = vjp.span;
        self.open_function(format!("{} adjoint", item.name.name));
        let mut vals = Vec::new();
        for (place, ty) in args.iter().enumerate() {
            let name = item.params.get(place).map_or("size", |param| param.name.name.as_str());
            vals.push((name.to_string(), self.new_param(ty.clone(), name, span)));
        }
        for name in [&vjp.result.name, &vjp.adjoint.name] {
            vals.push((name.clone(), self.new_param(result.clone(), name, span)));
        }
        let leaves = vals.iter().map(|(_, val)| val.clone()).collect();
        self.frames.push(Frame {
            module,
            vars: Vec::new(),
            generics: Rc::new(generics),
            sizes: Rc::new(SizeScope::Args { leaves, parent: Rc::new(SizeScope::Top) }),
            loops: Vec::new(),
            returns: None,
            top_level: false,
        });
        for (name, val) in vals {
            self.bind(&name, val, false, span);
        }
        let mut of = Vec::new();
        let mut ids = Vec::new();
        for field in &vjp.fields {
            let Some(place) = item.params.iter().position(|param| param.name.name == field.name.name) else { continue };
            let Some(ty) = args.get(place) else { continue };
            let val = self.expr(&field.value);
            let val = self.adjoint_value(val, ty, field.value.span);
            of.push(place);
            ids.push(self.id(&val, span));
        }
        self.frames.pop();
        let (function, _) = self.close_function(ids);
        Some(Adjoint { func: self.add_function(function), args: of })
    }

    /// A literal adjoint takes the argument's element type.
    fn adjoint_value(&mut self, val: Val, ty: &Type, span: crate::base::span::Span) -> Val {
        match (&val, ty.elem()) {
            (Val::Lit(lit), Some(elem)) => self.literal_as(lit, elem, span).unwrap_or(Val::Error),
            _ => val,
        }
    }
}
