//! For tests of the passes: a tiny evaluator in f64, and derivatives of a few operations.
//!
//! It knows only this layer's IR, so that the passes can be judged without the runtime. Every number is an f64,
//! and a function that a test builds is trusted.

use super::build::Builder;
use super::{Adjoint, Derivatives};
use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::kernel::Kernel;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::base::sweep::{Sweep, Work};
use crate::ir::print::function as print;
use crate::ir::verify::verify;
use crate::ir::{AxisSet, Block, Const, Effect, Elem, FuncId, Function, LocalId, Module, Op, Stmt, Type};
use std::collections::BTreeMap;

type At = BTreeMap<Axis, usize>;

#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    None,
    T(Arr),
    L(Vec<Val>),
}

/// A tensor, row by row; a scalar has no dims.
#[derive(Clone, Debug, PartialEq)]
pub struct Arr {
    pub dims: Vec<(Axis, usize)>,
    pub data: Vec<f64>,
}

impl Arr {
    pub fn scalar(x: f64) -> Arr {
        Arr { dims: Vec::new(), data: vec![x] }
    }

    pub fn make(dims: Vec<(Axis, usize)>, mut f: impl FnMut(&At) -> f64) -> Arr {
        let mut dims = dims;
        dims.sort();
        let count: usize = dims.iter().map(|d| d.1).product();
        let mut data = Vec::with_capacity(count);
        for mut flat in 0..count {
            let mut at = At::new();
            for &(axis, len) in dims.iter().rev() {
                at.insert(axis, flat % len);
                flat /= len;
            }
            data.push(f(&at));
        }
        Arr { dims, data }
    }

    pub fn get(&self, at: &At) -> f64 {
        let flat = self.dims.iter().fold(0, |flat, (axis, len)| {
            assert!(at[axis] < *len, "index {} of {axis} with {len}", at[axis]);
            flat * len + at[axis]
        });
        self.data[flat]
    }

    pub fn len(&self, axis: Axis) -> Option<usize> {
        self.dims.iter().find(|d| d.0 == axis).map(|d| d.1)
    }

    fn without(&self, axes: &[Axis]) -> Vec<(Axis, usize)> {
        self.dims.iter().copied().filter(|d| !axes.contains(&d.0)).collect()
    }
}

fn union(args: &[&Arr]) -> Vec<(Axis, usize)> {
    let mut dims: Vec<(Axis, usize)> = Vec::new();
    for &(axis, len) in args.iter().flat_map(|arg| &arg.dims) {
        match dims.iter().find(|d| d.0 == axis) {
            Some(found) => assert_eq!(found.1, len, "sizes of {axis}"),
            None => dims.push((axis, len)),
        }
    }
    dims
}

pub struct Eval<'a> {
    pub module: &'a Module,
    /// What `print` and `assert` were given.
    pub effects: Vec<f64>,
    /// Statements run, drops aside.
    pub steps: usize,
}

pub fn eval(module: &Module, func: FuncId, args: Vec<Val>) -> Vec<Val> {
    Eval { module, effects: Vec::new(), steps: 0 }.function(func, args)
}

enum Flow {
    Yield(Vec<Val>),
    Return(Vec<Val>),
}

