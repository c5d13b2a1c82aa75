//! Control flow, calls, errors.

use crate::build::*;
use locus::base::ops::{DType, ScalarOp};
use locus::ir::*;
use locus::rt::value::{Items, Value};

/// `fn fib(n) = if n < 2 { n } else { fib(n - 1) + fib(n - 2) }`
pub fn fib(module: &mut Module) -> FuncId {
    let id = FuncId(module.functions.len() as u32);
    let (mut b, params) = Build::new("fib", &[Type::INT]);
    let n = params[0];
    let two = b.int(2);
    let small = b.elem(ScalarOp::Lt, &[n, two]);
    let then = b.block(|_| vec![n]);
    let other = b.block(|b| {
        let one = b.int(1);
        let less = b.elem(ScalarOp::Sub, &[n, one]);
        let first = b.op(Type::INT, Op::Call { func: id, args: vec![less] });
        let less = b.elem(ScalarOp::Sub, &[n, two]);
        let second = b.op(Type::INT, Op::Call { func: id, args: vec![less] });
        vec![b.elem(ScalarOp::Add, &[first, second])]
    });
    let result = b.op(Type::INT, Op::If { cond: small, then, other });
    b.finish(module, &[result])
}

#[test]
fn recursion() {
    let mut module = Module::default();
    let fib = fib(&mut module);
    assert_eq!(Run::new(module).int(fib, &[Value::Int(15)]), 610);
}

/// `fn down(n) = if n == 0 { 0 } else { down(n - 1) }`, with a list on the way if asked.
fn down(module: &mut Module, with_list: bool) -> FuncId {
    let id = FuncId(module.functions.len() as u32);
    let list = Type::List(Box::new(Type::INT));
    let params = if with_list { vec![Type::INT, list] } else { vec![Type::INT] };
    let (mut b, params) = Build::new("down", &params);
    let zero = b.int(0);
    let done = b.elem(ScalarOp::Eq, &[params[0], zero]);
    let then = b.block(|_| vec![zero]);
    let other = b.block(|b| {
        let one = b.int(1);
        let mut args = params.clone();
        args[0] = b.elem(ScalarOp::Sub, &[params[0], one]);
        vec![b.op(Type::INT, Op::Call { func: id, args })]
    });
    let result = b.op(Type::INT, Op::If { cond: done, then, other });
    b.finish(module, &[result])
}

#[test]
fn calls_nest_a_thousand_deep_and_no_deeper() {
    for with_list in [false, true] {
        let mut module = Module::default();
        let down = down(&mut module, with_list);
        let run = Run::new(module);
        let args = |n: i64| match with_list {
            true => vec![Value::Int(n), Value::List(Items::new(vec![Value::Int(7)]))],
            false => vec![Value::Int(n)],
        };
        assert_eq!(run.int(down, &args(1000)), 0);
        let (code, _, trace) = run.fault(down, &args(1001));
        assert_eq!((code, trace.len()), ("R012", 1000));
    }
}

/// Sum of `i * i` for `i` in `lo..hi`, and how often the sum was even; both carried.
#[test]
fn counted_loop() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("squares", &[Type::INT, Type::INT]);
    let zero = b.int(0);
    let (var, sum, last) = (b.local(Type::INT), b.local(Type::INT), b.local(Type::INT));
    let body = b.block(|b| {
        let square = b.elem(ScalarOp::Mul, &[var, var]);
        let next = b.elem(ScalarOp::Add, &[sum, square]);
        // The two carried values change places each round but for the sum.
        vec![next, sum]
    });
    let carried = vec![Carried { param: sum, init: zero }, Carried { param: last, init: zero }];
    let op = Op::For { var, lo: params[0], hi: params[1], carried, body };
    let dest = b.many(&[Type::INT, Type::INT], op);
    let func = b.finish(&mut module, &dest);
    let run = Run::new(module);
    let shown: Vec<String> = run.both(func, &[3.into(), 6.into()]).unwrap().iter().map(bits).collect();
    assert_eq!(shown, ["Int(50)", "Int(25)"]);
    assert_eq!(run.int(func, &[6.into(), 3.into()]), 0);
}

