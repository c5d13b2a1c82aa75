//! Kernels against a naive evaluation over random shapes and strides; memory reuse; faults; threads.

use super::*;
use crate::base::axis::Axis;
use crate::base::kernel::Step;
use crate::base::ops::{DType, ScalarOp};
use crate::rt::tensor::Aligned;
use std::collections::BTreeMap;

fn axis(name: &str) -> Axis {
    Axis::named("elementwise_test", name)
}

fn kernel(inputs: &[DType], scalar: &[bool], steps: &[(ScalarOp, &[u32])], outputs: &[u32]) -> Kernel {
    let mut kernel = Kernel { inputs: inputs.to_vec(), scalar: scalar.to_vec(), ..Kernel::default() };
    for (op, args) in steps {
        let types: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
        kernel.steps.push(Step { op: *op, args: args.to_vec(), result: op.result(&types) });
    }
    kernel.outputs = outputs.to_vec();
    kernel
}

fn binary(op: ScalarOp, dtype: DType) -> Kernel {
    kernel(&[dtype; 2], &[false; 2], &[(op, &[0, 1])], &[2])
}

/// A small generator of test data.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % below
    }
}

/// A tensor over a random choice of the axes, its dims shuffled, sometimes repeated or cut out of a larger one.
fn random_view(dice: &mut Dice, sizes: &[(Axis, usize)]) -> Tensor {
    let mut chosen: Vec<(Axis, usize)> = sizes.iter().copied().filter(|_| dice.roll(4) > 0).collect();
    for i in (1..chosen.len()).rev() {
        chosen.swap(i, dice.roll(i + 1));
    }
    let grown: Vec<(Axis, usize)> = chosen.iter().map(|&(axis, len)| (axis, len + dice.roll(2))).collect();
    let count: usize = grown.iter().map(|(_, len)| len).product();
    let values: Vec<f32> = (0..count.max(1)).map(|_| dice.roll(1000) as f32 / 100.0 - 5.0).collect();
    let mut tensor = Tensor {
        dims: dense_dims(&grown),
        offset: 0,
        buffer: <f32 as crate::rt::tensor::Element>::wrap(Aligned::from_slice(&values)),
    };
    for (dim, &(_, len)) in tensor.dims.iter_mut().zip(&chosen) {
        tensor.offset += (dim.len - len) * dim.stride as usize;
        dim.len = len;
        if dice.roll(6) == 0 {
            dim.stride = 0;
        }
    }
    for i in (1..tensor.dims.len()).rev() {
        tensor.dims.swap(i, dice.roll(i + 1));
    }
    tensor
}

/// The element at a place given by axis.
fn at(tensor: &Tensor, place: &BTreeMap<Axis, usize>) -> f32 {
    let index: isize = tensor.dims.iter().map(|dim| place[&dim.axis] as isize * dim.stride).sum();
    tensor.raw::<f32>().expect("f32")[(tensor.offset as isize + index) as usize]
}

fn places(dims: &[Dim]) -> Vec<BTreeMap<Axis, usize>> {
    let mut out = vec![BTreeMap::new()];
    for dim in dims {
        out = out
            .into_iter()
            .flat_map(|place| {
                (0..dim.len).map(move |i| {
                    let mut place = place.clone();
                    place.insert(dim.axis, i);
                    place
                })
            })
            .collect();
    }
    out
}

fn tensors(values: Vec<Value>) -> Vec<Tensor> {
    values.into_iter().map(|value| tensor(&value).cloned().expect("a tensor")).collect()
}

#[test]
fn random_shapes_and_strides_agree_with_naive_loops() {
    let axes = [axis("a"), axis("b"), axis("c"), axis("d")];
    // x * y - s and x > y, with x and y broadcast against each other.
    let steps: [(ScalarOp, &[u32]); 3] = [(ScalarOp::Mul, &[0, 1]), (ScalarOp::Sub, &[3, 2]), (ScalarOp::Gt, &[0, 1])];
    let kernel = kernel(&[DType::F32; 3], &[false, false, true], &steps, &[4, 5]);
    let mut dice = Dice(1);
    for round in 0..300 {
        let long = if round % 10 == 0 { 1500 } else { 9 };
        let sizes: Vec<(Axis, usize)> =
            axes.iter().enumerate().map(|(i, &axis)| (axis, 1 + dice.roll(if i == 2 { long } else { 6 }))).collect();
        let (x, y) = (random_view(&mut dice, &sizes), random_view(&mut dice, &sizes));
        if x.rank() == 0 || y.rank() == 0 {
            continue;
        }
        let args = vec![Value::Tensor(x.clone()), Value::Tensor(y.clone()), Value::F64(0.25)];
        let out = tensors(run(&kernel, None, args).expect("fits"));
        let flags = out[1].as_dense::<u8>().expect("dense");
        assert!(out[0].is_dense());
        assert_eq!(out[0].rank(), union_shape(&[&x, &y]).expect("fits").len());
        for (number, place) in places(&out[0].dims).iter().enumerate() {
            let (a, b) = (at(&x, place), at(&y, place));
            assert_eq!(at(&out[0], place), a * b - 0.25, "round {round} at {place:?}");
            assert_eq!(flags[number] != 0, a > b);
        }
    }
}

