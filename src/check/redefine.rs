//! What becomes of earlier items when an entry at the prompt gives a name a new meaning.
//!
//! A function calls whatever its names mean when it is called, so every function that uses a new function or type is
//! checked again, and the entry is refused if one fails. A value keeps what it was made with: numbers stay, a function
//! value goes on to call the old functions, and a function that reads a value goes on to read that one.

use super::modules::{ModId, ModuleInfo};
use super::names::Var;
use super::swaps::Swap;
use super::value::{Closure, FnVal, Val};
use super::{Checker, messages};
use crate::base::span::{FileId, Span};
use crate::syntax::ast;
use crate::syntax::free::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The names that an entry gives a meaning to, with the places where.
pub(super) type Fresh = BTreeMap<String, Span>;

impl Checker {
    /// Before an entry is declared: what it will mean anew is kept for those that keep the old meaning.
    pub(super) fn keep_old_meanings(&mut self, program: &ast::Program) -> Fresh {
        // A function that recurses was compiled with what its names meant then.
        let user = format!("{}:", ModId::USER.0);
        self.instances.retain(|key, _| !key.starts_with(&user));
        self.signatures.retain(|(id, _), _| *id != ModId::USER);
        if !self.has_own_items() {
            return Fresh::new();
        }
        let defs = program.items.iter().flat_map(|item| Names::of(item).defs);
        let fresh: Fresh = defs.map(|def| (def.name, def.span)).collect();
        self.pin_values(&fresh);
        let called: BTreeSet<&str> = fresh.keys().map(String::as_str).filter(|name| self.is_called(name)).collect();
        if !called.is_empty() {
            self.freeze(&called);
        }
        fresh
    }

    /// Is it now the name of a function, module or type?
    fn is_called(&self, name: &str) -> bool {
        [ModId::USER, ModId::CORE].iter().map(|id| &self.modules[id.0]).any(|module| {
            module.functions.contains_key(name)
                || module.types.contains_key(name)
                || module.aliases.contains_key(name)
                || module.imported.contains_key(name)
        })
    }

    /// Functions that read a value of such a name read that value from now on, whatever the name will mean.
    fn pin_values(&mut self, fresh: &Fresh) {
        let module = &self.modules[ModId::USER.0];
        let old: Vec<Var> =
            module.top.iter().filter(|var| fresh.contains_key(&var.name) && !var.mutable).cloned().collect();
        if old.is_empty() {
            return;
        }
        let functions: Vec<Rc<ast::FnItem>> = module.functions.values().cloned().collect();
        for item in functions {
            let reads: BTreeSet<String> = Names::read_by(&item).into_iter().map(|read| read.name).collect();
            let pins = self.pins.entry(item.name.span).or_default();
            for var in old.iter().filter(|var| reads.contains(&var.name)) {
                if !pins.iter().any(|pinned| pinned.name == var.name) {
                    pins.push(Var { depth: 0, ..var.clone() });
                }
            }
        }
    }

    /// The values that a function reads whatever their names mean now.
    pub(super) fn pinned(&self, item: &ast::FnItem) -> Vec<Var> {
        self.pins.get(&item.name.span).cloned().unwrap_or_default()
    }

    /// Function values that would call something new get a copy of the module as it is.
    fn freeze(&mut self, fresh: &BTreeSet<&str>) {
        let module = &self.modules[ModId::USER.0];
        let freezer = Freezer { module, fresh, to: ModId(self.modules.len()) };
        let holders: Vec<usize> = std::iter::once(ModId::USER.0).chain(self.frozen.iter().map(|id| id.0)).collect();
        let found = holders.iter().any(|&id| self.modules[id].top.iter().any(|var| freezer.touches(&var.val)));
        let pinned = self.pins.values().flatten().any(|var| freezer.touches(&var.val));
        if !found && !pinned {
            return;
        }
        let moved = |vars: &[Var]| -> Vec<Var> { vars.iter().map(|var| freezer.var(var)).collect() };
        let tops: Vec<(usize, Vec<Var>)> = holders.iter().map(|&id| (id, moved(&self.modules[id].top))).collect();
        let pins = self.pins.iter().map(|(span, vars)| (*span, moved(vars))).collect();
        let copy = ModuleInfo { top: freezer.needed(), ..module.clone() };
        let id = freezer.to;
        self.pins = pins;
        for (id, top) in tops {
            self.modules[id].top = top;
        }
        self.modules.push(copy);
        self.frozen.push(id);
    }

