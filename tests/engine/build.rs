//! A small builder for functions of the IR, and the comparison of the two engines.

use locus::base::axis::Axis;
use locus::base::ops::ScalarOp;
use locus::base::span::{FileId, Span};
use locus::exec::{Engine, Fault, Oracle};
use locus::ir::*;
use locus::jit::Jit;
use locus::rt::ctx::{Ctx, Nowhere};
use locus::rt::tensor::{Element, Tensor};
use locus::rt::value::Value;

pub struct Build {
    function: Function,
    open: Vec<Vec<Stmt>>,
    spans: u32,
}

impl Build {
    pub fn new(name: &str, params: &[Type]) -> (Build, Vec<LocalId>) {
        let function = Function {
            name: name.into(),
            params: Vec::new(),
            results: Vec::new(),
            locals: Vec::new(),
            body: Block::default(),
            effect: Effect::None,
        };
        let mut build = Build { function, open: vec![Vec::new()], spans: 0 };
        let params: Vec<LocalId> = params.iter().map(|ty| build.local(ty.clone())).collect();
        build.function.params = params.clone();
        (build, params)
    }

    pub fn local(&mut self, ty: Type) -> LocalId {
        self.function.new_local(ty, None, Span::default())
    }

    /// A statement with several results; every statement has a span of its own.
    pub fn many(&mut self, types: &[Type], op: Op) -> Vec<LocalId> {
        let dest: Vec<LocalId> = types.iter().map(|ty| self.local(ty.clone())).collect();
        self.spans += 1;
        let span = Span::new(FileId(0), self.spans as usize, self.spans as usize + 1);
        self.open.last_mut().unwrap().push(Stmt { dest: dest.clone(), op, span });
        dest
    }

    pub fn op(&mut self, ty: Type, op: Op) -> LocalId {
        self.many(&[ty], op)[0]
    }

    pub fn effect(&mut self, op: Op) {
        self.many(&[], op);
    }

    pub fn int(&mut self, x: i64) -> LocalId {
        self.op(Type::INT, Op::Const(Const::Int(x)))
    }

    pub fn float(&mut self, x: f64) -> LocalId {
        self.op(Type::FLOAT, Op::Const(Const::F64(x)))
    }

    /// An elementwise operation on scalars or tensors; the type follows from the operands.
    pub fn elem(&mut self, op: ScalarOp, args: &[LocalId]) -> LocalId {
        let dtypes: Vec<_> = args.iter().map(|&local| self.function.ty(local).dtype().unwrap()).collect();
        let axes = args.iter().filter_map(|&local| self.function.ty(local).axes().cloned());
        let axes = axes.fold(AxisSet::empty(), |all, axes| all.union(&axes));
        let ty = Type::tensor(elem_of(op.result(&dtypes)), axes);
        self.op(ty, Op::Elem { op, args: args.to_vec() })
    }

    pub fn select(&mut self, arg: LocalId, axis: Axis, index: LocalId) -> LocalId {
        let ty = self.function.ty(arg).clone();
        let ty = Type::tensor(ty.elem().unwrap(), ty.axes().unwrap().without(axis));
        self.op(ty, Op::Select { arg, axis, index })
    }

    /// A block of its own; the closure gives its results.
    pub fn block(&mut self, fill: impl FnOnce(&mut Build) -> Vec<LocalId>) -> Block {
        self.open.push(Vec::new());
        let results = fill(self);
        Block { stmts: self.open.pop().unwrap(), results }
    }

    pub fn finish(mut self, module: &mut Module, results: &[LocalId]) -> FuncId {
        self.function.results = results.iter().map(|&local| self.function.ty(local).clone()).collect();
        self.function.body = Block { stmts: self.open.pop().unwrap(), results: results.to_vec() };
        module.add(self.function)
    }
}

pub fn elem_of(dtype: locus::base::ops::DType) -> Elem {
    use locus::base::ops::DType;
    match dtype {
        DType::F32 => Elem::F32,
        DType::F64 => Elem::F64,
        DType::I64 => Elem::Int,
        DType::Bool => Elem::Bool,
    }
}

