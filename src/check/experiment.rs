//! `fit` and `expect`: sugar over functions of the library and a builtin.

use super::call::ArgVal;
use super::leaves::carries;
use super::value::{FnVal, Lit, Val};
use super::{Checker, ExpectationSite, messages};
use crate::base::axis::Axis;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::base::span::Span;
use crate::ir::{Elem, LocalId, Op, Type};
use crate::syntax::ast::{self, BinaryOp, Claim, ExprKind};
use std::rc::Rc;

impl Checker {
    /// `fit { data, over, init, loss, ... }` is `train.run[over](data: .., p: init(key), loss: .., ...)`.
    pub(super) fn fit_expr(&mut self, fit: &ast::FitExpr, label: &str) -> Val {
        let span = fit.span;
        let Some(module) = self.std_module("train", span) else { return Val::Error };
        let Some(item) = self.modules[module.0].functions.get("run").cloned() else {
            self.error(messages::unknown_in_module(span, "run", "std.train", &[]));
            return Val::Error;
        };
        let mut over = None;
        let mut init = None;
        let mut key = None;
        let mut args = vec![ArgVal::named("label", Val::Lit(Lit::Str(label.to_string())), span)];
        for field in &fit.fields {
            let name = field.name.name.as_str();
            if let ("over", ExprKind::Name(axis)) = (name, &field.value.kind) {
                let Some(axis) = self.axis(&ast::Ident { name: axis.clone(), span: field.value.span }) else {
                    return Val::Error;
                };
                over = Some((axis, field.value.span));
                continue;
            }
            let val = self.expr(&field.value);
            match (name, val) {
                (_, Val::Error) => return Val::Error,
                ("init", val) => init = Some((val, field.value.span)),
                ("key", val) => key = Some(val),
                ("label", val) => args[0].val = val,
                ("loss", Val::Fn(f)) => {
                    let lifted = self.lift_loss(f);
                    args.push(ArgVal { name: Some(field.name.clone()), val: Val::Fn(lifted), span: field.value.span });
                }
                (_, val) => args.push(ArgVal { name: Some(field.name.clone()), val, span: field.value.span }),
            }
        }
        let (Some((over, over_span)), Some((init, at))) = (over, init) else {
            self.error(messages::fit_needs(span, if over.is_none() { "over" } else { "init" }));
            return Val::Error;
        };
        let given = |name: &str| args.iter().find(|arg| arg.name.as_ref().is_some_and(|given| given.name == name));
        if let Some(missing) =
            ["data", "loss", "optim", "steps", "batch"].into_iter().find(|name| given(name).is_none())
        {
            self.error(messages::fit_needs(span, missing));
            return Val::Error;
        }
        let data = given("data").cloned();
        if let Some((field, ty)) =
            data.as_ref().filter(|data| carries(&data.val, &[over])).and_then(|data| lacks("", &data.val, over))
        {
            self.error(messages::data_lacks_axis(over_span, over, &field, &ty));
            return Val::Error;
        }
        if let Some(data) = data.filter(|data| !carries(&data.val, &[over])) {
            self.error(messages::nothing_carries(over_span, &[over], &data.val.ty()).label(data.span, "in this data"));
            return Val::Error;
        }
        let key = match key {
            Some(key) => key,
            None => {
                let root = self.root_key(span);
                self.derive_key(&root, (Val::Lit(Lit::Str(label.to_string())), span))
            }
        };
        let start = match init {
            Val::Fn(f) => self.call(&f, None, vec![ArgVal::plain(key.clone(), at)], at),
            params => params,
        };
        if start.is_error() {
            return Val::Error;
        }
        args.push(ArgVal::named("p", start, at));
        args.push(ArgVal::named("key", key, span));
        let run = Rc::new(FnVal::Item { module, item });
        self.call(&run, Some(&[over]), args, span)
    }

    /// A loss of a shorter form, in the one form there is.
    fn lift_loss(&mut self, f: Rc<FnVal>) -> Rc<FnVal> {
        let arity = match &*f {
            FnVal::Lambda(closure) => closure.lambda.params.len(),
            FnVal::Item { item, .. } => item.params.len(),
            _ => 4,
        };
        Rc::new(FnVal::Loss { f, arity: arity.min(4) })
    }

    pub(super) fn call_loss(&mut self, f: &Rc<FnVal>, arity: usize, args: Vec<ArgVal>, span: Span) -> Val {
        let state = args.get(2).map_or(Val::record(Vec::new()), |arg| arg.val.clone());
        let given = args.into_iter().take(arity).collect();
        let val = self.call(f, None, given, span);
        let pick = |name: &str| val.field(name).cloned();
        let (loss, state, metrics) = match &val {
            Val::Error => return Val::Error,
            Val::Record(_) => (pick("loss"), pick("state").unwrap_or(state), pick("metrics")),
            other => (Some(other.clone()), state, None),
        };
        let Some(loss) = loss else {
            self.error(messages::not_a_loss(body_of(f, span), &val.ty()));
            return Val::Error;
        };
        if !loss.is_error() && !(loss.ty().is_scalar() && loss.elem().is_some_and(Elem::is_float)) {
            self.error(messages::not_a_loss(body_of(f, span), &loss.ty()));
            return Val::Error;
        }
        Val::record(vec![
            ("loss".to_string(), loss),
            ("state".to_string(), state),
            ("metrics".to_string(), metrics.unwrap_or(Val::record(Vec::new()))),
        ])
    }

    pub(super) fn expect(&mut self, lines: &[ast::Expectation]) {
        for line in lines {
            self.expectation(line);
        }
    }

