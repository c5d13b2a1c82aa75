//! Every operation against element-by-element loops, over random strides and element types.

use super::*;
use crate::base::ops::DType;
use crate::rt::error::code;
use crate::rt::tensor::Origin;
use crate::rt::testing::{ALL_TYPES, Dice, at, axes, bits, places, same_for_all_threads, value_at};

const ROUNDS: u64 = 60;

fn shape(dice: &mut Dice, axes: &[Axis]) -> Vec<(Axis, usize)> {
    axes.iter().map(|&axis| (axis, 1 + dice.below(5))).collect()
}

#[test]
fn copies_and_orders() {
    let [a, b, c] = axes(["a", "b", "c"]);
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let big = dice.one_in(10);
        let shape: Vec<_> = [a, b, c].iter().map(|&axis| (axis, dice.below(if big { 90 } else { 6 }))).collect();
        for dtype in ALL_TYPES {
            let t = dice.tensor(dtype, &shape);
            let mut order = vec![a, b, c];
            dice.shuffle(&mut order);
            let dense = t.in_order(&order).unwrap();
            assert!(dense.is_dense());
            assert_eq!(dense.dims.iter().map(|dim| dim.axis).collect::<Vec<_>>(), order);
            for place in places(&shape).iter().step_by(if big { 97 } else { 1 }) {
                assert_eq!(at(&dense, place), at(&t, place));
            }
        }
    }
}

#[test]
fn select_slice_rename() {
    let [a, b, c, new] = axes(["a", "b", "c", "new"]);
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, &[a, b, c]);
        let dtype = dice.any_type();
        let t = dice.tensor(dtype, &shape);
        let i = dice.below(shape[1].1);
        let picked = select(&t, b, i as i64).unwrap();
        let lo = dice.below(shape[1].1 + 1);
        let hi = lo + dice.below(shape[1].1 - lo + 1);
        let part = slice(&t, b, new, lo as i64, hi as i64).unwrap();
        assert_eq!(part.len(new).unwrap(), hi - lo);
        let renamed = rename(&t, b, new).unwrap();
        for place in places(&shape) {
            let mut here = place.clone();
            here[1].1 = i;
            assert_eq!(value_at(&picked, &place), at(&t, &here));
            let j = place[1].1;
            assert_eq!(at(&renamed, &[place[0], (new, j), place[2]]), at(&t, &place));
            if lo <= j && j < hi {
                assert_eq!(at(&part, &[place[0], (new, j - lo), place[2]]), at(&t, &place));
            }
        }
        // Empty parts of empty parts stay inside the buffer.
        let none = slice(&slice(&t, b, b, lo as i64, lo as i64).unwrap(), a, a, shape[0].1 as i64, shape[0].1 as i64);
        assert_eq!(none.unwrap().copied().unwrap().elements(), 0);
    }
}

#[test]
fn selecting_every_axis_gives_a_scalar() {
    let [a] = axes(["a"]);
    let t = Tensor::from_slice(&[(a, 3)], &[1.5f32, 2.5, 3.5]).unwrap();
    assert!(matches!(select(&t, a, 2), Ok(Value::F32(3.5))));
}

#[test]
fn errors_name_axis_index_and_length() {
    let [a, b] = axes(["pos", "part"]);
    let t = Tensor::from_slice(&[(a, 3)], &[1i64, 2, 3]).unwrap();
    for wrong in [-1, 3, i64::MAX, i64::MIN] {
        let error = select(&t, a, wrong).unwrap_err();
        assert_eq!(error.code, code::BOUNDS);
        assert_eq!(error.message, format!("index {wrong} is outside axis `pos`, which has length 3"));
        let idx = Tensor::from_slice(&[(b, 3)], &[0, wrong, -7]).unwrap();
        assert_eq!(gather(&t, a, &idx).unwrap_err(), error);
        let found = scatter_add(&Value::from(t.clone()), b, &Value::Int(wrong), 3, &[]).unwrap_err();
        assert_eq!(found.code, code::BOUNDS);
    }
    for (lo, hi) in [(-1, 2), (2, 1), (0, 4), (4, 4)] {
        assert_eq!(slice(&t, a, b, lo, hi).unwrap_err().code, code::BOUNDS);
    }
    assert_eq!(expand(&Value::Int(1), a, -1).unwrap_err().code, code::ARGUMENT);
    assert_eq!(pad(&t, a, b, 2, 4).unwrap_err().code, code::BOUNDS);
}

