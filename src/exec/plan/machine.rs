//! The interpreter of shapes: control flow as in the oracle, one frame of guesses for each call.
//!
//! Loops whose bounds are known are followed round by round while they are short; of a longer one the first round
//! stands for all. It must never run an operation that has an effect or that makes a tensor.

use super::value::{Guess, Meter, Shape, Storage};
use super::{Need, Source, Work, shapes};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::exec::{op, uses};
use crate::ir::{Block, FuncId, LocalId, Module, Op, Stmt, Type, builtin_is_pure};
use crate::rt::ctx::Ctx;
use crate::rt::files;
use crate::rt::value::Value;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Statements that are followed at most, over the whole program: about a second.
const FUEL: u64 = 3_000_000;
/// A loop that would take more is counted by its first round.
const LONGEST_LOOP: u64 = 300_000;
const DEEPEST: u32 = 200;

/// Plans the items of a program in order; globals and open files are kept from one to the next.
pub struct Planner<'a> {
    module: &'a Module,
    ctx: &'a mut Ctx,
    globals: Vec<Guess>,
    pub sources: Vec<Source>,
    meter: Rc<Meter>,
    need: Need,
    /// How many times what is met now will run.
    times: u64,
    fuel: u64,
    depth: u32,
    /// The loops around, each by a number of its own.
    loops: Vec<u64>,
    next_loop: u64,
    /// Which source was read in which outermost loop.
    read: BTreeSet<(usize, u64)>,
}

type Frame<'a> = super::super::frame::Frame<'a, Guess>;

/// Values yielded, or those of a `return`.
enum Flow {
    Yield(Vec<Guess>),
    Return(Vec<Guess>),
}

