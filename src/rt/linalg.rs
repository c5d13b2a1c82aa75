//! Decompositions of stacks of matrices, by LAPACK.
//!
//! Matrices are decomposed one by one, each on one thread, several at once: the bits of a result depend on the matrix and on the
//! kernel of the BLAS alone. Of each vector the sign is settled, so that equal matrices have equal vectors.

use rayon::prelude::*;

use super::aligned::Aligned;
use super::blas;
use super::error::{Error, Result, code};
use super::tensor::{Dim, Tensor, size_mismatch};
use crate::base::axis::Axis;

/// A stack of matrices over `row` and `column`, and what else the tensor has.
struct Stack {
    rest: Vec<Dim>,
    row: Dim,
    column: Dim,
    /// One matrix after another, row by row.
    values: Vec<f64>,
}

impl Stack {
    fn of(name: &str, t: &Tensor, row: Axis, column: Axis) -> Result<Stack> {
        let (Some(down), Some(across)) = (t.dim(row).copied(), t.dim(column).copied()) else {
            return Err(Error::new(code::INTERNAL, format!("`{name}` of a tensor over [{}]", t.axes_shown())));
        };
        let rest: Vec<Dim> = t.dims.iter().filter(|dim| dim.axis != row && dim.axis != column).copied().collect();
        let order: Vec<Axis> = rest.iter().map(|dim| dim.axis).chain([row, column]).collect();
        let values = t.to_f64(&order)?;
        if values.iter().any(|x| !x.is_finite()) {
            return Err(Error::new(code::NOT_FINITE, format!("`{name}` of a matrix with NaN or infinity")));
        }
        Ok(Stack { rest, row: down, column: across, values })
    }

    fn count(&self) -> usize {
        self.rest.iter().map(|dim| dim.len).product()
    }

    /// A tensor over the axes of the stack and `own`, from parts of matrices one after another.
    fn over(&self, own: &[Dim], values: &Aligned<f64>) -> Result<Tensor> {
        let dims: Vec<Dim> = self.rest.iter().chain(own).copied().collect();
        Tensor::dense_over(&dims, values.clone())
    }
}

/// Eigenvalues (over `to`, largest first) and eigenvectors of length 1 (over `to` and `row`) of the symmetric parts of square
/// matrices. Of each vector the entry that is largest in magnitude is positive.
///
/// # Errors
/// Matrices that are not square, or not finite.
pub fn eigh(t: &Tensor, row: Axis, column: Axis, to: Axis) -> Result<(Tensor, Tensor)> {
    let stack = Stack::of("eigh", t, row, column)?;
    let n = stack.row.len;
    if n != stack.column.len {
        return Err(size_mismatch(row, &stack.row, &Dim { axis: row, ..stack.column }));
    }
    let mut vectors = Aligned::<f64>::scratch(stack.count() * n * n);
    let mut values = Aligned::<f64>::scratch(stack.count() * n);
    if n > 0 {
        let parts = vectors.par_chunks_mut(n * n).zip(values.par_chunks_mut(n)).zip(stack.values.par_chunks(n * n));
        parts.try_for_each(|((vectors, values), matrix)| one_eigh(matrix, vectors, values, n))?;
    }
    let along = Dim { axis: to, ..stack.row };
    Ok((stack.over(&[along], &values)?, stack.over(&[along, stack.row], &vectors)?))
}

fn one_eigh(matrix: &[f64], vectors: &mut [f64], values: &mut [f64], n: usize) -> Result<()> {
    let symmetric = |(i, entry): (usize, &mut f64)| *entry = 0.5 * (matrix[i] + matrix[i % n * n + i / n]);
    vectors.iter_mut().enumerate().for_each(symmetric);
    if !blas::eigh(vectors, values, n) {
        return Err(Error::new(code::ARITHMETIC, "`eigh` did not converge"));
    }
    // LAPACK counts from the smallest up.
    values.reverse();
    (0..n / 2).for_each(|k| swap_rows(vectors, n, k, n - 1 - k));
    vectors.chunks_mut(n).for_each(|vector| {
        let sign = sign_of(vector);
        vector.iter_mut().for_each(|x| *x *= sign);
    });
    Ok(())
}

/// Singular values (over `to`, largest first), left vectors (over `to` and `row`) and right vectors (over `to` and `column`), as
/// many as the shorter side has. Of each left vector the entry that is largest in magnitude is positive.
///
/// # Errors
/// Matrices that are not finite.
pub fn svd(t: &Tensor, row: Axis, column: Axis, to: Axis) -> Result<(Tensor, Tensor, Tensor)> {
    let stack = Stack::of("svd", t, row, column)?;
    let (m, n) = (stack.row.len, stack.column.len);
    let k = m.min(n);
    let mut left = Aligned::<f64>::scratch(stack.count() * k * m);
    let mut right = Aligned::<f64>::scratch(stack.count() * k * n);
    let mut values = Aligned::<f64>::scratch(stack.count() * k);
    if k > 0 {
        let vectors = left.par_chunks_mut(k * m).zip(right.par_chunks_mut(k * n));
        let parts = vectors.zip(values.par_chunks_mut(k)).zip(stack.values.par_chunks(m * n));
        parts.try_for_each(|(((left, right), values), matrix)| one_svd(matrix, left, right, values, m, n))?;
    }
    let shorter = if m < n { stack.row } else { stack.column };
    let along = Dim { axis: to, ..shorter };
    Ok((
        stack.over(&[along], &values)?,
        stack.over(&[along, stack.row], &left)?,
        stack.over(&[along, stack.column], &right)?,
    ))
}