#[test]
fn overflow_is_the_same_fault_in_both() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("product", &[Type::INT, Type::INT]);
    let result = b.elem(ScalarOp::Mul, &[params[0], params[1]]);
    let product = b.finish(&mut module, &[result]);
    let (mut b, params) = Build::new("outer", &[Type::INT]);
    b.int(0);
    let result = b.op(Type::INT, Op::Call { func: product, args: vec![params[0], params[0]] });
    let outer = b.finish(&mut module, &[result]);
    let run = Run::new(module);
    assert_eq!(run.int(outer, &[(-3).into()]), 9);
    assert_eq!(run.fault(outer, &[(1i64 << 40).into()]), ("R005", 1, vec![2]));
}

#[test]
fn a_loop_that_exchanges_two_lists() {
    let mut module = Module::default();
    let list = Type::List(Box::new(Type::INT));
    let (mut b, params) = Build::new("exchange", &[list.clone(), list.clone(), Type::INT]);
    let zero = b.int(0);
    let var = b.local(Type::INT);
    let (x, y) = (b.local(list.clone()), b.local(list.clone()));
    let body = b.block(|_| vec![y, x]);
    let carried = vec![Carried { param: x, init: params[0] }, Carried { param: y, init: params[1] }];
    let dest = b.many(&[list.clone(), list], Op::For { var, lo: zero, hi: params[2], carried, body });
    let func = b.finish(&mut module, &dest);
    let run = Run::new(module);
    let lists =
        [vec![1i64], vec![2, 3]].map(|items| Value::List(Items::new(items.into_iter().map(Value::Int).collect())));
    for (rounds, first) in [(0i64, "Int(1)"), (1, "Int(2);Int(3)"), (4, "Int(1)")] {
        let results = run.both(func, &[lists[0].clone(), lists[1].clone(), rounds.into()]).unwrap();
        assert_eq!(bits(&results[0]), first);
    }
}

/// `while n < limit { n = n * 2; if n == 64 { return -1 } }`
#[test]
fn while_and_return_from_inside() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("doubling", &[Type::INT, Type::INT]);
    let n = b.local(Type::INT);
    let test = b.block(|b| vec![b.elem(ScalarOp::Lt, &[n, params[1]])]);
    let body = b.block(|b| {
        let two = b.int(2);
        let next = b.elem(ScalarOp::Mul, &[n, two]);
        let stop = b.int(64);
        let hit = b.elem(ScalarOp::Eq, &[next, stop]);
        let then = b.block(|b| {
            let minus = b.int(-1);
            b.effect(Op::Return(vec![minus]));
            Vec::new()
        });
        let other = b.block(|_| Vec::new());
        b.many(&[], Op::If { cond: hit, then, other });
        vec![next]
    });
    let carried = vec![Carried { param: n, init: params[0] }];
    let dest = b.many(&[Type::INT], Op::While { carried, test, body });
    let func = b.finish(&mut module, &dest);
    let run = Run::new(module);
    assert_eq!(run.int(func, &[3.into(), 100.into()]), 192);
    assert_eq!(run.int(func, &[1.into(), 100.into()]), -1);
    assert_eq!(run.int(func, &[200.into(), 100.into()]), 200);
}

#[test]
fn interruption_is_seen_at_loop_heads() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("forever", &[Type::INT]);
    let n = b.local(Type::INT);
    let test = b.block(|b| vec![b.op(Type::BOOL, Op::Const(Const::Bool(true)))]);
    let body = b.block(|_| vec![n]);
    let carried = vec![Carried { param: n, init: params[0] }];
    let dest = b.many(&[Type::INT], Op::While { carried, test, body });
    let func = b.finish(&mut module, &dest);
    let mut run = Run::new(module);
    run.interrupt = true;
    assert_eq!(run.fault(func, &[1.into()]), ("R013", 2, vec![]));
}