    /// Checks the functions of earlier entries again that use a fresh name.
    pub(super) fn check_users_of(&mut self, file: FileId, fresh: &Fresh) {
        let module = &self.modules[ModId::USER.0];
        let names: BTreeSet<&str> = fresh.keys().map(String::as_str).collect();
        let reach = |item: &ast::FnItem| {
            let reads = reached(module, Names::read_by(item).into_iter().map(|read| read.name).collect());
            reads.into_iter().find(|name| names.contains(name.as_str()))
        };
        let earlier = module.functions.values().filter(|item| item.name.span.file != file);
        let users: Vec<(Rc<ast::FnItem>, String)> =
            earlier.filter_map(|item| Some((item.clone(), reach(item)?))).collect();
        for (item, name) in users {
            let before = self.errors.len();
            self.check_alone(ModId::USER, &item);
            let Some(&place) = fresh.get(&name) else { continue };
            for fault in self.errors.iter_mut().skip(before) {
                *fault = messages::breaks_function(fault.clone(), &item.name.name, &name, place);
            }
        }
    }

    /// After an entry that failed in its middle: its functions that need what is not there go, and those come back
    /// that they replaced. Gives the names of those that went.
    pub fn drop_broken(&mut self, file: FileId) -> Vec<String> {
        let mut gone = Vec::new();
        loop {
            let module = &self.modules[ModId::USER.0];
            let own: Vec<Rc<ast::FnItem>> =
                module.functions.values().filter(|item| item.name.span.file == file).cloned().collect();
            let broken = own.into_iter().find(|item| {
                self.check_alone(ModId::USER, item);
                let wrong = !self.errors.is_empty();
                self.errors.clear();
                self.builders.clear();
                self.frames.clear();
                self.call_sites.clear();
                self.active.clear();
                wrong
            });
            let Some(item) = broken else { return gone };
            let name = item.name.name.clone();
            let old = self.before.as_ref().and_then(|before| before.module.functions.get(&name)).cloned();
            let module = &mut self.modules[ModId::USER.0];
            match old {
                Some(old) => module.functions.insert(name.clone(), old),
                None => module.functions.remove(&name),
            };
            self.signatures.retain(|(id, _), _| *id != ModId::USER);
            gone.push(name);
        }
    }

    /// Takes the items of the last entry back from the unit that runs `func` on, because that one failed.
    pub fn forget_from(&mut self, func: crate::ir::FuncId) {
        match self.steps.iter().position(|(step, ..)| *step == func) {
            Some(place) => {
                let (_, state) = self.steps.swap_remove(place);
                self.restore_user_module(state);
                self.steps.clear();
            }
            None => self.forget_last_entry(),
        }
    }

    /// Was anything entered that has a name?
    pub fn has_own_items(&self) -> bool {
        let module = &self.modules[ModId::USER.0];
        !(module.top.is_empty() && module.functions.is_empty())
    }
}

/// All that names lead to through the functions of a module, the names themselves among it.
fn reached(module: &ModuleInfo, names: Vec<String>) -> BTreeSet<String> {
    let (mut pending, mut seen) = (names, BTreeSet::new());
    while let Some(name) = pending.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(item) = module.functions.get(&name) {
            pending.extend(Names::read_by(item).into_iter().map(|read| read.name));
        }
        if let Some(decl) = module.types.get(&name) {
            pending.extend(Names::read_in_type(&decl.ty).into_iter().map(|read| read.name));
        }
    }
    seen
}

