//! The oracle: a plain interpreter of the structured IR, against which machine code is compared.
//!
//! It is written to be read, not to be fast: one frame of values for each call, one Rust function for each kind of
//! control flow, and `op::execute` for everything else.

use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{Binder, Block, FuncId, LocalId, Module, Op, Stmt, Type};
use crate::rt::ctx::Ctx;
use crate::rt::error::Error;
use crate::rt::tensor::Tensor;
use crate::rt::value::Value;

use super::{DEPTH_LIMIT, Engine, Fault, buffers, internal, op, too_deep, uses};

/// The interpreter. It keeps nothing between calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oracle;

/// Deep recursion of a script must not overflow the stack of whoever called: about 20 KiB for a nested call.
const STACK_BYTES: usize = 64 << 20;

impl Engine for Oracle {
    fn call(
        &mut self,
        module: &Module,
        func: FuncId,
        args: Vec<Value>,
        globals: &mut Vec<Value>,
        ctx: &mut Ctx,
    ) -> Result<Vec<Value>, Fault> {
        let before = ctx.depth;
        let outcome = if super::graph::is_recursive(module, func) {
            super::graph::on_large_stack(STACK_BYTES, || run(module, func, args, globals, ctx))
        } else {
            run(module, func, args, globals, ctx)
        };
        ctx.depth = before;
        outcome
    }
}

fn run(
    module: &Module,
    func: FuncId,
    args: Vec<Value>,
    globals: &mut Vec<Value>,
    ctx: &mut Ctx,
) -> Result<Vec<Value>, Fault> {
    Machine { module, globals, ctx }.function(func, args).map_err(|fault| *fault)
}

/// Faults are boxed while they travel, to keep the frames of the interpreter small.
type Outcome<T> = Result<T, Box<Fault>>;

/// What a block ended with.
enum Flow {
    /// The values it yields.
    Yield(Vec<Value>),
    /// A `return` inside it.
    Return(Vec<Value>),
}

struct Machine<'a> {
    module: &'a Module,
    globals: &'a mut Vec<Value>,
    ctx: &'a mut Ctx,
}

type Frame<'a> = super::frame::Frame<'a, Value>;

fn int(frame: &Frame, local: LocalId) -> Result<i64, Error> {
    match frame.get(local) {
        Value::Int(x) => Ok(*x),
        other => Err(internal(format!("expected an int, found {}", op::kind(other)))),
    }
}

fn at<T>(span: Span, result: Result<T, Error>) -> Outcome<T> {
    result.map_err(|error| Box::new(Fault::new(error, span)))
}

/// Passes a block's values on; leaves the enclosing function's block on a `return`.
macro_rules! flow {
    ($flow:expr) => {
        match $flow? {
            Flow::Yield(values) => values,
            returned => return Ok(Some(returned)),
        }
    };
}

