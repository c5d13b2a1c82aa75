//! Decompositions of small matrices.
//!
//! They run in f64 on one thread in a fixed order, so that their bits depend on nothing but the matrix. Nothing here
//! is meant for matrices of many thousands of rows: that is for LAPACK.

use super::error::{Error, Result, code};
use super::tensor::{Aligned, Dim, Tensor, size_mismatch};
use crate::base::axis::Axis;
use crate::base::ops::DType;

/// Rounds after which the rotations are taken not to converge; ten are plenty for any symmetric matrix.
const ROUNDS: usize = 60;

/// Eigenvalues (over `to`, largest first) and eigenvectors (over `row` and `to`) of a symmetric matrix over `row` and
/// `column`, in f64. Of each vector the entry that is largest in magnitude is positive. Only the symmetric part counts.
pub fn eigh(t: &Tensor, row: Axis, column: Axis, to: Axis) -> Result<(Tensor, Tensor)> {
    let (down, across) = match (t.dim(row), t.dim(column)) {
        (Some(down), Some(across)) if t.rank() == 2 => (*down, *across),
        _ => return Err(Error::new(code::INTERNAL, format!("`eigh` of a tensor over [{}]", t.axes_shown()))),
    };
    if down.len != across.len {
        return Err(size_mismatch(row, &down, &Dim { axis: row, ..across }));
    }
    if !matches!(t.dtype(), DType::F32 | DType::F64) {
        return Err(Error::new(code::ARGUMENT, "`eigh` needs a matrix of floats"));
    }
    let n = down.len;
    let given = t.to_f64(&[row, column])?;
    if given.iter().any(|x| !x.is_finite()) {
        return Err(Error::new(code::NOT_FINITE, "`eigh` of a matrix with NaN or infinity"));
    }
    let mut a: Vec<f64> = (0..n * n).map(|i| 0.5 * (given[i] + given[i % n * n + i / n])).collect();
    // Row j becomes the eigenvector of entry j of the diagonal.
    let mut vectors: Vec<f64> = (0..n * n).map(|i| (i / n == i % n) as u8 as f64).collect();
    if !diagonalise(&mut a, &mut vectors, n) {
        return Err(Error::new(code::ARITHMETIC, "`eigh` did not converge"));
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j * n + j].total_cmp(&a[i * n + i]));
    let values: Vec<f64> = order.iter().map(|&i| a[i * n + i]).collect();
    let mut turned = Aligned::<f64>::scratch(n * n);
    for (k, &i) in order.iter().enumerate() {
        let vector = &vectors[i * n..(i + 1) * n];
        let largest = vector.iter().fold(0.0f64, |best, &x| if x.abs() > best.abs() { x } else { best });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        vector.iter().enumerate().for_each(|(r, &x)| turned[r * n + k] = sign * x);
    }
    let along = Dim { axis: to, ..down };
    Ok((Tensor::dense_over(&[along], Aligned::from_slice(&values))?, Tensor::dense_over(&[down, along], turned)?))
}

/// Cyclic Jacobi rotations until what is off the diagonal is negligible.
fn diagonalise(a: &mut [f64], vectors: &mut [f64], n: usize) -> bool {
    let total: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..ROUNDS {
        let off: f64 = (0..n * n).filter(|i| i / n != i % n).map(|i| a[i] * a[i]).sum();
        if off <= total * 1e-30 {
            return true;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(a, vectors, n, p, q);
            }
        }
    }
    false
}

/// Makes entry (p, q) zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let off = a[p * n + q];
    if off == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
    // The smaller of the two angles; for a huge theta its square would overflow to infinity, which gives 0 as it should.
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for i in 0..n {
        let (x, y) = (a[i * n + p], a[i * n + q]);
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
    }
    turn_rows(a, n, p, q, c, s);
    (a[p * n + q], a[q * n + p]) = (0.0, 0.0);
    turn_rows(vectors, n, p, q, c, s);
}

/// Rows p and q (p < q) become their rotation.
fn turn_rows(a: &mut [f64], n: usize, p: usize, q: usize, c: f64, s: f64) {
    let (front, back) = a.split_at_mut(q * n);
    for (x, y) in front[p * n..(p + 1) * n].iter_mut().zip(&mut back[..n]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::testing::{Dice, at, axes};

    #[test]
    fn vectors_are_orthonormal_and_rebuild_the_matrix() {
        let [r, c, k] = axes(["r", "c", "k"]);
        for n in [1, 2, 3, 10, 40] {
            let mut dice = Dice::new(n as u64);
            let half = dice.dense(DType::F64, &[(r, n), (c, n)]);
            let entry = |i: usize, j: usize| at(&half, &[(r, i), (c, j)]) + at(&half, &[(r, j), (c, i)]);
            let full: Vec<f64> = (0..n * n).map(|i| entry(i / n, i % n)).collect();
            let matrix = Tensor::from_slice(&[(r, n), (c, n)], &full).unwrap();
            let (values, vectors) = eigh(&matrix, r, c, k).unwrap();
            let value = |j: usize| at(&values, &[(k, j)]);
            let vector = |i: usize, j: usize| at(&vectors, &[(r, i), (k, j)]);
            for i in 0..n {
                assert!(i == 0 || value(i) <= value(i - 1));
                for j in 0..n {
                    let dot: f64 = (0..n).map(|l| vector(l, i) * vector(l, j)).sum();
                    assert!((dot - (i == j) as u8 as f64).abs() < 1e-12);
                    let rebuilt: f64 = (0..n).map(|l| value(l) * vector(i, l) * vector(j, l)).sum();
                    assert!((rebuilt - full[i * n + j]).abs() < 1e-12 * n as f64);
                }
            }
        }
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let [r, c, k] = axes(["r", "c", "k"]);
        let square = |x: f64| Tensor::from_slice(&[(r, 2), (c, 2)], &[x, 1.0, 1.0, 2.0]).unwrap();
        assert!(eigh(&square(1.0), r, c, k).is_ok());
        assert_eq!(eigh(&square(f64::NAN), r, c, k).unwrap_err().code, code::NOT_FINITE);
        let oblong = Tensor::from_slice(&[(r, 2), (c, 1)], &[1f64, 2.0]).unwrap();
        assert_eq!(eigh(&oblong, r, c, k).unwrap_err().code, code::SIZE);
        let diagonal = Tensor::from_slice(&[(r, 2), (c, 2)], &[0f64, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(eigh(&diagonal, r, c, k).unwrap().0.as_dense::<f64>().unwrap(), [0.0, 0.0]);
    }
}
