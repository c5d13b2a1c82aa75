//! Expressions: operators, calls, brackets, and the dispatch to everything else that is a value.

use super::literal::binary_op;
use super::{Builder, Pair, Rule, parts};
use crate::base::span::Span;
use crate::syntax::ast::*;
use crate::syntax::slips;

impl Builder {
    /// Any rule of the expression part of the grammar.
    pub(super) fn expr(&mut self, pair: Pair) -> Option<Expr> {
        let pair = innermost(pair);
        let span = self.span(&pair);
        self.deeper(1, span, |builder| builder.expr_at(pair, span))
    }

    fn expr_at(&mut self, pair: Pair, span: Span) -> Option<Expr> {
        let kind = match pair.as_rule() {
            Rule::expr => return self.pipeline(pair),
            Rule::or_expr | Rule::and_expr | Rule::cmp_expr | Rule::add_expr | Rule::mul_expr => {
                return self.chain(pair);
            }
            Rule::not_expr | Rule::unary => return self.prefixed(pair),
            Rule::range_expr => self.range(pair)?,
            Rule::pow_expr => return self.power(pair),
            Rule::postfix_expr => return self.postfix(pair),
            // Brackets only group; the span covers them, so that labels do.
            Rule::paren => return Some(Expr { span, ..self.expr(parts(pair).next()?)? }),
            Rule::if_expr => self.if_expr(pair)?,
            Rule::match_expr => self.match_expr(pair)?,
            Rule::lambda => self.lambda(pair)?,
            Rule::capture_expr => ExprKind::Capture(Box::new(self.capture(pair)?)),
            Rule::with_expr => ExprKind::With(Box::new(self.with(pair)?)),
            Rule::fit_expr => {
                let fields = self.fields(parts(pair).next()?)?;
                ExprKind::Fit(Box::new(FitExpr { fields, span }))
            }
            Rule::record => ExprKind::Record(self.fields(pair)?),
            Rule::block => ExprKind::Block(self.block(pair)?),
            Rule::comprehension => self.comprehension(pair)?,
            Rule::list => ExprKind::List(parts(pair).map(|part| self.expr(part)).collect::<Option<_>>()?),
            Rule::number => self.number(pair)?,
            Rule::string => ExprKind::Str(self.string(pair)?),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::ident => self.name(pair.as_str(), span)?,
            _ => return None,
        };
        Some(Expr { span, kind })
    }

    fn name(&mut self, name: &str, span: Span) -> Option<ExprKind> {
        match slips::reserved_value(name, span) {
            Some(error) => {
                self.errors.push(error);
                None
            }
            None => Some(ExprKind::Name(name.to_string())),
        }
    }

    /// `x |> f(a) |> mean[pos]`
    fn pipeline(&mut self, pair: Pair) -> Option<Expr> {
        let span = self.span(&pair);
        let mut inner: Vec<Pair> = parts(pair).collect();
        let stages = inner.split_off(1);
        self.deeper(stages.len().saturating_sub(1), span, |builder| {
            let mut value = builder.expr(inner.pop()?)?;
            for stage in stages {
                let stage = innermost(stage);
                let bracketed = stage.as_rule() == Rule::paren;
                let stage = builder.expr(stage)?;
                value = piped(value, stage, bracketed);
            }
            Some(value)
        })
    }

    /// Operands and operators of one precedence, left to right.
    fn chain(&mut self, pair: Pair) -> Option<Expr> {
        let span = self.span(&pair);
        let inner: Vec<Pair> = parts(pair).collect();
        let levels = (inner.len() / 2).saturating_sub(1);
        self.deeper(levels, span, |builder| {
            let mut inner = inner.into_iter();
            let mut left = builder.expr(inner.next()?)?;
            while let (Some(sign), Some(right)) = (inner.next(), inner.next()) {
                let right = builder.expr(right)?;
                left = builder.binary(left, sign, right)?;
            }
            Some(left)
        })
    }

    fn binary(&mut self, left: Expr, sign: Pair, right: Expr) -> Option<Expr> {
        let op_span = self.span(&sign);
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        let contract = sign.clone().into_inner().find(|inner| inner.as_rule() == Rule::contract);
        let kind = match contract {
            Some(axes) => ExprKind::Contract { left, right, axes: self.idents(axes), op_span },
            None => ExprKind::Binary { op: binary_op(sign.as_str())?, left, right, op_span },
        };
        Some(Expr { span, kind })
    }

    /// `not not x`, `- - x`
    fn prefixed(&mut self, pair: Pair) -> Option<Expr> {
        let span = self.span(&pair);
        let mut inner: Vec<Pair> = parts(pair).collect();
        let operand = inner.pop()?;
        self.signed(inner, operand, span)
    }

    fn signed(&mut self, signs: Vec<Pair>, operand: Pair, span: Span) -> Option<Expr> {
        let mut value = self.deeper(signs.len().saturating_sub(1), span, |builder| builder.expr(operand))?;
        for sign in signs.into_iter().rev() {
            let op = if sign.as_rule() == Rule::neg { UnaryOp::Neg } else { UnaryOp::Not };
            let span = self.span(&sign).to(value.span);
            value = Expr { span, kind: ExprKind::Unary { op, value: Box::new(value) } };
        }
        Some(value)
    }