/// Moves function values that use a fresh name into a copy of the user's module.
struct Freezer<'a> {
    module: &'a ModuleInfo,
    fresh: &'a BTreeSet<&'a str>,
    to: ModId,
}

impl Freezer<'_> {
    fn uses_fresh(&self, names: Vec<String>) -> bool {
        reached(self.module, names).iter().any(|name| self.fresh.contains(name.as_str()))
    }

    fn closure_uses_fresh(&self, closure: &Closure) -> bool {
        let own = |name: &String| closure.vars.iter().any(|var| var.name == *name);
        let reads = Names::read_by_lambda(&closure.lambda).into_iter().map(|read| read.name);
        closure.module == ModId::USER && self.uses_fresh(reads.filter(|name| !own(name)).collect())
    }

    /// The values that functions of the copy read.
    fn needed(&self) -> Vec<Var> {
        let all: BTreeSet<String> = reached(self.module, self.module.functions.keys().cloned().collect());
        self.module.top.iter().filter(|var| all.contains(&var.name)).map(|var| self.var(var)).collect()
    }

    fn touches(&self, val: &Val) -> bool {
        match val {
            Val::Record(fields) => fields.iter().any(|(_, val)| self.touches(val)),
            Val::Fn(f) => self.touches_function(f),
            _ => false,
        }
    }

    fn touches_function(&self, f: &FnVal) -> bool {
        match f {
            FnVal::Item { module, item } => *module == ModId::USER && self.uses_fresh(vec![item.name.name.clone()]),
            FnVal::Lambda(closure) => {
                self.closure_uses_fresh(closure) || closure.vars.iter().any(|var| self.touches(&var.val))
            }
            FnVal::WithAxes { inner: f, .. } | FnVal::Grad { f, .. } | FnVal::Loss { f, .. } => {
                self.touches_function(f)
            }
            FnVal::With { f, swaps } => {
                self.touches_function(f) || swaps.iter().any(|swap| self.touches_function(&swap.by))
            }
            FnVal::Special(_) => false,
        }
    }

    fn var(&self, var: &Var) -> Var {
        Var { val: self.val(&var.val), ..var.clone() }
    }

    fn val(&self, val: &Val) -> Val {
        match val {
            _ if !self.touches(val) => val.clone(),
            Val::Record(fields) => {
                Val::record(fields.iter().map(|(name, val)| (name.clone(), self.val(val))).collect())
            }
            Val::Fn(f) => Val::Fn(self.function(f)),
            other => other.clone(),
        }
    }

    fn function(&self, f: &Rc<FnVal>) -> Rc<FnVal> {
        if !self.touches_function(f) {
            return f.clone();
        }
        Rc::new(match &**f {
            FnVal::Item { item, .. } => FnVal::Item { module: self.to, item: item.clone() },
            FnVal::Lambda(closure) => {
                let module = if self.closure_uses_fresh(closure) { self.to } else { closure.module };
                let vars = Rc::new(closure.vars.iter().map(|var| self.var(var)).collect());
                FnVal::Lambda(Closure { module, vars, ..closure.clone() })
            }
            FnVal::WithAxes { inner, axes } => FnVal::WithAxes { inner: self.function(inner), axes: axes.clone() },
            FnVal::Grad { f, value } => FnVal::Grad { f: self.function(f), value: *value },
            FnVal::Loss { f, arity } => FnVal::Loss { f: self.function(f), arity: *arity },
            FnVal::With { f, swaps } => {
                let swaps = swaps.iter().map(|swap| Swap { by: self.function(&swap.by), ..swap.clone() });
                FnVal::With { f: self.function(f), swaps: Rc::new(swaps.collect()) }
            }
            FnVal::Special(name) => FnVal::Special(name),
        })
    }
}
