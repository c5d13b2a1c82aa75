//! Top-level items: declarations first, then code in order, each item a unit of its own.

use super::call::ArgVal;
use super::functions::GenericKind;
use super::modules::{AxisInfo, ModId, TypeDecl};
use super::names::{Frame, Generics, Var};
use super::sizes::SizeScope;
use super::solve::Subst;
use super::value::{Lit, Val};
use super::{Checker, InputSite, Unit, UnitKind, messages};
use crate::base::axis::Axis;
use crate::base::span::{FileId, Span};
use crate::ir::{Elem, Op, Type};
use crate::syntax::ast::{self, ExprKind, Item, ItemKind, StmtKind};
use std::rc::Rc;

impl Checker {
    pub(super) fn check_items(&mut self, id: ModId, file: FileId, program: &ast::Program) {
        for item in &program.items {
            self.declare(id, item);
        }
        for item in &program.items {
            if self.budget.is_over() {
                break;
            }
            self.code(id, item);
        }
        self.unused_axes(id, file, program);
        if !self.modules[id.0].name.starts_with("std.") {
            for item in &program.items {
                if let ItemKind::Fn(function) = &item.kind
                    && !self.was_read(function)
                {
                    self.check_alone(id, function);
                }
            }
        }
    }

    fn declare(&mut self, id: ModId, item: &Item) {
        match &item.kind {
            ItemKind::Use(item) => self.use_item(id, item),
            ItemKind::Axis(axes) => {
                for decl in axes {
                    let axis = Axis::named(&self.axis_space(id), &decl.name.name);
                    let known = self.modules[id.0].axes.get(&decl.name.name).cloned();
                    let info = known.unwrap_or(AxisInfo { axis, size: None, like: None });
                    self.modules[id.0].axes.insert(decl.name.name.clone(), info);
                }
            }
            ItemKind::Type { public, name, generics, ty } => {
                let decl = TypeDecl { generics: generics.clone(), ty: ty.clone(), public: *public };
                self.modules[id.0].types.insert(name.name.clone(), decl);
            }
            ItemKind::Fn(function) => {
                let name = function.name.name.clone();
                self.signatures.remove(&(id, name.clone()));
                let module = &mut self.modules[id.0];
                module.top.retain(|var| var.name != name);
                module.functions.insert(name, function.clone());
            }
            ItemKind::Experiment { name, fields } => {
                let seed = fields.iter().find(|field| field.name.name == "seed").map(|field| &field.value);
                let seed = match seed.map(|seed| (&seed.kind, seed.span)) {
                    Some((ExprKind::Int(seed), _)) => *seed as u64,
                    Some((_, span)) => {
                        self.error(messages::seed_not_literal(span));
                        0
                    }
                    None => 0,
                };
                if id == ModId::USER {
                    self.experiment = Some((name.clone(), seed));
                }
            }
            _ => {}
        }
    }

    fn code(&mut self, id: ModId, item: &Item) {
        match &item.kind {
            ItemKind::Axis(axes) => {
                for decl in axes {
                    self.axis_size_decl(id, decl);
                }
            }
            ItemKind::Input { name, value } => {
                self.unit(id, UnitKind::Input, item.span, |checker| checker.input(name, value));
            }
            ItemKind::Plot(plot) => self.unit(id, UnitKind::Plot, item.span, |checker| checker.plot(plot)),
            ItemKind::Expect(lines) => self.unit(id, UnitKind::Expect, item.span, |checker| checker.expect(lines)),
            ItemKind::Stmt(stmt) => self.top_statement(id, stmt),
            _ => {}
        }
    }

    fn top_statement(&mut self, id: ModId, stmt: &ast::Stmt) {
        match &stmt.kind {
            StmtKind::Expr(expr) => self.top_expression(id, expr, stmt.span),
            StmtKind::Let { mutable, pattern: pattern @ ast::Pattern::Name(name), ty, value } => {
                let replaced = self.overridden(id, &name.name, value);
                let value = replaced.as_ref().unwrap_or(value).clone();
                let kind = StmtKind::Let { mutable: *mutable, pattern: pattern.clone(), ty: ty.clone(), value };
                let stmt = ast::Stmt { span: stmt.span, kind };
                self.unit(id, UnitKind::Let, stmt.span, |checker| checker.statement(&stmt));
            }
            StmtKind::Let { .. } | StmtKind::Capture(_) | StmtKind::Fit { .. } => {
                self.unit(id, UnitKind::Let, stmt.span, |checker| checker.statement(stmt));
            }
            _ => self.unit(id, UnitKind::Statement, stmt.span, |checker| checker.statement(stmt)),
        }
    }

