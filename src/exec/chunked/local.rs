//! Operations that treat rows along the chunked axis one by one: their result is made tile by tile, when it is read.
//!
//! `plan` knows for each operation which rows of which operand a row of the result needs. An operation that is not
//! listed there is not local. Products and selections are kept once they were made; the rest is made again, which
//! costs less than reading it back would.

use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::exec::{internal, op};
use crate::ir::{LocalId, Op, Type};
use crate::rt::chunked::{Chunked, Maker};
use crate::rt::ctx::{Ctx, Nowhere, Reached};
use crate::rt::error::Result;
use crate::rt::index;
use crate::rt::sparse::views;
use crate::rt::tensor::{Dim, size_mismatch};
use crate::rt::value::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is done to every tile.
#[derive(Clone)]
pub enum Work {
    Op(Op, Vec<Type>),
    /// A kernel and the operation it stands for.
    Kernel(Op, Box<Kernel>),
}

/// How an operand is read for rows `lo..hi` of the result.
#[derive(Clone)]
enum Part {
    Whole(Value),
    /// Rows `lo * times / over..hi * times / over` along `axis`.
    Rows {
        value: Value,
        axis: Axis,
        times: usize,
        over: usize,
    },
    /// The number of rows itself: a part of a split.
    Count,
}

/// How the result is cut, and what its rows need.
struct Plan {
    axis: Axis,
    len: usize,
    step: usize,
    parts: Vec<Part>,
}

/// The results, if the operation is local along the axis that some operand is cut along.
pub fn execute(ctx: &Ctx, work: Work, args: &[Value]) -> Result<Option<Vec<Value>>> {
    let Some(lead) = args.iter().filter_map(chunked).max_by_key(|chunked| chunked.bytes()) else { return Ok(None) };
    let operation = match &work {
        Work::Op(op, _) => op,
        Work::Kernel(op, ..) => op,
    };
    let elementwise = matches!(work, Work::Kernel(..)) || matches!(operation, Op::Elem { .. } | Op::Kernel { .. });
    let plan = if elementwise { Some(rowwise(lead, args)?) } else { plan(operation, lead, args)? };
    let Some(plan) = plan else { return Ok(None) };
    let heavy = is_heavy(operation);
    let mapped = Mapped {
        work,
        parts: plan.parts,
        interrupt: ctx.interrupt.clone(),
        reached: ctx.reached.clone(),
        check_finite: ctx.check_finite,
        memory_limit: ctx.memory_limit,
        result: 0,
    };
    let first = mapped.all(0, plan.step.min(plan.len))?;
    let mut results = Vec::with_capacity(first.len());
    for (result, first) in first.into_iter().enumerate() {
        // What lacks the axis needs none of the rows.
        if dim_of(&first, plan.axis).is_none() {
            results.push(first);
            continue;
        }
        let maker = Arc::new(Mapped { result, ..mapped.clone() });
        let keep = heavy && bytes(&first) <= 2 * bytes_read(&maker.parts, plan.step, plan.len);
        let made = Chunked::lazy(plan.axis, plan.len, plan.step, first, maker, keep)?;
        results.push(Value::Chunked(Arc::new(made)));
    }
    Ok(Some(results))
}

fn chunked(value: &Value) -> Option<&Arc<Chunked>> {
    match value {
        Value::Chunked(chunked) => Some(chunked),
        _ => None,
    }
}

/// The axis of a tensor, however it is represented.
pub fn dim_of(value: &Value, axis: Axis) -> Option<Dim> {
    match value {
        Value::Tensor(tensor) => tensor.dim(axis).copied(),
        Value::Sparse(sparse) => sparse.rows.iter().chain([&sparse.along]).find(|dim| dim.axis == axis).copied(),
        Value::Chunked(chunked) => chunked.dim(axis).copied(),
        _ => None,
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::Tensor(tensor) => tensor.elements() * tensor.dtype().bytes(),
        Value::Sparse(sparse) => sparse.pattern.index.len() * 8,
        Value::Chunked(chunked) => chunked.bytes(),
        _ => 0,
    }
}

/// Bytes of the operands' rows behind one tile.
fn bytes_read(parts: &[Part], step: usize, len: usize) -> usize {
    let rows = |part: &Part| match part {
        Part::Rows { value, .. } => (bytes(value) as f64 * step as f64 / len.max(1) as f64) as usize,
        _ => 0,
    };
    parts.iter().map(rows).sum()
}

/// Is making a tile anew more work than reading it back?
fn is_heavy(operation: &Op) -> bool {
    match operation {
        Op::Contract { .. } | Op::TopProduct { .. } | Op::Sampled { .. } => true,
        Op::Builtin { name, .. } => ALONG.contains(name),
        _ => false,
    }
}

/// Builtins that work along their first axis and treat all others row by row.
const ALONG: &[&str] = &["keep_top", "top", "sort", "argsort", "cumsum"];

