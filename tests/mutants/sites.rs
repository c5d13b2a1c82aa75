//! Where a program names an axis: every place that a mutant may change, found by a walk over the syntax tree.

use locus::base::span::Span;
use locus::syntax::ast::*;

/// One axis as written, and what kind of place it stands in.
#[derive(Clone, Debug)]
pub struct Site {
    pub span: Span,
    pub name: String,
    pub place: Place,
    /// The axis parameters of the function or type around it.
    pub generics: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Type,
    /// An axis in the place of an element: `vocab[batch]`.
    Element,
    /// Axis arguments of the function with this index in `Walk::functions`.
    Argument(usize),
    Index,
    From,
    To,
    Merged,
    Part,
    Contracted,
    Binder,
    Loop,
    Over,
    Plot,
}

/// Things in one pair of brackets. `whole` includes the brackets.
#[derive(Clone, Debug)]
pub struct List {
    pub whole: Span,
    pub parts: Vec<Span>,
    /// The axes whose order counts; none where it does not.
    pub ordered: Vec<Span>,
    pub place: Place,
}

#[derive(Default)]
pub struct Walk {
    pub sites: Vec<Site>,
    pub lists: Vec<List>,
    /// The functions that were given axes in brackets.
    pub functions: Vec<String>,
    generics: Vec<String>,
}

pub fn walk(program: &Program) -> Walk {
    let mut walk = Walk::default();
    program.items.iter().for_each(|item| walk.item(&item.kind));
    // A name after `in`, or of a plot's field, may also be a variable.
    let axes: Vec<String> =
        walk.sites.iter().filter(|site| !site.may_be_a_value()).map(|site| site.name.clone()).collect();
    walk.sites.retain(|site| !site.may_be_a_value() || axes.contains(&site.name));
    walk
}

impl Site {
    fn may_be_a_value(&self) -> bool {
        matches!(self.place, Place::Loop | Place::Plot)
    }
}

impl Walk {
    fn site(&mut self, name: &Ident, place: Place) {
        self.sites.push(Site { span: name.span, name: name.name.clone(), place, generics: self.generics.clone() });
    }

    fn item(&mut self, item: &ItemKind) {
        match item {
            ItemKind::Type { generics, ty, .. } => self.within(generics, |walk| walk.ty(ty)),
            ItemKind::Fn(item) => self.within(&item.generics, |walk| {
                item.params.iter().for_each(|param| walk.param(param));
                item.result.iter().for_each(|ty| walk.ty(ty));
                item.body.iter().for_each(|body| walk.block(body));
            }),
            ItemKind::Plot(plot) => self.plot(plot),
            ItemKind::Expect(lines) => lines.iter().for_each(|line| self.expr(&line.value)),
            ItemKind::Stmt(stmt) => self.stmt(stmt),
            _ => {}
        }
    }

    fn within(&mut self, generics: &[Generic], work: impl FnOnce(&mut Walk)) {
        let names = generics.iter().flat_map(|generic| std::iter::once(&generic.name).chain(&generic.makes));
        self.generics = names.map(|name| name.name.clone()).collect();
        work(self);
        self.generics.clear();
    }

    fn param(&mut self, param: &Param) {
        param.ty.iter().for_each(|ty| self.ty(ty));
        param.default.iter().for_each(|value| self.expr(value));
    }

