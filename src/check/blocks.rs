//! Statements in order, with `return` turned into nested branches.

use super::functions;
use super::value::Val;
use super::{Checker, messages};
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::ir::{self, Block, Effect, HOST, Op};
use crate::syntax::ast::{self, ExprKind, Pattern, Stmt, StmtKind};

/// Statements that follow once those at hand are done, and how many variables are in scope there.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a> {
    pub stmts: &'a [Stmt],
    pub mark: usize,
}

impl Checker {
    /// A block in its own scope; its value is that of its last expression.
    pub(super) fn block(&mut self, block: &ast::Block) -> Val {
        let mark = self.frame().vars.len();
        let val = self.sequence(&block.stmts, &[]);
        self.frame().vars.truncate(mark);
        val
    }

    /// Statements, then those of `rest`. An `if` with a `return` inside takes all that follows into its branches.
    pub(super) fn sequence(&mut self, stmts: &[Stmt], rest: &[Rest]) -> Val {
        // Each `if` that is left to be read would still take what follows twice.
        if self.budget.is_over() {
            return Val::Error;
        }
        for (place, stmt) in stmts.iter().enumerate() {
            let last = place + 1 == stmts.len() && rest.is_empty();
            match &stmt.kind {
                StmtKind::Return(value) if self.frame().returns.is_none() => {
                    if self.frame().top_level {
                        self.error(messages::return_at_top(stmt.span));
                    }
                    return value.as_ref().map_or(Val::Unit, |value| self.expr(value));
                }
                StmtKind::Expr(expr) if self.leaves_early(expr) => {
                    let mark = self.frame().vars.len();
                    let mut following = vec![Rest { stmts: &stmts[place + 1..], mark }];
                    following.extend_from_slice(rest);
                    return self.branch_with_rest(expr, &following);
                }
                StmtKind::Expr(expr) => {
                    let val = self.expr(expr);
                    if last {
                        return val;
                    }
                }
                _ => self.statement(stmt),
            }
        }
        match rest.split_first() {
            Some((next, following)) => {
                self.frame().vars.truncate(next.mark);
                self.sequence(next.stmts, following)
            }
            None => Val::Unit,
        }
    }

    fn leaves_early(&mut self, expr: &ast::Expr) -> bool {
        self.frame().returns.is_none()
            && matches!(expr.kind, ExprKind::If { .. } | ExprKind::Match { .. })
            && functions::nested_blocks(expr).into_iter().any(functions::has_return)
    }

    fn branch_with_rest(&mut self, expr: &ast::Expr, rest: &[Rest]) -> Val {
        match &expr.kind {
            ExprKind::If { test, then, other } => {
                let cond = self.condition(test);
                let other = other.as_deref();
                self.branch(
                    &cond,
                    &mut |checker| checker.sequence(&then.stmts, rest),
                    &mut |checker| match other {
                        Some(other) if checker.leaves_early(other) => checker.branch_with_rest(other, rest),
                        Some(ast::Expr { kind: ExprKind::Block(block), .. }) => checker.sequence(&block.stmts, rest),
                        Some(other) => {
                            checker.expr(other);
                            checker.sequence(&[], rest)
                        }
                        None => checker.sequence(&[], rest),
                    },
                    expr.span,
                )
            }
            ExprKind::Match { value, arms } => self.match_arms(value, arms, expr.span, rest),
            ExprKind::Block(block) => self.sequence(&block.stmts, rest),
            _ => self.expr(expr),
        }
    }

    pub(super) fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { mutable, pattern, ty, value } => self.let_stmt(*mutable, pattern, ty.as_ref(), value),
            StmtKind::Site { name, value } => self.site_stmt(name, value),
            StmtKind::For { var, range, body } => self.for_stmt(var, range, body, stmt.span),
            StmtKind::While { test, body } => self.while_stmt(test, body, stmt.span),
            StmtKind::Return(value) => self.return_stmt(value.as_ref(), stmt.span),
            StmtKind::Assign { target, op, value } => self.assign(target, *op, value),
            StmtKind::Capture(capture) => {
                let val = self.capture_expr(capture);
                for site in &capture.sites {
                    // After an error the names stand for it, so that they are not called unknown as well.
                    let found = val.field(&site.name.name).cloned().unwrap_or(Val::Error);
                    self.bind(&site.name.name, found, false, site.name.span);
                }
            }
            StmtKind::Fit { name, fit } => {
                let val = self.fit_expr(fit, &name.name);
                self.bind(&name.name, val, false, name.span);
            }
            StmtKind::Plot(plot) => self.plot(plot),
            StmtKind::Expr(expr) => {
                self.expr(expr);
            }
        }
    }

    fn let_stmt(&mut self, mutable: bool, pattern: &Pattern, ty: Option<&ast::Ty>, value: &ast::Expr) {
        let mut val = self.expr(value);
        if let Some(ty) = ty {
            let ty = self.resolve_type(ty);
            val = self.conform(val, &ty, value.span, &"the type that this `let` states");
        }
        if mutable {
            val = self.materialize(&val, value.span);
        }
        match pattern {
            Pattern::Name(name) => {
                if matches!(val, Val::Unit) {
                    self.error(messages::no_value(value.span));
                    val = Val::Error;
                }
                self.bind(&name.name, val, mutable, name.span)
            }
            Pattern::Record(names) => {
                for name in names {
                    let field = match val.field(&name.name) {
                        Some(field) => field.clone(),
                        None if val.is_error() => Val::Error,
                        None => {
                            self.error(messages::unknown_field(name.span, &name.name, &val.ty()));
                            Val::Error
                        }
                    };
                    self.bind(&name.name, field, mutable, name.span);
                }
            }
        }
    }

    /// `return` inside a loop, or anywhere in a function that is not inlined.
    fn return_stmt(&mut self, value: Option<&ast::Expr>, span: Span) {
        let Some(result) = self.frame().returns.clone() else {
            self.error(messages::return_at_top(span));
            return;
        };
        let val = value.map_or(Val::Unit, |value| self.expr(value));
        let val = self.conform(val, &result, span, &"the result that the function states");
        let ids = self.ids(&val.leaves(), span);
        self.push_stmt(Vec::new(), Op::Return(ids), span);
    }
}

/// Why what shows something may not stand at this place; functions that the block calls were not looked into.
pub(super) fn shows(block: &Block, span: Span, place: &str) -> Diagnostic {
    fn calls_host(block: &Block) -> bool {
        let host = |op: &Op| matches!(op, Op::Builtin { name, .. } if name.starts_with(HOST));
        block.stmts.iter().any(|stmt| host(&stmt.op) || stmt.op.blocks().into_iter().any(calls_host))
    }
    if calls_host(block) { messages::host_effect(span, place) } else { messages::effect(span, place) }
}

/// The largest effect in a block.
pub(super) fn effect(block: &Block, module: &ir::Module) -> Effect {
    let of = |stmt: &ir::Stmt| {
        let inside = stmt.op.blocks().into_iter().map(|block| effect(block, module)).max();
        module.effect_of(&stmt.op).max(inside.unwrap_or_default())
    };
    block.stmts.iter().map(of).max().unwrap_or_default()
}