    /// `a ^ b ^ -c`: groups of signs and an operand, the last one innermost.
    fn power(&mut self, pair: Pair) -> Option<Expr> {
        let whole = self.span(&pair);
        let mut groups: Vec<(Vec<Pair>, Pair)> = Vec::new();
        let mut signs: Vec<Pair> = Vec::new();
        for part in parts(pair) {
            match part.as_rule() {
                Rule::neg => signs.push(part),
                _ => groups.push((std::mem::take(&mut signs), part)),
            }
        }
        let levels: usize = groups.iter().map(|(signs, _)| 1 + signs.len()).sum();
        self.deeper(levels.saturating_sub(1), whole, |builder| {
            let (signs, operand) = groups.pop()?;
            let mut value = builder.signed(signs, operand, whole)?;
            while let Some((signs, operand)) = groups.pop() {
                let base = builder.expr(operand)?;
                let span = base.span.to(value.span);
                let op_span = Span { start: base.span.end, end: value.span.start, ..span };
                let (left, right) = (Box::new(base), Box::new(value));
                value = Expr { span, kind: ExprKind::Binary { op: BinaryOp::Pow, left, right, op_span } };
                for sign in signs.into_iter().rev() {
                    let span = builder.span(&sign).to(value.span);
                    value = Expr { span, kind: ExprKind::Unary { op: UnaryOp::Neg, value: Box::new(value) } };
                }
            }
            Some(value)
        })
    }

    fn range(&mut self, pair: Pair) -> Option<ExprKind> {
        let (mut low, mut high, mut inclusive, mut dots) = (None, None, false, false);
        for part in parts(pair) {
            match part.as_rule() {
                Rule::range_op => {
                    inclusive = part.as_str() == "..=";
                    dots = true;
                }
                _ if dots => high = Some(Box::new(self.expr(part)?)),
                _ => low = Some(Box::new(self.expr(part)?)),
            }
        }
        Some(ExprKind::Range { low, high, inclusive })
    }

    fn postfix(&mut self, pair: Pair) -> Option<Expr> {
        let span = self.span(&pair);
        let inner: Vec<Pair> = parts(pair).collect();
        let levels = inner.len().saturating_sub(2);
        self.deeper(levels, span, |builder| {
            let mut inner = inner.into_iter();
            let mut value = builder.expr(inner.next()?)?;
            for part in inner {
                value = builder.applied(value, part)?;
            }
            Some(value)
        })
    }

    /// `value(..)`, `value[..]`, `value.name`
    fn applied(&mut self, value: Expr, part: Pair) -> Option<Expr> {
        let span = value.span.to(self.span(&part));
        let value = Box::new(value);
        let kind = match part.as_rule() {
            Rule::call => ExprKind::Call { callee: value, args: self.args(part)?, piped: false },
            Rule::brackets => ExprKind::Brackets { value, parts: self.brackets(part)? },
            _ => ExprKind::Field { value, name: self.idents(part).pop()? },
        };
        Some(Expr { span, kind })
    }

    fn args(&mut self, pair: Pair) -> Option<Vec<Arg>> {
        parts(pair)
            .map(|part| {
                let mut inner = parts(part);
                let first = inner.next()?;
                match first.as_rule() {
                    Rule::arg_name => Some(Arg { name: self.idents(first).pop(), value: self.expr(inner.next()?)? }),
                    _ => Some(Arg { name: None, value: self.expr(first)? }),
                }
            })
            .collect()
    }

    pub(super) fn brackets(&mut self, pair: Pair) -> Option<Vec<Bracket>> {
        parts(pair).map(|part| self.bracket(part)).collect()
    }

    fn bracket(&mut self, pair: Pair) -> Option<Bracket> {
        let rule = pair.as_rule();
        if rule == Rule::axis_ref {
            return Some(Bracket::Axis(self.axis_ref(pair)?));
        }
        if rule == Rule::merge {
            let mut axes = self.idents(pair);
            let to = axes.pop()?;
            return Some(Bracket::Merge { axes, to });
        }
        let mut inner = parts(pair);
        let axis = self.ident(inner.next()?);
        match rule {
            Rule::index => Some(Bracket::Index { axis, value: self.expr(inner.next()?)? }),
            Rule::slice => {
                let to = self.ident(inner.next()?);
                Some(Bracket::Slice { axis, to, range: self.expr(inner.next()?)? })
            }
            Rule::rename => Some(Bracket::Rename { axis, to: self.ident(inner.next()?) }),
            _ => Some(Bracket::Split { axis, to: inner.map(|part| self.split_part(part)).collect::<Option<_>>()? }),
        }
    }

    fn split_part(&mut self, pair: Pair) -> Option<(Ident, Option<Expr>)> {
        let mut inner = parts(pair);
        let name = self.ident(inner.next()?);
        match inner.next() {
            Some(length) => Some((name, Some(self.expr(length)?))),
            None => Some((name, None)),
        }
    }
}

/// Steps through rules that only pass on their one part, so that recursion is as deep as the tree and no deeper.
fn innermost(mut pair: Pair) -> Pair {
    while passes_on(pair.as_rule()) {
        let mut inner = pair.clone().into_inner();
        let (Some(only), None) = (inner.next(), inner.next()) else { break };
        if only.as_rule() == Rule::range_op {
            break;
        }
        pair = only;
    }
    pair
}

fn passes_on(rule: Rule) -> bool {
    use Rule::*;
    matches!(
        rule,
        expr | stage
            | or_expr
            | and_expr
            | not_expr
            | cmp_expr
            | range_expr
            | add_expr
            | mul_expr
            | unary
            | pow_expr
            | postfix_expr
    )
}

/// `value |> stage`; a stage in round brackets is a function, not a call that waits for its first argument.
fn piped(value: Expr, stage: Expr, bracketed: bool) -> Expr {
    let span = value.span.to(stage.span);
    let first = Arg { name: None, value };
    let kind = match stage.kind {
        ExprKind::Call { callee, mut args, .. } if !bracketed => {
            args.insert(0, first);
            ExprKind::Call { callee, args, piped: true }
        }
        kind => {
            let callee = Box::new(Expr { span: stage.span, kind });
            ExprKind::Call { callee, args: vec![first], piped: true }
        }
    };
    Expr { span, kind }
}