impl Eval<'_> {
    pub fn function(&mut self, func: FuncId, args: Vec<Val>) -> Vec<Val> {
        let function = self.module.function(func);
        let mut env = vec![Val::None; function.locals.len()];
        for (&param, arg) in function.params.iter().zip(args) {
            env[param.0 as usize] = arg;
        }
        match self.block(&mut env, &function.body) {
            Flow::Yield(values) | Flow::Return(values) => values,
        }
    }

    fn block(&mut self, env: &mut Vec<Val>, block: &Block) -> Flow {
        for stmt in &block.stmts {
            if let Some(values) = self.stmt(env, stmt) {
                return Flow::Return(values);
            }
        }
        Flow::Yield(block.results.iter().map(|&l| env[l.0 as usize].clone()).collect())
    }

    fn stmt(&mut self, env: &mut Vec<Val>, stmt: &Stmt) -> Option<Vec<Val>> {
        let int = |env: &Vec<Val>, l: LocalId| arr(env, l).data[0] as i64;
        self.steps += usize::from(!matches!(stmt.op, Op::Drop(_)));
        let values = match &stmt.op {
            Op::Return(args) => return Some(args.iter().map(|&l| env[l.0 as usize].clone()).collect()),
            Op::Drop(l) => {
                env[l.0 as usize] = Val::None;
                return None;
            }
            Op::If { cond, then, other } => {
                let taken = if arr(env, *cond).data[0] != 0.0 { then } else { other };
                match self.block(env, taken) {
                    Flow::Yield(values) => values,
                    Flow::Return(values) => return Some(values),
                }
            }
            Op::For { var, lo, hi, carried, body } => {
                let (lo, hi) = (int(env, *lo), int(env, *hi));
                let mut state: Vec<Val> = carried.iter().map(|c| env[c.init.0 as usize].clone()).collect();
                for round in lo..hi {
                    env[var.0 as usize] = Val::T(Arr::scalar(round as f64));
                    carried.iter().zip(state).for_each(|(c, v)| env[c.param.0 as usize] = v);
                    match self.block(env, body) {
                        Flow::Yield(values) => state = values,
                        Flow::Return(values) => return Some(values),
                    }
                }
                state
            }
            Op::Comprehend { binders, body } => {
                let dims = binders.iter().map(|b| (b.axis, int(env, b.size) as usize)).collect();
                let made = Arr::make(dims, |at| {
                    for b in binders {
                        env[b.var.0 as usize] = Val::T(Arr::scalar(at[&b.axis] as f64));
                    }
                    match self.block(env, body) {
                        Flow::Yield(values) => one(&values[0]).data[0],
                        Flow::Return(_) => f64::NAN,
                    }
                });
                vec![Val::T(made)]
            }
            Op::Call { func, args } => {
                let args = args.iter().map(|&l| env[l.0 as usize].clone()).collect();
                self.function(*func, args)
            }
            Op::MakeList(args) => vec![Val::L(args.iter().map(|&l| env[l.0 as usize].clone()).collect())],
            Op::Builtin { name: "print" | "assert", args, .. } => {
                self.effects.push(arr(env, args[0]).data[0]);
                Vec::new()
            }
            Op::Builtin { name: "list_push", args, .. } => match &env[args[0].0 as usize] {
                Val::L(items) => vec![Val::L([items.clone(), vec![env[args[1].0 as usize].clone()]].concat())],
                other => panic!("push on {other:?}"),
            },
            Op::Builtin { name: "list_get", args, .. } => match &env[args[0].0 as usize] {
                Val::L(items) => vec![items[int(env, args[1]) as usize].clone()],
                other => panic!("get of {other:?}"),
            },
            Op::Builtin { name: "list_len", args, .. } => match &env[args[0].0 as usize] {
                Val::L(items) => vec![Val::T(Arr::scalar(items.len() as f64))],
                other => panic!("length of {other:?}"),
            },
            Op::Builtin { name: "stack", axes, args } => match &env[args[0].0 as usize] {
                Val::L(items) => {
                    let mut dims = one(&items[0]).dims.clone();
                    dims.push((axes[0], items.len()));
                    vec![Val::T(Arr::make(dims, |at| one(&items[at[&axes[0]]]).get(at)))]
                }
                other => panic!("stack of {other:?}"),
            },
            Op::Builtin { name: "set_index", axes, args } => {
                let (x, part) = (arr(env, args[0]), arr(env, args[args.len() - 1]));
                let places: Vec<usize> = args[1..=axes.len()].iter().map(|&l| int(env, l) as usize).collect();
                let hit = |at: &At| axes.iter().zip(&places).all(|(axis, place)| at[axis] == *place);
                vec![Val::T(Arr::make(x.dims.clone(), |at| if hit(at) { part.get(at) } else { x.get(at) }))]
            }
            Op::Builtin { name: "stop", args, .. } => vec![env[args[0].0 as usize].clone()],
            Op::Undef => vec![Val::None],
            Op::Copy(l) => vec![env[l.0 as usize].clone()],
            Op::Kernel { kernel, args } => {
                let args: Vec<&Arr> = args.iter().map(|&l| arr(env, l)).collect();
                run_kernel(kernel, &args).into_iter().map(Val::T).collect()
            }
            Op::Sweep { sweep, args } => {
                let args = args.iter().map(|&l| arr(env, l).clone()).collect();
                run_sweep(sweep, args).into_iter().map(Val::T).collect()
            }
            op => vec![Val::T(plain(env, op))],
        };
        for (&dest, value) in stmt.dest.iter().zip(values) {
            env[dest.0 as usize] = value;
        }
        None
    }
}

fn one(value: &Val) -> &Arr {
    match value {
        Val::T(arr) => arr,
        other => panic!("a tensor is needed, found {other:?}"),
    }
}

fn arr(env: &[Val], local: LocalId) -> &Arr {
    match &env[local.0 as usize] {
        Val::T(arr) => arr,
        other => panic!("%{} is {other:?}", local.0),
    }
}