pub fn axis(name: &str) -> Axis {
    Axis::named("", name)
}

pub fn vector(elem: Elem, axes: &[Axis]) -> Type {
    Type::tensor(elem, axes.iter().copied().collect())
}

pub fn tensor<T: Element>(axes: &[(Axis, usize)], values: &[T]) -> Value {
    Value::Tensor(Tensor::from_slice(axes, values).unwrap())
}

pub fn context() -> Ctx {
    Ctx::new(Box::new(Nowhere))
}

/// A value as text in which equal bits, and only those, are equal. All NaN are one.
pub fn bits(value: &Value) -> String {
    match value {
        Value::F32(x) if x.is_nan() => "f32 nan".into(),
        Value::F32(x) => format!("f32 {:08x}", x.to_bits()),
        Value::F64(x) if x.is_nan() => "f64 nan".into(),
        Value::F64(x) => format!("f64 {:016x}", x.to_bits()),
        Value::List(items) | Value::Record(items) => items.iter().map(bits).collect::<Vec<_>>().join(";"),
        Value::Tensor(tensor) => {
            let order: Vec<Axis> = tensor.dims.iter().map(|dim| dim.axis).collect();
            let values: Vec<String> =
                tensor.to_f64(&order).unwrap().into_iter().map(|x| bits(&Value::F64(x))).collect();
            format!("{:?} over [{}]: {}", tensor.dtype(), tensor.axes_shown(), values.join(" "))
        }
        other => format!("{other:?}"),
    }
}

pub type Outcome = Result<Vec<Value>, Fault>;

/// What both engines are run with.
pub struct Run {
    pub module: Module,
    pub globals: Vec<Value>,
    pub check_finite: bool,
    pub interrupt: bool,
}

impl Run {
    pub fn new(module: Module) -> Run {
        Run { module, globals: Vec::new(), check_finite: false, interrupt: false }
    }

    fn engine(&self, engine: &mut dyn Engine, func: FuncId, args: &[Value]) -> (Outcome, Vec<Value>) {
        let mut ctx = context();
        ctx.check_finite = self.check_finite;
        ctx.interrupt.store(self.interrupt, std::sync::atomic::Ordering::Relaxed);
        let mut globals = self.globals.clone();
        let outcome = engine.call(&self.module, func, args.to_vec(), &mut globals, &mut ctx);
        assert_eq!(ctx.depth, 0, "the depth is back where it was");
        (outcome, globals)
    }

    /// Runs both engines (machine code twice, for what it keeps), compares them, and gives the outcome.
    pub fn both(&self, func: FuncId, args: &[Value]) -> Outcome {
        let (expected, left) = self.engine(&mut Oracle, func, args);
        let mut jit = Jit::new();
        for _ in 0..2 {
            let (found, globals) = self.engine(&mut jit, func, args);
            match (&expected, &found) {
                (Ok(expected), Ok(found)) => {
                    let expected: Vec<String> = expected.iter().map(bits).collect();
                    let found: Vec<String> = found.iter().map(bits).collect();
                    assert_eq!(expected, found, "results of the oracle and of machine code");
                }
                (expected, found) => assert_eq!(
                    expected.as_ref().err(),
                    found.as_ref().err(),
                    "faults of the oracle and of machine code: {expected:?} {found:?}"
                ),
            }
            let left: Vec<String> = left.iter().map(bits).collect();
            let globals: Vec<String> = globals.iter().map(bits).collect();
            assert_eq!(left, globals, "globals after the oracle and after machine code");
        }
        expected
    }

    /// The single int that both engines give.
    pub fn int(&self, func: FuncId, args: &[Value]) -> i64 {
        match self.both(func, args).map(|values| values.into_iter().next()) {
            Ok(Some(Value::Int(x))) => x,
            other => panic!("not an int: {other:?}"),
        }
    }

    /// The code, place and trace of the fault that both engines give.
    pub fn fault(&self, func: FuncId, args: &[Value]) -> (&'static str, u32, Vec<u32>) {
        let fault = self.both(func, args).expect_err("a fault");
        (fault.error.code, fault.span.start, fault.trace.iter().map(|span| span.start).collect())
    }
}
