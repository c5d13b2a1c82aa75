//! What the program around a session gives to the checker: values under names, and functions with signatures.
//!
//! Values become names of the user's module, as if a `let` had bound them; functions become intrinsics of the module
//! `host`, which a program imports like any other. What they are and do is the session's business.

use super::call::{ArgVal, shape_of};
use super::functions::Signature;
use super::modules::{AxisInfo, ModId, ModuleInfo};
use super::names::Var;
use super::solve::Subst;
use super::value::{Lit, Val};
use super::{Checker, builtin_name, messages};
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use crate::ir::{AxisSet, Const, Elem, Global, GlobalId, HOST, Op, PURE_HOST, Type};
use crate::syntax::ast::{self, ItemKind, StmtKind, TyKind};
use crate::syntax::parse;
use std::collections::HashMap;
use std::rc::Rc;

/// The name of the module.
const MODULE: &str = "host";

/// The functions of the host.
#[derive(Debug, Default)]
pub(super) struct Host {
    module: Option<ModId>,
    /// What the IR calls each function that programs see now.
    names: HashMap<String, &'static str>,
    /// How many were registered under each name.
    counts: HashMap<String, usize>,
}

/// What a name of the user's module stands for, outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    Value(GlobalId, Type),
    Constant(Const),
    Record(Vec<(String, Binding)>),
    /// A function, or nothing: no value to take out.
    Other(Type),
}

/// The stated length of an axis: a number, or the global that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Known(i64),
    Held(GlobalId),
}

impl Checker {
    /// Is this a name that a program can bind?
    pub fn is_bindable(name: &str) -> bool {
        let text = format!("let {name} = 0\n");
        let (program, faults) = parse::parse_program(FileId(0), &text);
        faults.is_empty()
            && matches!(&program.items[..], [ast::Item { kind: ItemKind::Stmt(ast::Stmt {
                kind: StmtKind::Let { pattern: ast::Pattern::Name(bound), .. }, .. }), .. }] if bound.name == name)
    }

    /// Is this a name that an axis can have?
    pub fn is_axis_name(name: &str) -> bool {
        let (program, faults) = parse::parse_program(FileId(0), &format!("axis {name}\n"));
        faults.is_empty()
            && matches!(&program.items[..], [ast::Item { kind: ItemKind::Axis(axes), .. }]
                if matches!(&axes[..], [axis] if axis.name.name == name))
    }

    /// Binds a name of the user's module to a value of this type; its leaves are in these globals, in order.
    pub fn give(&mut self, name: &str, ty: &Type) -> Vec<GlobalId> {
        let mut made = Vec::new();
        let val = shape_of(ty).with_leaves(&mut |leaf| {
            self.module.globals.push(Global { name: name.to_string(), ty: leaf.clone() });
            made.push(GlobalId(self.module.globals.len() as u32 - 1));
            self.declare_axes_of(leaf);
            Val::Global(made[made.len() - 1], leaf.clone())
        });
        let user = &mut self.modules[ModId::USER.0];
        user.top.retain(|var| var.name != name);
        user.functions.remove(name);
        user.top.push(Var { name: name.to_string(), val, mutable: false, span: Span::default(), depth: 0 });
        self.signatures.remove(&(ModId::USER, name.to_string()));
        made
    }

    /// Axes that arrive with a value can be named afterwards.
    fn declare_axes_of(&mut self, ty: &Type) {
        match ty {
            Type::Tensor(_, axes) => axes.iter().for_each(|axis| self.declare_axis(ModId::USER, axis)),
            Type::List(item) => self.declare_axes_of(item),
            _ => {}
        }
    }

    /// Declares an axis of the users' own, unless it is known.
    fn declare_axis(&mut self, module: ModId, axis: Axis) {
        let name = axis.shown();
        let common = axis.key().is_some_and(|key| key == name);
        if common && !self.modules[ModId::AXES.0].axes.contains_key(&name) {
            let info = AxisInfo { axis, size: None, like: None };
            self.modules[module.0].axes.entry(name).or_insert(info);
        }
    }

    /// The length that a declaration states for an axis.
    pub fn stated_length(&self, axis: Axis) -> Option<Length> {
        match self.axis_info(axis)?.size? {
            Val::Lit(Lit::Int(len)) => Some(Length::Known(len)),
            Val::Global(global, _) => Some(Length::Held(global)),
            _ => None,
        }
    }