fn line(values: &[f32]) -> Tensor {
    Tensor::from_slice(&[(axis("a"), values.len())], values).expect("fits")
}

#[test]
fn two_lengths_are_refused() {
    let (x, y) = (line(&[1.0, 2.0]), line(&[1.0]));
    let error = run(&binary(ScalarOp::Add, DType::F32), None, vec![x.into(), y.into()]).expect_err("lengths differ");
    assert_eq!(error.code, code::SIZE);
}

#[test]
fn misfits_are_our_fault() {
    let add = binary(ScalarOp::Add, DType::F32);
    let code_of = |args| run(&add, None, args).expect_err("misfit").code;
    assert_eq!(code_of(vec![Value::F32(1.0), Value::F32(2.0)]), code::INTERNAL);
    assert_eq!(code_of(vec![line(&[1.0]).into()]), code::INTERNAL);
    let ints = Tensor::from_slice(&[(axis("a"), 1)], &[1i64]).expect("fits");
    assert_eq!(code_of(vec![line(&[1.0]).into(), ints.into()]), code::INTERNAL);
    for bad in [
        kernel(&[DType::F32], &[false], &[(ScalarOp::And, &[0, 0])], &[1]),
        Kernel { outputs: vec![7], ..kernel(&[DType::F32], &[false], &[], &[0]) },
    ] {
        assert_eq!(run(&bad, None, vec![line(&[1.0]).into()]).expect_err("malformed").code, code::INTERNAL);
    }
}

#[test]
fn unshared_memory_is_used_again_and_shared_memory_is_not() {
    let add = binary(ScalarOp::Add, DType::F32);
    let (x, y) = (line(&[1.0, 2.0]), line(&[10.0, 20.0]));
    let kept = y.clone();
    let place = x.as_dense::<f32>().expect("dense").as_ptr();
    let out = tensors(run(&add, None, vec![x.into(), y.into()]).expect("fits"));
    assert_eq!(out[0].as_dense::<f32>(), Some(&[11.0, 22.0][..]));
    assert_eq!(out[0].as_dense::<f32>().expect("dense").as_ptr(), place);
    assert_eq!(kept.as_dense::<f32>(), Some(&[10.0, 20.0][..]));
    // Twice the same tensor: shared with itself.
    let out = tensors(run(&add, None, vec![kept.clone().into(), kept.clone().into()]).expect("fits"));
    assert_eq!(out[0].as_dense::<f32>(), Some(&[20.0, 40.0][..]));
    assert_eq!(kept.as_dense::<f32>(), Some(&[10.0, 20.0][..]));
}

#[test]
fn several_outputs_may_reuse_several_arguments() {
    // Outputs x + y and x - y in the memory of x and y.
    let both = kernel(&[DType::F32; 2], &[false; 2], &[(ScalarOp::Add, &[0, 1]), (ScalarOp::Sub, &[0, 1])], &[2, 3, 0]);
    let n = 200_000;
    let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let y: Vec<f32> = (0..n).map(|i| (i % 7) as f32).collect();
    let out = tensors(run(&both, None, vec![line(&x).into(), line(&y).into()]).expect("fits"));
    for i in 0..n {
        assert_eq!(out[0].as_dense::<f32>().expect("dense")[i], x[i] + y[i]);
        assert_eq!(out[1].as_dense::<f32>().expect("dense")[i], x[i] - y[i]);
        assert_eq!(out[2].as_dense::<f32>().expect("dense")[i], x[i]);
    }
}

