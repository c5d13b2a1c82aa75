//! Statements and expressions.

use super::super::names::{Kind, Meaning};
use super::{NamedArgument, Walker};
use crate::base::span::Span;
use crate::syntax::ast::{
    Arg, ArmPattern, Block, Bracket, CaptureExpr, Expr, ExprKind, Field, Lambda, Pattern, Stmt, StmtKind, StrPart,
};

impl Walker<'_> {
    pub(super) fn block(&mut self, block: &Block) {
        let mark = self.values.len();
        self.stmts(&block.stmts);
        self.unbind(mark, block.span.end);
    }

    /// Statements in order; what they bind stays in scope.
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.stmt(stmt, stmt.span.end);
        }
    }

    /// A statement; what it binds can be used from the byte `after` on.
    pub(super) fn stmt(&mut self, stmt: &Stmt, after: u32) {
        match &stmt.kind {
            StmtKind::Let { mutable, pattern, ty, value } => {
                let places = self.let_value(value);
                if let Some(ty) = ty {
                    self.ty(ty);
                }
                match pattern {
                    Pattern::Name(name) => {
                        let place = self.bind(name, Kind::Variable, after);
                        self.names.definitions[place].mutable = *mutable;
                        self.name_parameters(&stmt.kind, places, place);
                    }
                    Pattern::Record(names) => {
                        for name in names {
                            let place = self.bind(name, Kind::Variable, after);
                            self.names.definitions[place].from_record = true;
                        }
                    }
                }
            }
            StmtKind::Site { name, value } => {
                self.expr(value);
                self.bind(name, Kind::Site, after);
            }
            StmtKind::For { var, range, body } => {
                match &range.kind {
                    // `for l in layer`
                    ExprKind::Name(name) if self.axis_rather(name) => self.axis_as_value(name, range.span),
                    _ => self.expr(range),
                }
                let mark = self.values.len();
                self.bind(var, Kind::Variable, body.span.start);
                self.stmts(&body.stmts);
                self.unbind(mark, body.span.end);
            }
            StmtKind::While { test, body } => {
                self.expr(test);
                self.block(body);
            }
            StmtKind::Return(value) => value.iter().for_each(|value| self.expr(value)),
            StmtKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
            }
            StmtKind::Capture(capture) => {
                self.capture(capture);
                for site in &capture.sites {
                    self.bind(&site.name, Kind::Variable, after);
                }
            }
            StmtKind::Fit { name, fit } => {
                self.plot_fields(&fit.fields);
                self.bind(name, Kind::Fit, after);
            }
            StmtKind::Plot(plot) => self.plot_fields(&plot.fields),
            StmtKind::Expr(expr) => self.expr(expr),
        }
    }

    /// The value of a `let`; of a lambda, its parameters.
    fn let_value(&mut self, value: &Expr) -> Option<Vec<usize>> {
        match &value.kind {
            ExprKind::Lambda(lambda) => Some(self.lambda(lambda)),
            _ => {
                self.expr(value);
                None
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) => {}
            ExprKind::Name(name) => {
                let meaning = self.value(name);
                self.note(name, expr.span, meaning);
            }
            ExprKind::Str(parts) => {
                for part in parts {
                    if let StrPart::Hole { value, .. } = part {
                        self.expr(value);
                    }
                }
            }
            ExprKind::Unary { value, .. } => self.expr(value),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Contract { left, right, axes, .. } => {
                self.expr(left);
                self.expr(right);
                axes.iter().for_each(|axis| self.use_axis(axis));
            }
            ExprKind::Range { low, high, .. } => low.iter().chain(high).for_each(|end| self.expr(end)),
            ExprKind::Call { callee, args, .. } => {
                self.expr(callee);
                self.args(callee, args);
            }
            ExprKind::Brackets { value, parts } => {
                self.expr(value);
                self.brackets(parts);
            }
            ExprKind::Field { value, name } => self.field(value, name),
            ExprKind::Lambda(lambda) => {
                self.lambda(lambda);
            }
            ExprKind::Record(fields) => self.fields(fields),
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Block(block) => self.block(block),
            _ => self.compound(expr),
        }
    }

    fn compound(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::If { test, then, other } => {
                self.expr(test);
                self.block(then);
                other.iter().for_each(|other| self.expr(other));
            }
            ExprKind::Match { value, arms } => {
                self.expr(value);
                for arm in arms {
                    let mark = self.values.len();
                    if let ArmPattern::Name(name) = &arm.pattern {
                        self.bind(name, Kind::Variable, arm.span.start);
                    }
                    self.expr(&arm.body);
                    self.unbind(mark, arm.span.end);
                }
            }
            ExprKind::Comprehension { binders, body } => {
                let mark = self.values.len();
                for (name, axis) in binders {
                    self.use_axis(axis);
                    self.bind(name, Kind::Variable, expr.span.start);
                }
                self.expr(body);
                self.unbind(mark, expr.span.end);
            }
            ExprKind::Capture(capture) => self.capture(capture),
            ExprKind::With(with) => {
                self.expr(&with.model);
                for swap in &with.swaps {
                    self.note(&swap.site.name, swap.site.span, Meaning::Site);
                    self.brackets(&swap.parts);
                    self.expr(&swap.value);
                }
            }
            ExprKind::Fit(fit) => self.plot_fields(&fit.fields),
            _ => {}
        }
    }

    fn lambda(&mut self, lambda: &Lambda) -> Vec<usize> {
        let mark = self.values.len();
        let places = self.params(&lambda.params, lambda.span.start);
        self.expr(&lambda.body);
        self.unbind(mark, lambda.span.end);
        places
    }

    fn capture(&mut self, capture: &CaptureExpr) {
        self.expr(&capture.model);
        self.args(&capture.model, &capture.args);
        for site in &capture.sites {
            self.note(&site.site.name, site.site.span, Meaning::Site);
            self.brackets(&site.parts);
        }
    }

    fn args(&mut self, callee: &Expr, args: &[Arg]) {
        for arg in args {
            if let Some(name) = &arg.name {
                self.arguments.push(NamedArgument { callee: self.callee(callee), name: name.clone() });
            }
            self.expr(&arg.value);
        }
    }

    /// What is called: `f`, `f[pos]`, `module.f`.
    fn callee(&self, callee: &Expr) -> Meaning {
        match &callee.kind {
            ExprKind::Name(name) => self.value(name),
            ExprKind::Brackets { value, .. } => self.callee(value),
            ExprKind::Field { value, name } => match &value.kind {
                ExprKind::Name(alias) => self.member(&self.value(alias), &name.name).unwrap_or(Meaning::Unknown),
                _ => Meaning::Unknown,
            },
            _ => Meaning::Unknown,
        }
    }

    fn field(&mut self, value: &Expr, name: &crate::syntax::ast::Ident) {
        self.expr(value);
        let member = match &value.kind {
            ExprKind::Name(alias) => self.member(&self.value(alias), &name.name),
            _ => None,
        };
        self.note(&name.name, name.span, member.unwrap_or(Meaning::Field { of: value.span }));
    }

    pub(super) fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            self.expr(&field.value);
            if field.name.span == field.value.span
                && let Some(used) = self.names.uses.last_mut()
            {
                used.shorthand = true;
            }
        }
    }

    /// The fields of a plot or a fit, where the name of an axis stands for the axis.
    pub(super) fn plot_fields(&mut self, fields: &[Field]) {
        for field in fields {
            match (&field.value.kind, field.name.name.as_str()) {
                (ExprKind::Name(name), "over") => self.axis_as_value(name, field.value.span),
                (ExprKind::Name(name), "x" | "by") if self.axis_rather(name) => {
                    self.axis_as_value(name, field.value.span)
                }
                _ => self.fields(std::slice::from_ref(field)),
            }
        }
    }

    /// An axis of that name is meant unless a variable has it too.
    fn axis_rather(&self, name: &str) -> bool {
        let at_top = if self.in_function { &[][..] } else { &self.top_values };
        let variable = self.values.iter().chain(at_top).any(|(known, _)| known == name);
        !variable && self.axis(name) != Meaning::Unknown
    }

    fn axis_as_value(&mut self, name: &str, span: Span) {
        let meaning = self.axis(name);
        self.note(name, span, meaning);
    }

    fn brackets(&mut self, parts: &[Bracket]) {
        for part in parts {
            match part {
                Bracket::Axis(axis) => self.use_axis(&axis.name),
                Bracket::Index { axis, value } => {
                    self.use_axis(axis);
                    self.expr(value);
                }
                Bracket::Slice { axis, to, range } => {
                    self.use_axis(axis);
                    self.use_axis(to);
                    self.expr(range);
                }
                Bracket::Rename { axis, to } => {
                    self.use_axis(axis);
                    self.use_axis(to);
                }
                Bracket::Split { axis, to } => {
                    self.use_axis(axis);
                    for (name, length) in to {
                        self.use_axis(name);
                        length.iter().for_each(|length| self.expr(length));
                    }
                }
                Bracket::Merge { axes, to } => {
                    axes.iter().for_each(|axis| self.use_axis(axis));
                    self.use_axis(to);
                }
            }
        }
    }
}
