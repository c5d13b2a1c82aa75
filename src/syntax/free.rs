//! Which names an item gives a meaning to, and which it reads from outside itself.
//!
//! Nothing is looked up here: a read is a name that no parameter, binder or earlier `let` of the item itself explains.
//! Axes are left out; their names mean the same wherever they stand.

use super::ast::{
    ArmPattern, Block, Bracket, CaptureExpr, Expr, ExprKind, Field, FnItem, Ident, Item, ItemKind, Lambda, Param,
    Pattern, Stmt, StmtKind, StrPart, Ty, TyKind, Use, UseSource,
};
use crate::base::span::Span;

/// Names of values and functions live apart from names of types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    Value,
    Type,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefKind {
    Value,
    Function,
    Type,
    /// A module, or a name of a module: it gives way to a value, function or type of the same name.
    Import,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Def {
    pub name: String,
    pub span: Span,
    pub kind: DefKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    pub name: String,
    pub span: Span,
    pub space: Space,
    /// A field that is written once: `{ x }` is `{ x: x }`.
    pub short_field: bool,
}

/// What an item defines and reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    pub defs: Vec<Def>,
    pub reads: Vec<Read>,
}

impl Names {
    pub fn of(item: &Item) -> Names {
        let mut walk = Walk::default();
        walk.item(item);
        Names { defs: walk.defs, reads: walk.reads }
    }

    /// The names that a function reads, in the order of its text.
    pub fn read_by(function: &FnItem) -> Vec<Read> {
        let mut walk = Walk::default();
        walk.function(function);
        walk.reads
    }

    pub fn read_in_type(ty: &Ty) -> Vec<Read> {
        let mut walk = Walk::default();
        walk.ty(ty);
        walk.reads
    }

    pub fn read_by_lambda(lambda: &Lambda) -> Vec<Read> {
        let mut walk = Walk::default();
        walk.lambda(lambda);
        walk.reads
    }
}

#[derive(Default)]
struct Walk {
    defs: Vec<Def>,
    reads: Vec<Read>,
    /// The names that the item itself explains, innermost last.
    local: Vec<String>,
}