#[test]
fn threads_do_not_matter() {
    let chain: [(ScalarOp, &[u32]); 4] =
        [(ScalarOp::Mul, &[0, 1]), (ScalarOp::Exp, &[2]), (ScalarOp::Sin, &[3]), (ScalarOp::Div, &[4, 0])];
    let kernel = kernel(&[DType::F32; 2], &[false; 2], &chain, &[5]);
    let wide: Vec<f32> = (0..300 * 700).map(|i| (i as f32 * 0.37).sin()).collect();
    let make = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let x = Tensor::from_slice(&[(axis("a"), 300), (axis("b"), 700)], &wide).expect("fits");
        let y = Tensor::from_slice(&[(axis("b"), 700)], &wide[..700]).expect("fits");
        let out = pool.install(|| run(&kernel, None, vec![x.into(), y.into()]).expect("fits"));
        tensors(out)[0].as_dense::<f32>().expect("dense").iter().map(|x| x.to_bits()).collect::<Vec<u32>>()
    };
    assert_eq!(make(1), make(3));
}

#[test]
fn compiled_code_sees_contiguous_tiles_and_single_scalars() {
    let steps: [(ScalarOp, &[u32]); 2] = [(ScalarOp::Add, &[0, 1]), (ScalarOp::Mul, &[3, 2])];
    let kernel = kernel(&[DType::F32; 3], &[false, false, true], &steps, &[4]);
    let code = crate::rt::simd::scaled_sum();
    let mut dice = Dice(5);
    for round in 0..60 {
        let sizes: Vec<(Axis, usize)> = ["a", "b", "c"]
            .iter()
            .map(|name| (axis(name), 1 + dice.roll(if round % 4 == 0 { 60 } else { 5 })))
            .collect();
        let (x, y) = (random_view(&mut dice, &sizes), random_view(&mut dice, &sizes));
        if x.rank() == 0 || y.rank() == 0 {
            continue;
        }
        // Copies are unshared, so that one of them may be overwritten.
        let make = |code| {
            let (x, y) = (x.copied().expect("fits"), y.clone());
            tensors(run(&kernel, code, vec![x.into(), y.into(), Value::F32(0.3)]).expect("fits")).remove(0)
        };
        let (compiled, interpreted) = (make(Some(code)), make(None));
        assert_eq!(compiled.dims, interpreted.dims);
        assert_eq!(compiled.as_dense::<f32>(), interpreted.as_dense::<f32>());
    }
}

#[test]
fn empty_axes_give_empty_results() {
    let x = Tensor::zeros(DType::F32, &[(axis("a"), 0), (axis("b"), 3)]).expect("fits");
    let y = Tensor::zeros(DType::F32, &[(axis("b"), 3)]).expect("fits");
    let out = tensors(run(&binary(ScalarOp::Add, DType::F32), None, vec![y.into(), x.into()]).expect("fits"));
    assert_eq!((out[0].elements(), out[0].rank()), (0, 2));
}

#[test]
fn integer_faults_are_found() {
    let ints = |values: &[i64]| Value::from(Tensor::from_slice(&[(axis("a"), values.len())], values).expect("fits"));
    let outcome = |op, a: &[i64], b: &[i64]| {
        run(&binary(op, DType::I64), None, vec![ints(a), ints(b)])
            .map(|out| tensors(out)[0].as_dense::<i64>().expect("dense").to_vec())
    };
    assert_eq!(outcome(ScalarOp::Rem, &[-1, 7, -7, i64::MIN], &[3, -3, -3, -1]), Ok(vec![2, -2, -1, 0]));
    assert_eq!(outcome(ScalarOp::IntDiv, &[-1, 7, -7, 6], &[3, -3, -3, -3]), Ok(vec![-1, -3, 2, -2]));
    assert_eq!(outcome(ScalarOp::Pow, &[2, -3, 0], &[62, 3, 0]), Ok(vec![1 << 62, -27, 1]));
    let faulty: [(ScalarOp, &[i64], &[i64]); 7] = [
        (ScalarOp::Add, &[1, i64::MAX], &[1, 1]),
        (ScalarOp::Sub, &[1, i64::MIN], &[1, 1]),
        (ScalarOp::Mul, &[1, 1 << 62], &[1, 2]),
        (ScalarOp::IntDiv, &[1, 1], &[1, 0]),
        (ScalarOp::IntDiv, &[1, i64::MIN], &[1, -1]),
        (ScalarOp::Rem, &[1, 1], &[1, 0]),
        (ScalarOp::Pow, &[2, 2], &[1, -1]),
    ];
    for (op, a, b) in faulty {
        assert_eq!(outcome(op, a, b).expect_err("a fault").code, code::ARITHMETIC, "{op:?}");
    }
}

