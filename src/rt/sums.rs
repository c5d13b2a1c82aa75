//! Sums by group of rows that arrive in pieces, added up in place.
//!
//! A table of groups by everything else can be far larger than a piece, so no piece gets a table of its own. Each
//! cell takes its members in the order of the pieces and of the rows within them, in f64: the bits are those of all
//! rows at once, and nothing here may depend on where they were cut.

use super::error::{Error, Result, code};
use super::grouping;
use super::sparse::group;
use super::tensor::{Aligned, Dim, Origin, Tensor, checked_count};
use super::value::Value;
use crate::base::axis::Axis;

/// The sums so far.
pub struct GroupSums {
    axis: Axis,
    /// The groups, then the other axes of the pieces.
    dims: Vec<Dim>,
    sums: Aligned<f64>,
}

impl GroupSums {
    /// No sums yet of tensors that have the axes `of`, which lose `axis` to `n` groups along `group`.
    pub fn new(of: &[Dim], axis: Axis, group: Axis, n: i64) -> Result<GroupSums> {
        let n = usize::try_from(n).map_err(|_| Error::new(code::ARGUMENT, format!("`group_sum` over {n} groups")))?;
        let mut dims = vec![Dim { axis: group, len: n, stride: 1, origin: Origin(0) }];
        dims.extend(of.iter().filter(|dim| dim.axis != axis).copied());
        let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let sums = Aligned::<f64>::zeros(checked_count(&shape)?);
        Ok(GroupSums { axis, dims, sums })
    }

    /// Adds the rows of one piece, whose groups are `ids`.
    pub fn add(&mut self, piece: &Value, ids: &Tensor) -> Result<()> {
        if let Value::Sparse(code) = piece
            && group::add(code, self.axis, ids, &self.dims, &mut self.sums)?
        {
            return Ok(());
        }
        match piece.clone().plain()? {
            Value::Tensor(tensor) => grouping::add_rows(&tensor, self.axis, ids, &self.dims, &mut self.sums),
            _ => Err(Error::new(code::INTERNAL, "a piece that is no tensor")),
        }
    }

    pub fn finish(self) -> Result<Tensor> {
        Tensor::dense_over(&self.dims, self.sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::DType;
    use crate::rt::index;
    use crate::rt::sparse::Sparse;
    use crate::rt::testing::{Dice, axes};
    use std::sync::Arc;

    #[test]
    fn pieces_add_up_to_the_bits_of_the_whole() {
        let [s, t, f, g] = axes(["s", "t", "f", "g"]);
        for seed in 0..30 {
            let mut dice = Dice::new(seed);
            let rows = 2 + dice.below(9);
            let shape = [(s, rows), (t, 1 + dice.below(4)), (f, 1 + dice.below(6))];
            let whole = dice.dense(DType::F32, &shape);
            let groups: Vec<i64> = (0..rows).map(|_| dice.below(4) as i64 - 1).collect();
            let ids = Tensor::from_slice(&[(s, rows)], &groups).expect("fits");
            let wanted = grouping::group_sum(&whole, s, g, &ids, 3).expect("fits").to_f64(&[g, t, f]);
            let cut = 1 + dice.below(rows - 1);
            for sparse in [false, true] {
                let mut sums = GroupSums::new(&whole.dims, s, g, 3).expect("fits");
                for (lo, hi) in [(0, cut as i64), (cut as i64, rows as i64)] {
                    let part = index::slice(&whole, s, s, lo, hi).expect("inside");
                    let own = index::slice(&ids, s, s, lo, hi).expect("inside");
                    let piece = match sparse {
                        true => Value::Sparse(Arc::new(Sparse::of_dense(&part, f).expect("an axis"))),
                        false => Value::Tensor(part),
                    };
                    sums.add(&piece, &own).expect("fits");
                }
                assert_eq!(sums.finish().expect("fits").to_f64(&[g, t, f]), wanted, "seed {seed}, sparse {sparse}");
            }
        }
    }
}