    /// The value that `--set name=value` gives instead, if it does.
    fn overridden(&mut self, id: ModId, name: &str, value: &ast::Expr) -> Option<ast::Expr> {
        if id != ModId::USER {
            return None;
        }
        let text = self.options.overrides.get(name)?.clone();
        self.unused_overrides.remove(name);
        let text = match &value.kind {
            // A word for a text needs no quotes: `--set scheme=rotary`.
            ExprKind::Str(_) if text.chars().all(|letter| letter.is_alphanumeric() || "_-./".contains(letter)) => {
                format!("\"{text}\"")
            }
            _ => text,
        };
        let file = self.sources.add(format!("--set {name}"), format!("let {name} = {text}\n"));
        let source = self.sources.get(file).text.clone();
        let (program, faults) = crate::syntax::parse::parse_program(file, &source);
        let parsed = program.items.into_iter().find_map(|item| match item.kind {
            ItemKind::Stmt(ast::Stmt { kind: StmtKind::Let { value, .. }, .. }) => Some(value),
            _ => None,
        });
        let simple = |expr: &ast::Expr| kind_of_literal(expr);
        match parsed {
            Some(new) if faults.is_empty() && simple(&new).is_some() && fits(simple(value), simple(&new)) => Some(new),
            _ => {
                self.error(messages::override_does_not_fit(name, &text, simple(value)));
                None
            }
        }
    }

    fn top_expression(&mut self, id: ModId, expr: &ast::Expr, span: Span) {
        let before = self.begin_unit(id);
        let val = self.expr(expr);
        let mut shown = None;
        let mut results = Vec::new();
        if !matches!(val, Val::Unit | Val::Error | Val::Fn(_)) && !val.is_error() {
            let val = self.materialize(&val, span);
            shown = Some(val.ty().to_string());
            results.push(self.pack(&val, span));
        } else if let Val::Fn(_) = val {
            shown = Some("a function".to_string());
        }
        let kind = if results.is_empty() { UnitKind::Statement } else { UnitKind::Expression };
        self.end_unit(id, kind, span, before, results, shown);
    }

    fn unit(&mut self, id: ModId, kind: UnitKind, span: Span, work: impl FnOnce(&mut Checker)) {
        let before = self.begin_unit(id);
        work(self);
        self.end_unit(id, kind, span, before, Vec::new(), None);
    }

    fn begin_unit(&mut self, id: ModId) -> Vec<Var> {
        if self.keep_steps && id == ModId::USER {
            self.step = Some(self.user_module_state());
        }
        let vars = self.modules[id.0].top.clone();
        self.open_function(format!("item_{}", self.units.len()));
        self.frames.push(Frame {
            module: id,
            vars: vars.clone(),
            generics: Rc::default(),
            sizes: Rc::new(SizeScope::Top),
            loops: Vec::new(),
            returns: None,
            top_level: true,
        });
        vars
    }

    /// Moves what the item bound or changed into globals, and adds the unit unless it does nothing.
    fn end_unit(
        &mut self,
        id: ModId,
        kind: UnitKind,
        span: Span,
        before: Vec<Var>,
        results: Vec<crate::ir::LocalId>,
        shown: Option<String>,
    ) {
        let Some(frame) = self.frames.pop() else { return };
        let mut names = Vec::new();
        let mut top = Vec::new();
        let mut published = Vec::new();
        for (place, var) in frame.vars.into_iter().enumerate() {
            let changed = before.get(place).is_none_or(|old| !old.val.same(&var.val));
            if !changed {
                top.push(var);
                continue;
            }
            let mut globals = Vec::new();
            if var.val.is_error() && self.errors.is_empty() {
                // What failed must have said so; a value that is lost in silence is a fault of the checker.
                self.error(messages::lost(span));
            }
            let val = self.publish_value(&var.name, &var.val, span, &mut published);
            self.move_losses(&var.val, &val);
            for leaf in val.leaves() {
                if let Val::Global(global, _) = leaf {
                    globals.push(global);
                }
            }
            names.push((var.name.clone(), var.val.ty().to_string(), globals));
            if top.iter().any(|old: &Var| old.name == var.name) {
                self.doubt();
            }
            top.retain(|old: &Var| old.name != var.name);
            self.modules[id.0].functions.remove(&var.name);
            top.push(Var { val, ..var });
        }
        self.modules[id.0].top = top;
        let (function, _) = self.close_function(results);
        if function.body.stmts.is_empty() && shown.is_none() {
            return;
        }
        let func = self.add_function(function);
        self.steps.extend(self.step.take().map(|state| (func, state)));
        self.units.push(Unit { func, span, kind, names, shown });
    }

    fn axis_size_decl(&mut self, id: ModId, decl: &ast::AxisDecl) {
        let name = &decl.name.name;
        if let Some(like) = &decl.like {
            let before = self.begin_unit(id);
            let target = self.axis(like);
            self.frames.pop();
            self.close_function(Vec::new());
            drop(before);
            if let Some(info) = self.modules[id.0].axes.get_mut(name) {
                info.like = target;
            }
        }
        let Some(size) = &decl.size else { return };
        let replaced = self.overridden(id, name, size);
        let size = replaced.as_ref().unwrap_or(size);
        let before = self.begin_unit(id);
        let val = self.expr(size);
        let val = match val {
            Val::Lit(Lit::Int(n)) if n >= 0 => Val::Lit(Lit::Int(n)),
            Val::Lit(Lit::Int(_)) => {
                self.error(messages::negative_size(size.span));
                Val::Error
            }
            other => {
                let val = self.conform(other, &Type::INT, size.span, &"the length of an axis");
                self.publish_value(name, &val, size.span, &mut Vec::new())
            }
        };
        self.end_unit(id, UnitKind::Let, size.span, before, Vec::new(), None);
        if let Some(info) = self.modules[id.0].axes.get_mut(name) {
            info.size = (!val.is_error()).then_some(val);
        }
    }