    fn ty(&mut self, ty: &Ty) {
        match &ty.kind {
            TyKind::Path(_) => {}
            TyKind::Applied { head, axes } => {
                let plain = matches!(head.as_str(), "f32" | "f64" | "int" | "bool");
                let declared = head.contains('.') || head.starts_with(|first: char| first.is_uppercase());
                if !plain && !declared {
                    let span = Span { end: ty.span.start + head.len() as u32, ..ty.span };
                    self.site(&Ident { name: head.clone(), span }, Place::Element);
                }
                axes.iter().for_each(|axis| self.site(&axis.name, Place::Type));
                let parts: Vec<Span> = axes.iter().map(spelled).collect();
                let whole = Span { start: ty.span.start + head.len() as u32, ..ty.span };
                let ordered = if declared { parts.clone() } else { Vec::new() };
                self.lists.push(List { whole, parts, ordered, place: Place::Type });
            }
            TyKind::Record(fields) => fields.iter().for_each(|(_, ty)| self.ty(ty)),
            TyKind::List(item) => self.ty(item),
            TyKind::Fn(params, result) => {
                params.iter().for_each(|ty| self.ty(ty));
                self.ty(result);
            }
        }
    }

    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { ty, value, .. } => {
                ty.iter().for_each(|ty| self.ty(ty));
                self.expr(value);
            }
            StmtKind::Site { value, .. } => self.expr(value),
            StmtKind::For { range, body, .. } => {
                match &range.kind {
                    ExprKind::Name(name) => self.site(&Ident { name: name.clone(), span: range.span }, Place::Loop),
                    _ => self.expr(range),
                }
                self.block(body);
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
            StmtKind::Capture(capture) => self.capture(capture),
            StmtKind::Fit { fit, .. } => self.fit(fit),
            StmtKind::Plot(plot) => self.plot(plot),
            StmtKind::Expr(expr) => self.expr(expr),
        }
    }

    fn plot(&mut self, plot: &PlotItem) {
        for field in &plot.fields {
            match &field.value.kind {
                ExprKind::Name(name) if matches!(field.name.name.as_str(), "x" | "by") => {
                    self.site(&Ident { name: name.clone(), span: field.value.span }, Place::Plot)
                }
                _ => self.expr(&field.value),
            }
        }
    }

    fn fit(&mut self, fit: &FitExpr) {
        for field in &fit.fields {
            match &field.value.kind {
                ExprKind::Name(name) if field.name.name == "over" => {
                    self.site(&Ident { name: name.clone(), span: field.value.span }, Place::Over)
                }
                _ => self.expr(&field.value),
            }
        }
    }

    fn capture(&mut self, capture: &CaptureExpr) {
        self.expr(&capture.model);
        capture.args.iter().for_each(|arg| self.expr(&arg.value));
        for site in &capture.sites {
            let whole = Span { start: site.site.span.end, ..site.span };
            self.parts(&site.parts, None, whole);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Str(parts) => parts.iter().for_each(|part| match part {
                StrPart::Hole { value, .. } => self.expr(value),
                StrPart::Text(_) => {}
            }),
            ExprKind::Unary { value, .. } | ExprKind::Field { value, .. } => self.expr(value),
            ExprKind::Binary { left, right, .. } => [left, right].into_iter().for_each(|side| self.expr(side)),
            ExprKind::Contract { left, right, axes, .. } => {
                [left, right].into_iter().for_each(|side| self.expr(side));
                axes.iter().for_each(|axis| self.site(axis, Place::Contracted));
                let parts: Vec<Span> = axes.iter().map(|axis| axis.span).collect();
                if let (Some(&first), true) = (parts.first(), parts.len() > 1) {
                    self.lists.push(List { whole: first, parts, ordered: Vec::new(), place: Place::Contracted });
                }
            }
            ExprKind::Range { low, high, .. } => low.iter().chain(high).for_each(|end| self.expr(end)),
            ExprKind::Call { callee, args, .. } => {
                self.expr(callee);
                args.iter().for_each(|arg| self.expr(&arg.value));
            }
            ExprKind::Brackets { value, parts } => {
                self.expr(value);
                let whole = Span { start: value.span.end, ..expr.span };
                let name = match &value.kind {
                    ExprKind::Name(name) => Some(name.clone()),
                    ExprKind::Field { name, .. } => Some(name.name.clone()),
                    _ => None,
                };
                self.parts(parts, name, whole);
            }
            ExprKind::If { test, then, other } => {
                self.expr(test);
                self.block(then);
                other.iter().for_each(|other| self.expr(other));
            }
            ExprKind::Match { value, arms } => {
                self.expr(value);
                arms.iter().for_each(|arm| self.expr(&arm.body));
            }
            ExprKind::Lambda(lambda) => {
                lambda.params.iter().for_each(|param| self.param(param));
                self.expr(&lambda.body);
            }
            ExprKind::Record(fields) => fields.iter().for_each(|field| self.expr(&field.value)),
            ExprKind::Comprehension { binders, body } => {
                binders.iter().for_each(|(_, axis)| self.site(axis, Place::Binder));
                self.expr(body);
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Block(block) => self.block(block),
            ExprKind::Capture(capture) => self.capture(capture),
            ExprKind::Fit(fit) => self.fit(fit),
            _ => {}
        }
    }

    /// The parts of one pair of brackets; `function` names what stands before them.
    fn parts(&mut self, parts: &[Bracket], function: Option<String>, whole: Span) {
        let mut spans = Vec::new();
        let mut ordered = Vec::new();
        let arguments = parts.iter().any(|part| matches!(part, Bracket::Axis(_)));
        self.functions.push(function.unwrap_or_default());
        let argument = Place::Argument(self.functions.len() - 1);
        for part in parts {
            spans.push(self.part(part, argument, &mut ordered));
        }
        if !parts.is_empty() {
            let place = if arguments { argument } else { Place::Index };
            self.lists.push(List { whole, parts: spans, ordered, place });
        }
    }

    /// One part: its span, without what follows the axes.
    fn part(&mut self, part: &Bracket, argument: Place, ordered: &mut Vec<Span>) -> Span {
        match part {
            Bracket::Axis(axis) => {
                self.site(&axis.name, argument);
                ordered.push(spelled(axis));
                spelled(axis)
            }
            Bracket::Index { axis, value } => {
                self.site(axis, Place::Index);
                self.expr(value);
                axis.span.to(value.span)
            }
            Bracket::Slice { axis, to, range } => {
                self.expr(range);
                self.pair(axis, to).to(range.span)
            }
            Bracket::Rename { axis, to } => self.pair(axis, to),
            Bracket::Split { axis, to } => {
                self.site(axis, Place::From);
                to.iter().for_each(|(name, _)| self.site(name, Place::Part));
                to.iter().flat_map(|(_, size)| size).for_each(|size| self.expr(size));
                self.inner(to.iter().map(|(name, size)| (name.span, size.as_ref().map(|size| size.span))), Place::Part);
                axis.span
            }
            Bracket::Merge { axes, to } => {
                axes.iter().for_each(|axis| self.site(axis, Place::Merged));
                self.site(to, Place::To);
                self.inner(axes.iter().map(|axis| (axis.span, None)), Place::Merged);
                to.span
            }
        }
    }

    fn pair(&mut self, axis: &Ident, to: &Ident) -> Span {
        self.site(axis, Place::From);
        self.site(to, Place::To);
        let both = axis.span.to(to.span);
        self.lists.push(List { whole: both, parts: Vec::new(), ordered: vec![axis.span, to.span], place: Place::To });
        both
    }

    /// The list between the round brackets of a merge or a split.
    fn inner(&mut self, parts: impl Iterator<Item = (Span, Option<Span>)>, place: Place) {
        let (names, parts): (Vec<Span>, Vec<Span>) =
            parts.map(|(name, size)| (name, size.map_or(name, |size| name.to(size)))).unzip();
        if let (Some(&first), true) = (parts.first(), parts.len() > 1) {
            self.lists.push(List { whole: first, parts, ordered: names, place });
        }
    }
}

/// The axis with its dots.
fn spelled(axis: &AxisRef) -> Span {
    let dots = if axis.row { 2 } else { 0 };
    Span { start: axis.name.span.start - dots, ..axis.name.span }
}
