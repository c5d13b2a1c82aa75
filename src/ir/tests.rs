//! The printed form, and what the checker of the IR refuses.

use super::print::function as print;
use super::verify::verify;
use super::*;
use crate::base::kernel::Step;
use crate::base::ops::DType;

fn axis(name: &str) -> Axis {
    Axis::named("ir tests", name)
}

fn tensor(axes: &[&str]) -> Type {
    Type::Tensor(Elem::F32, axes.iter().map(|name| axis(name)).collect())
}

/// A function of `x: f32[a, b]`, `y: f32[b]`, `n: int`, with further locals 3.. of the types given.
fn function(types: &[Type], stmts: Vec<(Vec<u32>, Op)>, results: &[u32]) -> Function {
    let mut function = Function {
        name: "f".to_string(),
        params: vec![LocalId(0), LocalId(1), LocalId(2)],
        results: Vec::new(),
        locals: Vec::new(),
        body: Block::default(),
        effect: Effect::None,
    };
    let named = [("x", tensor(&["a", "b"])), ("y", tensor(&["b"])), ("n", Type::INT)];
    for (name, ty) in named {
        function.new_local(ty, Some(name.to_string()), Span::default());
    }
    for ty in types {
        function.new_local(ty.clone(), None, Span::default());
    }
    function.results = results.iter().map(|&r| function.ty(LocalId(r)).clone()).collect();
    function.body = block(stmts, results);
    function
}

fn block(stmts: Vec<(Vec<u32>, Op)>, results: &[u32]) -> Block {
    let stmt = |(dest, op): (Vec<u32>, Op)| Stmt { dest: ids(&dest), op, span: Span::default() };
    Block { stmts: stmts.into_iter().map(stmt).collect(), results: ids(results) }
}

fn ids(numbers: &[u32]) -> Vec<LocalId> {
    numbers.iter().map(|&n| LocalId(n)).collect()
}

fn elem(op: ScalarOp, args: &[u32]) -> Op {
    Op::Elem { op, args: ids(args) }
}

fn refusal(function: Function) -> String {
    let mut module = Module::default();
    let id = module.add(function);
    verify(&module, id).unwrap_err()
}

fn text(function: Function) -> String {
    let mut module = Module::default();
    let id = module.add(function);
    verify(&module, id).unwrap();
    print(&module, id)
}

#[test]
fn blocks_print_indented_with_types_where_bound() {
    let body = block(vec![(vec![6], elem(ScalarOp::Add, &[5, 3]))], &[6]);
    let carried = vec![Carried { param: LocalId(5), init: LocalId(3) }];
    let looped = Op::For { var: LocalId(4), lo: LocalId(2), hi: LocalId(2), carried, body };
    let product = Op::Contract { a: LocalId(0), b: LocalId(1), axes: AxisSet::one(axis("b")) };
    let a = tensor(&["a"]);
    let made =
        function(&[a.clone(), Type::INT, a.clone(), a.clone(), a], vec![(vec![3], product), (vec![7], looped)], &[7]);
    let wanted = "\
fn f(x.0: f32[a, b], y.1: f32[b], n.2: int) -> (f32[a]) {
  %3: f32[a] = x.0 @[b] y.1
  %7: f32[a] = for %4: int in n.2..n.2 with %5: f32[a] = %3 {
    %6: f32[a] = add(%5, %3)
    yield %6
  }
  yield %7
}
";
    assert_eq!(text(made), wanted);
}

#[test]
fn kernels_print_their_steps() {
    let kernel = Kernel {
        inputs: vec![DType::F32, DType::F32],
        scalar: vec![false, false],
        steps: vec![Step { op: ScalarOp::Mul, args: vec![0, 1], result: DType::F32 }],
        outputs: vec![2],
    };
    let op = Op::Kernel { kernel: Box::new(kernel), args: ids(&[0, 1]) };
    let made = function(&[tensor(&["a", "b"])], vec![(vec![3], op)], &[3]);
    assert!(text(made).contains("%3: f32[a, b] = kernel(x.0, y.1) { #2 = mul(#0, #1); out #2 }\n"));
}