    fn expectation(&mut self, line: &ast::Expectation) {
        let span = line.span;
        let found = self.expr(&line.value);
        if found.is_error() {
            return;
        }
        let number = self.expectations.len();
        let literal = |expr: &ast::Expr| is_number(expr).then_some(expr.span);
        let (value, tolerance) = match &line.claim {
            // The number of a claim about all elements of a tensor is not what was found.
            Claim::About { tolerance, .. } if found.ty().is_tensor() => (None, literal(tolerance)),
            Claim::About { value, tolerance } => (literal(value), literal(tolerance)),
            Claim::Compare { op: BinaryOp::Eq, value } => (literal(value), None),
            _ => (None, None),
        };
        self.expectations.push(ExpectationSite { span, value, tolerance });
        let at = line.value.span;
        let (op, found, a, b) = match &line.claim {
            Claim::About { value, tolerance } => {
                let (wanted, tol) = (self.expr(value), self.expr(tolerance));
                let (op, found, wanted) = self.near(found, wanted, at);
                (op, found, wanted, self.float_value(&tol, tolerance.span, "a tolerance"))
            }
            Claim::Within { low, high, inclusive } => {
                let (a, b) = (self.expr(low), self.expr(high));
                let found = self.float_value(&found, at, "what is expected in a range");
                let a = self.float_value(&a, low.span, "the end of a range");
                let b = self.float_value(&b, high.span, "the end of a range");
                (if *inclusive { "in=" } else { "in" }, found, a, b)
            }
            Claim::Compare { op, value } => {
                let Some((found, wanted)) = self.compared(*op, found, value, at) else { return };
                (comparison(*op), found, wanted, Val::Lit(Lit::Float(0.0)))
            }
        };
        let shown = self.sources.slice(at).to_string();
        let mut args: Vec<LocalId> =
            vec![self.int(number as i64, span), self.string(op, span), self.string(&shown, span)];
        for val in [found, a, b] {
            args.push(self.id(&val, span));
        }
        self.push_stmt(Vec::new(), Op::Builtin { name: "expect_value", axes: vec![], args }, span);
    }

    /// What a claim with a tolerance compares: two numbers, or how far two tensors are apart and nothing, which no literal of
    /// the script says.
    fn near(&mut self, found: Val, wanted: Val, span: Span) -> (&'static str, Val, Val) {
        if !found.ty().is_tensor() {
            let found = self.float_value(&found, span, "what is expected about a number");
            let wanted = self.float_value(&wanted, span, "the number expected");
            return ("~", found, wanted);
        }
        let difference = self.elementwise(ScalarOp::Sub, &[(found, span), (wanted, span)], span);
        let size = self.elementwise(ScalarOp::Abs, &[(difference, span)], span);
        let (Some(axes), Some(elem)) = (size.axes(), size.elem()) else { return ("apart", Val::Error, Val::Error) };
        let arg = self.id(&size, span);
        let largest =
            self.emit(Op::Reduce { kind: ReduceKind::Max, arg, axes }, Type::Tensor(elem, Default::default()), span);
        ("apart", self.float_value(&largest, span, "a difference"), Val::Lit(Lit::Float(0.0)))
    }

    /// Operands of an exact comparison. Floats may be ordered, never compared for equality.
    fn compared(&mut self, op: BinaryOp, found: Val, value: &ast::Expr, span: Span) -> Option<(Val, Val)> {
        let wanted = self.expr(value);
        let found = self.index_as_int(&found, span);
        let wanted = self.index_as_int(&wanted, value.span);
        let ty = found.ty();
        if !(ty.is_scalar() || ty == Type::Str) {
            self.error(messages::mismatch_text(span, "an exact expectation", &ty, "a number, bool or str"));
            return None;
        }
        if found.elem().is_some_and(Elem::is_float) || wanted.elem().is_some_and(Elem::is_float) {
            if matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
                self.error(messages::exact_float(span, self.sources.slice(span), self.sources.slice(value.span)));
                return None;
            }
            let found = self.float_value(&found, span, "what is compared");
            let wanted = self.float_value(&wanted, value.span, "what it is compared with");
            return Some((found, wanted));
        }
        let wanted = self.conform(wanted, &ty, value.span, &"both sides of an expectation have one type");
        let found = self.materialize(&found, span);
        Some((found, wanted))
    }
}

/// The first tensor of the data that has axes and lacks this one: its name and type.
fn lacks(name: &str, val: &Val, axis: Axis) -> Option<(String, Type)> {
    match val {
        Val::Record(fields) => fields.iter().find_map(|(field, val)| {
            let path = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            lacks(&path, val, axis)
        }),
        other => {
            let without = other.axes().is_some_and(|own| !own.is_empty() && !own.contains(axis));
            without.then(|| (name.to_string(), other.ty()))
        }
    }
}

/// Where a function says what it yields, for messages.
fn body_of(f: &FnVal, otherwise: Span) -> Span {
    match f {
        FnVal::Lambda(closure) => match &closure.lambda.body.kind {
            ExprKind::Block(block) => block.stmts.last().map_or(closure.lambda.span, |last| last.span),
            _ => closure.lambda.body.span,
        },
        FnVal::Item { item, .. } => item.result.as_ref().map_or(item.name.span, |ty| ty.span),
        _ => otherwise,
    }
}

/// A number literal, or the negative of one: what `bless` can rewrite.
fn is_number(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) => true,
        ExprKind::Unary { op: ast::UnaryOp::Neg, value } => is_number(value),
        _ => false,
    }
}

fn comparison(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        _ => ">=",
    }
}