impl Walk {
    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Experiment { fields, .. } => self.fields(fields),
            ItemKind::Use(item) => self.import(item),
            ItemKind::Axis(decls) => {
                decls.iter().filter_map(|decl| decl.size.as_ref()).for_each(|size| self.expr(size))
            }
            ItemKind::Input { name, value } => {
                // `file` and `folder` are words of the item, not functions.
                if let ExprKind::Call { args, .. } = &value.kind {
                    args.iter().for_each(|arg| self.expr(&arg.value));
                }
                self.define(name, DefKind::Value);
            }
            ItemKind::Type { name, generics, ty, .. } => {
                let before = self.local.len();
                self.local.extend(generics.iter().map(|generic| generic.name.name.clone()));
                self.ty(ty);
                self.local.truncate(before);
                self.define(name, DefKind::Type);
            }
            ItemKind::Fn(function) => {
                self.function(function);
                self.define(&function.name, DefKind::Function);
            }
            ItemKind::Plot(plot) => self.fields(&plot.fields),
            ItemKind::Expect(lines) => {
                for line in lines {
                    self.expr(&line.value);
                    self.claim(&line.claim);
                }
            }
            ItemKind::Stmt(stmt) => self.top_statement(stmt),
        }
    }

    fn define(&mut self, name: &Ident, kind: DefKind) {
        self.defs.push(Def { name: name.name.clone(), span: name.span, kind });
    }

    fn import(&mut self, item: &Use) {
        if item.names.is_empty() {
            let name = item.alias.clone().unwrap_or_else(|| {
                let written = match &item.source {
                    UseSource::Module(path) | UseSource::Path(path) => path.strip_suffix(".exp").unwrap_or(path),
                };
                let last = written.rsplit(['.', '/']).next().unwrap_or(written);
                Ident { name: last.to_string(), span: item.span }
            });
            self.define(&name, DefKind::Import);
        }
        item.names.iter().for_each(|name| self.define(name, DefKind::Import));
    }

    fn claim(&mut self, claim: &super::ast::Claim) {
        use super::ast::Claim;
        match claim {
            Claim::About { value, tolerance: other } | Claim::Within { low: value, high: other, .. } => {
                self.expr(value);
                self.expr(other);
            }
            Claim::Compare { value, .. } => self.expr(value),
        }
    }

    fn function(&mut self, function: &FnItem) {
        let before = self.local.len();
        for generic in &function.generics {
            self.local.push(generic.name.name.clone());
            self.local.extend(generic.makes.iter().map(|made| made.name.clone()));
        }
        self.params(&function.params);
        function.result.iter().for_each(|ty| self.ty(ty));
        function.body.iter().for_each(|body| self.block(body));
        if let Some(vjp) = &function.vjp {
            self.local.extend([vjp.result.name.clone(), vjp.adjoint.name.clone()]);
            self.fields(&vjp.fields);
        }
        self.local.truncate(before);
    }

    fn params(&mut self, params: &[Param]) {
        for param in params {
            param.ty.iter().for_each(|ty| self.ty(ty));
            param.default.iter().for_each(|default| self.expr(default));
            self.local.push(param.name.name.clone());
        }
    }

    fn lambda(&mut self, lambda: &Lambda) {
        let before = self.local.len();
        self.params(&lambda.params);
        self.expr(&lambda.body);
        self.local.truncate(before);
    }

    fn ty(&mut self, ty: &Ty) {
        match &ty.kind {
            TyKind::Path(head) | TyKind::Applied { head, .. } => {
                let name = head.split('.').next().unwrap_or(head);
                let span = Span { end: ty.span.start + name.len() as u32, ..ty.span };
                self.read(name, span, Space::Type, false);
            }
            TyKind::Record(fields) => fields.iter().for_each(|(_, ty)| self.ty(ty)),
            TyKind::List(item) => self.ty(item),
            TyKind::Fn(params, result) => {
                params.iter().for_each(|ty| self.ty(ty));
                self.ty(result);
            }
        }
    }

    /// What a statement binds at the top is a definition, and inside a block a name of the item's own.
    fn top_statement(&mut self, stmt: &Stmt) {
        self.statement(stmt);
        self.local.clear();
        match &stmt.kind {
            StmtKind::Let { pattern: Pattern::Name(name), .. } => self.define(name, DefKind::Value),
            StmtKind::Let { pattern: Pattern::Record(names), .. } => {
                names.iter().for_each(|name| self.define(name, DefKind::Value));
            }
            StmtKind::Capture(capture) => capture.sites.iter().for_each(|site| self.define(&site.name, DefKind::Value)),
            StmtKind::Fit { name, .. } => self.define(name, DefKind::Value),
            _ => {}
        }
    }

    fn block(&mut self, block: &Block) {
        let before = self.local.len();
        block.stmts.iter().for_each(|stmt| self.statement(stmt));
        self.local.truncate(before);
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { pattern, ty, value, .. } => {
                ty.iter().for_each(|ty| self.ty(ty));
                self.expr(value);
                match pattern {
                    Pattern::Name(name) => self.local.push(name.name.clone()),
                    Pattern::Record(names) => self.local.extend(names.iter().map(|name| name.name.clone())),
                }
            }
            StmtKind::Site { name, value } => {
                self.expr(value);
                self.local.push(name.name.clone());
            }
            StmtKind::For { var, range, body } => {
                self.expr(range);
                self.local.push(var.name.clone());
                self.block(body);
                self.local.pop();
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
                self.local.extend(capture.sites.iter().map(|site| site.name.name.clone()));
            }
            StmtKind::Fit { name, fit } => {
                self.fields(&fit.fields);
                self.local.push(name.name.clone());
            }
            StmtKind::Plot(plot) => self.fields(&plot.fields),
            StmtKind::Expr(expr) => self.expr(expr),
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            match &field.value.kind {
                ExprKind::Name(name) if field.name.span == field.value.span => {
                    self.read(name, field.value.span, Space::Value, true);
                }
                _ => self.expr(&field.value),
            }
        }
    }

    fn capture(&mut self, capture: &CaptureExpr) {
        self.expr(&capture.model);
        capture.args.iter().for_each(|arg| self.expr(&arg.value));
        capture.sites.iter().for_each(|site| self.brackets(&site.parts));
    }

    fn brackets(&mut self, parts: &[Bracket]) {
        for part in parts {
            match part {
                Bracket::Index { value, .. } => self.expr(value),
                Bracket::Slice { range, .. } => self.expr(range),
                Bracket::Split { to, .. } => {
                    to.iter().filter_map(|(_, size)| size.as_ref()).for_each(|size| self.expr(size))
                }
                Bracket::Axis(_) | Bracket::Rename { .. } | Bracket::Merge { .. } => {}
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) => {}
            ExprKind::Str(parts) => {
                for part in parts {
                    if let StrPart::Hole { value, .. } = part {
                        self.expr(value);
                    }
                }
            }
            ExprKind::Name(name) => self.read(name, expr.span, Space::Value, false),
            ExprKind::Unary { value, .. } | ExprKind::Field { value, .. } => self.expr(value),
            ExprKind::Binary { left, right, .. } | ExprKind::Contract { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Range { low, high, .. } => low.iter().chain(high).for_each(|end| self.expr(end)),
            ExprKind::Call { callee, args, .. } => {
                self.expr(callee);
                args.iter().for_each(|arg| self.expr(&arg.value));
            }
            ExprKind::Brackets { value, parts } => {
                self.expr(value);
                self.brackets(parts);
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Block(block) => self.block(block),
            ExprKind::Record(fields) => self.fields(fields),
            ExprKind::Lambda(lambda) => self.lambda(lambda),
            ExprKind::Capture(capture) => self.capture(capture),
            ExprKind::Fit(fit) => self.fields(&fit.fields),
            _ => self.branches(expr),
        }
    }

    fn branches(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::If { test, then, other } => {
                self.expr(test);
                self.block(then);
                other.iter().for_each(|other| self.expr(other));
            }
            ExprKind::Match { value, arms } => {
                self.expr(value);
                for arm in arms {
                    let before = self.local.len();
                    if let ArmPattern::Name(name) = &arm.pattern {
                        self.local.push(name.name.clone());
                    }
                    self.expr(&arm.body);
                    self.local.truncate(before);
                }
            }
            ExprKind::Comprehension { binders, body } => {
                let before = self.local.len();
                self.local.extend(binders.iter().map(|(name, _)| name.name.clone()));
                self.expr(body);
                self.local.truncate(before);
            }
            ExprKind::With(with) => {
                self.expr(&with.model);
                for swap in &with.swaps {
                    self.brackets(&swap.parts);
                    self.expr(&swap.value);
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, name: &str, span: Span, space: Space, short_field: bool) {
        if !self.local.iter().any(|local| local == name) {
            self.reads.push(Read { name: name.to_string(), span, space, short_field });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::FileId;
    use crate::syntax::parse::parse_program;

    fn names(text: &str) -> (String, String) {
        let (program, faults) = parse_program(FileId(0), text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
        let found = Names::of(&program.items[0]);
        let defs = found.defs.iter().map(|def| def.name.as_str()).collect::<Vec<_>>().join(" ");
        for read in &found.reads {
            assert_eq!(&text[read.span.start as usize..read.span.end as usize], read.name, "{text}");
        }
        (defs, found.reads.iter().map(|read| read.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_an_item_explains_itself_is_no_read() {
        let cases = [
            ("let x = x + f(y, k: z)", "x", "x f y z"),
            ("fn f<d>(a: Cfg, b: f32[d] = c) -> g.T { let q = a + b\n q + r }", "f", "Cfg f32 c g r"),
            ("let { a, b } = { a, c: fn(n) => n + m }", "a b", "a m"),
            ("let v = [i in pos => w[pos: i] + u]", "v", "w u"),
            ("for i in 0..n { let t = i\n s += t }", "", "n s"),
            ("print(\"{x:.3} and {f(y)}\")", "", "print x f y"),
            ("use std.optim: adam, sgd", "adam sgd", ""),
            ("use std.models.gpt2", "gpt2", ""),
            ("type T<d> = { w: f32[d], other: U }", "T", "f32 U"),
            ("input x = file(\"a.npy\")", "x", ""),
            ("expect { a ~ b +- c }", "", "a b c"),
            ("let r = match k { 0 => a, n => n + b }", "r", "k a b"),
        ];
        for (text, defs, reads) in cases {
            assert_eq!(names(text), (defs.to_string(), reads.to_string()), "{text}");
        }
    }
}
