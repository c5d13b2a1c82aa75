//! Selection against naive sorting, on random rows with many ties, in every stride.

use super::*;

fn axis(name: &str) -> Axis {
    Axis::named("select_test", name)
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % below
    }
}

/// The indices of the k largest, largest first, lowest index first among equals.
fn naive(row: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].partial_cmp(&row[a]).expect("no NaN"));
    order.truncate(k);
    order
}

fn kept(row: &[f32], k: usize) -> Vec<f32> {
    let mut out = vec![0.0; row.len()];
    naive(row, k).into_iter().for_each(|at| out[at] = row[at]);
    out
}

fn rows(dice: &mut Dice, rows: usize, width: usize, kinds: usize) -> (Vec<f32>, Tensor) {
    let values: Vec<f32> = (0..rows * width).map(|_| dice.roll(kinds) as f32 - kinds as f32 / 3.0).collect();
    let tensor = Tensor::from_slice(&[(axis("row"), rows), (axis("x"), width)], &values).expect("fits");
    (values, tensor)
}

#[test]
fn keep_top_agrees_with_sorting() {
    let mut dice = Dice(1);
    for (width, k) in
        [(1, 1), (5, 0), (5, 2), (64, 64), (100, 99), (1024, 64), (3000, 32), (12_288, 32), (24_576, 16), (700, 300)]
    {
        // From two distinct values, where nearly all are ties, to practically none.
        for kinds in [1, 2, 50, 1_000_000] {
            let (values, tensor) = rows(&mut dice, 3, width, kinds);
            let wanted: Vec<f32> = values.chunks(width).flat_map(|row| kept(row, k)).collect();
            let found = keep_top(&tensor, axis("x"), k as i64).expect("no NaN");
            assert_eq!(found.as_dense::<f32>().expect("dense"), wanted, "width {width}, k {k}, kinds {kinds}");
            let indices = top(&tensor, axis("x"), axis("y"), k as i64).expect("no NaN");
            let wanted: Vec<i64> = values.chunks(width).flat_map(|row| naive(row, k)).map(|at| at as i64).collect();
            assert_eq!(indices.raw::<i64>().expect("ints"), wanted);
            assert_eq!(indices.len(axis("y")), Ok(k));
        }
    }
}

#[test]
fn any_stride_will_do() {
    let (values, tensor) = rows(&mut Dice(2), 40, 7, 30);
    // Along the outer axis; then through a view with repeated rows.
    let found = keep_top(&tensor, axis("row"), 5).expect("no NaN").to_f64(&[axis("x"), axis("row")]).expect("fits");
    for x in 0..7 {
        let column: Vec<f32> = (0..40).map(|row| values[row * 7 + x]).collect();
        let wanted: Vec<f64> = kept(&column, 5).into_iter().map(f64::from).collect();
        assert_eq!(found[x * 40..][..40], wanted);
    }
    let mut view = tensor.clone();
    view.dims[0].stride = 0;
    let found = keep_top(&view, axis("x"), 2).expect("no NaN");
    assert_eq!(
        found.to_f64(&[axis("row"), axis("x")]).expect("fits")[7 * 9..][..7],
        kept(&values[..7], 2).iter().map(|&x| x as f64).collect::<Vec<f64>>()[..]
    );
}

#[test]
fn more_than_all_keeps_all() {
    let (values, tensor) = rows(&mut Dice(3), 4, 9, 100);
    assert_eq!(keep_top(&tensor, axis("x"), 100).expect("no NaN").as_dense::<f32>(), Some(&values[..]));
    assert_eq!(top(&tensor, axis("x"), axis("y"), 10).expect_err("too many").code, code::ARGUMENT);
    assert_eq!(keep_top(&tensor, axis("x"), -1).expect_err("negative").code, code::ARGUMENT);
    assert_eq!(keep_top(&tensor, axis("nowhere"), 1).expect_err("no such axis").code, code::INTERNAL);
}

#[test]
fn nan_is_refused_wherever_it_is() {
    for at in [0, 17, 999] {
        for k in [0, 3, 1000] {
            let (mut values, _) = rows(&mut Dice(4), 1, 1000, 100);
            values[at] = f32::NAN;
            let tensor = Tensor::from_slice(&[(axis("x"), 1000)], &values).expect("fits");
            assert_eq!(keep_top(&tensor, axis("x"), k).expect_err("NaN").code, code::NOT_FINITE, "{at} {k}");
        }
    }
}

