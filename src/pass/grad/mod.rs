//! Gradients: reverse mode on the IR, direct, with the values of one evaluation kept until used.
//!
//! `gradient` makes from a function one that also yields the adjoints of its first parameters. Everything is
//! inlined first; then the statements stand as they were (`control` makes loops keep what they carry), followed
//! by the adjoint of each in reverse order. What a scalar operation's adjoint *is* comes from outside
//! (`Derivatives`, the `vjp` clauses of the standard library); operations that only move or sum elements are
//! rules on axis sets (`rules`). The result is ordinary IR, full of waste that `simplify` takes away.

mod activity;
mod control;
mod lists;
mod rules;
#[cfg(test)]
mod tests;

use super::attend::{self, SLOPES};
use super::build::{Builder, internal};
use super::copy::{Copier, Names};
use super::inline::{LARGEST_WHOLE, Which, inline};
use super::simplify::dead;
use super::{Derivatives, Vjps, returns};
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Block, FuncId, Function, LocalId, Module, Op, Stmt, Type};
use std::collections::{BTreeMap, BTreeSet};

/// The function that gives the results of `func` and then the gradient of the first by each of the first `wrt`
/// parameters. `span` is the place that asked.
pub fn gradient(
    module: &mut Module,
    func: FuncId,
    wrt: usize,
    derivatives: &mut dyn Derivatives,
    vjps: &mut Vjps,
    span: Span,
) -> Result<Function, Diagnostic> {
    let mut function = module.function(func).clone();
    inline(module, Some(func), &mut function, Which::All);
    if function.locals.len() > LARGEST_WHOLE {
        return Err(Diagnostic::error("E004", span, format!("the gradient of `{}` becomes too large", function.name))
            .note("found", format!("more than {LARGEST_WHOLE} values in the function, with every call put in place"))
            .help("gradients of gradients, and functions that call each other twice, grow at each step"));
    }
    if !returns::structure(&mut function) {
        return Err(Diagnostic::error("E061", span, format!("`{}` has no gradient", function.name))
            .note("found", "a `return` inside a loop, or one that only some ways through a branch take")
            .help("let the loop carry the value and return it at the end"));
    }
    // Attention has a gradient of its own, but what others have to read must be there when it is looked for.
    dead::remove(module, &mut function);
    attend::attend(&mut function);
    let mut function = attend::expand(function)?;
    dead::remove(module, &mut function);
    function.name.push_str("'grad");
    let active = activity::mark(&function, wrt);
    let unset = activity::unset(&function.body);
    let body = std::mem::take(&mut function.body);
    let params = function.params.clone();
    let build = Builder::new(function);
    let (adjoints, tapes, kept) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut reverse = Reverse { module, derivatives, vjps, build, active, unset, adjoints, tapes, kept };
    let mut results = reverse.whole(body)?;
    reverse.build.span = span;
    for &param in &params[..wrt] {
        results.push(reverse.gradient_of(param, span)?);
    }
    reverse.build.finish(results)
}

struct Reverse<'a> {
    module: &'a mut Module,
    derivatives: &'a mut dyn Derivatives,
    vjps: &'a mut Vjps,
    build: Builder,
    /// By local: does a float in it depend on the parameters? Locals made here do not.
    active: Vec<bool>,
    /// Locals that may never have been set, so that their sizes cannot be asked for.
    unset: BTreeSet<LocalId>,
    /// Adjoints so far; none yet means zero.
    adjoints: BTreeMap<LocalId, LocalId>,
    /// By loop variable: lists of what each carried parameter was, round by round.
    tapes: BTreeMap<LocalId, Vec<LocalId>>,
    /// Dear values of rounds by the local inside the loop: lists of what they were.
    kept: BTreeMap<LocalId, LocalId>,
}

type Outcome = Result<(), Diagnostic>;

