//! Passes over the IR. Each is a function on a module and leaves it well-formed; none knows the syntax.
//!
//! A session keeps one `Passes` and two modules: the one that the checker fills, from which `lower` takes the
//! gradients, and the one that runs, into which `optimise` writes. Function numbers are the same in both, so the
//! oracle can run either.

mod attend;
mod build;
mod copy;
pub mod drops;
pub mod fuse;
pub mod grad;
pub mod inline;
mod last_round;
#[cfg(test)]
mod random;
pub mod resume;
mod returns;
pub mod simplify;
mod slices;
pub mod sparse;
pub mod sweep;
#[cfg(test)]
mod testing;

use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::span::Span;
use crate::ir::verify::verify_function;
use crate::ir::{Block, FuncId, Function, Module, Op, Type};
use build::internal;
pub use copy::each_stmt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The adjoints of one operation on operands of given types: `func` takes the operands, the result `y` and its
/// adjoint `dy`, and gives the adjoint of each operand in `args`. Those of an elementwise operation have the union
/// of the axes; the gradient sums away what an operand lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjoint {
    pub func: FuncId,
    pub args: Vec<usize>,
}

/// Who knows the `vjp` clauses: the checker, or a test.
pub trait Derivatives {
    /// `None`: the operation `name` has no clause.
    fn vjp(
        &mut self,
        module: &mut Module,
        name: &str,
        axes: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Result<Option<Adjoint>, Diagnostic>;
}

type VjpKey = (String, Vec<Axis>, Vec<Type>, Type);

/// The clauses asked for so far, so that each is checked once per set of types.
#[derive(Default)]
pub struct Vjps {
    known: HashMap<VjpKey, Option<Adjoint>>,
}

impl Vjps {
    fn find(
        &mut self,
        module: &mut Module,
        derivatives: &mut dyn Derivatives,
        name: &str,
        axes: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Result<Option<Adjoint>, Diagnostic> {
        let key = (name.to_string(), axes.to_vec(), args.to_vec(), result.clone());
        if let Some(found) = self.known.get(&key) {
            return Ok(found.clone());
        }
        let found = derivatives.vjp(module, name, axes, args, result)?;
        self.known.insert(key, found.clone());
        Ok(found)
    }
}

/// What a session's passes have done.
#[derive(Default)]
pub struct Passes {
    lowered: BTreeSet<FuncId>,
    optimised: BTreeSet<FuncId>,
    gradients: BTreeMap<(FuncId, usize), FuncId>,
    vjps: Vjps,
    /// Set from outside to stop: a large program takes long to compile.
    interrupt: Arc<AtomicBool>,
}

impl Passes {
    pub fn new() -> Passes {
        Passes::default()
    }

    /// Passes that end early, with any error, once this flag is set.
    pub fn heeding(interrupt: Arc<AtomicBool>) -> Passes {
        Passes { interrupt, ..Passes::default() }
    }

    /// Replaces every `Op::Grad` in `func` and in all that it calls by calls of generated functions.
    pub fn lower(
        &mut self,
        module: &mut Module,
        func: FuncId,
        derivatives: &mut dyn Derivatives,
    ) -> Result<(), Diagnostic> {
        if !self.lowered.insert(func) {
            return Ok(());
        }
        let outcome = self.lower_new(module, func, derivatives);
        if outcome.is_err() {
            self.lowered.remove(&func);
        }
        outcome
    }

    fn lower_new(
        &mut self,
        module: &mut Module,
        func: FuncId,
        derivatives: &mut dyn Derivatives,
    ) -> Result<(), Diagnostic> {
        checked(module, module.function(func), "the checker")?;
        for callee in callees(module.function(func)) {
            self.lower(module, callee, derivatives)?;
        }
        let mut wanted: Vec<(FuncId, usize, Span)> = Vec::new();
        each_stmt(&module.function(func).body, &mut |stmt| {
            if let Op::Grad { func, wrt, .. } = &stmt.op {
                wanted.push((*func, *wrt, stmt.span));
            }
        });
        for (target, wrt, span) in wanted {
            if self.gradients.contains_key(&(target, wrt)) {
                continue;
            }
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(internal("it was stopped"));
            }
            let made = grad::gradient(module, target, wrt, derivatives, &mut self.vjps, span)?;
            checked(module, &made, "grad")?;
            let id = module.add(made);
            self.gradients.insert((target, wrt), id);
            self.lower(module, id, derivatives)?;
        }
        let mut body = std::mem::take(&mut module.functions[func.0 as usize].body);
        self.replace(&mut body);
        module.functions[func.0 as usize].body = body;
        checked(module, module.function(func), "lower")
    }

