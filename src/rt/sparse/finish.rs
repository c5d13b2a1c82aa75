//! The elementwise finish of a tile of a product, before its largest elements are selected.
//!
//! Adding a vector along the columns (a bias) is done here, as IEEE addition it has the bits of the compiled code; any
//! other kernel runs through `rt::elementwise` on some rows of the tile at a time.

use super::super::number::Number;
use super::Finish;
use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::ScalarOp;
use crate::rt::blas::Tile;
use crate::rt::copy::Source;
use crate::rt::elementwise::{self, TileFn};
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Dim, Tensor, with_element};
use crate::rt::value::Value;

/// Elements that are finished at once: few enough that `elementwise` does not spread them over threads.
const PART: usize = 1 << 15;

/// A finish made ready for tiles.
pub enum Finishing {
    Nothing,
    /// Adds the elements of this vector to the columns.
    Add(Tensor),
    Kernel(Whole),
}

/// A kernel and what it reads besides the product.
pub struct Whole {
    kernel: Kernel,
    code: Option<TileFn>,
    others: Vec<Value>,
    rows: Vec<Dim>,
    along: Dim,
}

impl Finishing {
    /// `rows` are the dims that count the product's rows, `along` that of its columns.
    pub fn new<T: Number>(finish: Option<Finish>, rows: &[Dim], along: Dim) -> Result<Finishing> {
        let Some(finish) = finish else { return Ok(Finishing::Nothing) };
        for other in &finish.others {
            if let Value::Tensor(t) = other {
                rows.iter().chain([&along]).try_for_each(|dim| super::super::decode::check_length(t, dim))?;
            }
        }
        if let (true, [Value::Tensor(t)]) = (is_sum(finish.kernel), &finish.others[..])
            && t.rank() == 1
            && t.dim(along.axis).is_some()
            && t.dtype() == T::DTYPE
        {
            return Ok(Finishing::Add(t.copied()?));
        }
        let Finish { kernel, code, others } = finish;
        Ok(Finishing::Kernel(Whole { kernel: kernel.clone(), code, others, rows: rows.to_vec(), along }))
    }

    /// Finishes a tile, where that is not done row by row.
    pub fn apply<T: Number>(&self, tile: Tile, out: &mut [T]) -> Result<()> {
        let Finishing::Kernel(whole) = self else { return Ok(()) };
        let step = (PART / tile.n.max(1)).max(1);
        for first in (0..tile.m).step_by(step) {
            let count = step.min(tile.m - first);
            let part = Tile { row: tile.row + first, m: count, ..tile };
            whole.apply(part, &mut out[first * tile.n..][..count * tile.n])?;
        }
        Ok(())
    }

    /// Finishes a piece of a row that begins at `column`, where that is done row by row.
    #[inline]
    pub fn apply_row<T: Number>(&self, column: usize, piece: &mut [T]) {
        let Finishing::Add(vector) = self else { return };
        if let Some(vector) = vector.as_dense::<T>() {
            T::add(piece, &vector[column..][..piece.len()]);
        }
    }
}

/// Does the kernel add its two inputs?
fn is_sum(kernel: &Kernel) -> bool {
    let sum = |args: &[u32]| args == [0, 1] || args == [1, 0];
    kernel.scalar == [false, false]
        && kernel.outputs == [2]
        && matches!(&kernel.steps[..], [step] if step.op == ScalarOp::Add && sum(&step.args))
}

impl Whole {
    fn apply<T: Number>(&self, tile: Tile, out: &mut [T]) -> Result<()> {
        // All rows of the tile as one axis, for which the name of any row axis will do.
        let row = self.rows.first().map(|dim| dim.axis).filter(|&axis| axis != self.along.axis);
        let row = row.ok_or_else(|| Error::new(code::INTERNAL, "a product without rows"))?;
        let shape = [(row, tile.m), (self.along.axis, tile.n)];
        let mut args = vec![Value::Tensor(Tensor::from_slice(&shape, out)?)];
        for other in &self.others {
            args.push(match other {
                Value::Tensor(t) => Value::Tensor(self.part(t, tile, row)?),
                scalar => scalar.clone(),
            });
        }
        let made = elementwise::run(&self.kernel, self.code, args)?;
        let fault = || Error::new(code::INTERNAL, "a finish without a result");
        let Some(Value::Tensor(made)) = made.into_iter().next() else { return Err(fault()) };
        let made = made.in_order(&[row, self.along.axis])?;
        out.copy_from_slice(made.as_dense::<T>().filter(|made| made.len() == out.len()).ok_or_else(fault)?);
        Ok(())
    }

    /// What a tile needs of another operand, with all row axes as one.
    fn part(&self, t: &Tensor, tile: Tile, row: Axis) -> Result<Tensor> {
        let stride = |dim: &Dim| t.dim(dim.axis).map_or(0, |own| own.stride);
        let across = t.dim(self.along.axis).copied();
        let mut view = t.clone();
        let start = across.map_or(0, |dim| dim.stride * tile.column as isize);
        view.offset = (view.offset as isize + start) as usize;
        let across = across.map(|dim| Dim { len: tile.n, ..dim });
        if t.dims.iter().all(|dim| dim.axis == self.along.axis) {
            view.dims = across.into_iter().collect();
            return Ok(view);
        }
        let mut dims: Vec<Dim> = self.rows.iter().map(|dim| Dim { stride: stride(dim), ..*dim }).collect();
        dims.extend(across);
        let width = across.map_or(1, |dim| dim.len);
        let mut shape = vec![(row, tile.m)];
        shape.extend(across.map(|dim| (dim.axis, dim.len)));
        with_element!(t.dtype(), E => {
            let mut copy = Aligned::<E>::scratch(tile.m * width);
            Source::new(t.store::<E>()?, view.offset, &dims).write(tile.row * width, &mut copy);
            Tensor::dense(&shape, copy)
        })
    }
}
