//! Comprehensions and elementwise kernels.

use crate::build::*;
use locus::base::ops::ScalarOp;
use locus::ir::*;
use locus::rt::value::Value;

/// `for row, col: x[row: row, col: col] * x[row: row, col: 0]`, through a selection that is never made.
pub fn products(module: &mut Module) -> FuncId {
    let (row, col) = (axis("row"), axis("col"));
    let (mut b, params) = Build::new("products", &[vector(Elem::F64, &[row, col]), Type::INT, Type::INT]);
    let x = params[0];
    let (i, j) = (b.local(Type::INT), b.local(Type::INT));
    let body = b.block(|b| {
        let line = b.select(x, row, i);
        let one = b.select(line, col, j);
        let zero = b.int(0);
        let first = b.select(line, col, zero);
        vec![b.elem(ScalarOp::Mul, &[one, first])]
    });
    let binders = vec![Binder { axis: row, var: i, size: params[1] }, Binder { axis: col, var: j, size: params[2] }];
    let result = b.op(vector(Elem::F64, &[row, col]), Op::Comprehend { binders, body });
    b.finish(module, &[result])
}

#[test]
fn elements_are_read_in_place() {
    let (row, col) = (axis("row"), axis("col"));
    let mut module = Module::default();
    let func = products(&mut module);
    let run = Run::new(module);
    let x = tensor(&[(row, 2), (col, 3)], &[2.0, 3.0, 4.0, 10.0, 20.0, 30.0]);
    // The same, stored the other way round.
    let turned = tensor(&[(col, 3), (row, 2)], &[2.0, 10.0, 3.0, 20.0, 4.0, 30.0]);
    let wanted = bits(&tensor(&[(row, 2), (col, 3)], &[4.0, 6.0, 8.0, 100.0, 200.0, 300.0]));
    for x in [x, turned] {
        let results = run.both(func, &[x.clone(), 2.into(), 3.into()]).unwrap();
        assert_eq!(bits(&results[0]), wanted);
        // One row too many, one column too many: the place of the selection that fails.
        assert_eq!(run.fault(func, &[x.clone(), 3.into(), 3.into()]), ("R004", 1, vec![]));
        assert_eq!(run.fault(func, &[x.clone(), 2.into(), 4.into()]), ("R004", 2, vec![]));
        assert_eq!(run.fault(func, &[x, 2.into(), (-1).into()]).0, "R007");
    }
}

/// A comprehension whose body calls a function, branches, and reads a tensor made inside it.
#[test]
fn bodies_may_do_anything() {
    let (row, col) = (axis("row"), axis("col"));
    let mut module = Module::default();
    let (mut b, params) = Build::new("double", &[Type::FLOAT]);
    let result = b.elem(ScalarOp::Add, &[params[0], params[0]]);
    let double = b.finish(&mut module, &[result]);

    let (mut b, params) = Build::new("main", &[vector(Elem::F64, &[row]), Type::INT]);
    let (i, j) = (b.local(Type::INT), b.local(Type::INT));
    let body = b.block(|b| {
        let inner = b.block(|b| {
            let here = b.select(params[0], row, j);
            vec![b.op(Type::FLOAT, Op::Call { func: double, args: vec![here] })]
        });
        let binders = vec![Binder { axis: col, var: j, size: params[1] }];
        let made = b.op(vector(Elem::F64, &[col]), Op::Comprehend { binders, body: inner });
        let one = b.int(1);
        let late = b.elem(ScalarOp::Ge, &[i, one]);
        let then = b.block(|b| vec![b.select(made, col, i)]);
        let other = b.block(|b| vec![b.float(-1.0)]);
        vec![b.op(Type::FLOAT, Op::If { cond: late, then, other })]
    });
    let binders = vec![Binder { axis: row, var: i, size: params[1] }];
    let result = b.op(vector(Elem::F64, &[row]), Op::Comprehend { binders, body });
    let func = b.finish(&mut module, &[result]);
    let x = tensor(&[(row, 3)], &[1.0, 2.0, 3.0]);
    let results = Run::new(module).both(func, &[x, 3.into()]).unwrap();
    assert_eq!(bits(&results[0]), bits(&tensor(&[(row, 3)], &[-1.0, 4.0, 6.0])));
}