/// Every operand that has the axis is read along it; the others as they are.
fn rowwise(lead: &Arc<Chunked>, args: &[Value]) -> Result<Plan> {
    let axis = lead.axis.axis;
    let mut parts = Vec::with_capacity(args.len());
    for arg in args {
        parts.push(along(arg, axis, lead)?);
    }
    Ok(Plan { axis, len: lead.axis.len, step: lead.step, parts })
}

fn along(arg: &Value, axis: Axis, lead: &Arc<Chunked>) -> Result<Part> {
    match dim_of(arg, axis) {
        Some(dim) if dim.len != lead.axis.len => Err(size_mismatch(axis, &lead.axis, &dim)),
        Some(_) => Ok(Part::Rows { value: arg.clone(), axis, times: 1, over: 1 }),
        // Cut along another axis: it is read for every tile, so it is taken into memory once.
        None => Ok(Part::Whole(arg.clone().plain()?)),
    }
}

fn plan(operation: &Op, lead: &Arc<Chunked>, args: &[Value]) -> Result<Option<Plan>> {
    let axis = lead.axis.axis;
    let renamed = |to: Axis, len: usize, step: usize, times: usize, over: usize, rest: Vec<Part>| {
        let own = Part::Rows { value: args[0].clone(), axis, times, over };
        Some(Plan { axis: to, len, step, parts: std::iter::once(own).chain(rest).collect() })
    };
    let leads = matches!(args.first(), Some(Value::Chunked(first)) if first.axis.axis == axis);
    Ok(match operation {
        Op::Contract { axes, .. } if !axes.contains(axis) => Some(rowwise(lead, args)?),
        Op::Reduce { axes, .. } | Op::Sampled { axes, .. } if !axes.contains(axis) => Some(rowwise(lead, args)?),
        Op::TopProduct { axes, along, .. } if !axes.contains(axis) && *along != axis => Some(rowwise(lead, args)?),
        Op::Select { axis: along, .. } if *along != axis && leads => Some(rowwise(lead, args)?),
        Op::Gather { axis: at, .. } => gather(*at, lead, args)?,
        Op::Slice { axis: at, .. } if *at != axis && leads => Some(rowwise(lead, args)?),
        Op::Rename { from, to, .. } if *from == axis => renamed(*to, lead.axis.len, lead.step, 1, 1, Vec::new()),
        Op::Rename { .. } => Some(rowwise(lead, args)?),
        Op::Merge { from, to, .. } if from.first() == Some(&axis) => {
            let inner: usize = from[1..].iter().filter_map(|&part| lead.dim(part)).map(|dim| dim.len).product();
            match inner {
                0 => None,
                _ => renamed(*to, lead.axis.len * inner, lead.step * inner, 1, inner, Vec::new()),
            }
        }
        Op::Merge { from, .. } if !from.contains(&axis) => Some(rowwise(lead, args)?),
        Op::Split { from, .. } if *from != axis => Some(rowwise(lead, args)?),
        Op::Split { to, .. } => split(to, lead, args),
        Op::Expand { axis: new, .. } if *new != axis => Some(rowwise(lead, args)?),
        Op::Builtin { name, axes, .. } if ALONG.contains(name) && axes.first() != Some(&axis) && leads => {
            Some(rowwise(lead, args)?)
        }
        Op::Builtin { name: "group_sum", axes, .. } if axes.first() != Some(&axis) && leads => {
            Some(rowwise(lead, args)?)
        }
        _ => None,
    })
}

/// `x[at: places]`: the rows of `places`, and those of `x` where it has the axis too.
fn gather(at: Axis, lead: &Arc<Chunked>, args: &[Value]) -> Result<Option<Plan>> {
    let [x, places] = args else { return Ok(None) };
    let axis = lead.axis.axis;
    if at != axis {
        return rowwise(lead, args).map(Some);
    }
    let by_places = matches!(places, Value::Chunked(_)) && !matches!(x, Value::Chunked(_));
    if !by_places {
        return Ok(None);
    }
    let parts = vec![Part::Whole(x.clone()), along(places, axis, lead)?];
    Ok(Some(Plan { axis, len: lead.axis.len, step: lead.step, parts }))
}

/// `x[axis -> to: lo..hi]` along the cut axis: a part no longer than a tile is read, a longer one is cut like `x`.
pub fn slice(operation: &Op, args: &[Value]) -> Result<Option<Value>> {
    let (Op::Slice { axis, to, .. }, [Value::Chunked(lead), Value::Int(lo), Value::Int(hi)]) = (operation, args) else {
        return Ok(None);
    };
    if lead.axis.axis != *axis {
        return Ok(None);
    }
    if *lo < 0 || hi < lo || *hi as u64 > lead.axis.len as u64 {
        return Err(index::range_outside(*axis, *lo, *hi, lead.axis.len));
    }
    let (lo, hi) = (*lo as usize, *hi as usize);
    let source = Arc::new(Shifted { source: lead.clone(), axis: *axis, to: *to, by: lo });
    let first = source.make(0, lead.step.min(hi - lo))?;
    if hi - lo <= lead.step {
        return Ok(Some(first));
    }
    let made = Chunked::lazy(*to, hi - lo, lead.step, first, source, false)?;
    Ok(Some(Value::Chunked(Arc::new(made))))
}

