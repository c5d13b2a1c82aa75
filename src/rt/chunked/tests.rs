//! Tiles in memory, in the store, and made anew are the same tensor.

use super::*;
use crate::rt::sparse::{Pattern, Sparse};
use crate::rt::testing::{ALL_TYPES, Dice, axes};

/// A tensor cut along its second axis, as parts that were appended.
fn appended(t: &Tensor, axis: Axis, step: usize) -> Chunked {
    let len = t.len(axis).unwrap();
    let part = |lo: usize| {
        let hi = (lo + step).min(len);
        Value::Tensor(index::slice(t, axis, axis, lo as i64, hi as i64).unwrap())
    };
    let mut made = Chunked::begin(axis, len, part(0)).unwrap();
    (step..len).step_by(step).for_each(|at| made.append(at, part(at)).unwrap());
    made
}

fn listed(t: &Tensor, order: &[Axis]) -> Vec<f64> {
    t.to_f64(order).unwrap()
}

#[test]
fn what_was_cut_is_put_together_again() {
    let [a, b, c] = axes(["a", "b", "c"]);
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let shape = [(a, 1 + dice.below(4)), (b, 5 + dice.below(20)), (c, 1 + dice.below(5))];
        let t = dice.tensor(ALL_TYPES[seed as usize % 4], &shape);
        let cut = appended(&t, b, 1 + dice.below(6));
        for spilled in [false, true] {
            if spilled {
                cut.tiles.iter().for_each(|tile| tile.spill().unwrap());
            }
            assert_eq!(listed(&cut.whole().unwrap(), &[a, b, c]), listed(&t, &[a, b, c]));
            let (lo, hi) = (dice.below(shape[1].1), shape[1].1);
            let Value::Tensor(part) = cut.range(lo, hi).unwrap() else { panic!("no tensor") };
            let wanted = index::slice(&t, b, b, lo as i64, hi as i64).unwrap();
            assert_eq!(listed(&part, &[a, b, c]), listed(&wanted, &[a, b, c]));
            let Value::Tensor(none) = cut.range(hi, hi).unwrap() else { panic!("no tensor") };
            assert_eq!(none.len(b).unwrap(), 0);
        }
    }
}

#[test]
fn rows_come_in_the_order_asked_for() {
    let [a, b, c, drawn] = axes(["a", "b", "c", "drawn"]);
    let mut dice = Dice::new(7);
    let t = dice.tensor(DType::F32, &[(a, 3), (b, 23), (c, 4)]);
    let cut = Arc::new(appended(&t, b, 5));
    let places = Tensor::from_slice(&[(drawn, 6)], &[22i64, 0, 7, 7, 13, 4]).unwrap();
    let wanted = index::gather(&t, b, &places).unwrap();
    let by_rows = cut.by_rows().unwrap();
    by_rows.tiles.iter().for_each(|tile| tile.spill().unwrap());
    for source in [&*cut, &by_rows] {
        assert_eq!(listed(&source.rows(&places).unwrap(), &[a, drawn, c]), listed(&wanted, &[a, drawn, c]));
    }
    let beyond = Tensor::from_slice(&[(drawn, 2)], &[0i64, 23]).unwrap();
    assert_eq!(cut.rows(&beyond).unwrap_err().code, code::BOUNDS);
}

#[test]
fn a_tile_that_was_away_has_the_layout_it_had() {
    let [a, b] = axes(["a", "b"]);
    let t = Dice::new(3).tensor(DType::F64, &[(a, 6), (b, 4)]);
    let turned = Tensor { dims: vec![t.dims[1], t.dims[0]], ..t.clone() };
    let cut = appended(&turned, a, 2);
    let layout = |value: &Value| match value {
        Value::Tensor(tensor) => (tensor.dims.clone(), tensor.offset),
        _ => panic!("no tensor"),
    };
    let before = layout(&cut.tile(1).unwrap());
    cut.tiles[1].spill().unwrap();
    assert_eq!(layout(&cut.tile(1).unwrap()), before);
}

#[test]
fn sparse_tiles_come_back_sparse() {
    let [a, f] = axes(["a", "f"]);
    let dim = |axis, len, stride| Dim { axis, len, stride, origin: Default::default() };
    let pattern = Pattern { starts: vec![0, 2, 3], index: Aligned::from_slice(&[1u32, 5, 2]) };
    let values = f32::wrap(Aligned::from_slice(&[1.5f32, -2.0, 3.0]));
    let sparse = Sparse { rows: vec![dim(a, 2, 1)], along: dim(f, 8, 1), pattern: Arc::new(pattern), values };
    let cut = Chunked::begin(a, 2, Value::Sparse(Arc::new(sparse))).unwrap();
    cut.tiles[0].spill().unwrap();
    let Value::Sparse(back) = cut.tile(0).unwrap() else { panic!("not sparse") };
    assert_eq!((&back.pattern.starts[..], &back.pattern.index[..]), (&[0, 2, 3][..], &[1u32, 5, 2][..]));
    assert!(matches!(&back.values, super::super::tensor::Buffer::F32(values) if values[..] == [1.5, -2.0, 3.0]));
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let [a, b] = axes(["a", "b"]);
    let part = |rows: usize, width: usize| Value::Tensor(Tensor::zeros(DType::F32, &[(a, rows), (b, width)]).unwrap());
    let mut cut = Chunked::begin(a, 7, part(3, 2)).unwrap();
    assert!(
        cut.append(3, part(3, 4)).is_err() && cut.append(4, part(3, 2)).is_err() && cut.append(3, part(2, 2)).is_err()
    );
    cut.append(3, part(3, 2)).unwrap();
    cut.append(6, part(1, 2)).unwrap();
    assert_eq!((cut.count(), cut.whole().unwrap().elements()), (3, 14));
}
