//! Rows by number: what `fit` draws for a batch. Only these rows are read, in the order of the file; the result has
//! them in the order that was asked for.

use super::{Chunked, Maker, internal};
use crate::base::axis::Axis;
use crate::rt::error::Result;
use crate::rt::index;
use crate::rt::tensor::{Aligned, Dim, Element, Tensor, checked_count, with_element};
use crate::rt::value::Value;
use std::sync::Arc;

impl Chunked {
    /// `x[axis: places]` along the cut axis: it is replaced by the axes of `places`, none of which `x` has.
    pub fn rows(&self, places: &Tensor) -> Result<Tensor> {
        let order: Vec<Axis> = places.dims.iter().map(|dim| dim.axis).collect();
        let dense = places.in_order(&order)?;
        let listed = dense.as_dense::<i64>().ok_or_else(|| internal("rows are numbered by integers"))?;
        let mut wanted = Vec::with_capacity(listed.len());
        for (to, &row) in listed.iter().enumerate() {
            let inside = usize::try_from(row).ok().filter(|&row| row < self.axis.len);
            wanted.push((inside.ok_or_else(|| index::out_of_bounds(self.axis.axis, row, self.axis.len))?, to));
        }
        wanted.sort_unstable();
        let rest: Vec<Dim> = self.dims.iter().filter(|dim| dim.axis != self.axis.axis).copied().collect();
        let dims: Vec<Dim> = places.dims.iter().copied().chain(rest).collect();
        with_element!(self.dtype, T => self.read_rows::<T>(&wanted, &dims, places.rank()))
    }

    fn read_rows<T: Element>(&self, wanted: &[(usize, usize)], dims: &[Dim], own: usize) -> Result<Tensor> {
        let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let width: usize = dims[own..].iter().map(|dim| dim.len).product();
        let mut out = Aligned::<T>::scratch(checked_count(&shape)?);
        if !out.is_empty() {
            let mut targets: Vec<Option<&mut [T]>> = out.chunks_exact_mut(width).map(Some).collect();
            for part in wanted.chunk_by(|(a, _), (b, _)| a / self.step == b / self.step) {
                let number = part[0].0 / self.step;
                let rows: Vec<usize> = part.iter().map(|&(row, _)| row - number * self.step).collect();
                let mut places: Vec<&mut [T]> = part.iter().filter_map(|&(_, to)| targets[to].take()).collect();
                self.read_from(number, &rows, width, &mut places)?;
            }
        }
        Tensor::dense_over(dims, out)
    }

    fn read_from<T: Element>(&self, number: usize, rows: &[usize], width: usize, out: &mut [&mut [T]]) -> Result<()> {
        let outermost = self.dims.first().is_some_and(|dim| dim.axis == self.axis.axis);
        if let (Some(tile), true) = (self.tiles.get(number), outermost)
            && tile.read_rows(rows, width, out)?
        {
            return Ok(());
        }
        let Value::Tensor(tile) = self.tile(number)?.plain()? else { return Err(internal("a tile is no tensor")) };
        let mut order = vec![self.axis.axis];
        order.extend(self.dims.iter().map(|dim| dim.axis).filter(|&axis| axis != self.axis.axis));
        for (&row, out) in rows.iter().zip(out) {
            let row = index::slice(&tile, self.axis.axis, self.axis.axis, row as i64, row as i64 + 1)?;
            let row = row.in_order(&order)?;
            out.copy_from_slice(row.as_dense::<T>().ok_or_else(|| internal("a row of another element type"))?);
        }
        Ok(())
    }

    /// The same tensor with every tile kept, the cut axis outermost, so that single rows can be read.
    pub fn by_rows(self: &Arc<Chunked>) -> Result<Chunked> {
        let outermost = self.dims.first().is_some_and(|dim| dim.axis == self.axis.axis);
        if !self.is_lazy() && outermost {
            return Ok((**self).clone());
        }
        let maker = Arc::new(Turned(self.clone()));
        let (lo, hi) = self.bounds(0);
        let first = maker.make(lo, hi)?;
        let mut made = Chunked::lazy(self.axis.axis, self.axis.len, self.step, first, maker, true)?;
        (1..made.count()).try_for_each(|number| made.tile(number).map(drop))?;
        // What it was made of may be given up now.
        made.maker = None;
        Ok(made)
    }
}

/// Tiles with the cut axis outermost.
#[derive(Debug)]
struct Turned(Arc<Chunked>);

impl Maker for Turned {
    fn make(&self, lo: usize, hi: usize) -> Result<Value> {
        let Value::Tensor(tile) = self.0.range(lo, hi)?.plain()? else { return Err(internal("a tile is no tensor")) };
        let axis = self.0.axis.axis;
        let mut order = vec![axis];
        order.extend(tile.dims.iter().map(|dim| dim.axis).filter(|&other| other != axis));
        Ok(Value::Tensor(tile.in_order(&order)?))
    }
}
