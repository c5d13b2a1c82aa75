//! `if`, `match`, `for`, `while`: branches and loops that yield and carry values.

use super::blocks::Rest;
use super::names::Var;
use super::value::{Lit, Val};
use super::{Checker, assign, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{Block, Carried, Elem, LocalId, Op, Type};
use crate::syntax::ast::{self, ArmPattern, BinaryOp, Expr, ExprKind};

/// A branch: what it does, and the value it yields (of locals inside it).
pub(super) type Branch = (Block, Val);

impl Checker {
    pub(super) fn condition(&mut self, test: &Expr) -> Val {
        let val = self.expr(test);
        self.conform(val, &Type::BOOL, test.span, &"a condition").clone()
    }

    pub(super) fn if_expr(&mut self, test: &Expr, then: &ast::Block, other: Option<&Expr>, span: Span) -> Val {
        let raw = self.expr(test);
        let cond = match raw {
            Val::Lit(Lit::Bool(_)) => raw,
            raw => self.conform(raw, &Type::BOOL, test.span, &"a condition"),
        };
        self.branch(
            &cond,
            &mut |checker| checker.block(then),
            &mut |checker| other.map_or(Val::Unit, |other| checker.expr(other)),
            span,
        )
    }

    /// Two branches under a condition; assigned variables and captured sites are joined with the value. A
    /// condition known now takes its branch now.
    pub(super) fn branch(
        &mut self,
        cond: &Val,
        then: &mut dyn FnMut(&mut Checker) -> Val,
        other: &mut dyn FnMut(&mut Checker) -> Val,
        span: Span,
    ) -> Val {
        match cond {
            Val::Lit(Lit::Bool(true)) => return then(self),
            Val::Lit(Lit::Bool(false)) => return other(self),
            Val::Error => {
                then(self);
                other(self);
                return Val::Error;
            }
            _ => {}
        }
        let (before, known) = (self.state(), self.frame().vars.clone());
        self.open_block();
        let first = then(self);
        self.settle(&known);
        let first_state = self.state();
        let first_block = self.close_block(Vec::new());
        self.set_state(&before);
        self.open_block();
        let second = other(self);
        self.settle(&known);
        let second_state = self.state();
        let second_block = self.close_block(Vec::new());
        self.set_state(&before);

        let changed: Vec<usize> = (0..before.len())
            .filter(|&at| !first_state[at].same(&before[at]) || !second_state[at].same(&before[at]))
            .collect();
        let bundle = |value: &Val, state: &[Val]| {
            let mut fields = vec![("value".to_string(), value.clone())];
            fields.extend(changed.iter().map(|&at| (format!("state{at}"), state[at].clone())));
            Val::record(fields)
        };
        let joined = self.join(
            cond,
            (first_block, bundle(&first, &first_state)),
            (second_block, bundle(&second, &second_state)),
            span,
        );
        let Val::Record(fields) = joined else { return Val::Error };
        let mut after = before;
        for (&at, (_, val)) in changed.iter().zip(fields.iter().skip(1)) {
            after[at] = val.clone();
        }
        self.set_state(&after);
        fields.first().map_or(Val::Unit, |(_, val)| val.clone())
    }

    /// The variables that were known before a branch, with the values that it left. A branch that took the rest of the
    /// function with it has left scopes and bound other names; of what stood in those scopes nobody reads any more.
    fn settle(&mut self, known: &[Var]) {
        let vars = &mut self.frame().vars;
        let same = known.iter().zip(vars.iter()).take_while(|(old, new)| old.span == new.span && old.name == new.name);
        let kept = same.count();
        vars.truncate(kept);
        vars.extend_from_slice(&known[kept..]);
    }

    /// Joins two branches that assign nothing.
    pub(super) fn join_simple(&mut self, cond: &Val, then: Branch, other: Branch, span: Span) -> Val {
        self.join(cond, then, other, span)
    }

    fn join(&mut self, cond: &Val, then: Branch, other: Branch, span: Span) -> Val {
        let Some(shape) = self.joined(&then.1, &other.1, span) else { return Val::Error };
        let cond = self.id(cond, span);
        let (then, first) = self.yielding(then, &shape, span);
        let (other, _) = self.yielding(other, &shape, span);
        let types: Vec<Type> = first.leaves().iter().map(Val::ty).collect();
        let mut results = self.emit_many(Op::If { cond, then, other }, &types, span).into_iter();
        first.with_leaves(&mut |_| results.next().unwrap_or(Val::Error))
    }

    /// Ends a branch so that it yields its value in the joined shape.
    fn yielding(&mut self, branch: Branch, shape: &Val, span: Span) -> (Block, Val) {
        self.reopen(branch.0);
        let val = self.shaped(&branch.1, shape, span);
        let leaves = val.leaves();
        let ids = self.ids(&leaves, span);
        // What the branch yields lives in locals of its own, so that the shape outside can be rebuilt from types.
        (self.close_block(ids), val)
    }

    /// Opens a block again that holds these statements.
    pub(super) fn reopen(&mut self, block: Block) {
        self.open_block();
        self.append(block);
    }

    /// Puts the statements of a block where the checker stands.
    pub(super) fn append(&mut self, block: Block) {
        for stmt in block.stmts {
            self.push_stmt(stmt.dest, stmt.op, stmt.span);
        }
    }

    fn shaped(&mut self, val: &Val, shape: &Val, span: Span) -> Val {
        match (val, shape) {
            (Val::Record(_), Val::Record(wanted)) => Val::record(
                wanted
                    .iter()
                    .map(|(name, shape)| {
                        let part = val.field(name).cloned().unwrap_or(Val::Error);
                        (name.clone(), self.shaped(&part, shape, span))
                    })
                    .collect(),
            ),
            (_, Val::Local { ty, .. }) => match self.try_conform(val, ty, span) {
                Some(val) => self.materialize(&val, span),
                None => {
                    self.error(messages::branches_differ(span, &val.ty(), ty));
                    Val::Error
                }
            },
            // Without `else` the value of the body is nobody's.
            (_, Val::Unit) => Val::Unit,
            _ => val.clone(),
        }
    }

    /// The shape in which two branches meet: a run-time leaf is shown by a local of its type.
    fn joined(&mut self, first: &Val, second: &Val, span: Span) -> Option<Val> {
        let leaf = |ty: Type| Some(Val::Local { level: 0, id: LocalId(0), ty });
        match (first, second) {
            (Val::Error, _) | (_, Val::Error) => None,
            (Val::Unit, _) | (_, Val::Unit) => Some(Val::Unit),
            (Val::Fn(a), Val::Fn(b)) if a.same(b) => Some(first.clone()),
            (Val::Lit(a), Val::Lit(b)) if a == b => Some(first.clone()),
            (Val::Fn(_), _) | (_, Val::Fn(_)) => {
                self.error(messages::function_chosen_at_run_time(span));
                None
            }
            (Val::Record(a), Val::Record(b)) if a.len() == b.len() => {
                let mut fields = Vec::new();
                for (name, val) in a.iter() {
                    let Some(other) = second.field(name) else {
                        self.error(messages::branches_differ(span, &first.ty(), &second.ty()));
                        return None;
                    };
                    fields.push((name.clone(), self.joined(val, other, span)?));
                }
                Some(Val::record(fields))
            }
            (a, b) if a.ty() == b.ty() => leaf(a.ty()),
            (a, b) if a.adapts() && b.adapts() => leaf(Type::FLOAT),
            (a, b) if a.adapts() && takes_numbers(&b.ty()) => leaf(met(a, b.ty())),
            (a, b) if b.adapts() && takes_numbers(&a.ty()) => leaf(met(b, a.ty())),
            (a, b) => match (a.ty(), b.ty()) {
                (Type::List(x), Type::List(y)) if *x == Type::Error || *y == Type::Error => {
                    let item = if *x == Type::Error { y } else { x };
                    leaf(Type::List(item))
                }
                (x, y) => {
                    self.error(messages::branches_differ(span, &x, &y));
                    None
                }
            },
        }
    }

    pub(super) fn match_expr(&mut self, value: &Expr, arms: &[ast::Arm], span: Span) -> Val {
        self.match_arms(value, arms, span, &[])
    }

    pub(super) fn match_arms(&mut self, value: &Expr, arms: &[ast::Arm], span: Span, rest: &[Rest]) -> Val {
        let val = self.expr(value);
        if val.is_error() {
            return Val::Error;
        }
        let covered = arms.iter().any(|arm| matches!(arm.pattern, ArmPattern::Any | ArmPattern::Name(_)));
        let both = |want: bool| arms.iter().any(|arm| arm.pattern == ArmPattern::Bool(want));
        if !covered && !(both(true) && both(false)) {
            self.error(messages::match_not_complete(span));
            return Val::Error;
        }
        self.arm_chain((&val, value.span), arms, span, rest)
    }

    fn arm_chain(&mut self, value: (&Val, Span), arms: &[ast::Arm], span: Span, rest: &[Rest]) -> Val {
        let Some((arm, following)) = arms.split_first() else { return Val::Unit };
        let lit = match &arm.pattern {
            ArmPattern::Int(x) => Lit::Int(*x),
            ArmPattern::Float(x) => Lit::Float(*x),
            ArmPattern::Bool(x) => Lit::Bool(*x),
            ArmPattern::Str(x) => Lit::Str(x.clone()),
            ArmPattern::Any => return self.arm_body(arm, None, rest),
            ArmPattern::Name(name) => return self.arm_body(arm, Some((name.clone(), value.0.clone())), rest),
        };
        if following.is_empty() && matches!(lit, Lit::Bool(_)) {
            return self.arm_body(arm, None, rest);
        }
        let cond = self.binary(BinaryOp::Eq, (value.0.clone(), value.1), (Val::Lit(lit), arm.span), arm.span);
        self.branch(
            &cond,
            &mut |checker| checker.arm_body(arm, None, rest),
            &mut |checker| checker.arm_chain(value, following, span, rest),
            span,
        )
    }

    fn arm_body(&mut self, arm: &ast::Arm, bound: Option<(ast::Ident, Val)>, rest: &[Rest]) -> Val {
        let mark = self.frame().vars.len();
        if let Some((name, val)) = bound {
            self.bind(&name.name, val, false, name.span);
        }
        let val = match (&arm.body.kind, rest) {
            (_, []) => self.expr(&arm.body),
            (ExprKind::Block(block), _) => self.sequence(&block.stmts, rest),
            _ => {
                self.expr(&arm.body);
                self.sequence(&[], rest)
            }
        };
        self.frame().vars.truncate(mark);
        val
    }

    pub(super) fn for_stmt(&mut self, var: &ast::Ident, range: &Expr, body: &ast::Block, span: Span) {
        if let ExprKind::Name(name) = &range.kind
            && !self.frame().vars.iter().any(|var| var.name == *name)
            && let Some(axes) = self.find_axis(name)
            && axes.len() == 1
        {
            let axis = axes[0];
            let lo = self.int(0, span);
            let mut hi = self.axis_size(axis, range.span);
            hi = self.swap_bound(axis, hi, range.span);
            hi = self.capture_bound(axis, hi, span);
            return self.for_loop(lo, hi, Type::index(axis), Some(axis), &mut |_, index| index, var, body, span);
        }
        if let ExprKind::Range { low, high, inclusive } = &range.kind {
            let lo = match low {
                Some(low) => self.bound(low),
                None => self.int(0, span),
            };
            let Some(high) = high else {
                self.error(messages::open_range(range.span));
                return;
            };
            let mut hi = self.bound(high);
            if *inclusive {
                hi = self.plus_one(hi, span);
            }
            return self.for_loop(lo, hi, Type::INT, None, &mut |_, index| index, var, body, span);
        }
        let over = self.expr(range);
        match over.ty() {
            Type::List(item) => {
                let list = self.id(&over, range.span);
                let lo = self.int(0, span);
                let len = self.emit(Op::Builtin { name: "list_len", axes: vec![], args: vec![list] }, Type::INT, span);
                let hi = self.id(&len, span);
                let mut element = |checker: &mut Checker, index: Val| {
                    let args = vec![list, checker.id(&index, span)];
                    let val = checker.emit(Op::Builtin { name: "list_get", axes: vec![], args }, (*item).clone(), span);
                    checker.unpack(val, span)
                };
                self.for_loop(lo, hi, Type::INT, None, &mut element, var, body, span)
            }
            Type::Tensor(elem, axes) if axes.len() == 1 => {
                let axis = axes.as_slice()[0];
                let arg = self.id(&over, range.span);
                let lo = self.int(0, span);
                let len = self.emit(Op::SizeOf { args: vec![arg], axis }, Type::INT, span);
                let hi = self.id(&len, span);
                let mut element = |checker: &mut Checker, index: Val| {
                    let index = checker.id(&index, span);
                    checker.emit(Op::Select { arg, axis, index }, Type::Tensor(elem, Default::default()), span)
                };
                self.for_loop(lo, hi, Type::INT, None, &mut element, var, body, span)
            }
            Type::Error => {}
            ty => self.error(messages::cannot_loop(range.span, &ty)),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn for_loop(
        &mut self,
        lo: LocalId,
        hi: LocalId,
        index_type: Type,
        axis: Option<Axis>,
        element: &mut dyn FnMut(&mut Checker, Val) -> Val,
        name: &ast::Ident,
        body: &ast::Block,
        span: Span,
    ) {
        let before = self.state();
        let slots = self.carried_slots(body);
        let carried = self.open_carried(&before, &slots, span);
        let var = self.new_local(index_type.clone(), Some(&name.name), name.span);
        self.open_block();
        let mark = self.frame().vars.len();
        let index = self.local(var, index_type);
        if let Some(axis) = axis {
            self.frame().loops.push((axis, index.clone()));
        }
        let item = element(self, index);
        self.bind(&name.name, item, false, name.span);
        self.block(body);
        self.frame().vars.truncate(mark);
        if axis.is_some() {
            self.frame().loops.pop();
        }
        let (results, carried) = self.close_carried(carried, &slots, span);
        let body = self.close_block(results);
        self.finish_loop(before, &slots, carried, span, |list| Op::For { var, lo, hi, carried: list, body });
    }

    pub(super) fn while_stmt(&mut self, test: &Expr, body: &ast::Block, span: Span) {
        let before = self.state();
        let slots = self.carried_slots(body);
        let carried = self.open_carried(&before, &slots, span);
        self.open_block();
        let cond = self.condition(test);
        let cond = self.id(&cond, test.span);
        let test = self.close_block(vec![cond]);
        self.open_block();
        self.block(body);
        let (results, carried) = self.close_carried(carried, &slots, span);
        let body = self.close_block(results);
        self.finish_loop(before, &slots, carried, span, |list| Op::While { carried: list, test, body });
    }

    /// Which state slots a loop body may change: assigned variables, and everything being captured.
    fn carried_slots(&mut self, body: &ast::Block) -> Vec<usize> {
        let assigned = assign::assigned_names(body);
        let mutable = self.mutable_places();
        let mut slots: Vec<usize> = Vec::new();
        for (slot, place) in mutable.iter().enumerate() {
            let var = &self.frame().vars[*place];
            let visible = assigned.contains(&var.name);
            if visible {
                slots.push(slot);
            }
        }
        slots.extend(mutable.len()..mutable.len() + self.capture_slots());
        slots
    }

    /// Binds the carried slots to parameters of the loop; returns (param shape, init) of each.
    fn open_carried(&mut self, before: &[Val], slots: &[usize], span: Span) -> Vec<(Val, Val)> {
        let mut carried = Vec::new();
        let mut inside = before.to_vec();
        for &slot in slots {
            let init = self.materialize(&before[slot], span);
            let param = self.fresh_like(&init, span);
            inside[slot] = param.clone();
            carried.push((param, init));
        }
        self.set_state(&inside);
        carried
    }

    fn fresh_like(&mut self, val: &Val, span: Span) -> Val {
        let mut params = Vec::new();
        for leaf in val.leaves() {
            let id = self.new_local(leaf.ty(), None, span);
            params.push(self.local(id, leaf.ty()));
        }
        let mut params = params.into_iter();
        val.with_leaves(&mut |_| params.next().unwrap_or(Val::Error))
    }

    /// The values that the body yields for the next round, checked against the carried types. A list that was
    /// empty before the loop takes its type here.
    fn close_carried(
        &mut self,
        carried: Vec<(Val, Val)>,
        slots: &[usize],
        span: Span,
    ) -> (Vec<LocalId>, Vec<(Val, Val)>) {
        let after = self.state();
        let mut results = Vec::new();
        let mut settled = Vec::new();
        for ((param, init), &slot) in carried.into_iter().zip(slots) {
            let next = &after[slot];
            let (mut param, mut init) = (param, init);
            if let (Type::List(open), ty @ Type::List(_)) = (param.ty(), next.ty())
                && *open == Type::Error
            {
                self.retype(&param, &ty);
                self.retype(&init, &ty);
                param = self.with_type(&param, &ty);
                init = self.with_type(&init, &ty);
            }
            let next = self.conform(next.clone(), &param.ty(), span, &"a variable keeps its type from round to round");
            let leaves = next.leaves();
            results.extend(self.ids(&leaves, span));
            settled.push((param, init));
        }
        (results, settled)
    }

    fn finish_loop(
        &mut self,
        before: Vec<Val>,
        slots: &[usize],
        carried: Vec<(Val, Val)>,
        span: Span,
        make: impl FnOnce(Vec<Carried>) -> Op,
    ) {
        let mut list = Vec::new();
        for (param, init) in &carried {
            let (params, inits) = (param.leaves(), init.leaves());
            let params = self.ids(&params, span);
            let inits = self.ids(&inits, span);
            list.extend(params.into_iter().zip(inits).map(|(param, init)| Carried { param, init }));
        }
        let types: Vec<Type> = carried.iter().flat_map(|(param, _)| param.leaves()).map(|leaf| leaf.ty()).collect();
        let mut results = self.emit_many(make(list), &types, span).into_iter();
        let mut after = before;
        for ((param, _), &slot) in carried.iter().zip(slots) {
            after[slot] = param.with_leaves(&mut |_| results.next().unwrap_or(Val::Error));
        }
        self.set_state(&after);
    }

    /// An index as a plain int.
    pub(super) fn index_as_int(&mut self, val: &Val, span: Span) -> Val {
        match val.elem() {
            Some(Elem::Index(_)) => self.cast(val, Elem::Int, span),
            _ => val.clone(),
        }
    }
}

/// A scalar that a number literal can become.
fn takes_numbers(ty: &Type) -> bool {
    ty.is_scalar() && ty.elem().is_some_and(|elem| elem.is_float() || elem == Elem::Int)
}

/// The type in which a literal and a scalar meet: an int beside 0.5 becomes a float.
fn met(literal: &Val, scalar: Type) -> Type {
    match literal {
        Val::Lit(Lit::Float(_)) if scalar == Type::INT => Type::FLOAT,
        _ => scalar,
    }
}