#[test]
fn globals_records_and_lists() {
    let mut module = Module::default();
    let record = Type::Record(vec![("n".into(), Type::INT), ("x".into(), Type::FLOAT)]);
    module.globals.push(Global { name: "count".into(), ty: Type::INT });
    module.globals.push(Global { name: "kept".into(), ty: record.clone() });
    let (mut b, params) = Build::new("main", &[Type::FLOAT]);
    let count = b.op(Type::INT, Op::GlobalGet(GlobalId(0)));
    let one = b.int(1);
    let more = b.elem(ScalarOp::Add, &[count, one]);
    b.effect(Op::GlobalSet(GlobalId(0), more));
    let made = b.op(record.clone(), Op::MakeRecord(vec![more, params[0]]));
    b.effect(Op::GlobalSet(GlobalId(1), made));
    let list = b.op(Type::List(Box::new(record)), Op::MakeList(vec![made, made]));
    let x = b.op(Type::FLOAT, Op::GetField { arg: made, field: 1 });
    let func = b.finish(&mut module, &[list, x, more]);
    let mut run = Run::new(module);
    run.globals = vec![Value::Int(41), Value::None];
    let results = run.both(func, &[1.5.into()]).unwrap();
    assert_eq!(bits(&results[2]), "Int(42)");
    assert_eq!(bits(&results[1]), bits(&Value::F64(1.5)));
}

#[test]
fn conversions_and_index_checks_agree_at_the_edges() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("truncate", &[Type::FLOAT]);
    let result = b.elem(ScalarOp::Cast(DType::I64), &[params[0]]);
    let func = b.finish(&mut module, &[result]);
    let run = Run::new(module);
    let edge = 2f64.powi(63);
    for x in [0.0, -0.9, 1e18, -edge, f64::from_bits(edge.to_bits() - 1)] {
        assert_eq!(run.int(func, &[x.into()]), x as i64);
    }
    for x in [edge, -edge * 1.001, f64::NAN, f64::INFINITY] {
        assert_eq!(run.fault(func, &[x.into()]).0, "R005");
    }
}

/// An endless loop inside an endless loop: the inner one must look at the flag itself.
#[test]
fn an_inner_loop_can_be_interrupted() {
    use locus::exec::{Engine, Oracle};
    let mut module = Module::default();
    let (mut b, params) = Build::new("forever", &[Type::INT]);
    let (outer, inner) = (b.local(Type::INT), b.local(Type::INT));
    let yes = |b: &mut Build| b.block(|b| vec![b.op(Type::BOOL, Op::Const(Const::Bool(true)))]);
    let test = yes(&mut b);
    let body = b.block(|b| {
        let test = yes(b);
        let body = b.block(|_| vec![inner]);
        vec![b.op(Type::INT, Op::While { carried: vec![Carried { param: inner, init: outer }], test, body })]
    });
    let carried = vec![Carried { param: outer, init: params[0] }];
    let dest = b.many(&[Type::INT], Op::While { carried, test, body });
    let func = b.finish(&mut module, &dest);
    for engine in [&mut Oracle as &mut dyn Engine, &mut locus::jit::Jit::new()] {
        let mut ctx = context();
        let flag = ctx.interrupt.clone();
        let pressed = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let fault = engine.call(&module, func, vec![Value::Int(1)], &mut Vec::new(), &mut ctx).expect_err("a fault");
        assert_eq!(fault.error.code, "R013");
        pressed.join().unwrap();
    }
}