fn run_kernel(kernel: &Kernel, args: &[&Arr]) -> Vec<Arr> {
    let dims = union(args);
    let run = |at: &At| {
        let mut values: Vec<f64> = args.iter().map(|a| a.get(at)).collect();
        for step in &kernel.steps {
            let operands: Vec<f64> = step.args.iter().map(|&n| values[n as usize]).collect();
            values.push(apply(step.op, &operands));
        }
        values
    };
    kernel.outputs.iter().map(|&n| Arr::make(dims.clone(), |at| run(at)[n as usize])).collect()
}

fn run_sweep(sweep: &Sweep, mut values: Vec<Arr>) -> Vec<Arr> {
    for step in &sweep.steps {
        let args: Vec<&Arr> = step.args.iter().map(|&n| &values[n as usize]).collect();
        let made = match &step.work {
            Work::Kernel(kernel) => run_kernel(kernel, &args),
            Work::Reduce { kind, axis } => vec![reduce(*kind, args[0], &[*axis])],
            Work::Dot { axis } => {
                let product = Arr::make(union(&args), |at| args[0].get(at) * args[1].get(at));
                vec![reduce(ReduceKind::Sum, &product, &[*axis])]
            }
            Work::Total { kind, axes } => vec![reduce(*kind, args[0], axes)],
        };
        values.extend(made);
    }
    sweep.outputs.iter().map(|&n| values[n as usize].clone()).collect()
}

/// Operations on tensors that need nothing but their operands.
fn plain(env: &[Val], op: &Op) -> Arr {
    let a = |l: &LocalId| arr(env, *l);
    let int = |l: &LocalId| arr(env, *l).data[0] as usize;
    let moved = |at: &At, from: Axis, to: Axis, by: usize| {
        let mut at = at.clone();
        let place = at.remove(&from).unwrap_or(0);
        at.insert(to, place + by);
        at
    };
    match op {
        Op::Const(Const::Int(x)) => Arr::scalar(*x as f64),
        Op::Const(Const::F32(x)) => Arr::scalar(f64::from(*x)),
        Op::Const(Const::F64(x)) => Arr::scalar(*x),
        Op::Const(Const::Bool(x)) => Arr::scalar(f64::from(*x)),
        Op::Elem { op, args } => {
            let args: Vec<&Arr> = args.iter().map(a).collect();
            Arr::make(union(&args), |at| apply(*op, &args.iter().map(|x| x.get(at)).collect::<Vec<f64>>()))
        }
        Op::Contract { a: x, b: w, axes } => {
            let all = union(&[a(x), a(w)]);
            let product = Arr::make(all, |at| a(x).get(at) * a(w).get(at));
            reduce(ReduceKind::Sum, &product, axes.as_slice())
        }
        Op::Reduce { kind, arg, axes } => reduce(*kind, a(arg), axes.as_slice()),
        Op::Select { arg, axis, index } => {
            Arr::make(a(arg).without(&[*axis]), |at| a(arg).get(&with(at, *axis, int(index))))
        }
        Op::Gather { arg, axis, index } => {
            let kept = Arr { dims: a(arg).without(&[*axis]), data: Vec::new() };
            let dims = union(&[&kept, a(index)]);
            Arr::make(dims, |at| a(arg).get(&with(at, *axis, a(index).get(at) as usize)))
        }
        Op::Slice { arg, axis, to, lo, hi } => {
            let mut dims = a(arg).without(&[*axis]);
            dims.push((*to, int(hi) - int(lo)));
            Arr::make(dims, |at| a(arg).get(&moved(at, *to, *axis, int(lo))))
        }
        Op::Rename { arg, from, to } => {
            let mut dims = a(arg).without(&[*from]);
            dims.push((*to, a(arg).len(*from).unwrap()));
            Arr::make(dims, |at| a(arg).get(&moved(at, *to, *from, 0)))
        }
        Op::Merge { arg, from, to } => {
            let lens: Vec<usize> = from.iter().map(|&f| a(arg).len(f).unwrap()).collect();
            let mut dims = a(arg).without(from);
            dims.push((*to, lens.iter().product()));
            Arr::make(dims, |at| {
                let mut at = at.clone();
                let mut flat = at.remove(to).unwrap();
                for (&axis, len) in from.iter().zip(&lens).rev() {
                    at.insert(axis, flat % len);
                    flat /= len;
                }
                a(arg).get(&at)
            })
        }
        Op::Split { arg, from, to, sizes } => {
            let mut dims = a(arg).without(&[*from]);
            dims.extend(to.iter().zip(sizes).map(|(&t, s)| (t, int(s))));
            Arr::make(dims, |at| {
                let flat = to.iter().zip(sizes).fold(0, |flat, (t, s)| flat * int(s) + at[t]);
                let mut at = at.clone();
                at.retain(|axis, _| !to.contains(axis));
                a(arg).get(&with(&at, *from, flat))
            })
        }
        Op::Expand { arg, axis, size } => {
            let mut dims = a(arg).dims.clone();
            dims.push((*axis, int(size)));
            Arr::make(dims, |at| a(arg).get(at))
        }
        Op::SizeOf { args, axis } => {
            Arr::scalar(args.iter().find_map(|l| a(l).len(*axis)).expect("an operand with the axis") as f64)
        }
        Op::ScatterAdd { arg, axis, index, size, own } => {
            let mut dims = a(arg).without(own.as_slice());
            dims.push((*axis, int(size)));
            let mut out = Arr::make(dims, |_| 0.0);
            Arr::make(a(arg).dims.clone(), |at| {
                let mut target = at.clone();
                target.retain(|&axis, _| !own.contains(axis));
                target.insert(*axis, a(index).get(at) as usize);
                let flat = out.dims.iter().fold(0, |flat, (axis, len)| flat * len + target[axis]);
                out.data[flat] += a(arg).get(at);
                0.0
            });
            out
        }
        Op::Builtin { name: "add_at", axes, args } => {
            let mut out = a(&args[0]).clone();
            Arr::make(a(&args[1]).dims.clone(), |at| {
                let target = with(at, axes[0], a(&args[2]).get(at) as usize);
                let flat = out.dims.iter().fold(0, |flat, (axis, len)| flat * len + target[axis]);
                out.data[flat] += a(&args[1]).get(at);
                0.0
            });
            out
        }
        Op::Pad { arg, from, to, lo, size } => {
            let len = a(arg).len(*from).unwrap();
            let mut dims = a(arg).without(&[*from]);
            dims.push((*to, int(size)));
            Arr::make(dims, |at| match at[to].checked_sub(int(lo)) {
                Some(place) if place < len => a(arg).get(&with(at, *from, place)),
                _ => 0.0,
            })
        }
        other => panic!("the test evaluator does not know {other:?}"),
    }
}