    fn replace(&self, block: &mut Block) {
        for stmt in &mut block.stmts {
            if let Op::Grad { func, args, wrt } = &mut stmt.op
                && let Some(&made) = self.gradients.get(&(*func, *wrt))
            {
                stmt.op = Op::Call { func: made, args: std::mem::take(args) };
            }
            stmt.op.blocks_mut().into_iter().for_each(|inner| self.replace(inner));
        }
    }

    /// Writes into `after` the optimised form of `func` and of all that it calls, once each. `before` has been
    /// lowered. Functions of `after` that nothing asked for yet are copies.
    pub fn optimise(&mut self, before: &Module, func: FuncId, after: &mut Module) -> Result<(), Diagnostic> {
        after.globals.clone_from(&before.globals);
        let missing = after.functions.len()..before.functions.len();
        after.functions.extend(before.functions[missing].iter().cloned());
        let mut pending = vec![func];
        while let Some(id) = pending.pop() {
            if !self.optimised.insert(id) {
                continue;
            }
            let made = optimised(before, id, &self.interrupt)?;
            // What was inlined is not called any more, but what stayed a call is.
            pending.extend(callees(&made));
            after.functions[id.0 as usize] = made;
        }
        Ok(())
    }
}

/// The functions that a function calls or differentiates.
pub fn callees(function: &Function) -> BTreeSet<FuncId> {
    let mut found = BTreeSet::new();
    each_stmt(&function.body, &mut |stmt| {
        if let Op::Call { func, .. } | Op::Grad { func, .. } = &stmt.op {
            found.insert(*func);
        }
    });
    found
}

/// Bodies up to this size are put in place of their calls before machine code.
const INLINE_LIMIT: usize = 60;

/// One function after all passes that make it fast.
fn optimised(module: &Module, id: FuncId, interrupt: &AtomicBool) -> Result<Function, Diagnostic> {
    let checked = |module: &Module, function: &Function, pass: &str| match interrupt.load(Ordering::Relaxed) {
        true => Err(internal("it was stopped")),
        false => checked(module, function, pass),
    };
    let mut function = module.function(id).clone();
    inline::inline(module, Some(id), &mut function, inline::Which::Small(INLINE_LIMIT));
    checked(module, &function, "inline")?;
    simplify::simplify(module, &mut function);
    checked(module, &function, "simplify")?;
    if last_round::peel(module, &mut function) {
        simplify::simplify(module, &mut function);
        checked(module, &function, "last round")?;
    }
    if attend::attend(&mut function) {
        simplify::simplify(module, &mut function);
        checked(module, &function, "attend")?;
    }
    slices::slices(&mut function);
    sparse::sparse(&mut function);
    // Products that became part of selections have no reader left.
    simplify::dead::remove(module, &mut function);
    checked(module, &function, "sparse")?;
    fuse::fuse(module, &mut function);
    // What kernels make again themselves may have no other reader.
    simplify::dead::remove(module, &mut function);
    checked(module, &function, "fuse")?;
    sweep::sweep(module, &mut function);
    checked(module, &function, "sweep")?;
    drops::drops(&mut function);
    checked(module, &function, "drops")?;
    Ok(function)
}

/// In checking runs, a pass that broke a function is caught where it happened.
fn checked(module: &Module, function: &Function, pass: &str) -> Result<(), Diagnostic> {
    if !cfg!(debug_assertions) && !cfg!(test) && std::env::var_os("LOCUS_CHECK").is_none() {
        return Ok(());
    }
    verify_function(module, function).map_err(|fault| internal(format!("after {pass}: {fault}")))
}