    /// `input x = file("path", sha256: "...")`, or `folder(...)`
    fn input(&mut self, name: &ast::Ident, value: &ast::Expr) {
        let span = value.span;
        let ExprKind::Call { callee, args, .. } = &value.kind else {
            self.error(messages::input_not_file(span));
            return;
        };
        let (word, builtin) = match &callee.kind {
            ExprKind::Name(name) if name == "file" => ("`file`", "open_file"),
            ExprKind::Name(name) if name == "folder" => ("`folder`", "open_folder"),
            _ => {
                self.error(messages::input_not_file(span));
                return;
            }
        };
        let mut path = None;
        let mut sha = None;
        for arg in args {
            let text = match self.expr(&arg.value) {
                Val::Lit(Lit::Str(text)) => text,
                _ => {
                    self.error(messages::input_not_literal(arg.value.span));
                    return;
                }
            };
            match arg.name.as_ref().map(|name| name.name.as_str()) {
                None => path = Some(text),
                Some("sha256") => sha = Some(text),
                Some(_) => {
                    self.error(messages::too_many_arguments(
                        arg.value.span,
                        word,
                        arg.name.as_ref(),
                        &["sha256".to_string()],
                    ));
                    return;
                }
            }
        }
        let Some(path) = path else {
            self.error(messages::input_not_file(span));
            return;
        };
        self.inputs.push(InputSite {
            name: name.name.clone(),
            path: path.clone(),
            folder: builtin == "open_folder",
            sha256: sha.clone(),
            span,
        });
        let args = vec![
            self.string(&path, span),
            self.string(sha.as_deref().unwrap_or(""), span),
            self.string(&name.name, span),
        ];
        let val = self.emit(Op::Builtin { name: builtin, axes: vec![], args }, Type::File, span);
        self.bind(&name.name, val, false, name.span);
    }

    /// Checks a function on its own, with rigid axes, so that faults show where it is written even if nothing
    /// calls it. Functions with parameters that have no type are checked at each call.
    pub(super) fn check_alone(&mut self, id: ModId, function: &Rc<ast::FnItem>) {
        let signature = self.signature(id, function);
        if !signature.fully_typed() || function.intrinsic || function.body.is_none() {
            return;
        }
        let mut subst = Subst::default();
        for generic in &signature.generics {
            match generic.kind {
                GenericKind::Element(_) => {
                    subst.elems.insert(generic.placeholder, Elem::F32);
                }
                _ => {
                    subst.axes.insert(generic.placeholder, vec![generic.placeholder]);
                }
            }
        }
        self.rigid = true;
        // Where axes have no lengths, what is called there is for nobody else.
        let instances = self.instances.clone();
        let _ = self.begin_unit(id);
        let mut bound = Vec::new();
        for ((name, ty), param) in signature.params.iter().zip(&function.params) {
            let ty = ty.as_ref().map_or(Type::Error, |ty| subst.apply(ty));
            let span = param.name.span;
            let val = super::call::shape_of(&ty).with_leaves(&mut |ty| self.new_param(ty.clone(), name, span));
            bound.push(Some(ArgVal::plain(val, span)));
        }
        let generics: Generics = super::call::generics_of(&signature, &subst);
        self.enter_item(id, generics, function, &signature, &subst, bound, function.span);
        self.frames.pop();
        self.close_function(Vec::new());
        self.instances = instances;
        self.rigid = false;
    }
}

/// The names of a program to which `--set` may give another value.
pub(super) fn settable(program: &ast::Program) -> Vec<String> {
    let literal = |value: &ast::Expr| kind_of_literal(value).is_some();
    let names = program.items.iter().flat_map(|item| match &item.kind {
        ItemKind::Stmt(ast::Stmt { kind: StmtKind::Let { pattern: ast::Pattern::Name(name), value, .. }, .. })
            if literal(value) =>
        {
            vec![name.name.clone()]
        }
        ItemKind::Axis(axes) => {
            let sized = axes.iter().filter(|axis| axis.size.as_ref().is_some_and(literal));
            sized.map(|axis| axis.name.name.clone()).collect()
        }
        _ => Vec::new(),
    });
    names.collect()
}

fn kind_of_literal(expr: &ast::Expr) -> Option<&'static str> {
    match &expr.kind {
        ExprKind::Int(_) => Some("int"),
        ExprKind::Float(_) => Some("float"),
        ExprKind::Bool(_) => Some("bool"),
        ExprKind::Str(_) => Some("str"),
        ExprKind::Unary { op: ast::UnaryOp::Neg, value } => kind_of_literal(value),
        _ => None,
    }
}

fn fits(old: Option<&str>, new: Option<&str>) -> bool {
    old == new || (old == Some("float") && new == Some("int"))
}