#[test]
fn infinities_and_zeros_have_their_place() {
    let (inf, row) = (f32::INFINITY, [0.0, -f32::INFINITY, -0.0, f32::INFINITY, 0.0]);
    let tensor = Tensor::from_slice(&[(axis("x"), 5)], &row).expect("fits");
    let order = |n| top(&tensor, axis("x"), axis("y"), n).expect("no NaN").as_dense::<i64>().expect("dense").to_vec();
    assert_eq!((order(5), order(2)), (vec![3, 0, 2, 4, 1], vec![3, 0]));
    let low = Tensor::from_slice(&[(axis("x"), 40)], &[-inf; 40]).expect("fits");
    assert_eq!(top(&low, axis("x"), axis("y"), 3).expect("no NaN").as_dense::<i64>(), Some(&[0, 1, 2][..]));
}

#[test]
fn other_types_are_ranked_too() {
    let ints = Tensor::from_slice(&[(axis("x"), 5)], &[3i64, i64::MIN, 9, 9, i64::MAX]).expect("fits");
    assert_eq!(keep_top(&ints, axis("x"), 2).expect("ints").as_dense::<i64>(), Some(&[0, 0, 9, 0, i64::MAX][..]));
    let doubles = Tensor::from_slice(&[(axis("x"), 3)], &[1.0f64, 1.0 + 1e-15, 1.0]).expect("fits");
    assert_eq!(top(&doubles, axis("x"), axis("y"), 2).expect("floats").as_dense::<i64>(), Some(&[1, 0][..]));
}

#[test]
fn sorting_is_stable_and_total() {
    let row = [2.0, f32::NAN, -1.0, 2.0, f32::NEG_INFINITY, 0.5];
    let tensor = Tensor::from_slice(&[(axis("x"), 6)], &row).expect("fits");
    let indices = argsort(&tensor, axis("x"), axis("y")).expect("sorts");
    assert_eq!(indices.as_dense::<i64>(), Some(&[4, 2, 5, 0, 3, 1][..]));
    let sorted = sort(&tensor, axis("x")).expect("sorts");
    let sorted = sorted.as_dense::<f32>().expect("dense");
    assert_eq!(sorted[..5], [f32::NEG_INFINITY, -1.0, 0.5, 2.0, 2.0]);
    assert!(sorted[5].is_nan());
}

#[test]
fn running_sums_do_not_lose_small_terms() {
    let n = 100_000;
    let mut values = vec![1e-4f32; n];
    values[0] = 10_000.0;
    let tensor = Tensor::from_slice(&[(axis("x"), n)], &values).expect("fits");
    let found = cumsum(&tensor, axis("x")).expect("sums");
    assert!((found.as_dense::<f32>().expect("dense")[n - 1] - 10_010.0).abs() < 1e-3);
    let ints = Tensor::from_slice(&[(axis("row"), 2), (axis("x"), 2)], &[1i64, 2, i64::MAX, 1]).expect("fits");
    assert_eq!(cumsum(&ints, axis("row")).expect_err("overflow").code, code::ARITHMETIC);
    let ints = Tensor::from_slice(&[(axis("row"), 2), (axis("x"), 2)], &[1i64, 2, 3, 4]).expect("fits");
    let down = cumsum(&ints, axis("row")).expect("sums");
    assert_eq!(down.to_f64(&[axis("row"), axis("x")]), Ok(vec![1.0, 2.0, 4.0, 6.0]));
}

#[test]
fn empty_rows_and_no_rows() {
    for (rows, width) in [(0, 5), (5, 0)] {
        let tensor = Tensor::from_slice::<f32>(&[(axis("row"), rows), (axis("x"), width)], &[]).expect("fits");
        assert_eq!(keep_top(&tensor, axis("x"), 3).expect("nothing to do").elements(), 0);
        assert_eq!(sort(&tensor, axis("x")).expect("nothing to do").elements(), 0);
        assert_eq!(top(&tensor, axis("x"), axis("y"), 0).expect("nothing to do").elements(), 0);
    }
}

#[test]
fn threads_do_not_matter() {
    let (_, tensor) = rows(&mut Dice(9), 64, 2048, 300);
    let make = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let kept = keep_top(&tensor, axis("x"), 32).expect("no NaN");
            let sums = cumsum(&tensor, axis("row")).expect("sums");
            (kept.to_f64(&[axis("row"), axis("x")]), sums.to_f64(&[axis("row"), axis("x")]))
        })
    };
    assert_eq!(make(1), make(3));
}
