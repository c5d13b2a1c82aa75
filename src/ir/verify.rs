//! Is a function well-formed? Run after each pass when asked for; a fault here is a fault of ours, not of a script.
//!
//! Checked: each local is bound once and before it is read, in a block that sees it; each operation obeys the
//! rules of `ir::rules`; blocks yield what their owner binds; nothing is read after its `Drop`. Never changes
//! what it checks.

use super::rules::{result_types, same, scalar_int};
use super::types::{AxisSet, Type};
use super::{Binder, Block, Carried, FuncId, Function, LocalId, Module, Op, Stmt};

/// `Err` names the function, the statement and the fault.
pub fn verify(module: &Module, id: FuncId) -> Result<(), String> {
    let function = module.functions.get(id.0 as usize).ok_or_else(|| format!("there is no function {}", id.0))?;
    verify_function(module, function)
}

/// The same for a function that is not yet, or no longer, in the module.
pub fn verify_function(module: &Module, function: &Function) -> Result<(), String> {
    let mut check = Check { module, function, state: vec![State::Unbound; function.locals.len()], loops: 0 };
    check.whole().map_err(|fault| format!("`{}`: {fault}", function.name))
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unbound,
    /// In scope; the number of loops around the place that bound it.
    Live(usize),
    Dropped,
    /// Its block has ended.
    Gone,
}

struct Check<'a> {
    module: &'a Module,
    function: &'a Function,
    state: Vec<State>,
    loops: usize,
}

type Outcome = Result<(), String>;