impl Machine<'_> {
    fn function(&mut self, func: FuncId, args: Vec<Value>) -> Outcome<Vec<Value>> {
        let function = self.module.function(func);
        let mut frame = Frame::new(function);
        frame.bind(&function.params, args);
        match self.block(&mut frame, &function.body, &function.params, &[])? {
            Flow::Yield(values) | Flow::Return(values) => Ok(values),
        }
    }

    /// `own` are the locals that the owner of the block binds for it, `dropped` those dropped when the owner ends.
    fn block(&mut self, frame: &mut Frame, block: &Block, own: &[LocalId], dropped: &[LocalId]) -> Outcome<Flow> {
        for index in 0..block.stmts.len() {
            if let Some(returned) = self.statement(frame, &block.stmts, index)? {
                return Ok(returned);
            }
        }
        let take = uses::yield_takes(block, own, dropped);
        Ok(Flow::Yield(frame.read(&block.results, &take)))
    }

    /// Runs one statement; `Some` if it returned from the function.
    fn statement(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Outcome<Option<Flow>> {
        let stmt = &stmts[index];
        match &stmt.op {
            Op::Drop(local) => frame.set(*local, Value::None),
            Op::GlobalGet(global) => {
                let value = self.globals.get(global.0 as usize).cloned().unwrap_or_default();
                frame.bind(&stmt.dest, vec![value]);
            }
            Op::GlobalSet(global, local) => {
                let place = global.0 as usize;
                if self.globals.len() <= place {
                    self.globals.resize(place + 1, Value::None);
                }
                self.globals[place] = frame.get(*local).clone();
            }
            Op::Return(locals) => {
                return Ok(Some(Flow::Return(frame.read(locals, &uses::last_mentions(locals)))));
            }
            Op::If { cond, then, other } => return self.branch(frame, stmts, index, *cond, then, other),
            Op::For { .. } => return self.count(frame, stmts, index),
            Op::While { .. } => return self.repeat(frame, stmts, index),
            Op::Comprehend { binders, body } => return self.comprehend(frame, stmt, binders, body),
            Op::Call { func, .. } => {
                let args = frame.operands(stmts, index);
                let results = self.nested(*func, args, stmt.span)?;
                frame.bind(&stmt.dest, results);
            }
            _ => self.plain(frame, stmts, index)?,
        }
        Ok(None)
    }

    fn plain(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Outcome<()> {
        let stmt = &stmts[index];
        let args = frame.operands(stmts, index);
        let types: Vec<&Type> = stmt.dest.iter().map(|&local| frame.function.ty(local)).collect();
        self.ctx.at(stmt.span);
        let results = at(stmt.span, op::execute(self.ctx, &stmt.op, args, &types))?;
        frame.bind(&stmt.dest, results);
        Ok(())
    }

    fn nested(&mut self, func: FuncId, args: Vec<Value>, span: Span) -> Outcome<Vec<Value>> {
        if self.ctx.depth >= DEPTH_LIMIT {
            return at(span, Err(too_deep()));
        }
        at(span, self.ctx.check_interrupt())?;
        self.ctx.depth += 1;
        let outcome = self.function(func, args);
        self.ctx.depth -= 1;
        outcome.map_err(|mut fault| {
            fault.trace.push(span);
            fault
        })
    }

    fn branch(
        &mut self,
        frame: &mut Frame,
        stmts: &[Stmt],
        index: usize,
        cond: LocalId,
        then: &Block,
        other: &Block,
    ) -> Outcome<Option<Flow>> {
        let taken = match frame.get(cond) {
            Value::Bool(true) => then,
            Value::Bool(false) => other,
            found => {
                let error = internal(format!("a condition is {}", op::kind(found)));
                return at(stmts[index].span, Err(error));
            }
        };
        let dropped = uses::dropped_after(stmts, index);
        let values = flow!(self.block(frame, taken, &[], &dropped));
        frame.bind(&stmts[index].dest, values);
        Ok(None)
    }

    fn count(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Outcome<Option<Flow>> {
        let stmt = &stmts[index];
        let Op::For { var, lo, hi, carried, body } = &stmt.op else { return Ok(None) };
        let (lo, hi) = (at(stmt.span, int(frame, *lo))?, at(stmt.span, int(frame, *hi))?);
        let own: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let initial = frame.initial(stmts, index, carried);
        frame.bind(&own, initial);
        for round in lo..hi {
            at(stmt.span, self.ctx.check_interrupt())?;
            frame.set(*var, Value::Int(round));
            let values = flow!(self.block(frame, body, &own, &[]));
            frame.bind(&own, values);
        }
        let values = frame.read(&own, &vec![true; own.len()]);
        frame.bind(&stmt.dest, values);
        Ok(None)
    }

    fn repeat(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Outcome<Option<Flow>> {
        let stmt = &stmts[index];
        let Op::While { carried, test, body } = &stmt.op else { return Ok(None) };
        let own: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let initial = frame.initial(stmts, index, carried);
        frame.bind(&own, initial);
        loop {
            at(stmt.span, self.ctx.check_interrupt())?;
            match flow!(self.block(frame, test, &[], &[])).first() {
                Some(Value::Bool(true)) => {}
                Some(Value::Bool(false)) => break,
                _ => return at(stmt.span, Err(internal("the test of a loop gave no bool"))),
            }
            let values = flow!(self.block(frame, body, &own, &[]));
            frame.bind(&own, values);
        }
        let values = frame.read(&own, &vec![true; own.len()]);
        frame.bind(&stmt.dest, values);
        Ok(None)
    }

    fn comprehend(
        &mut self,
        frame: &mut Frame,
        stmt: &Stmt,
        binders: &[Binder],
        body: &Block,
    ) -> Outcome<Option<Flow>> {
        let mut sizes: Vec<(Axis, i64)> = Vec::with_capacity(binders.len());
        for binder in binders {
            sizes.push((binder.axis, at(stmt.span, int(frame, binder.size))?));
        }
        let mut targets: Vec<Tensor> = Vec::new();
        for &dest in &stmt.dest {
            let dtype = frame.function.ty(dest).dtype();
            let dtype = at(stmt.span, dtype.ok_or_else(|| internal("a comprehension of no element type")))?;
            targets.push(at(stmt.span, buffers::allocate(self.ctx, dtype, &sizes))?);
        }
        self.ctx.within(stmt.span);
        let total = sizes.iter().map(|&(_, size)| size as usize).product();
        for place in 0..total {
            at(stmt.span, self.ctx.check_interrupt())?;
            let mut rest = place;
            for (binder, &(_, size)) in binders.iter().zip(&sizes).rev() {
                frame.set(binder.var, Value::Int((rest % size as usize) as i64));
                rest /= size as usize;
            }
            let values = flow!(self.block(frame, body, &[], &[]));
            for (target, value) in targets.iter_mut().zip(&values) {
                at(stmt.span, buffers::store(target, place, value))?;
            }
        }
        frame.bind(&stmt.dest, targets.into_iter().map(Value::from).collect());
        Ok(None)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::rt::ctx::{Ctx, Nowhere};

    /// A context whose output goes nowhere.
    pub(crate) fn quiet() -> Ctx {
        Ctx::new(Box::new(Nowhere))
    }
}