    /// What a name of the user's module stands for.
    pub fn binding(&self, name: &str) -> Option<Binding> {
        let user = self.modules.get(ModId::USER.0)?;
        user.top.iter().rev().find(|var| var.name == name).map(|var| bound(&var.val))
    }

    /// The values of the user's module, with their types as shown, in the order in which they were bound.
    pub fn bound_names(&self) -> Vec<(String, String)> {
        let user = self.modules.get(ModId::USER.0);
        let data = |var: &&Var| !matches!(var.val, Val::Fn(_) | Val::Unit | Val::Error);
        let shown = |var: &Var| (var.name.clone(), var.val.ty().to_string());
        user.map_or_else(Vec::new, |user| user.top.iter().filter(data).map(shown).collect())
    }

    /// Declares a function of the host: `fn smooth(x: f32[pos], width: int) -> f32[pos]`. Gives its name in programs and
    /// its name in the IR. A function of an old registration stays what it is in what was checked before.
    pub fn add_host_function(
        &mut self,
        signature: &str,
        pure: bool,
    ) -> Result<(String, &'static str), Vec<Diagnostic>> {
        let text = format!("pub intrinsic {}\n", signature.trim());
        let file = self.sources.add(MODULE, text.clone());
        let (program, faults) = parse::parse_program(file, &text);
        if !faults.is_empty() {
            return Err(faults);
        }
        let [ast::Item { kind: ItemKind::Fn(item), .. }] = &program.items[..] else {
            let help = "for instance  fn smooth(x: f32[pos], width: int) -> f32[pos]";
            return Err(vec![Diagnostic::plain("E001", "this is not the signature of one function").help(help)]);
        };
        let module = self.host_module();
        for axis in named_axes(item) {
            self.declare_axis(module, axis);
            self.declare_axis(ModId::USER, axis);
        }
        self.signatures.remove(&(module, item.name.name.clone()));
        let signature = self.signature(module, item);
        if self.errors.is_empty()
            && let Some(fault) = unfit(item, &signature, pure)
        {
            self.errors.push(fault);
        }
        if !self.errors.is_empty() {
            self.signatures.remove(&(module, item.name.name.clone()));
            return Err(std::mem::take(&mut self.errors));
        }
        Ok(self.enter_host_function(module, item, pure))
    }

    fn enter_host_function(&mut self, module: ModId, item: &Rc<ast::FnItem>, pure: bool) -> (String, &'static str) {
        let name = item.name.name.clone();
        let count = self.host.counts.entry(name.clone()).or_default();
        *count += 1;
        let prefix = if pure { PURE_HOST } else { HOST };
        let full = if *count == 1 { format!("{prefix}{name}") } else { format!("{prefix}{name}#{count}") };
        let in_ir = builtin_name(&full).unwrap_or(HOST);
        self.host.names.insert(name.clone(), in_ir);
        self.modules[module.0].functions.insert(name.clone(), item.clone());
        (name, in_ir)
    }

    fn host_module(&mut self) -> ModId {
        if let Some(id) = self.host.module {
            return id;
        }
        let id = ModId(self.modules.len());
        self.modules.push(ModuleInfo { name: MODULE.to_string(), ..ModuleInfo::default() });
        self.module_ids.insert(MODULE.to_string(), id);
        self.host.module = Some(id);
        id
    }

    pub(super) fn is_host(&self, module: ModId) -> bool {
        self.host.module == Some(module)
    }