impl Check<'_> {
    fn whole(&mut self) -> Outcome {
        for &param in &self.function.params {
            self.bind(param, false)?;
        }
        self.block(&self.function.body, &self.function.results)
    }

    fn shown(&self, local: LocalId) -> String {
        match self.function.locals.get(local.0 as usize).and_then(|l| l.name.as_ref()) {
            Some(name) => format!("{name}.{}", local.0),
            None => format!("%{}", local.0),
        }
    }

    fn bind(&mut self, local: LocalId, records: bool) -> Outcome {
        let shown = self.shown(local);
        let Some(state) = self.state.get_mut(local.0 as usize) else {
            return Err(format!("{shown} does not exist"));
        };
        if *state != State::Unbound {
            return Err(format!("{shown} is bound twice"));
        }
        *state = State::Live(self.loops);
        match self.function.ty(local) {
            Type::Record(_) if records => Ok(()),
            ty @ (Type::Record(_) | Type::Fn(..) | Type::Unit | Type::Error) => {
                Err(format!("{shown} has the type {ty}, which no local may have"))
            }
            _ => Ok(()),
        }
    }

    fn read(&self, local: LocalId) -> Result<usize, String> {
        match self.state.get(local.0 as usize) {
            Some(State::Live(loops)) => Ok(*loops),
            Some(State::Dropped) => Err(format!("{} is read after its drop", self.shown(local))),
            Some(State::Gone) => Err(format!("{} is read outside its block", self.shown(local))),
            _ => Err(format!("{} is read before it is bound", self.shown(local))),
        }
    }

    /// Checks a block, what it yields, and ends the scope of what it bound.
    fn block(&mut self, block: &Block, yields: &[Type]) -> Outcome {
        for stmt in &block.stmts {
            self.stmt(stmt)?;
        }
        if !block.returns() {
            let found: Vec<Type> = block
                .results
                .iter()
                .map(|&local| self.read(local).map(|_| self.function.ty(local).clone()))
                .collect::<Result<_, _>>()?;
            equal_types("the block yields", &found, yields)?;
        }
        for stmt in &block.stmts {
            stmt.dest.iter().for_each(|&local| self.end(local));
        }
        Ok(())
    }

    fn end(&mut self, local: LocalId) {
        if let Some(state) = self.state.get_mut(local.0 as usize) {
            *state = State::Gone;
        }
    }

    fn stmt(&mut self, stmt: &Stmt) -> Outcome {
        self.operation(stmt).map_err(|fault| {
            let dest: Vec<String> = stmt.dest.iter().map(|&d| self.shown(d)).collect();
            format!("{fault} (statement binding [{}], {})", dest.join(", "), op_name(&stmt.op))
        })?;
        let records = matches!(stmt.op, Op::MakeRecord(_) | Op::Builtin { .. } | Op::GetField { .. } | Op::Copy(_));
        stmt.dest.iter().try_for_each(|&dest| self.bind(dest, records))
    }

    fn operation(&mut self, stmt: &Stmt) -> Outcome {
        for operand in stmt.op.operands() {
            self.read(operand)?;
        }
        if let Some(types) = result_types(self.function, &stmt.op)? {
            return equal_types("the operation gives", &types, &self.types(&stmt.dest)?);
        }
        match &stmt.op {
            Op::Undef => exactly(stmt.dest.len(), 1),
            Op::Builtin { .. } => Ok(()),
            Op::Call { func, args } => self.call(*func, args, &stmt.dest),
            Op::Grad { func, args, wrt } => self.grad(*func, args, *wrt, &stmt.dest),
            Op::GlobalGet(global) => {
                let (global, read) = (self.global(global.0)?, self.types(&stmt.dest)?);
                match (&global, &read[..]) {
                    // A list that was bound empty holds nothing, of whatever type it is read as later.
                    (Type::List(item), [Type::List(_)]) if **item == Type::Error => Ok(()),
                    _ => equal_types("the global is", &[global], &read),
                }
            }
            Op::GlobalSet(global, value) => {
                equal_types("the global is", &[self.global(global.0)?], &self.types(&[*value])?)?;
                exactly(stmt.dest.len(), 0)
            }
            Op::MakeRecord(args) => self.record(args, &stmt.dest),
            Op::MakeList(args) => self.list(args, &stmt.dest),
            Op::Return(args) => equal_types("the function returns", &self.types(args)?, &self.function.results),
            Op::Drop(local) => self.drop(*local),
            Op::If { cond, then, other } => self.branches(*cond, then, other, &stmt.dest),
            Op::For { var, lo, hi, carried, body } => {
                for &bound in [var, lo, hi] {
                    scalar_int(self.function, bound)?;
                }
                self.looped(&[*var], carried, &[body], &stmt.dest)
            }
            Op::While { carried, test, body } => self.looped(&[], carried, &[test, body], &stmt.dest),
            Op::Comprehend { binders, body } => self.comprehension(binders, body, &stmt.dest),
            _ => Ok(()),
        }
    }

    fn types(&self, locals: &[LocalId]) -> Result<Vec<Type>, String> {
        let find = |&local: &LocalId| match self.function.locals.get(local.0 as usize) {
            Some(local) => Ok(local.ty.clone()),
            None => Err(format!("%{} does not exist", local.0)),
        };
        locals.iter().map(find).collect()
    }

    fn callee(&self, func: FuncId) -> Result<&Function, String> {
        self.module.functions.get(func.0 as usize).ok_or_else(|| format!("there is no function {}", func.0))
    }

    fn global(&self, number: u32) -> Result<Type, String> {
        let found = self.module.globals.get(number as usize);
        found.map(|global| global.ty.clone()).ok_or_else(|| format!("there is no global {number}"))
    }

    fn arguments(&self, callee: &Function, args: &[LocalId]) -> Outcome {
        let params: Vec<Type> = callee.params.iter().map(|&param| callee.ty(param).clone()).collect();
        equal_types("the arguments are", &self.types(args)?, &params)
    }

    fn call(&self, func: FuncId, args: &[LocalId], dest: &[LocalId]) -> Outcome {
        let callee = self.callee(func)?;
        self.arguments(callee, args)?;
        equal_types("the function returns", &callee.results, &self.types(dest)?)
    }

    fn grad(&self, func: FuncId, args: &[LocalId], wrt: usize, dest: &[LocalId]) -> Outcome {
        let callee = self.callee(func)?;
        self.arguments(callee, args)?;
        if wrt > callee.params.len() {
            return Err(format!("gradient by {wrt} of {} parameters", callee.params.len()));
        }
        let gradients = callee.params[..wrt].iter().map(|&param| callee.ty(param).clone());
        let types: Vec<Type> = callee.results.iter().cloned().chain(gradients).collect();
        equal_types("the gradient gives", &types, &self.types(dest)?)
    }

    fn record(&self, args: &[LocalId], dest: &[LocalId]) -> Outcome {
        exactly(dest.len(), 1)?;
        match self.function.ty(dest[0]) {
            Type::Record(fields) => {
                let fields: Vec<Type> = fields.iter().map(|(_, ty)| ty.clone()).collect();
                equal_types("the fields are", &self.types(args)?, &fields)
            }
            other => Err(format!("a record is bound to {other}")),
        }
    }

    fn list(&self, args: &[LocalId], dest: &[LocalId]) -> Outcome {
        exactly(dest.len(), 1)?;
        match self.function.ty(dest[0]) {
            Type::List(item) => {
                let items = vec![(**item).clone(); args.len()];
                equal_types("the items are", &self.types(args)?, &items)
            }
            other => Err(format!("a list is bound to {other}")),
        }
    }

    fn drop(&mut self, local: LocalId) -> Outcome {
        if self.read(local)? != self.loops {
            return Err(format!("{} is bound outside the loop that drops it", self.shown(local)));
        }
        self.state[local.0 as usize] = State::Dropped;
        Ok(())
    }

    /// What one branch drops is gone after both.
    fn branches(&mut self, cond: LocalId, then: &Block, other: &Block, dest: &[LocalId]) -> Outcome {
        equal_types("the condition is", &self.types(&[cond])?, &[Type::BOOL])?;
        let yields = self.types(dest)?;
        let before = self.state.clone();
        self.block(then, &yields)?;
        let after_then = std::mem::replace(&mut self.state, before);
        for (state, then) in self.state.iter_mut().zip(&after_then) {
            // A local bound in one branch may not be bound again in the other.
            if *then == State::Gone {
                *state = State::Gone;
            }
        }
        self.block(other, &yields)?;
        for (state, then) in self.state.iter_mut().zip(&after_then) {
            if *then == State::Dropped {
                *state = State::Dropped;
            }
        }
        Ok(())
    }

    /// The last of `blocks` yields the carried values; a `test` before it yields one bool.
    fn looped(&mut self, vars: &[LocalId], carried: &[Carried], blocks: &[&Block], dest: &[LocalId]) -> Outcome {
        let params: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let inits: Vec<LocalId> = carried.iter().map(|c| c.init).collect();
        let yields = self.types(&params)?;
        equal_types("the loop starts with", &self.types(&inits)?, &yields)?;
        equal_types("the loop gives", &yields, &self.types(dest)?)?;
        self.loops += 1;
        for &local in vars.iter().chain(&params) {
            self.bind(local, false)?;
        }
        if let [test, _] = blocks {
            self.block(test, &[Type::BOOL])?;
        }
        if let Some(body) = blocks.last() {
            self.block(body, &yields)?;
        }
        self.loops -= 1;
        vars.iter().chain(&params).for_each(|&local| self.end(local));
        Ok(())
    }

    fn comprehension(&mut self, binders: &[Binder], body: &Block, dest: &[LocalId]) -> Outcome {
        exactly(dest.len(), 1)?;
        let Type::Tensor(elem, axes) = self.function.ty(dest[0]) else {
            return Err(format!("a comprehension is bound to {}", self.function.ty(dest[0])));
        };
        let bound: AxisSet = binders.iter().map(|b| b.axis).collect();
        if bound != *axes || bound.len() != binders.len() || binders.is_empty() {
            return Err(format!("binders over [{bound}] make {}", self.function.ty(dest[0])));
        }
        let scalar = Type::Tensor(*elem, AxisSet::empty());
        self.loops += 1;
        for binder in binders {
            scalar_int(self.function, binder.size)?;
            scalar_int(self.function, binder.var)?;
            self.bind(binder.var, false)?;
        }
        self.block(body, &[scalar])?;
        self.loops -= 1;
        binders.iter().for_each(|b| self.end(b.var));
        Ok(())
    }
}

fn exactly(found: usize, needed: usize) -> Outcome {
    if found == needed { Ok(()) } else { Err(format!("{found} results where {needed} are needed")) }
}

fn equal_types(what: &str, found: &[Type], needed: &[Type]) -> Outcome {
    if found.len() == needed.len() && found.iter().zip(needed).all(|(a, b)| same(a, b)) {
        return Ok(());
    }
    let list = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<String>>().join("; ");
    Err(format!("{what} ({}), needed ({})", list(found), list(needed)))
}

/// The variant's name, for messages.
fn op_name(op: &Op) -> String {
    match op {
        Op::Builtin { name, .. } => format!("builtin {name}"),
        Op::Elem { op, .. } => format!("elementwise {}", op.name()),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '(', '{']).next().unwrap_or("").to_lowercase()
        }
    }
}
