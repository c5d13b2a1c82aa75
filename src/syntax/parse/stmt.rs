//! Statements and blocks.

use super::{Builder, Pair, Rule, parts};
use crate::base::diag::Diagnostic;
use crate::syntax::ast::*;
use crate::syntax::slips;

impl Builder {
    pub(super) fn block(&mut self, pair: Pair) -> Option<Block> {
        let span = self.span(&pair);
        let mut stmts: Vec<Stmt> = self.deeper(1, span, |builder| {
            let lines = parts(pair).enumerate();
            lines.map(|(number, line)| builder.line(line, number == 0)).collect::<Option<_>>()
        })?;
        // The last line of a block is its value, so a `capture` there is worth more as a record than as names.
        if let Some(last) = stmts.pop() {
            stmts.push(capture_as_value(last));
        }
        Some(Block { stmts, span })
    }

    fn line(&mut self, pair: Pair, first: bool) -> Option<Stmt> {
        if let Some(error) = slips::leading_minus(pair.as_str(), self.span(&pair)).filter(|_| !first) {
            self.errors.push(error);
            return None;
        }
        self.stmt(pair)
    }

    pub(super) fn stmt(&mut self, pair: Pair) -> Option<Stmt> {
        let inner = pair.into_inner().next()?;
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            Rule::let_stmt => self.let_stmt(inner)?,
            Rule::site_stmt => {
                let mut inner = parts(inner);
                StmtKind::Site { name: self.ident(inner.next()?), value: self.expr(inner.next()?)? }
            }
            Rule::for_stmt => {
                let mut inner = parts(inner);
                let (var, range) = (self.ident(inner.next()?), self.expr(inner.next()?)?);
                self.check_loop(&range);
                StmtKind::For { var, range, body: self.block(inner.next()?)? }
            }
            Rule::while_stmt => {
                let mut inner = parts(inner);
                StmtKind::While { test: self.expr(inner.next()?)?, body: self.block(inner.next()?)? }
            }
            Rule::return_stmt => match parts(inner).next() {
                Some(value) => StmtKind::Return(Some(self.expr(value)?)),
                None => StmtKind::Return(None),
            },
            Rule::fit_stmt => {
                let mut inner = parts(inner);
                let (name, fields) = (self.ident(inner.next()?), self.fields(inner.next()?)?);
                StmtKind::Fit { name, fit: FitExpr { fields, span } }
            }
            Rule::plot_stmt => {
                let mut inner = parts(inner);
                let (kind, fields) = (self.ident(inner.next()?), self.fields(inner.next()?)?);
                StmtKind::Plot(PlotItem { kind, fields, span })
            }
            _ => self.plain_stmt(inner)?,
        };
        Some(Stmt { span, kind })
    }

    fn let_stmt(&mut self, pair: Pair) -> Option<StmtKind> {
        let (mut mutable, mut pattern, mut ty, mut value) = (false, None, None, None);
        for part in parts(pair) {
            match part.as_rule() {
                Rule::kw_mut => mutable = true,
                Rule::pattern => pattern = Some(self.pattern(part)?),
                Rule::ty => ty = Some(self.ty(part)?),
                _ => value = Some(self.expr(part)?),
            }
        }
        Some(StmtKind::Let { mutable, pattern: pattern?, ty, value: value? })
    }

    fn pattern(&mut self, pair: Pair) -> Option<Pattern> {
        let braces = pair.as_str().starts_with('{');
        let mut names = self.idents(pair);
        if braces { Some(Pattern::Record(names)) } else { Some(Pattern::Name(names.pop()?)) }
    }

    fn plain_stmt(&mut self, pair: Pair) -> Option<StmtKind> {
        let mut inner = parts(pair);
        let target = self.expr(inner.next()?)?;
        let Some(op) = inner.next() else {
            return Some(match target {
                // A capture in round brackets is wider than its own span, and stays a value.
                Expr { kind: ExprKind::Capture(capture), span } if capture.span == span => StmtKind::Capture(*capture),
                value => StmtKind::Expr(value),
            });
        };
        let op = super::literal::binary_op(op.as_str().trim_end_matches('='));
        let value = self.expr(inner.next()?)?;
        self.check_target(&target)?;
        Some(StmtKind::Assign { target, op, value })
    }

    /// Only a name, a field or an indexed place can be assigned to.
    fn check_target(&mut self, target: &Expr) -> Option<()> {
        let mut place = target;
        loop {
            match &place.kind {
                ExprKind::Name(_) => return Some(()),
                ExprKind::Field { value, .. } | ExprKind::Brackets { value, .. } => place = value,
                _ => break,
            }
        }
        self.errors.push(
            Diagnostic::error("E001", target.span, "this cannot be assigned to")
                .here("not a name, a field or an indexed place")
                .help("`==` compares, `let name = ...` makes a new name"),
        );
        None
    }

    fn check_loop(&mut self, range: &Expr) {
        self.errors.extend(slips::python_loop(range));
    }
}

fn capture_as_value(stmt: Stmt) -> Stmt {
    match stmt.kind {
        StmtKind::Capture(capture) => {
            let value = Expr { span: capture.span, kind: ExprKind::Capture(Box::new(capture)) };
            Stmt { span: stmt.span, kind: StmtKind::Expr(value) }
        }
        _ => stmt,
    }
}
