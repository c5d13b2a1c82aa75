//! Believing functions: what is wrong in the text under a person's hands, before the library's own text is read again.
//!
//! Most of the time of a check goes into the bodies of library functions, once for each call. A text can be judged without
//! them: by what a signature states, or by what the same function yielded for arguments of the same types; a captured model by
//! the sites that it had for such arguments. What is found then is a part of what a whole check finds; what only a body would
//! object to is not found, and the IR is never run.

use super::Checker;
use super::call::{ArgVal, shape_of};
use super::modules::ModId;
use super::value::{Closure, FnVal, Lit, Val};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::Type;
use crate::syntax::ast::{FnItem, Lambda};
use crate::syntax::free::Names;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// Function values within function values: deeper ones are read.
const DEEPEST: usize = 6;

#[derive(Default)]
pub(super) struct Beliefs {
    /// By the function and what it was given: what came back.
    known: HashMap<u64, Type>,
    /// By the forward function and its arguments: the sites that were met.
    met: HashMap<u64, Rc<[Met]>>,
    /// The functions of the user's that were read where they are called.
    entered: HashSet<*const FnItem>,
    /// The names that a lambda reads. It is held, so that no other can have its address.
    reads: HashMap<*const Lambda, (Rc<Lambda>, Rc<Vec<String>>)>,
}

/// A site that a forward pass came by: what stands there, and the axes of the loops around it.
#[derive(Clone)]
pub(super) struct Met {
    pub name: String,
    pub ty: Type,
    pub loops: Vec<Axis>,
}

/// What is to be done about a call.
pub(super) enum Belief {
    Yields(Val),
    /// The body has to be read; what it yields may be kept under this number.
    Unknown(Option<u64>),
}

impl Checker {
    /// From now on a call of a library function is believed to be what it says, or what it was before.
    pub fn believe_functions(&mut self) {
        self.beliefs = Some(Beliefs::default());
    }

    pub(super) fn believes(&self) -> bool {
        self.beliefs.is_some()
    }

    /// What the call at hand yields, whose parameters are bound, if that can be believed. The sites of a model that is being
    /// captured stand in bodies, so those are read.
    pub(super) fn believed(&mut self, module: ModId, item: &Rc<FnItem>, result: Option<&Type>, span: Span) -> Belief {
        if let Some(beliefs) = &mut self.beliefs {
            beliefs.entered.insert(Rc::as_ptr(item));
        }
        let reads_bodies = self.capture.is_some() || !self.swapping.is_empty();
        if !self.believes() || reads_bodies || !self.is_of_library(module) {
            return Belief::Unknown(None);
        }
        if let Some(result) = result.filter(|ty| says_enough(ty)) {
            return Belief::Yields(self.stand_in(result, span));
        }
        let asked = self.question(item);
        let known = self.beliefs.as_ref().zip(asked).and_then(|(beliefs, asked)| beliefs.known.get(&asked)).cloned();
        match known {
            Some(ty) => Belief::Yields(self.stand_in(&ty, span)),
            None => Belief::Unknown(asked),
        }
    }

    /// Keeps what a body yielded, if its type says all of it.
    pub(super) fn believe(&mut self, asked: Option<u64>, val: &Val) {
        let ty = val.ty();
        let whole = says_enough(&ty) && !holds_literal(val);
        if let (Some(beliefs), Some(asked), true) = (&mut self.beliefs, asked, whole) {
            beliefs.known.insert(asked, ty);
        }
    }

    /// Was a function read where it is called, so that what is wrong in it is known for the most part?
    pub(super) fn was_read(&self, item: &Rc<FnItem>) -> bool {
        self.beliefs.as_ref().is_some_and(|beliefs| beliefs.entered.contains(&Rc::as_ptr(item)))
    }

    /// A name of the top level means something else now, and lambdas may read it.
    pub(super) fn doubt(&mut self) {
        if let Some(beliefs) = &mut self.beliefs {
            beliefs.known.clear();
            beliefs.met.clear();
        }
    }

    fn is_of_library(&self, module: ModId) -> bool {
        self.modules[module.0].name.starts_with("std.")
    }

    /// A value of that type, which nothing makes.
    pub(super) fn stand_in(&mut self, ty: &Type, span: Span) -> Val {
        shape_of(ty).with_leaves(&mut |ty| {
            let id = self.new_local(ty.clone(), None, span);
            self.local(id, ty.clone())
        })
    }