#[test]
fn every_operation_agrees_with_its_scalar() {
    use crate::base::ops::ALL;
    let floats: [f64; 8] = [-2.5, -1.0, -0.0, 0.5, 1.0, 2.0, 3.75, 1e10];
    let ints: [i64; 8] = [-7, -2, -1, 1, 2, 3, 5, 9];
    for &op in ALL {
        for dtype in [DType::F32, DType::F64, DType::I64, DType::Bool] {
            let types = if op == ScalarOp::Where { vec![DType::Bool, dtype, dtype] } else { vec![dtype; op.arity()] };
            if !steps::accepts(op, &types) {
                continue;
            }
            let pick = |dtype, i: usize| match dtype {
                DType::F32 => Value::F32(floats[i] as f32),
                DType::F64 => Value::F64(floats[i]),
                DType::I64 => Value::Int(ints[i]),
                DType::Bool => Value::Bool(i.is_multiple_of(3)),
            };
            let numbers: Vec<u32> = (0..types.len() as u32).collect();
            let kernel = kernel(&types, &vec![false; types.len()], &[(op, &numbers)], &[types.len() as u32]);
            for i in 0..8 {
                let scalars: Vec<Value> = types.iter().enumerate().map(|(n, &it)| pick(it, (i + 3 * n) % 8)).collect();
                let lifted: Vec<Value> = scalars.iter().map(lift).collect();
                let (one, many) = (scalar(op, &scalars), run(&kernel, None, lifted));
                match (one, many) {
                    (Ok(one), Ok(many)) => {
                        let many = tensors(many)[0].copied().expect("fits");
                        let many = Tensor { dims: Vec::new(), ..many }.scalar();
                        assert_eq!(format!("{one:?}"), format!("{many:?}"), "{op:?} of {scalars:?}");
                    }
                    (Err(one), Err(many)) => assert_eq!(one.code, many.code),
                    (one, many) => {
                        let by_zero = matches!(op, ScalarOp::Div | ScalarOp::IntDiv | ScalarOp::Rem) && one.is_err();
                        assert!(by_zero, "{op:?} of {scalars:?}: {one:?} but {many:?}");
                    }
                }
            }
        }
    }
}

/// The scalar as a tensor of one element.
fn lift(value: &Value) -> Value {
    let axes = [(axis("a"), 1)];
    let made = match value {
        Value::F32(x) => Tensor::from_slice(&axes, &[*x]),
        Value::F64(x) => Tensor::from_slice(&axes, &[*x]),
        Value::Int(x) => Tensor::from_slice(&axes, &[*x]),
        Value::Bool(x) => Tensor::from_slice(&axes, &[*x as u8]),
        other => panic!("{other:?} is no number"),
    };
    Value::Tensor(made.expect("fits"))
}

#[test]
fn scalars_are_strict() {
    use Value::*;
    let failing = [
        (ScalarOp::Div, vec![F64(1.0), F64(0.0)]),
        (ScalarOp::Rem, vec![F32(1.0), F32(0.0)]),
        (ScalarOp::Cast(DType::I64), vec![F64(f64::NAN)]),
        (ScalarOp::Cast(DType::I64), vec![F64(9.3e18)]),
        (ScalarOp::Neg, vec![Int(i64::MIN)]),
    ];
    for (op, args) in failing {
        assert_eq!(scalar(op, &args).expect_err("a fault").code, code::ARITHMETIC, "{op:?} {args:?}");
    }
    let shown = |op, args: &[Value]| format!("{:?}", scalar(op, args));
    assert_eq!(
        shown(ScalarOp::Cast(DType::I64), &[F64(i64::MIN as f64)]),
        format!("{:?}", Ok::<_, Error>(Int(i64::MIN)))
    );
    assert_eq!(shown(ScalarOp::Add, &[Int(1), F64(0.5)]), "Ok(F64(1.5))");
    assert_eq!(shown(ScalarOp::Rem, &[F64(-1.0), F64(3.0)]), "Ok(F64(2.0))");
    assert_eq!(shown(ScalarOp::Min, &[F64(f64::NAN), F64(3.0)]), "Ok(F64(NaN))");
    assert_eq!(shown(ScalarOp::Max, &[F64(3.0), F64(f64::NAN)]), "Ok(F64(NaN))");
    assert_eq!(shown(ScalarOp::Lt, &[Str("a".into()), Str("b".into())]), "Ok(Bool(true))");
    assert_eq!(shown(ScalarOp::Where, &[Bool(false), Str("a".into()), Str("b".into())]), "Ok(Str(\"b\"))");
    assert_eq!(scalar(ScalarOp::Add, &[Str("a".into()), Int(1)]).expect_err("no sum").code, code::INTERNAL);
}