fn with(at: &At, axis: Axis, place: usize) -> At {
    let mut at = at.clone();
    at.insert(axis, place);
    at
}

fn reduce(kind: ReduceKind, arg: &Arr, axes: &[Axis]) -> Arr {
    let inner: Vec<(Axis, usize)> = arg.dims.iter().copied().filter(|d| axes.contains(&d.0)).collect();
    Arr::make(arg.without(axes), |at| {
        let values = Arr::make(inner.clone(), |more| arg.get(&at.iter().chain(more).map(|(&a, &p)| (a, p)).collect()));
        let all = values.data.iter().copied();
        match kind {
            ReduceKind::Sum | ReduceKind::SumF64 | ReduceKind::Count => all.sum(),
            ReduceKind::Max => all.fold(f64::NEG_INFINITY, f64::max),
            ReduceKind::Min => all.fold(f64::INFINITY, f64::min),
            other => panic!("the test evaluator does not know {other:?}"),
        }
    })
}

pub fn apply(op: ScalarOp, x: &[f64]) -> f64 {
    use ScalarOp::*;
    match op {
        Add => x[0] + x[1],
        Sub => x[0] - x[1],
        Mul => x[0] * x[1],
        Div => x[0] / x[1],
        Neg => -x[0],
        Abs => x[0].abs(),
        Sqrt => x[0].sqrt(),
        Exp => x[0].exp(),
        Log => x[0].ln(),
        Tanh => x[0].tanh(),
        Min => x[0].min(x[1]),
        Max => x[0].max(x[1]),
        Eq => f64::from(x[0] == x[1]),
        Lt => f64::from(x[0] < x[1]),
        Gt => f64::from(x[0] > x[1]),
        Not => 1.0 - x[0],
        Where => {
            if x[0] != 0.0 {
                x[1]
            } else {
                x[2]
            }
        }
        Cast(_) => x[0],
        other => panic!("the test evaluator does not know {other:?}"),
    }
}

/// Derivatives as the standard library would give them.
pub struct Rules;