/// `x = x * 2` a few times, each product dropped at its last use: no engine needs more memory than the first tensor.
#[test]
fn what_nobody_else_holds_is_changed_in_place() {
    use locus::exec::{Engine, Oracle};
    let row = axis("row");
    let ty = vector(Elem::F32, &[row]);
    let mut module = Module::default();
    let (mut b, params) = Build::new("doubled", &[ty.clone(), Type::INT]);
    let two = b.op(Type::F32, Op::Const(Const::F32(2.0)));
    let zero = b.int(0);
    let (var, x) = (b.local(Type::INT), b.local(ty.clone()));
    let body = b.block(|b| {
        let next = b.elem(ScalarOp::Mul, &[x, two]);
        b.effect(Op::Drop(x));
        vec![next]
    });
    let carried = vec![Carried { param: x, init: params[0] }];
    let dest = b.many(&[ty], Op::For { var, lo: zero, hi: params[1], carried, body });
    b.effect(Op::Drop(params[0]));
    let func = b.finish(&mut module, &dest);
    let address = |value: &Value| match value {
        Value::Tensor(tensor) => tensor.raw::<f32>().map(|values| values.as_ptr()),
        _ => None,
    };
    for engine in [&mut Oracle as &mut dyn Engine, &mut locus::jit::Jit::new()] {
        let args = vec![tensor(&[(row, 100)], &[1.5f32; 100]), Value::Int(3)];
        let before = address(&args[0]);
        let results = engine.call(&module, func, args, &mut Vec::new(), &mut context()).unwrap();
        assert_eq!(address(&results[0]), before);
        assert_eq!(bits(&results[0]), bits(&tensor(&[(row, 100)], &[12.0f32; 100])));
    }
}

/// Branches may hand on what lies outside them, and may take what is dropped right after.
#[test]
fn branches_hand_on_lists() {
    let list = Type::List(Box::new(Type::INT));
    let mut module = Module::default();
    let (mut b, params) = Build::new("choose", &[Type::BOOL, list.clone(), list.clone()]);
    let then = b.block(|_| vec![params[1], params[1]]);
    let other = b.block(|b| {
        let copy = b.op(list.clone(), Op::Copy(params[2]));
        vec![copy, params[1]]
    });
    let dest = b.many(&[list.clone(), list.clone()], Op::If { cond: params[0], then, other });
    b.effect(Op::Drop(params[1]));
    let both = b.op(Type::List(Box::new(list)), Op::MakeList(dest));
    let func = b.finish(&mut module, &[both, params[2]]);
    let run = Run::new(module);
    let items = |xs: &[i64]| Value::List(Items::new(xs.iter().map(|&x| Value::Int(x)).collect()));
    for (flag, wanted) in [(true, "Int(1);Int(1)"), (false, "Int(3);Int(1)")] {
        let results = run.both(func, &[flag.into(), items(&[1]), items(&[3])]).unwrap();
        assert_eq!((bits(&results[0]).as_str(), bits(&results[1]).as_str()), (wanted, "Int(3)"));
    }
}

#[test]
fn texts_are_compared_and_chosen() {
    let mut module = Module::default();
    let (mut b, params) = Build::new("texts", &[Type::Str, Type::Str]);
    let less = b.op(Type::BOOL, Op::Elem { op: ScalarOp::Lt, args: params.clone() });
    let chosen = b.op(Type::Str, Op::Elem { op: ScalarOp::Where, args: vec![less, params[0], params[1]] });
    let same = b.op(Type::Str, Op::Const(Const::Str("b".into())));
    let equal = b.op(Type::BOOL, Op::Elem { op: ScalarOp::Eq, args: vec![chosen, same] });
    let func = b.finish(&mut module, &[chosen, equal]);
    let results = Run::new(module).both(func, &[Value::Str("c".into()), Value::Str("b".into())]).unwrap();
    assert_eq!((bits(&results[0]), bits(&results[1])), ("Str(\"b\")".into(), "Bool(true)".into()));
}

#[test]
fn dumps_say_what_the_sites_do() {
    let mut module = Module::default();
    let fib = fib(&mut module);
    let clif = locus::jit::dump(&module, fib, false).unwrap();
    assert!(clif.contains("; site 1 at 5: interrupt") && clif.contains("; site 2 at 5: too deep"), "{clif}");
    assert!(clif.contains("is locus_execute"), "{clif}");
    assert!(clif.contains("ssub_overflow"), "{clif}");
    assert_eq!(clif, locus::jit::dump(&module, fib, false).unwrap());
    assert!(locus::jit::dump(&module, fib, true).unwrap().contains("block0:"));
}
