//! Calls: binding arguments, solving generic parameters, inlining bodies.

use super::believe::Belief;
use super::functions::{GenericKind, Instance, Signature, returns_in_loop};
use super::modules::ModId;
use super::names::{Frame, Generics};
use super::obituaries::verb_of_call;
use super::refusals::Refused;
use super::sizes::SizeScope;
use super::solve::{Solver, Subst};
use super::value::{Closure, FnVal, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{FuncId, LocalId, Op, Type};
use crate::syntax::ast::{self, Expr};
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(super) struct ArgVal {
    pub name: Option<ast::Ident>,
    pub val: Val,
    pub span: Span,
}

impl ArgVal {
    pub fn plain(val: Val, span: Span) -> ArgVal {
        ArgVal { name: None, val, span }
    }

    pub fn named(name: &str, val: Val, span: Span) -> ArgVal {
        ArgVal { name: Some(ast::Ident { name: name.to_string(), span }), val, span }
    }
}

impl Checker {
    pub(super) fn call_expr(&mut self, callee: &Expr, args: &[ast::Arg], span: Span) -> Val {
        let f = self.expr(callee);
        let mut vals = Vec::new();
        for arg in args {
            let val = self.expr(&arg.value);
            vals.push(ArgVal { name: arg.name.clone(), val, span: arg.value.span });
        }
        match f {
            Val::Fn(f) => {
                let operands: Vec<Val> = vals.iter().map(|arg| arg.val.clone()).collect();
                let val = self.call(&f, None, vals, span);
                let verb = verb_of_call(callee);
                self.note_losses(&val, &operands, span, |_| verb.to_string());
                val
            }
            Val::Error => Val::Error,
            other => {
                let text = self.sources.slice(callee.span).to_string();
                self.error(messages::not_a_function(callee.span, &other, &text));
                Val::Error
            }
        }
    }

    pub(super) fn call(&mut self, f: &Rc<FnVal>, axes: Option<&[Axis]>, args: Vec<ArgVal>, span: Span) -> Val {
        if self.too_deep(span) {
            return Val::Error;
        }
        match &**f {
            FnVal::WithAxes { inner, axes } => self.call(inner, Some(axes), args, span),
            FnVal::Special(name) => self.special(name, axes, args, span),
            FnVal::Grad { f, value } => self.call_grad(f, *value, args, span),
            FnVal::Loss { f, arity } => self.call_loss(f, *arity, args, span),
            FnVal::With { f, swaps } => self.call_with(f, swaps, axes, args, span),
            FnVal::Lambda(closure) => self.call_lambda(closure, args, span),
            FnVal::Item { module, item } => {
                if args.iter().any(|arg| matches!(arg.val, Val::Error)) {
                    return Val::Error;
                }
                self.call_item(*module, item, axes, args, span)
            }
        }
    }

    fn call_lambda(&mut self, closure: &Closure, args: Vec<ArgVal>, span: Span) -> Val {
        let lambda = closure.lambda.clone();
        let Some(bound) = self.bind_args(&lambda.params, args, "this function", span) else { return Val::Error };
        let leaves = bound.iter().flatten().flat_map(|arg| arg.val.leaves()).collect();
        let sizes = Rc::new(SizeScope::Args { leaves, parent: closure.sizes.clone() });
        self.frames.push(Frame {
            module: closure.module,
            vars: (*closure.vars).clone(),
            generics: closure.generics.clone(),
            sizes,
            loops: Vec::new(),
            returns: None,
            top_level: false,
        });
        for (param, arg) in lambda.params.iter().zip(bound) {
            let ty = param.ty.as_ref().map(|ty| self.resolve_type(ty));
            let (val, at) = match (arg, &param.default) {
                (Some(arg), _) => (arg.val, arg.span),
                (None, Some(default)) => (self.expr(default), default.span),
                (None, None) => (Val::Error, span),
            };
            let val = match ty {
                Some(ty) => self.conform(val, &ty, at, &format_args!("the parameter `{}`", param.name.name)),
                None => val,
            };
            self.bind(&param.name.name, val, false, param.name.span);
        }
        let val = match &lambda.body.kind {
            ast::ExprKind::Block(block) => self.sequence(&block.stmts, &[]),
            _ => self.expr(&lambda.body),
        };
        self.frames.pop();
        val
    }

    /// Arguments in the order of the parameters; `None` where the default is to be used.
    fn bind_args(
        &mut self,
        params: &[ast::Param],
        args: Vec<ArgVal>,
        who: &str,
        span: Span,
    ) -> Option<Vec<Option<ArgVal>>> {
        let mut bound: Vec<Option<ArgVal>> = params.iter().map(|_| None).collect();
        let mut next = 0;
        for arg in args {
            let place = match &arg.name {
                Some(name) => params.iter().position(|param| param.name.name == name.name),
                None => Some(next),
            };
            if arg.name.is_none() {
                next += 1;
            }
            match place {
                Some(place) if place < params.len() && bound[place].is_none() => bound[place] = Some(arg),
                Some(place) if place < params.len() => {
                    self.error(messages::argument_twice(arg.span, &params[place].name.name));
                    return None;
                }
                _ => {
                    let known: Vec<String> = params.iter().map(|param| param.name.name.clone()).collect();
                    self.error(messages::too_many_arguments(arg.span, who, arg.name.as_ref(), &known));
                    return None;
                }
            }
        }
        let missing = params.iter().zip(&bound).find(|(param, arg)| arg.is_none() && param.default.is_none());
        if let Some((param, _)) = missing {
            self.error(messages::missing_argument(span, who, &param.name.name));
            return None;
        }
        Some(bound)
    }

    pub(super) fn call_item(
        &mut self,
        module: ModId,
        item: &Rc<ast::FnItem>,
        axes: Option<&[Axis]>,
        args: Vec<ArgVal>,
        span: Span,
    ) -> Val {
        let who = format!("`{}`", item.name.name);
        let Some(bound) = self.bind_args(&item.params, args, &who, span) else { return Val::Error };
        let host = self.is_host(module);
        if item.intrinsic
            && !host
            && let Some(val) = self.direct_intrinsic(item, axes, &bound, span)
        {
            return val;
        }
        let signature = self.signature(module, item);
        let Some(subst) = self.solve_call(item, &signature, axes, &bound, span) else { return Val::Error };
        if host {
            return self.host_call(item, &signature, &subst, bound, span);
        }
        if item.intrinsic {
            return self.builtin_call(item, &signature, &subst, axes, bound, span);
        }
        let generics = generics_of(&signature, &subst);
        self.enter_item(module, generics, item, &signature, &subst, bound, span)
    }

    fn solve_call(
        &mut self,
        item: &ast::FnItem,
        signature: &Signature,
        axes: Option<&[Axis]>,
        bound: &[Option<ArgVal>],
        span: Span,
    ) -> Option<Subst> {
        let mut solver = Solver::new(signature);
        let mut outcome = axes.map_or(Ok(()), |axes| solver.explicit(axes));
        for ((_, pattern), arg) in signature.params.iter().zip(bound) {
            if outcome.is_err() {
                break;
            }
            match (pattern, arg) {
                (Some(pattern), Some(arg)) if arg.val.adapts() => outcome = solver.literal(pattern, &arg.val.ty()),
                (Some(pattern), Some(arg)) => outcome = solver.argument(pattern, &arg.val.ty()),
                _ => solver.free_argument(),
            }
        }
        match outcome.and_then(|()| solver.solve()) {
            Ok(subst) => Some(subst),
            Err(failure) => {
                let call = Refused { function: &item.name.name, signature, bound, span };
                let diagnostic = self.refused(&call, failure);
                self.error(diagnostic);
                None
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn enter_item(
        &mut self,
        module: ModId,
        generics: Generics,
        item: &Rc<ast::FnItem>,
        signature: &Signature,
        subst: &Subst,
        bound: Vec<Option<ArgVal>>,
        span: Span,
    ) -> Val {
        let parent = self.size_scope();
        let leaves = bound.iter().flatten().flat_map(|arg| arg.val.leaves()).collect();
        let recursive = self.active_items().iter().any(|active| Rc::ptr_eq(active, item));
        self.call_sites.push(span);
        self.frames.push(Frame {
            module,
            vars: self.pinned(item),
            generics: Rc::new(generics),
            sizes: Rc::new(SizeScope::Args { leaves, parent }),
            loops: Vec::new(),
            returns: None,
            top_level: false,
        });
        for ((param, (_, pattern)), arg) in item.params.iter().zip(&signature.params).zip(bound) {
            let (val, at) = match (arg, &param.default) {
                (Some(arg), _) => (arg.val, arg.span),
                (None, Some(default)) => (self.expr(default), default.span),
                (None, None) => (Val::Error, span),
            };
            let val = match pattern {
                Some(pattern) => {
                    let ty = subst.apply(pattern);
                    self.conform_argument(val, &ty, at, &param.name.name, &item.name.name)
                }
                None => val,
            };
            self.bind(&param.name.name, val, false, param.name.span);
        }
        let result = signature.result.as_ref().map(|ty| subst.apply(ty));
        let Some(body) = &item.body else {
            self.frames.pop();
            self.call_sites.pop();
            return Val::Error;
        };
        let val = if recursive || returns_in_loop(body) {
            self.call_instance(module, item, signature, result.clone(), body, span)
        } else {
            match self.believed(module, item, result.as_ref(), span) {
                Belief::Yields(val) => val,
                Belief::Unknown(asked) => {
                    self.active_push(item);
                    let val = self.sequence(&body.stmts, &[]);
                    self.active_pop();
                    self.believe(asked, &val);
                    val
                }
            }
        };
        let val = match &result {
            Some(ty) => {
                let at = body.stmts.last().map_or(item.name.span, |last| last.span);
                self.conform(val, ty, at, &format_args!("the result of `{}`", item.name.name))
            }
            None => val,
        };
        self.frames.pop();
        self.call_sites.pop();
        val
    }

    /// Literals keep being literals where the parameter is a plain number, so that they can select code.
    fn conform_argument(&mut self, val: Val, ty: &Type, at: Span, param: &str, function: &str) -> Val {
        use super::value::Lit;
        match (&val, ty) {
            (Val::Lit(Lit::Int(_)), ty) if *ty == Type::INT => val,
            (Val::Lit(Lit::Int(x)), ty) if *ty == Type::FLOAT => Val::Lit(Lit::Float(*x as f64)),
            (Val::Lit(Lit::Float(_)), ty) if *ty == Type::FLOAT => val,
            (Val::Lit(Lit::Bool(_)), ty) if *ty == Type::BOOL => val,
            (Val::Lit(Lit::Str(_)), Type::Str) => val,
            _ => self.conform(val, ty, at, &format_args!("the parameter `{param}` of `{function}`")),
        }
    }

    /// A call of a function of its own, made once for each combination of argument types.
    fn call_instance(
        &mut self,
        module: ModId,
        item: &Rc<ast::FnItem>,
        signature: &Signature,
        result: Option<Type>,
        body: &ast::Block,
        span: Span,
    ) -> Val {
        let Some(result) = result.filter(|_| signature.fully_typed()) else {
            self.error(messages::needs_types(item.name.span, &item.name.name));
            return Val::Error;
        };
        let pinned = self.pinned(item).len();
        let vars: Vec<_> = self.frame().vars.iter().skip(pinned).cloned().collect();
        let mut args = Vec::new();
        let mut key = format!("{}:{}", module.0, item.name.name);
        for var in &vars {
            let val = self.materialize(&var.val, span);
            key.push_str(&format!("|{:?}", val.ty()));
            args.extend(val.leaves());
        }
        key.push_str(&format!("|{:?}|{result:?}", self.frame().generics.axes));
        let instance = match self.instances.get(&key) {
            Some(known) => known.clone(),
            None => self.make_instance(key, module, item, &vars, result.clone(), body),
        };
        let ids: Vec<LocalId> = self.ids(&args, span);
        let shape = shape_of(&instance.result);
        let types: Vec<Type> = shape.leaves().iter().map(Val::ty).collect();
        let mut results = self.emit_many(Op::Call { func: instance.func, args: ids }, &types, span).into_iter();
        shape.with_leaves(&mut |_| results.next().unwrap_or(Val::Error))
    }

    fn make_instance(
        &mut self,
        key: String,
        module: ModId,
        item: &Rc<ast::FnItem>,
        vars: &[super::names::Var],
        result: Type,
        body: &ast::Block,
    ) -> Instance {
        let types: Vec<Type> = shape_of(&result).leaves().iter().map(Val::ty).collect();
        // The entry exists before the body is read, so that the body can call itself.
        self.open_function(&item.name.name);
        let (mut placeholder, _) = self.close_function(Vec::new());
        placeholder.results = types;
        let func: FuncId = self.add_function(placeholder);
        let instance = Instance { func, result: result.clone() };
        self.instances.insert(key, instance.clone());

        self.open_function(&item.name.name);
        let mut params = Vec::new();
        for var in vars {
            let shape = shape_of(&var.val.ty());
            let (name, at) = (var.name.clone(), var.span);
            let val = shape.with_leaves(&mut |ty| self.new_param(ty.clone(), &name, at));
            params.push(super::names::Var { val, ..var.clone() });
        }
        let leaves = params.iter().flat_map(|var| var.val.leaves()).collect();
        params.splice(0..0, self.pinned(item));
        let generics = self.frame().generics.clone();
        self.frames.push(Frame {
            module,
            vars: params,
            generics,
            sizes: Rc::new(SizeScope::Instance { leaves }),
            loops: Vec::new(),
            returns: Some(result.clone()),
            top_level: false,
        });
        let (saved, swapping) = (self.capture.take(), std::mem::take(&mut self.swapping));
        self.active_push(item);
        let val = self.sequence(&body.stmts, &[]);
        self.active_pop();
        (self.capture, self.swapping) = (saved, swapping);
        let val = self.conform(val, &result, body.span, &format_args!("the result of `{}`", item.name.name));
        self.frames.pop();
        let leaves = val.leaves();
        let ids = self.ids(&leaves, body.span);
        let (function, outer) = self.close_function(ids);
        debug_assert!(outer.is_empty());
        self.module.functions[func.0 as usize] = function;
        instance
    }
}

/// A value of the type whose leaves are stand-ins, to rebuild records from lists of leaves.
pub(super) fn shape_of(ty: &Type) -> Val {
    match ty {
        Type::Record(fields) => Val::record(fields.iter().map(|(name, ty)| (name.clone(), shape_of(ty))).collect()),
        Type::Unit => Val::Unit,
        Type::Error => Val::Error,
        other => Val::Local { level: 0, id: LocalId(0), ty: other.clone() },
    }
}

/// The names of the generics with what they stand for.
pub(super) fn generics_of(signature: &Signature, subst: &Subst) -> Generics {
    let mut generics = Generics::default();
    for generic in &signature.generics {
        match generic.kind {
            GenericKind::Element(_) => {
                if let Some(&elem) = subst.elems.get(&generic.placeholder) {
                    generics.elems.push((generic.name.clone(), elem));
                }
            }
            kind => {
                let axes = subst.axes.get(&generic.placeholder).cloned().unwrap_or_default();
                generics.axes.push((generic.name.clone(), axes));
                if kind == GenericKind::Row {
                    generics.rows.push(generic.name.clone());
                }
            }
        }
    }
    generics
}