impl Reverse<'_> {
    /// Writes the evaluation and its reversal; gives the results of the function itself.
    fn whole(&mut self, body: Block) -> Result<Vec<LocalId>, Diagnostic> {
        let Some(&loss) = body.results.first() else {
            return Err(internal("the gradient of a function without results"));
        };
        let elem = match self.build.ty(loss) {
            Type::Tensor(elem, axes) if elem.is_float() && axes.is_empty() => *elem,
            other => return Err(internal(format!("the gradient of {other}"))),
        };
        self.forward(&body.stmts);
        if self.is_active(loss) {
            let seed = self.build.number(elem, 1.0);
            self.adjoints.insert(loss, seed);
        }
        self.backward(&body.stmts)?;
        Ok(body.results)
    }

    fn gradient_of(&mut self, param: LocalId, span: Span) -> Result<LocalId, Diagnostic> {
        if let Some(found) = self.adjoints.get(&param) {
            return Ok(*found);
        }
        match self.build.ty(param) {
            Type::Tensor(..) | Type::List(_) => Ok(self.zeros(param)),
            other => Err(Diagnostic::error("E064", span, format!("a {other} among the parameters has no gradient"))
                .help("keep only tensors and numbers in the record that is differentiated")),
        }
    }

    fn is_active(&self, local: LocalId) -> bool {
        self.active.get(local.0 as usize).copied().unwrap_or(false)
    }

    /// Adds to the adjoint of an active local; others have none.
    fn add(&mut self, local: LocalId, adjoint: LocalId) {
        if !self.is_active(local) {
            return;
        }
        let sum = match self.adjoints.get(&local).copied() {
            None => adjoint,
            Some(before) if matches!(self.build.ty(local), Type::List(_)) => self.add_lists(local, before, adjoint),
            Some(before) => self.build.elem(ScalarOp::Add, &[before, adjoint]),
        };
        self.adjoints.insert(local, sum);
    }

    fn zeros(&mut self, like: LocalId) -> LocalId {
        match self.build.ty(like) {
            Type::List(_) => self.zero_list(like),
            _ => self.build.zeros_like(like),
        }
    }

    /// Writes the adjoints of statements, last first.
    fn backward(&mut self, stmts: &[Stmt]) -> Outcome {
        for stmt in stmts.iter().rev() {
            let adjoints: Vec<Option<LocalId>> = stmt.dest.iter().map(|dest| self.adjoints.remove(dest)).collect();
            if adjoints.iter().any(Option::is_some) {
                self.build.span = stmt.span;
                self.reverse(stmt, &adjoints)?;
            }
        }
        Ok(())
    }

    fn reverse(&mut self, stmt: &Stmt, adjoints: &[Option<LocalId>]) -> Outcome {
        match &stmt.op {
            Op::If { cond, then, other } => self.reverse_if(*cond, then, other, &stmt.dest, adjoints),
            Op::For { .. } => self.reverse_for(stmt, adjoints),
            Op::While { .. } => Err(Diagnostic::error("E062", stmt.span, "a `while` loop has no gradient")
                .note("note", "its number of rounds is known only when it has run")
                .help("use `for` with a bound, or `stop(..)` around what the loop computes")),
            Op::Comprehend { .. } => Err(Diagnostic::error(
                "E063",
                stmt.span,
                "a tensor by formula has no gradient by what its formula reads",
            )
            .help("write it with operations on whole tensors, or put `stop(..)` around what it reads")),
            Op::Call { func, .. } => {
                let name = self.module.function(*func).name.clone();
                Err(Diagnostic::error("E061", stmt.span, format!("`{name}` has no gradient"))
                    .note("found", "it calls itself, or returns from inside a loop"))
            }
            _ => match (stmt.dest.as_slice(), adjoints) {
                ([dest], [Some(adjoint)]) => self.reverse_value(stmt, *dest, *adjoint),
                _ => Err(no_gradient(stmt)),
            },
        }
    }

    /// The adjoints of an operation that `Derivatives` knows, put in place.
    fn reverse_named(
        &mut self,
        stmt: &Stmt,
        name: &str,
        axes: &[Axis],
        args: &[LocalId],
        dest: LocalId,
        adjoint: LocalId,
    ) -> Outcome {
        let types: Vec<Type> = args.iter().map(|&arg| self.build.ty(arg).clone()).collect();
        let result = self.build.ty(dest).clone();
        let Some(rule) = self.vjps.find(self.module, self.derivatives, name, axes, &types, &result)? else {
            return Err(no_gradient(stmt));
        };
        let given: Vec<LocalId> = args.iter().copied().chain([dest, adjoint]).collect();
        let parts = self.splice(rule.func, &given)?;
        for (&number, part) in rule.args.iter().zip(parts) {
            let Some(&arg) = args.get(number) else {
                return Err(internal(format!("the vjp of `{name}` has an operand number {number}")));
            };
            if self.is_active(arg) {
                let part = self.fit(part, arg, dest);
                self.add(arg, part);
            }
        }
        Ok(())
    }

    /// The body of `func` on `args`, inlined here; gives what it yields.
    fn splice(&mut self, func: FuncId, args: &[LocalId]) -> Result<Vec<LocalId>, Diagnostic> {
        let mut callee = self.module.function(func).clone();
        inline(self.module, Some(func), &mut callee, Which::All);
        if !returns::structure(&mut callee) || callee.params.len() != args.len() {
            return Err(internal(format!("`{}` cannot be used as a vjp", callee.name)));
        }
        let names: Names = callee.params.iter().copied().zip(args.iter().copied()).collect();
        let mut copier = Copier { target: &mut self.build.function, source: Some(&callee.locals), names };
        let mut body = copier.block(&callee.body);
        // A fault in here is a fault of the statement being reversed, so it gets that place.
        let span = self.build.span;
        body.stmts.iter_mut().for_each(|stmt| stmt.span = span);
        self.build.stmts.append(&mut body.stmts);
        Ok(body.results)
    }
}

fn no_gradient(stmt: &Stmt) -> Diagnostic {
    let name = match &stmt.op {
        Op::Elem { op, .. } => op.name().to_string(),
        Op::Builtin { name, .. } => name.to_string(),
        Op::Reduce { kind, .. } => kind.name().to_string(),
        Op::MakeRecord(_) | Op::GetField { .. } => "a record in a list".to_string(),
        _ => "this operation".to_string(),
    };
    Diagnostic::error("E060", stmt.span, format!("`{name}` has no gradient"))
        .help("give it a `vjp` clause, or put `stop(..)` around the value")
}