#[test]
fn sizes_that_differ_name_both_origins() {
    let [a] = axes(["pos"]);
    let make = |n: usize, origin: &str| {
        let t = Tensor::from_slice(&[(a, n)], &vec![0f32; n]).unwrap();
        Value::from(if origin.is_empty() { t } else { t.with_origin(Origin::new(origin)) })
    };
    let (x, y, z) = (make(3, ""), make(3, "input `left`"), make(4, "input `right`"));
    assert_eq!(size_of(&[&x, &Value::Int(3), &y], a).unwrap(), 3);
    let error = size_of(&[&x, &y, &z], a).unwrap_err();
    assert_eq!(error.code, code::SIZE);
    assert_eq!(error.notes[0].1, "pos = 3, from input `left`");
    assert_eq!(error.notes[1].1, "pos = 4, from input `right`");
    assert_eq!(stack(&[y.clone(), z.clone()], axes(["k"])[0]).unwrap_err().code, code::SIZE);
    assert_eq!(stack(&[], a).unwrap_err().code, code::ARGUMENT);
    assert_eq!(concat(&[y, z], a).unwrap().len(a).unwrap(), 7);
}

#[test]
fn merge_and_split_are_inverse() {
    let [a, b, c, m] = axes(["a", "b", "c", "m"]);
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, &[a, b, c]);
        let lens = [shape[2].1, shape[0].1];
        let dtype = dice.any_type();
        let t = dice.tensor(dtype, &shape);
        let merged = merge(&t, &[c, a], m).unwrap();
        let open = if dice.one_in(2) { [-1, lens[1] as i64] } else { [lens[0] as i64, -1] };
        let back = split(&merged, m, &[c, a], &open).unwrap();
        for place in places(&shape) {
            let number = place[2].1 * shape[0].1 + place[0].1;
            assert_eq!(at(&merged, &[(b, place[1].1), (m, number)]), at(&t, &place));
            assert_eq!(at(&back, &place), at(&t, &place));
        }
    }
    let t = Tensor::from_slice(&[(a, 2), (b, 6)], &[0f32; 12]).unwrap();
    assert_eq!(split(&t, b, &[c, m], &[4, -1]).unwrap_err().code, code::SIZE);
    assert_eq!(split(&t, b, &[c, m], &[2, 2]).unwrap_err().code, code::SIZE);
    assert_eq!(split(&t, b, &[c, m], &[0, -1]).unwrap_err().code, code::SIZE);
    assert_eq!(split(&t, b, &[c, m], &[-1, -1]).unwrap_err().code, code::ARGUMENT);
    assert_eq!(split(&t, b, &[c, m], &[-2, -3]).unwrap_err().code, code::ARGUMENT);
    assert_eq!(split(&t, b, &[c, m], &[i64::MAX, i64::MAX]).unwrap_err().code, code::SIZE);
}

#[test]
fn gather_lines_up_shared_axes() {
    let [a, b, c, k, l] = axes(["a", "b", "c", "k", "l"]);
    for seed in 0..4 * ROUNDS {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, &[a, b, c]);
        let dtype = dice.any_type();
        let t = dice.tensor(dtype, &shape);
        // `b` is chosen from; the indices may have it too, as a new axis.
        let mut over: Vec<(Axis, usize)> = Vec::new();
        for (axis, len) in [(a, shape[0].1), (k, 3), (l, 2), (b, 4), (c, shape[2].1)] {
            if dice.one_in(2) {
                over.push((axis, len));
            }
        }
        if over.is_empty() {
            continue;
        }
        let idx = dice.indices(shape[1].1, &over);
        let found = gather(&t, b, &idx).unwrap();
        let mut all = over.clone();
        all.extend(shape.iter().filter(|(axis, _)| *axis != b && !over.iter().any(|o| o.0 == *axis)));
        assert_eq!(found.elements(), all.iter().map(|x| x.1).product::<usize>());
        for place in places(&all) {
            let index = at(&idx, &place) as usize;
            let mut source: Vec<_> = place.iter().copied().filter(|p| p.0 != b).collect();
            source.push((b, index));
            assert_eq!(at(&found, &place), at(&t, &source));
        }
    }
}