    /// The function and all that it was given, as one number; none where something cannot be told apart.
    fn question(&mut self, item: &Rc<FnItem>) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        Rc::as_ptr(item).hash(&mut hasher);
        let frame = self.frame();
        (&frame.generics.axes, &frame.generics.elems).hash(&mut hasher);
        let vars = std::mem::take(&mut frame.vars);
        let told = vars.iter().all(|var| self.mark(&var.val, &mut hasher, 0));
        self.frame().vars = vars;
        told.then(|| hasher.finish())
    }

    /// A forward function and its arguments as such a number, where calls are believed.
    pub(super) fn question_of_sites(&mut self, forward: &FnVal, args: &[ArgVal]) -> Option<u64> {
        self.beliefs.as_ref()?;
        let mut hasher = DefaultHasher::new();
        let told = self.mark_function(forward, &mut hasher, 0)
            && args.iter().all(|arg| {
                arg.name.as_ref().map(|name| &name.name).hash(&mut hasher);
                self.mark(&arg.val, &mut hasher, 0)
            });
        told.then(|| hasher.finish())
    }

    /// The sites that the answer to that question were.
    pub(super) fn known_sites(&self, asked: Option<u64>) -> Option<Rc<[Met]>> {
        self.beliefs.as_ref()?.met.get(&asked?).cloned()
    }

    /// Keeps the sites that were met, if their types say all of them.
    pub(super) fn keep_sites(&mut self, asked: Option<u64>, met: Vec<Met>) {
        let whole = met.iter().all(|site| says_enough(&site.ty));
        if let (Some(beliefs), Some(asked), true) = (&mut self.beliefs, asked, whole) {
            beliefs.met.entry(asked).or_insert_with(|| met.into());
        }
    }

    fn mark(&mut self, val: &Val, hasher: &mut DefaultHasher, depth: usize) -> bool {
        match val {
            Val::Lit(Lit::Int(x)) => (1, x).hash(hasher),
            Val::Lit(Lit::Float(x)) => (2, x.to_bits()).hash(hasher),
            Val::Lit(Lit::Bool(x)) => (3, x).hash(hasher),
            Val::Lit(Lit::Str(x)) => (4, x).hash(hasher),
            Val::Local { ty, .. } | Val::Global(_, ty) => (5, ty).hash(hasher),
            Val::Record(fields) => {
                (6, fields.len()).hash(hasher);
                return fields.iter().all(|(name, val)| {
                    name.hash(hasher);
                    self.mark(val, hasher, depth)
                });
            }
            Val::Fn(f) => return depth < DEEPEST && self.mark_function(f, hasher, depth + 1),
            Val::Unit => 7.hash(hasher),
            Val::Error => return false,
        }
        true
    }

    fn mark_function(&mut self, f: &FnVal, hasher: &mut DefaultHasher, depth: usize) -> bool {
        match f {
            // What a function of the user's reads may mean something else by now.
            FnVal::Item { module, item } => {
                (10, Rc::as_ptr(item)).hash(hasher);
                self.is_of_library(*module)
            }
            FnVal::Lambda(closure) => self.mark_closure(closure, hasher, depth),
            FnVal::WithAxes { inner, axes } => {
                (11, axes).hash(hasher);
                self.mark_function(inner, hasher, depth)
            }
            FnVal::Special(name) => {
                (12, name).hash(hasher);
                true
            }
            FnVal::Grad { f, value } => {
                (13, value).hash(hasher);
                self.mark_function(f, hasher, depth)
            }
            FnVal::Loss { f, arity } => {
                (14, arity).hash(hasher);
                self.mark_function(f, hasher, depth)
            }
            FnVal::With { .. } => false,
        }
    }

    /// A lambda, and what the names that it reads stood for.
    fn mark_closure(&mut self, closure: &Closure, hasher: &mut DefaultHasher, depth: usize) -> bool {
        let Some(beliefs) = &mut self.beliefs else { return false };
        let at = Rc::as_ptr(&closure.lambda);
        let (_, reads) = beliefs.reads.entry(at).or_insert_with(|| {
            let reads = Names::read_by_lambda(&closure.lambda).into_iter().map(|read| read.name).collect();
            (closure.lambda.clone(), Rc::new(reads))
        });
        let reads = reads.clone();
        (15, at, &closure.generics.axes, &closure.generics.elems).hash(hasher);
        reads.iter().all(|name| match closure.vars.iter().rev().find(|var| var.name == *name) {
            Some(var) => self.mark(&var.val, hasher, depth),
            None => true,
        })
    }
}

/// A literal can select code, which its type does not tell.
fn holds_literal(val: &Val) -> bool {
    match val {
        Val::Lit(_) => true,
        Val::Record(fields) => fields.iter().any(|(_, val)| holds_literal(val)),
        _ => false,
    }
}

/// A function value is known by its body alone, and a text may be known while the program is checked.
fn says_enough(ty: &Type) -> bool {
    match ty {
        Type::Fn(..) | Type::Str | Type::Error => false,
        Type::Record(fields) => fields.iter().all(|(_, ty)| says_enough(ty)),
        _ => true,
    }
}