/// `x[axis -> (first, inner..)]`: the first part is the cut axis of the result.
fn split(to: &[Axis], lead: &Arc<Chunked>, args: &[Value]) -> Option<Plan> {
    let (&first, _) = to.split_first()?;
    let sizes: Vec<i64> =
        args[1..].iter().filter_map(|arg| if let Value::Int(size) = arg { Some(*size) } else { None }).collect();
    let (outer, inner) = sizes.split_first()?;
    if sizes.len() != to.len() || inner.iter().any(|&size| size < 1) {
        return None;
    }
    let inner: usize = inner.iter().map(|&size| size as usize).product();
    let len = lead.axis.len / inner;
    if len * inner != lead.axis.len || (*outer != -1 && *outer != len as i64) {
        return None;
    }
    let own = Part::Rows { value: args[0].clone(), axis: lead.axis.axis, times: inner, over: 1 };
    let rest = args[2..].iter().cloned().map(Part::Whole);
    let parts = [own, Part::Count].into_iter().chain(rest).collect();
    Some(Plan { axis: first, len, step: (lead.step / inner).max(1), parts })
}

/// Part of a tensor along its cut axis, under another name.
#[derive(Debug)]
struct Shifted {
    source: Arc<Chunked>,
    axis: Axis,
    to: Axis,
    by: usize,
}

impl Maker for Shifted {
    fn make(&self, lo: usize, hi: usize) -> Result<Value> {
        match self.source.range(lo + self.by, hi + self.by)? {
            Value::Tensor(part) => index::rename(&part, self.axis, self.to).map(Value::Tensor),
            Value::Sparse(part) => views::rename(&part, self.axis, self.to).map(|part| Value::Sparse(Arc::new(part))),
            _ => Err(internal("a tile is no tensor")),
        }
    }
}

/// An operation waiting for somebody to read its result.
#[derive(Clone)]
struct Mapped {
    work: Work,
    parts: Vec<Part>,
    interrupt: Arc<AtomicBool>,
    reached: Reached,
    check_finite: bool,
    memory_limit: usize,
    /// Which of the operation's results this is.
    result: usize,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.work {
            Work::Op(op, _) | Work::Kernel(op, ..) => write!(f, "rows of {op:?}"),
        }
    }
}

impl Maker for Mapped {
    fn make(&self, lo: usize, hi: usize) -> Result<Value> {
        let mut all = self.all(lo, hi)?;
        if self.result >= all.len() {
            return Err(internal("an operation has too few results"));
        }
        Ok(all.swap_remove(self.result))
    }
}

impl Mapped {
    fn all(&self, lo: usize, hi: usize) -> Result<Vec<Value>> {
        let mut ctx = Ctx::new(Box::new(Nowhere));
        ctx.interrupt = self.interrupt.clone();
        ctx.reached = self.reached.clone();
        ctx.check_finite = self.check_finite;
        ctx.memory_limit = self.memory_limit;
        ctx.check_interrupt()?;
        let args = self.parts.iter().map(|part| read(&mut ctx, part, lo, hi)).collect::<Result<Vec<Value>>>()?;
        match &self.work {
            Work::Op(op, types) => op::execute(&mut ctx, op, args, &types.iter().collect::<Vec<&Type>>()),
            Work::Kernel(op, kernel) => op::execute_kernel(&ctx, op, kernel, None, args),
        }
    }
}

fn read(ctx: &mut Ctx, part: &Part, lo: usize, hi: usize) -> Result<Value> {
    match part {
        Part::Whole(value) => Ok(value.clone()),
        Part::Count => Ok(Value::Int((hi - lo) as i64)),
        Part::Rows { value, axis, times, over } => rows(ctx, value, *axis, lo * times / over, hi * times / over),
    }
}

/// The rows `lo..hi` of a tensor, however it is represented.
pub fn rows(ctx: &mut Ctx, value: &Value, axis: Axis, lo: usize, hi: usize) -> Result<Value> {
    match value {
        Value::Chunked(chunked) if chunked.axis.axis == axis => chunked.range(lo, hi),
        Value::Tensor(tensor) => index::slice(tensor, axis, axis, lo as i64, hi as i64).map(Value::Tensor),
        other => {
            let none = LocalId(0);
            let slice = Op::Slice { arg: none, axis, to: axis, lo: none, hi: none };
            let args = vec![other.clone(), Value::Int(lo as i64), Value::Int(hi as i64)];
            let part = op::execute(ctx, &slice, args, &[])?.into_iter().next();
            part.ok_or_else(|| internal("a slice without a result"))
        }
    }
}