#[test]
fn scatter_add_is_the_adjoint_of_gather() {
    let [a, c, k, l, v] = axes(["a", "c", "k", "l", "v"]);
    for seed in 0..4 * ROUNDS {
        let mut dice = Dice::new(seed);
        let lens = [(a, 1 + dice.below(4)), (c, 1 + dice.below(4)), (k, 1 + dice.below(6)), (l, 2)];
        let dtype = ALL_TYPES[dice.below(3)];
        let arg = dice.tensor(dtype, &lens);
        let (mut over, mut own) = (Vec::new(), Vec::new());
        for &(axis, len) in &lens {
            if dice.one_in(2) {
                over.push((axis, len));
                if axis != a {
                    own.push(axis);
                }
            }
        }
        let size = 1 + dice.below(5);
        let index = match over.is_empty() {
            true => Value::Int(dice.below(size) as i64),
            false => Value::from(dice.indices(size, &over)),
        };
        let found = scatter_add(&Value::from(arg.clone()), v, &index, size as i64, &own).unwrap();
        let kept: Vec<_> = lens.iter().copied().filter(|(axis, _)| !own.contains(axis)).chain([(v, size)]).collect();
        let summed: Vec<_> = lens.iter().copied().filter(|(axis, _)| own.contains(axis)).collect();
        for place in places(&kept) {
            let mut expected = 0.0;
            for inner in places(&summed) {
                let full: Vec<_> = place.iter().chain(&inner).copied().collect();
                let target = place.last().unwrap().1;
                if value_at(&index, &full) as usize == target {
                    expected += at(&arg, &full);
                }
            }
            assert!((at(&found, &place) - expected).abs() < 1e-5, "{place:?}");
        }
    }
}

#[test]
fn scatter_add_has_the_same_bits_for_all_threads() {
    let [p, d, v] = axes(["p", "d", "v"]);
    let mut dice = Dice::new(1);
    let arg = Value::from(dice.dense(DType::F32, &[(p, 5000), (d, 24)]));
    let index = Value::from(dice.indices(300, &[(p, 5000)]));
    same_for_all_threads(|| bits(&Value::from(scatter_add(&arg, v, &index, 300, &[p]).unwrap())));
    let wide = Value::from(dice.dense(DType::F32, &[(p, 5000)]));
    same_for_all_threads(|| bits(&Value::from(scatter_add(&wide, v, &index, 300, &[]).unwrap())));
}

#[test]
fn integer_sums_that_overflow_are_errors() {
    let [p, v] = axes(["p", "v"]);
    let arg = Value::from(Tensor::from_slice(&[(p, 3)], &[i64::MAX, 1, -1]).unwrap());
    let index = |list: &[i64]| Value::from(Tensor::from_slice(&[(p, 3)], list).unwrap());
    assert!(scatter_add(&arg, v, &index(&[0, 0, 0]), 1, &[p]).is_ok());
    assert_eq!(scatter_add(&arg, v, &index(&[0, 0, 1]), 2, &[p]).unwrap_err().code, code::ARITHMETIC);
}

#[test]
fn pad_stack_concat() {
    let [a, b, c, n] = axes(["a", "b", "c", "n"]);
    for seed in 0..ROUNDS {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, &[a, b, c]);
        let dtype = ALL_TYPES[dice.below(4)];
        let mut longer = shape.clone();
        longer[1].1 += 2;
        let (x, y) = (dice.tensor(dtype, &shape), dice.tensor(dtype, &longer));
        let len = shape[1].1;
        let padded = pad(&x, b, n, 2, len as i64 + 3).unwrap();
        let joined = concat(&[Value::from(x.clone()), Value::from(y.clone())], b).unwrap();
        let z = dice.tensor(dtype, &shape);
        let stacked = stack(&[Value::from(x.clone()), Value::from(z.clone())], n).unwrap();
        for place in places(&[shape[0], (b, len + 3), shape[2]]) {
            let (i, mut here) = (place[1].1, place.clone());
            let inside = (2..2 + len).contains(&i);
            here[1] = (b, if inside { i - 2 } else { 0 });
            let expected = if inside { at(&x, &here) } else { 0.0 };
            assert_eq!(at(&padded, &[place[0], (n, i), place[2]]), expected);
        }
        for place in places(&[shape[0], (b, 2 * len + 2), shape[2]]) {
            let i = place[1].1;
            let (source, j) = if i < len { (&x, i) } else { (&y, i - len) };
            assert_eq!(at(&joined, &place), at(source, &[place[0], (b, j), place[2]]));
        }
        for place in places(&shape) {
            for (i, source) in [&x, &z].into_iter().enumerate() {
                let mut here = place.clone();
                here.push((n, i));
                assert_eq!(at(&stacked, &here), at(source, &place));
            }
        }
    }
    let scalars = stack(&[Value::Int(3), Value::Int(5)], n).unwrap();
    assert_eq!(scalars.as_dense::<i64>().unwrap(), [3, 5]);
}