/// Reading in a plain loop uses the same registers; an empty range reads nothing.
#[test]
fn loops_read_elements_too() {
    let row = axis("row");
    let mut module = Module::default();
    let (mut b, params) = Build::new("total", &[vector(Elem::Int, &[row]), Type::INT]);
    let zero = b.int(0);
    let (var, sum) = (b.local(Type::INT), b.local(Type::INT));
    let body = b.block(|b| {
        let here = b.select(params[0], row, var);
        vec![b.elem(ScalarOp::Add, &[sum, here])]
    });
    let carried = vec![Carried { param: sum, init: zero }];
    let result = b.op(Type::INT, Op::For { var, lo: zero, hi: params[1], carried, body });
    let func = b.finish(&mut module, &[result]);
    let run = Run::new(module);
    let x = tensor(&[(row, 4)], &[5i64, 6, 7, i64::MAX]);
    assert_eq!(run.int(func, &[x.clone(), 3.into()]), 18);
    assert_eq!(run.fault(func, &[x.clone(), 4.into()]).0, "R005");
    assert_eq!(run.fault(func, &[x, 5.into()]).0, "R005");
    assert_eq!(run.int(func, &[Value::None, 0.into()]), 0);
}

/// `for i in row: if x[row: i] < 0 { return -1 } else { log(x[row: i]) }`, with and without tests for infinity.
#[test]
fn bodies_may_return_and_are_checked_for_infinity() {
    let row = axis("row");
    let ty = vector(Elem::F64, &[row]);
    let mut module = Module::default();
    let (mut b, params) = Build::new("logs", &[ty.clone(), Type::INT]);
    let i = b.local(Type::INT);
    let body = b.block(|b| {
        let here = b.select(params[0], row, i);
        let zero = b.float(0.0);
        let negative = b.elem(ScalarOp::Lt, &[here, zero]);
        let then = b.block(|b| {
            b.effect(Op::Return(vec![params[0]]));
            Vec::new()
        });
        let other = b.block(|_| Vec::new());
        b.many(&[], Op::If { cond: negative, then, other });
        vec![b.elem(ScalarOp::Log, &[here])]
    });
    let binders = vec![Binder { axis: row, var: i, size: params[1] }];
    let result = b.op(ty, Op::Comprehend { binders, body });
    let func = b.finish(&mut module, &[result]);
    let mut run = Run::new(module);
    let good = tensor(&[(row, 3)], &[1.0, 2.0, 0.0]);
    let bad = tensor(&[(row, 3)], &[1.0, -2.0, 0.0]);
    assert!(run.both(func, &[good.clone(), 3.into()]).is_ok());
    let returned = run.both(func, &[bad.clone(), 3.into()]).unwrap();
    assert_eq!(bits(&returned[0]), bits(&bad));
    assert_eq!(bits(&run.both(func, &[bad.clone(), 0.into()]).unwrap()[0]), "F64 over [row = 0]: ");
    run.check_finite = true;
    assert_eq!(run.fault(func, &[good, 3.into()]).0, "R006");
    assert!(run.both(func, &[bad, 3.into()]).is_ok());
}

/// A selection that stays a tensor inside a loop is made, not read through.
#[test]
fn rows_can_be_taken_out_and_summed() {
    use locus::base::ops::ReduceKind;
    let (row, col) = (axis("row"), axis("col"));
    let mut module = Module::default();
    let (mut b, params) = Build::new("sums", &[vector(Elem::F32, &[row, col]), Type::INT]);
    let i = b.local(Type::INT);
    let body = b.block(|b| {
        let line = b.select(params[0], row, i);
        let first = b.select(line, col, i);
        let axes = AxisSet::one(col);
        let sum = b.op(Type::F32, Op::Reduce { kind: ReduceKind::Sum, arg: line, axes });
        b.effect(Op::Drop(line));
        vec![b.elem(ScalarOp::Add, &[sum, first])]
    });
    let binders = vec![Binder { axis: row, var: i, size: params[1] }];
    let result = b.op(vector(Elem::F32, &[row]), Op::Comprehend { binders, body });
    let func = b.finish(&mut module, &[result]);
    let run = Run::new(module);
    let x = tensor(&[(row, 2), (col, 3)], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let results = run.both(func, &[x.clone(), 2.into()]).unwrap();
    assert_eq!(bits(&results[0]), bits(&tensor(&[(row, 2)], &[7.0f32, 20.0])));
    assert_eq!(run.fault(func, &[x, 3.into()]).0, "R004");
}