fn one_svd(matrix: &[f64], left: &mut [f64], right: &mut [f64], values: &mut [f64], m: usize, n: usize) -> Result<()> {
    let k = m.min(n);
    // LAPACK reads columns, which are rows here: it decomposes the transposed, whose left vectors are our right ones.
    let mut scratch = matrix.to_vec();
    let mut across = vec![0.0; k * m];
    if !blas::svd(&mut scratch, n, m, right, values, &mut across) {
        return Err(Error::new(code::ARITHMETIC, "`svd` did not converge"));
    }
    for j in 0..k {
        let vector = &mut left[j * m..(j + 1) * m];
        vector.iter_mut().enumerate().for_each(|(i, x)| *x = across[i * k + j]);
        let sign = sign_of(vector);
        vector.iter_mut().chain(&mut right[j * n..(j + 1) * n]).for_each(|x| *x *= sign);
    }
    Ok(())
}

/// -1 if the entry that is largest in magnitude is negative.
fn sign_of(vector: &[f64]) -> f64 {
    let largest = vector.iter().fold(0.0f64, |best, &x| if x.abs() > best.abs() { x } else { best });
    if largest < 0.0 { -1.0 } else { 1.0 }
}

fn swap_rows(matrix: &mut [f64], n: usize, low: usize, high: usize) {
    let (front, back) = matrix.split_at_mut(high * n);
    front[low * n..(low + 1) * n].swap_with_slice(&mut back[..n]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::DType;
    use crate::rt::testing::{Dice, at, axes};

    #[test]
    fn vectors_are_orthonormal_and_rebuild_the_matrix() {
        let [r, c, k, s] = axes(["r", "c", "k", "s"]);
        for n in [1, 2, 3, 10, 40] {
            let mut dice = Dice::new(n as u64);
            let half = dice.dense(DType::F64, &[(s, 2), (r, n), (c, n)]);
            let (values, vectors) = eigh(&half, r, c, k).unwrap();
            for one in 0..2 {
                let entry = |i: usize, j: usize| at(&half, &[(s, one), (r, i), (c, j)]);
                let value = |j: usize| at(&values, &[(s, one), (k, j)]);
                let vector = |i: usize, j: usize| at(&vectors, &[(s, one), (r, i), (k, j)]);
                for i in 0..n {
                    assert!(i == 0 || value(i) <= value(i - 1));
                    for j in 0..n {
                        let dot: f64 = (0..n).map(|l| vector(l, i) * vector(l, j)).sum();
                        assert!((dot - (i == j) as u8 as f64).abs() < 1e-12);
                        let rebuilt: f64 = (0..n).map(|l| value(l) * vector(i, l) * vector(j, l)).sum();
                        assert!((rebuilt - 0.5 * (entry(i, j) + entry(j, i))).abs() < 1e-12 * n as f64);
                    }
                }
            }
        }
    }

    #[test]
    fn singular_vectors_rebuild_any_matrix() {
        let [r, c, k] = axes(["r", "c", "k"]);
        for (m, n) in [(1, 1), (3, 5), (5, 3), (20, 20), (1, 7)] {
            let matrix = Dice::new((m * 31 + n) as u64).dense(DType::F64, &[(r, m), (c, n)]);
            let (values, left, right) = svd(&matrix, r, c, k).unwrap();
            for i in 0..m {
                for j in 0..n {
                    let rebuilt: f64 = (0..m.min(n))
                        .map(|l| at(&values, &[(k, l)]) * at(&left, &[(k, l), (r, i)]) * at(&right, &[(k, l), (c, j)]))
                        .sum();
                    assert!((rebuilt - at(&matrix, &[(r, i), (c, j)])).abs() < 1e-12 * (m + n) as f64);
                }
            }
            for l in 1..m.min(n) {
                assert!(at(&values, &[(k, l)]) <= at(&values, &[(k, l - 1)]));
                let dot: f64 = (0..m).map(|i| at(&left, &[(k, l), (r, i)]) * at(&left, &[(k, l - 1), (r, i)])).sum();
                assert!(dot.abs() < 1e-12);
            }
        }
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let [r, c, k] = axes(["r", "c", "k"]);
        let square = |x: f64| Tensor::from_slice(&[(r, 2), (c, 2)], &[x, 1.0, 1.0, 2.0]).unwrap();
        assert!(eigh(&square(1.0), r, c, k).is_ok());
        assert_eq!(eigh(&square(f64::NAN), r, c, k).unwrap_err().code, code::NOT_FINITE);
        assert_eq!(svd(&square(f64::INFINITY), r, c, k).unwrap_err().code, code::NOT_FINITE);
        let oblong = Tensor::from_slice(&[(r, 2), (c, 1)], &[1f64, 2.0]).unwrap();
        assert_eq!(eigh(&oblong, r, c, k).unwrap_err().code, code::SIZE);
        let nothing = Tensor::from_slice(&[(r, 2), (c, 2)], &[0f64, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(eigh(&nothing, r, c, k).unwrap().0.as_dense::<f64>().unwrap(), [0.0, 0.0]);
    }
}