impl<'a> Planner<'a> {
    pub fn new(module: &'a Module, ctx: &'a mut Ctx) -> Planner<'a> {
        Planner {
            module,
            ctx,
            globals: vec![Guess::Unknown; module.globals.len()],
            sources: Vec::new(),
            meter: Rc::default(),
            need: Need::default(),
            times: 1,
            fuel: FUEL,
            depth: 0,
            loops: Vec::new(),
            next_loop: 0,
            read: BTreeSet::new(),
        }
    }

    pub fn global(&self, at: usize) -> &Guess {
        self.globals.get(at).unwrap_or(&Guess::Unknown)
    }

    /// What a top-level item will need.
    pub fn unit(&mut self, func: FuncId) -> Need {
        self.need = Need::default();
        self.read.clear();
        self.meter.peak.set(self.meter.live.get());
        self.meter.largest.set(0);
        self.meter.unknown.set(false);
        self.function(func, Vec::new());
        let mut need = std::mem::take(&mut self.need);
        need.largest = self.meter.largest.get();
        need.peak = self.meter.peak.get();
        need.unknown = self.meter.unknown.get();
        for &(source, _) in &self.read {
            match need.passes.iter_mut().find(|(known, _)| *known == source) {
                Some(known) => known.1 += 1,
                None => need.passes.push((source, 1)),
            }
        }
        need
    }

    fn function(&mut self, func: FuncId, args: Vec<Guess>) -> Vec<Guess> {
        let function = self.module.function(func);
        if self.depth >= DEEPEST || self.fuel == 0 {
            self.need.estimated = true;
            return function.results.iter().map(unknown).collect();
        }
        self.depth += 1;
        let mut frame = Frame::new(function);
        frame.bind(&function.params, args);
        let flow = self.block(&mut frame, &function.body, &function.params, &[]);
        self.depth -= 1;
        let (Flow::Yield(values) | Flow::Return(values)) = flow;
        values
    }

    fn block(&mut self, frame: &mut Frame, block: &Block, own: &[LocalId], dropped: &[LocalId]) -> Flow {
        for index in 0..block.stmts.len() {
            if let Some(returned) = self.statement(frame, &block.stmts, index) {
                return returned;
            }
        }
        Flow::Yield(frame.read(&block.results, &uses::yield_takes(block, own, dropped)))
    }

    fn statement(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Option<Flow> {
        self.fuel = self.fuel.saturating_sub(1);
        let stmt = &stmts[index];
        match &stmt.op {
            Op::Drop(local) => frame.set(*local, Guess::Unknown),
            Op::GlobalGet(global) => {
                let value = self.global(global.0 as usize).clone();
                frame.bind(&stmt.dest, vec![value]);
            }
            Op::GlobalSet(global, local) => {
                let value = frame.get(*local).clone();
                if let Some(place) = self.globals.get_mut(global.0 as usize) {
                    *place = value;
                }
            }
            Op::Return(locals) => return Some(Flow::Return(frame.read(locals, &uses::last_mentions(locals)))),
            Op::If { cond, then, other } => return self.branch(frame, stmts, index, *cond, then, other),
            Op::For { .. } => return self.count(frame, stmts, index),
            Op::While { .. } => return self.repeat(frame, stmts, index),
            Op::Comprehend { binders, body } => {
                let dims: Vec<(Axis, Option<u64>)> =
                    binders.iter().map(|binder| (binder.axis, frame.get(binder.size).int())).collect();
                binders.iter().for_each(|binder| frame.set(binder.var, Guess::Unknown));
                let rounds = dims.iter().try_fold(1u64, |product, (_, len)| product.checked_mul((*len)?));
                let flow = self.many(rounds.unwrap_or(1), |planner| planner.block(frame, body, &[], &[]));
                if let Flow::Return(_) = flow {
                    return Some(flow);
                }
                let made = stmt.dest.iter().map(|&dest| {
                    let mut shape = Shape::of_type(frame.function.ty(dest))?;
                    dims.iter().for_each(|(axis, len)| shape.set(*axis, *len));
                    Some(self.stored(shape, None))
                });
                let made: Vec<Guess> = made.map(Option::unwrap_or_default).collect();
                frame.bind(&stmt.dest, made);
            }
            Op::Call { func, .. } => {
                let args = frame.operands(stmts, index);
                let results = self.function(*func, args);
                frame.bind(&stmt.dest, results);
            }
            _ => self.plain(frame, stmts, index),
        }
        None
    }

    /// Work that will run so many times.
    fn many<T>(&mut self, rounds: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.times;
        self.times = self.times.saturating_mul(rounds.max(1));
        let done = work(self);
        self.times = before;
        done
    }

    fn plain(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) {
        let stmt = &stmts[index];
        let args = frame.operands(stmts, index);
        let types: Vec<&Type> = stmt.dest.iter().map(|&local| frame.function.ty(local)).collect();
        let results = match self.settled(&stmt.op, &args, &types) {
            Some(values) => values,
            None => self.shaped(stmt, args, &types),
        };
        frame.bind(&stmt.dest, results);
    }

    /// Runs the operation itself where it is small, without effect, and all it reads is known.
    fn settled(&mut self, op: &Op, args: &[Guess], types: &[&Type]) -> Option<Vec<Guess>> {
        match op {
            // A plan is that of a run from the beginning, which nothing interrupts.
            Op::Builtin { name: "loop_start", .. } => {
                return Some(args.get(1).into_iter().chain(args.get(3..)?).cloned().collect());
            }
            Op::Builtin { name: "loop_due", .. } => return Some(vec![Guess::Known(Value::Bool(false))]),
            _ => {}
        }
        if let Op::SizeOf { axis, .. } = op {
            let len = args.iter().filter_map(Guess::shape).find_map(|shape| shape.len(*axis))?;
            return Some(vec![Guess::Known(Value::Int(len as i64))]);
        }
        let small = |ty: &&Type| ty.is_scalar() || matches!(ty, Type::Str | Type::Key | Type::File);
        let names = |ty: &&Type| matches!(ty, Type::List(item) if **item == Type::Str);
        if !types.iter().all(|ty| small(ty) || names(ty)) {
            return None;
        }
        let values: Vec<Value> = args.iter().map(Guess::value).collect::<Option<_>>()?;
        if let Op::Builtin { name, .. } = op {
            if let "open_file" | "open_folder" = *name {
                return self.opened(name, &values).map(|file| vec![Guess::Known(file)]);
            }
            if !builtin_is_pure(name) {
                return None;
            }
        }
        let results = op::execute(self.ctx, op, values, types).ok()?;
        Some(results.into_iter().map(known).collect())
    }

    /// An input, read as far as its header.
    fn opened(&mut self, builtin: &str, values: &[Value]) -> Option<Value> {
        let (Value::Str(path), Some(Value::Str(name))) = (values.first()?, values.get(2)) else { return None };
        let open = if builtin == "open_folder" { files::open_folder_header } else { files::open_header };
        let path = self.ctx.folder.join(&**path);
        self.ctx.reach.check(&path).ok()?;
        let file = open(&path, name).ok()?;
        Some(Value::File(Arc::new(file)))
    }

    /// What an operation gives by its shapes, and what it costs.
    fn shaped(&mut self, stmt: &Stmt, mut args: Vec<Guess>, types: &[&Type]) -> Vec<Guess> {
        match (&stmt.op, &mut args[..]) {
            (Op::Copy(_), _) => return args,
            (Op::MakeRecord(_), _) => return vec![Guess::Record(args)],
            (Op::MakeList(_), _) => return vec![Guess::List(args)],
            (Op::GetField { field, .. }, [Guess::Record(fields)]) => {
                return vec![fields.get(*field).cloned().unwrap_or_default()];
            }
            (Op::Builtin { name: "list_push", .. }, [Guess::List(items), item]) => {
                items.push(std::mem::take(item));
                return vec![std::mem::take(&mut args[0])];
            }
            (Op::Builtin { name: "list_get", .. }, [Guess::List(items), at]) => {
                let item =
                    at.int().and_then(|at| items.get(at as usize)).or(items.first().filter(|_| at.int().is_none()));
                return vec![item.cloned().unwrap_or_default()];
            }
            (Op::Builtin { name: "list_len", .. }, [Guess::List(items)]) => {
                return vec![Guess::Known(Value::Int(items.len() as i64))];
            }
            (Op::Contract { axes, .. }, [left, right]) => self.product(stmt.span, left, right, axes.as_slice()),
            _ => {}
        }
        self.note_reads(&stmt.op, &args);
        let made: Vec<Option<Shape>> = types.iter().map(|ty| shapes::result(&stmt.op, &args, ty)).collect();
        let made = made.into_iter().map(|shape| match shape {
            Some(shape) => self.placed(stmt, shape, &mut args),
            None => Guess::Unknown,
        });
        made.collect()
    }

    /// Gives a result its memory: that of an operand for views and work in place, else memory of its own.
    fn placed(&mut self, stmt: &Stmt, mut shape: Shape, args: &mut [Guess]) -> Guess {
        let first = args.first().and_then(Guess::shape).cloned();
        match &stmt.op {
            Op::Undef => return Guess::Unknown,
            Op::Select { .. }
            | Op::Slice { .. }
            | Op::Rename { .. }
            | Op::Merge { .. }
            | Op::Split { .. }
            | Op::Expand { .. } => {
                let first = first.unwrap_or_else(|| shape.clone());
                (shape.storage, shape.source) = (first.storage, first.source);
                // A slice of what is kept in tiles is a part of its own.
                if let (Op::Slice { axis, .. }, Some(source)) = (&stmt.op, shape.source)
                    && self
                        .sources
                        .get(source)
                        .and_then(|source| source.tiles.as_ref())
                        .is_some_and(|tiles| tiles.0 == axis.shown())
                {
                    shape.source = None;
                    return self.stored(shape, None);
                }
                Guess::Tensor(shape)
            }
            Op::Builtin { name: "read_index" | "read_f32" | "tensor" | "tensor_index", .. } => {
                let source = Source { span: stmt.span, shape: shape.shown(), bytes: shape.bytes(), tiles: None };
                self.sources.push(source);
                shape.source = Some(self.sources.len() - 1);
                self.stored(shape, None)
            }
            Op::Builtin { name: "append_tile", axes, .. } => self.tiled(stmt.span, shape, axes, args),
            Op::Builtin { name: "stop" | "index_check" | "in_memory" | "by_rows", .. } => {
                args.first_mut().map(std::mem::take).unwrap_or_default()
            }
            Op::Elem { .. } | Op::Kernel { .. } => {
                let spare = args.iter_mut().find_map(|arg| match arg {
                    Guess::Tensor(own) if own.bytes() == shape.bytes() && own.dtype == shape.dtype => {
                        let alone = own.storage.as_ref().is_some_and(|storage| {
                            Rc::strong_count(storage) == 1 && Some(storage.bytes) == shape.bytes()
                        });
                        if alone { own.storage.take() } else { None }
                    }
                    _ => None,
                });
                self.stored(shape, spare)
            }
            _ => self.stored(shape, None),
        }
    }

    fn stored(&mut self, mut shape: Shape, spare: Option<Rc<Storage>>) -> Guess {
        match shape.bytes() {
            Some(bytes) => shape.storage = Some(spare.unwrap_or_else(|| Storage::new(bytes, &self.meter))),
            None => self.meter.unknown.set(true),
        }
        Guess::Tensor(shape)
    }

    /// A tensor that grows by tiles: one source, whatever the number of its tiles.
    fn tiled(&mut self, span: Span, mut shape: Shape, axes: &[Axis], args: &[Guess]) -> Guess {
        let (so_far, part) = (args.first().and_then(Guess::shape), args.get(1).and_then(Guess::shape));
        let Some(&axis) = axes.first() else { return Guess::Tensor(shape) };
        let known =
            so_far.and_then(|so_far| so_far.source).filter(|&at| self.sources.get(at).is_some_and(|s| s.span == span));
        shape.source = known;
        if known.is_none() {
            let tile = part.and_then(|part| part.len(axis));
            let tiles = shape.len(axis).zip(tile).map(|(len, tile)| len.div_ceil(tile.max(1)));
            let source =
                Source { span, shape: shape.shown(), bytes: shape.bytes(), tiles: Some((axis.shown(), tile, tiles)) };
            self.sources.push(source);
            shape.source = Some(self.sources.len() - 1);
        }
        Guess::Tensor(shape)
    }

    fn product(&mut self, span: Span, left: &Guess, right: &Guess, axes: &[Axis]) {
        let (Some(left), Some(right)) = (left.shape(), right.shape()) else { return };
        let extra: Option<u64> = right
            .dims
            .iter()
            .filter(|(axis, _)| !left.dims.iter().any(|(own, _)| own == axis))
            .try_fold(1u64, |product, (_, len)| product.checked_mul((*len)?));
        // A contracted axis whose length only one side tells is no longer unknown.
        let whole = left.dims.iter().try_fold(1u64, |product, (axis, len)| {
            let len = len.or_else(|| right.len(*axis).filter(|_| axes.contains(axis)));
            product.checked_mul(len?)
        });
        let flops = extra.zip(whole).map(|(extra, whole)| 2.0 * extra as f64 * whole as f64 * self.times as f64);
        let (left, right) = (left.shown(), right.shown());
        let same = |work: &&mut Work| work.span == span && work.left == left && work.right == right;
        match self.need.products.iter_mut().find(same) {
            Some(work) => {
                work.count += self.times;
                work.flops = work.flops.zip(flops).map(|(a, b)| a + b);
            }
            None => self.need.products.push(Work { span, count: self.times, flops, left, right }),
        }
    }

    /// Counts a pass for each outermost loop, or single operation, that goes over a source.
    fn note_reads(&mut self, op: &Op, args: &[Guess]) {
        let view = matches!(
            op,
            Op::Rename { .. } | Op::Merge { .. } | Op::Split { .. } | Op::Expand { .. } | Op::SizeOf { .. }
        );
        let grows = matches!(op, Op::Builtin { name: "append_tile" | "in_memory" | "by_rows" | "stop", .. });
        if view || grows {
            return;
        }
        for source in args.iter().filter_map(Guess::shape).filter_map(|shape| shape.source) {
            let round = match self.loops.first() {
                Some(&round) => round,
                None => {
                    self.next_loop += 1;
                    self.next_loop
                }
            };
            self.read.insert((source, round));
        }
    }

    fn branch(
        &mut self,
        frame: &mut Frame,
        stmts: &[Stmt],
        index: usize,
        cond: LocalId,
        then: &Block,
        other: &Block,
    ) -> Option<Flow> {
        let dropped = uses::dropped_after(stmts, index);
        let flow = match frame.get(cond) {
            Guess::Known(Value::Bool(true)) => self.block(frame, then, &[], &dropped),
            Guess::Known(Value::Bool(false)) => self.block(frame, other, &[], &dropped),
            _ => self.dearer(frame, then, other, &dropped),
        };
        match flow {
            Flow::Yield(values) => {
                frame.bind(&stmts[index].dest, values);
                None
            }
            returned => Some(returned),
        }
    }

    /// Both branches; what they yield is what is true of either, what they cost is that of the dearer.
    fn dearer(&mut self, frame: &mut Frame, then: &Block, other: &Block, dropped: &[LocalId]) -> Flow {
        let (values, globals, before) = (frame.values.clone(), self.globals.clone(), self.need.clone());
        let first = self.block(frame, then, &[], dropped);
        let after_first = std::mem::replace(&mut self.need, before);
        frame.values = values;
        self.globals = globals;
        let second = self.block(frame, other, &[], dropped);
        if after_first.flops() > self.need.flops() {
            self.need = after_first;
        }
        self.need.open_branches += 1;
        match (first, second) {
            (Flow::Yield(a), Flow::Yield(b)) => {
                // A value that only one branch gives (the other's is never read) is that one.
                let pick = |(a, b): (Guess, Guess)| match (&a, &b) {
                    (Guess::Tensor(_), Guess::Unknown) => a,
                    (Guess::Unknown, Guess::Tensor(_)) => b,
                    _ => a.join(&b),
                };
                Flow::Yield(a.into_iter().zip(b).map(pick).collect())
            }
            (Flow::Yield(values), _) | (_, Flow::Yield(values)) => Flow::Yield(values),
            (returned, _) => returned,
        }
    }

    fn count(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Option<Flow> {
        let stmt = &stmts[index];
        let Op::For { var, lo, hi, carried, body } = &stmt.op else { return None };
        let bounds = frame.get(*lo).int().zip(frame.get(*hi).int());
        let own: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let start = frame.initial(stmts, index, carried);
        frame.bind(&own, start);
        let rounds = bounds.map(|(lo, hi)| hi.saturating_sub(lo));
        self.next_loop += 1;
        self.loops.push(self.next_loop);
        let size = statements(body);
        let followed = rounds.is_some_and(|rounds| rounds.saturating_mul(size) <= LONGEST_LOOP.min(self.fuel));
        let returned = match (bounds, rounds) {
            (Some((lo, hi)), _) if followed => {
                (lo..hi).find_map(|round| self.round(frame, *var, Guess::Known(Value::Int(round as i64)), &own, body))
            }
            (_, Some(0)) => None,
            _ => {
                match rounds {
                    Some(_) => self.need.estimated = true,
                    None => self.need.open_loops += 1,
                }
                let first = bounds.map_or(Guess::Unknown, |(lo, _)| Guess::Known(Value::Int(lo as i64)));
                let before: Vec<Guess> = own.iter().map(|&local| frame.get(local).clone()).collect();
                let returned = self.many(rounds.unwrap_or(1), |p| p.round(frame, *var, first, &own, body));
                self.widen(frame, &own, &before);
                returned
            }
        };
        self.loops.pop();
        if returned.is_some() {
            return returned;
        }
        let values = frame.read(&own, &vec![true; own.len()]);
        frame.bind(&stmt.dest, values);
        None
    }

    /// After a loop of which one round was seen: what that round changed is known no more.
    fn widen(&mut self, frame: &mut Frame, own: &[LocalId], before: &[Guess]) {
        for (&local, before) in own.iter().zip(before) {
            let after = frame.get(local).clone();
            let kept = match (before, &after) {
                (Guess::Unknown, Guess::Tensor(_)) => after,
                _ => before.join(&after),
            };
            frame.set(local, kept);
        }
    }

    fn round(&mut self, frame: &mut Frame, var: LocalId, value: Guess, own: &[LocalId], body: &Block) -> Option<Flow> {
        frame.set(var, value);
        match self.block(frame, body, own, &[]) {
            Flow::Yield(values) => {
                frame.bind(own, values);
                None
            }
            returned => Some(returned),
        }
    }

    fn repeat(&mut self, frame: &mut Frame, stmts: &[Stmt], index: usize) -> Option<Flow> {
        let stmt = &stmts[index];
        let Op::While { carried, test, body } = &stmt.op else { return None };
        let own: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let start = frame.initial(stmts, index, carried);
        frame.bind(&own, start);
        let before: Vec<Guess> = own.iter().map(|&local| frame.get(local).clone()).collect();
        let held = match self.block(frame, test, &[], &[]) {
            Flow::Yield(values) => !matches!(values.first(), Some(Guess::Known(Value::Bool(false)))),
            Flow::Return(_) => false,
        };
        if held {
            self.need.open_loops += 1;
            if let Flow::Yield(values) = self.block(frame, body, &own, &[]) {
                frame.bind(&own, values);
            }
            self.widen(frame, &own, &before);
        }
        let values = frame.read(&own, &vec![true; own.len()]);
        frame.bind(&stmt.dest, values);
        None
    }
}

fn unknown(ty: &Type) -> Guess {
    Shape::of_type(ty).map_or(Guess::Unknown, Guess::Tensor)
}

fn known(value: Value) -> Guess {
    match value {
        Value::List(items) => Guess::List(items.iter().cloned().map(known).collect()),
        Value::Tensor(_) | Value::Sparse(_) | Value::Chunked(_) | Value::None => Guess::Unknown,
        other => Guess::Known(other),
    }
}

fn statements(block: &Block) -> u64 {
    let inner = |stmt: &Stmt| stmt.op.blocks().into_iter().map(statements).sum::<u64>();
    block.stmts.iter().map(|stmt| 1 + inner(stmt)).sum()
}