#[test]
fn names_are_bound_once_and_before_use() {
    let neg = |args: &[u32]| elem(ScalarOp::Neg, args);
    let b = tensor(&["b"]);
    let twice = function(std::slice::from_ref(&b), vec![(vec![3], neg(&[1])), (vec![3], neg(&[1]))], &[3]);
    assert!(refusal(twice).contains("%3 is bound twice"));
    let early = function(&[b.clone(), b.clone()], vec![(vec![3], neg(&[4])), (vec![4], neg(&[1]))], &[3]);
    assert!(refusal(early).contains("%4 is read before it is bound"));
    let absent = function(&[b], vec![(vec![3], neg(&[9]))], &[3]);
    assert!(refusal(absent).contains("%9"));
}

#[test]
fn what_a_block_binds_stays_inside() {
    let b = tensor(&["b"]);
    let then = block(vec![(vec![3], elem(ScalarOp::Neg, &[1]))], &[3]);
    let branch = Op::If { cond: LocalId(5), then, other: block(Vec::new(), &[1]) };
    let cond = (vec![5], elem(ScalarOp::Eq, &[2, 2]));
    let made = function(&[b.clone(), b, Type::BOOL], vec![cond, (vec![4], branch)], &[3]);
    assert!(refusal(made).contains("%3 is read outside its block"));
}

#[test]
fn types_follow_the_rules() {
    let wrong = |ty: Type, op: Op| refusal(function(&[ty], vec![(vec![3], op)], &[3]));
    let added = wrong(tensor(&["b"]), elem(ScalarOp::Add, &[0, 1]));
    assert!(added.contains("the operation gives (f32[a, b]), needed (f32[b])"), "{added}");
    let mixed = wrong(tensor(&["a", "b"]), elem(ScalarOp::Add, &[0, 2]));
    assert!(mixed.contains("add does not take operands [F32, I64]"), "{mixed}");
    let axes = AxisSet::one(axis("a"));
    let product = wrong(tensor(&["b"]), Op::Contract { a: LocalId(0), b: LocalId(1), axes });
    assert!(product.contains("[a] is not in both [a, b] and [b]"), "{product}");
    let renamed = wrong(tensor(&["b"]), Op::Rename { arg: LocalId(0), from: axis("a"), to: axis("b") });
    assert!(renamed.contains("f32[a, b] has the axis b already"), "{renamed}");
    let sized = wrong(Type::INT, Op::SizeOf { args: ids(&[1]), axis: axis("a") });
    assert!(sized.contains("no operand has the axis a"), "{sized}");
    let unit = wrong(Type::Unit, Op::Undef);
    assert!(unit.contains("which no local may have"), "{unit}");
}

#[test]
fn gathers_and_scatters_mirror_each_other() {
    let c = axis("c");
    let index = Type::Tensor(Elem::Index(axis("a")), [axis("b"), c].into_iter().collect());
    let made = function(
        &[index, tensor(&["b", "c"]), tensor(&["a", "b"])],
        vec![
            (vec![3], Op::Undef),
            (vec![4], Op::Gather { arg: LocalId(0), axis: axis("a"), index: LocalId(3) }),
            (
                vec![5],
                Op::ScatterAdd {
                    arg: LocalId(4),
                    axis: axis("a"),
                    index: LocalId(3),
                    size: LocalId(2),
                    own: AxisSet::one(c),
                },
            ),
        ],
        &[5],
    );
    assert!(text(made).contains("scatter_add %4[a: %3, size n.2, own [c]]"));
}

#[test]
fn nothing_is_read_after_its_drop() {
    let drop = |local: u32| (Vec::new(), Op::Drop(LocalId(local)));
    let b = tensor(&["b"]);
    let made = function(std::slice::from_ref(&b), vec![drop(1), (vec![3], elem(ScalarOp::Neg, &[1]))], &[3]);
    assert!(refusal(made).contains("y.1 is read after its drop"));
    let body = block(vec![drop(1)], &[]);
    let looped = Op::For { var: LocalId(3), lo: LocalId(2), hi: LocalId(2), carried: Vec::new(), body };
    let made = function(&[Type::INT], vec![(Vec::new(), looped)], &[]);
    assert!(refusal(made).contains("y.1 is bound outside the loop that drops it"));
}

#[test]
fn a_block_that_always_returns_yields_nothing() {
    let back = |local: u32| block(vec![(Vec::new(), Op::Return(ids(&[local])))], &[]);
    let branch = Op::If { cond: LocalId(3), then: back(2), other: back(2) };
    let mut made = function(&[Type::BOOL], vec![(vec![3], Op::Const(Const::Bool(true))), (Vec::new(), branch)], &[2]);
    made.body.results.clear();
    assert!(text(made).contains("return n.2"));
}