    /// A call: the arguments' leaves, then the stated lengths of axes that only the result has.
    pub(super) fn host_call(
        &mut self,
        item: &ast::FnItem,
        signature: &Signature,
        subst: &Subst,
        bound: Vec<Option<ArgVal>>,
        span: Span,
    ) -> Val {
        let Some(&name) = self.host.names.get(&item.name.name) else {
            self.error(messages::unknown_builtin(item.span, &item.name.name));
            return Val::Error;
        };
        let (mut args, mut carried) = (Vec::new(), AxisSet::empty());
        for ((param, (_, pattern)), arg) in item.params.iter().zip(&signature.params).zip(bound) {
            let (val, at) = match (arg, &param.default) {
                (Some(arg), _) => (arg.val, arg.span),
                (None, Some(default)) => (self.expr(default), default.span),
                (None, None) => (Val::Error, span),
            };
            let Some(pattern) = pattern else { continue };
            let what = format!("the parameter `{}` of `{}`", param.name.name, item.name.name);
            let val = self.conform(val, &subst.apply(pattern), at, &what);
            let val = self.materialize(&val, at);
            carried = carried.union(&val.axes().unwrap_or_default());
            args.push(self.id(&val, at));
        }
        let result = signature.result.as_ref().map_or(Type::Unit, |ty| subst.apply(ty));
        let mut stated = Vec::new();
        for axis in result.axes().cloned().unwrap_or_default().minus(&carried).iter() {
            if let Some(size) = self.axis_info(axis).and_then(|info| info.size) {
                stated.push(axis);
                args.push(self.id(&size, span));
            }
        }
        let types: Vec<Type> = if result == Type::Unit { Vec::new() } else { vec![result] };
        let op = Op::Builtin { name, axes: stated, args };
        self.emit_many(op, &types, span).pop().unwrap_or(Val::Unit)
    }
}

fn bound(val: &Val) -> Binding {
    match val {
        Val::Global(global, ty) => Binding::Value(*global, ty.clone()),
        Val::Lit(Lit::Int(x)) => Binding::Constant(Const::Int(*x)),
        Val::Lit(Lit::Float(x)) => Binding::Constant(Const::F64(*x)),
        Val::Lit(Lit::Bool(x)) => Binding::Constant(Const::Bool(*x)),
        Val::Lit(Lit::Str(x)) => Binding::Constant(Const::Str(x.clone())),
        Val::Record(fields) => Binding::Record(fields.iter().map(|(name, val)| (name.clone(), bound(val))).collect()),
        other => Binding::Other(other.ty()),
    }
}

/// The axes that a signature names and that are not its parameters.
fn named_axes(item: &ast::FnItem) -> Vec<Axis> {
    fn walk(ty: &ast::Ty, own: &dyn Fn(&str) -> bool, found: &mut Vec<Axis>) {
        match &ty.kind {
            TyKind::Applied { axes, .. } => {
                let named = axes.iter().filter(|axis| !axis.row && !own(&axis.name.name));
                found.extend(named.map(|axis| Axis::named("", &axis.name.name)));
            }
            TyKind::List(item) => walk(item, own, found),
            _ => {}
        }
    }
    let generics = item.generics.iter().flat_map(|generic| std::iter::once(&generic.name).chain(&generic.makes));
    let generics: Vec<&str> = generics.map(|name| name.name.as_str()).collect();
    let mut found = Vec::new();
    for ty in item.params.iter().filter_map(|param| param.ty.as_ref()).chain(&item.result) {
        walk(ty, &|name| generics.contains(&name), &mut found);
    }
    found
}

const CROSSES: &str = "parameters and the result are numbers, bools, texts, tensors and lists of these";

/// Why no function of a host can have this signature.
fn unfit(item: &ast::FnItem, signature: &Signature, pure: bool) -> Option<Diagnostic> {
    let fault = |span: Span, text: String| Some(Diagnostic::error("R007", span, text).help(CROSSES));
    if let Some(vjp) = &item.vjp {
        return fault(vjp.span, "a function of the host has no `vjp` clause".to_string());
    }
    for (param, (name, ty)) in item.params.iter().zip(&signature.params) {
        match ty {
            Some(ty) if crosses(ty) => {}
            Some(ty) => return fault(param.name.span, format!("`{name}` is {ty}, which cannot be given to the host")),
            None => return fault(param.name.span, format!("the parameter `{name}` needs a type")),
        }
    }
    match &signature.result {
        None if pure => fault(item.name.span, "a pure function gives something".to_string()),
        Some(Type::Tensor(Elem::Index(_), _)) => {
            fault(item.name.span, "the host gives no indices: say `int`, which is checked where it is used".to_string())
        }
        Some(ty) if !crosses(ty) => fault(item.name.span, format!("the host cannot give {ty}")),
        _ => None,
    }
}

/// Numbers, bools, texts, tensors, and lists of them.
fn crosses(ty: &Type) -> bool {
    match ty {
        Type::Tensor(..) | Type::Str => true,
        Type::List(item) => !matches!(**item, Type::List(_)) && crosses(item),
        _ => false,
    }
}