impl Derivatives for Rules {
    fn vjp(
        &mut self,
        module: &mut Module,
        name: &str,
        _: &[Axis],
        args: &[Type],
        result: &Type,
    ) -> Result<Option<Adjoint>, Diagnostic> {
        use ScalarOp::*;
        let mut b = Builder::new(empty(&format!("{name}'vjp")));
        let locals: Vec<LocalId> = args.iter().chain([result, result]).map(|ty| b.local(ty.clone())).collect();
        b.function.params.clone_from(&locals);
        let (y, dy) = (locals[args.len()], locals[args.len() + 1]);
        let x = &locals[..args.len()];
        let elem = result.elem().unwrap_or(Elem::F64);
        let parts: Vec<(usize, LocalId)> = match name {
            "add" => vec![(0, dy), (1, dy)],
            "sub" => vec![(0, dy), (1, b.elem(Neg, &[dy]))],
            "mul" => vec![(0, b.elem(Mul, &[dy, x[1]])), (1, b.elem(Mul, &[dy, x[0]]))],
            "div_float" => {
                let first = b.elem(Div, &[dy, x[1]]);
                let both = b.elem(Mul, &[first, y]);
                vec![(0, first), (1, b.elem(Neg, &[both]))]
            }
            "neg" => vec![(0, b.elem(Neg, &[dy]))],
            "exp" => vec![(0, b.elem(Mul, &[dy, y]))],
            "log" => vec![(0, b.elem(Div, &[dy, x[0]]))],
            "tanh" => {
                let one = b.number(elem, 1.0);
                let square = b.elem(Mul, &[y, y]);
                let rest = b.elem(Sub, &[one, square]);
                vec![(0, b.elem(Mul, &[dy, rest]))]
            }
            "where" => {
                let zero = b.number(elem, 0.0);
                vec![(1, b.elem(Where, &[x[0], dy, zero])), (2, b.elem(Where, &[x[0], zero, dy]))]
            }
            "sign" => Vec::new(),
            _ => return Ok(None),
        };
        let (args, results): (Vec<usize>, Vec<LocalId>) = parts.into_iter().unzip();
        let func = module.add(b.finish(results)?);
        Ok(Some(Adjoint { func, args }))
    }
}

pub fn empty(name: &str) -> Function {
    Function {
        name: name.to_string(),
        params: Vec::new(),
        results: Vec::new(),
        locals: Vec::new(),
        body: Block::default(),
        effect: Effect::None,
    }
}

/// A function with parameters of these names and types, whose body `make` writes.
pub fn build(
    name: &str,
    params: &[(&str, Type)],
    make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>,
) -> Function {
    let mut b = Builder::new(empty(name));
    let locals: Vec<LocalId> =
        params.iter().map(|(name, ty)| b.function.new_local(ty.clone(), Some(name.to_string()), b.span)).collect();
    b.function.params.clone_from(&locals);
    let results = make(&mut b, &locals);
    b.finish(results).expect("a well-formed function")
}

pub fn axis(name: &str) -> Axis {
    Axis::named("pass tests", name)
}

/// The type of a tensor over axes named by single letters.
pub fn tensor(elem: Elem, axes: &str) -> Type {
    Type::Tensor(elem, set(axes))
}

pub fn set(axes: &str) -> AxisSet {
    axes.chars().map(|c| axis(&c.to_string())).collect()
}

/// Some numbers, different for each `seed`, none equal and none near zero.
pub fn numbers(axes: &[(&str, usize)], seed: u64) -> Val {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let dims = axes.iter().map(|&(name, len)| (axis(name), len)).collect();
    Val::T(Arr::make(dims, |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let x = (state >> 11) as f64 / (1u64 << 53) as f64;
        if state >> 63 == 0 { 0.2 + x } else { -0.2 - x }
    }))
}

/// Runs `pass` on a function of `x: f64[a, b]`, `y: f64[b]`, `s: float`, which must stay well-formed and give what it
/// gave; its body's text.
pub fn rewritten(
    pass: impl FnOnce(&Module, &mut Function),
    make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>,
) -> String {
    let params = [("x", tensor(Elem::F64, "ab")), ("y", tensor(Elem::F64, "b")), ("s", Type::FLOAT)];
    let mut module = Module::default();
    let id = module.add(build("f", &params, make));
    let args = vec![numbers(&[("a", 2), ("b", 3)], 1), numbers(&[("b", 3)], 2), numbers(&[], 3)];
    let plain = eval(&module, id, args.clone());
    let mut function = module.function(id).clone();
    pass(&module, &mut function);
    module.functions[id.0 as usize] = function;
    verify(&module, id).unwrap();
    assert_eq!(eval(&module, id, args), plain);
    print(&module, id).lines().skip(1).map(|line| format!("{}\n", line.trim())).collect()
}
