//! Expressions with parts of their own: branches, functions, records, tensors by formula, captures.

use super::{Builder, Pair, Rule, parts};
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::syntax::ast::*;
use std::rc::Rc;

impl Builder {
    pub(super) fn if_expr(&mut self, pair: Pair) -> Option<ExprKind> {
        let span = self.span(&pair);
        let inner: Vec<Pair> = parts(pair).collect();
        let levels = (inner.len() / 2).saturating_sub(1);
        let found = self.deeper(levels, span, |builder| builder.if_chain(inner, span))?;
        Some(found.kind)
    }

    /// Tests and blocks in turn; a block without a test is the last `else`.
    fn if_chain(&mut self, mut inner: Vec<Pair>, whole: Span) -> Option<Expr> {
        let mut found = None;
        if inner.len() % 2 == 1 {
            let block = self.block(inner.pop()?)?;
            found = Some(Expr { span: block.span, kind: ExprKind::Block(block) });
        }
        while let (Some(then), Some(test)) = (inner.pop(), inner.pop()) {
            let then = self.block(then)?;
            let test = Box::new(self.expr(test)?);
            // An `else if` is shown from its test on; its word is not a pair.
            let span = Span { end: whole.end, ..test.span };
            found = Some(Expr { span, kind: ExprKind::If { test, then, other: found.map(Box::new) } });
        }
        found
    }

    pub(super) fn match_expr(&mut self, pair: Pair) -> Option<ExprKind> {
        let mut inner = parts(pair);
        let value = Box::new(self.expr(inner.next()?)?);
        let arms = inner.map(|arm| self.arm(arm)).collect::<Option<_>>()?;
        Some(ExprKind::Match { value, arms })
    }

    fn arm(&mut self, pair: Pair) -> Option<Arm> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let pattern = self.arm_pattern(inner.next()?)?;
        Some(Arm { pattern, body: self.expr(inner.next()?)?, span })
    }

    fn arm_pattern(&mut self, pair: Pair) -> Option<ArmPattern> {
        let mut negative = false;
        for part in parts(pair) {
            return Some(match part.as_rule() {
                Rule::neg => {
                    negative = true;
                    continue;
                }
                Rule::string => ArmPattern::Str(self.plain_string(part)?),
                Rule::boolean => ArmPattern::Bool(part.as_str() == "true"),
                Rule::number => match self.number(part)? {
                    ExprKind::Int(value) => ArmPattern::Int(if negative { -value } else { value }),
                    ExprKind::Float(value) => ArmPattern::Float(if negative { -value } else { value }),
                    _ => return None,
                },
                _ if part.as_str() == "_" => ArmPattern::Any,
                _ => ArmPattern::Name(self.ident(part)),
            });
        }
        None
    }

    pub(super) fn lambda(&mut self, pair: Pair) -> Option<ExprKind> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let params = self.params(inner.next()?)?;
        let body = self.expr(inner.next()?)?;
        Some(ExprKind::Lambda(Rc::new(Lambda { params, body, span })))
    }

    pub(super) fn comprehension(&mut self, pair: Pair) -> Option<ExprKind> {
        let mut binders = Vec::new();
        for part in parts(pair) {
            match part.as_rule() {
                Rule::binder => {
                    let mut names = self.idents(part).into_iter();
                    binders.push((names.next()?, names.next()?));
                }
                _ => return Some(ExprKind::Comprehension { binders, body: Box::new(self.expr(part)?) }),
            }
        }
        None
    }

    pub(super) fn capture(&mut self, pair: Pair) -> Option<CaptureExpr> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let call = self.expr(inner.next()?)?;
        let sites = inner.map(|hook| self.hook(hook)).collect::<Option<_>>()?;
        match call.kind {
            ExprKind::Call { callee, args, piped: false } => Some(CaptureExpr { model: *callee, args, sites, span }),
            _ => {
                let error = Diagnostic::error("E001", call.span, "`capture` runs a model, and this is no call")
                    .help("capture model(tokens) { x = resid_pre[layer: 2] }");
                self.errors.push(error);
                None
            }
        }
    }

    fn hook(&mut self, pair: Pair) -> Option<SiteBinding> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let (name, site) = (self.ident(inner.next()?), self.ident(inner.next()?));
        let parts = match inner.next() {
            Some(brackets) => self.brackets(brackets)?,
            None => Vec::new(),
        };
        Some(SiteBinding { name, site, parts, span })
    }

    pub(super) fn with(&mut self, pair: Pair) -> Option<WithExpr> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let model = self.expr(inner.next()?)?;
        let swaps = inner.map(|swap| self.swap(swap)).collect::<Option<_>>()?;
        Some(WithExpr { model, swaps, span })
    }

    fn swap(&mut self, pair: Pair) -> Option<Swap> {
        let span = self.span(&pair);
        let mut inner = parts(pair);
        let site = self.ident(inner.next()?);
        let mut next = inner.next()?;
        let mut found = Vec::new();
        if next.as_rule() == Rule::brackets {
            found = self.brackets(next)?;
            next = inner.next()?;
        }
        Some(Swap { site, parts: found, value: self.expr(next)?, span })
    }

    /// The fields of a record; `x` alone is `x: x`.
    pub(super) fn fields(&mut self, pair: Pair) -> Option<Vec<Field>> {
        parts(pair)
            .map(|entry| {
                let mut inner = parts(entry);
                let name = self.ident(inner.next()?);
                let value = match inner.next() {
                    Some(value) => self.expr(value)?,
                    None => Expr { span: name.span, kind: ExprKind::Name(name.name.clone()) },
                };
                Some(Field { name, value })
            })
            .collect()
    }
}
