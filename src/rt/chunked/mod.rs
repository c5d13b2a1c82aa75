//! Tensors in tiles along one axis: what is longer than memory should hold at once.
//!
//! A tile is kept (in memory, or in the runtime's own store on disk) or made anew whenever somebody reads it.
//! Which of these changes time, never a bit: tiles follow from shapes alone, and a kept tile is laid out densely
//! before anybody sees it, so that reading it back gives the same layout. Nothing here knows which operation of a
//! program asked, and nothing here decides by how much memory there is.

pub mod cache;
mod growing;
mod rows;
pub mod store;
#[cfg(test)]
mod tests;
mod tile;

pub use growing::Growing;

use super::error::{Error, Result, code};
use super::index;
use super::sparse::{Sparse, views};
use super::tensor::{Aligned, Dim, Element, Tensor, checked_count, with_element};
use super::value::Value;
use crate::base::axis::Axis;
use crate::base::ops::DType;
use std::sync::Arc;
use tile::Tile;

/// Makes the rows `lo..hi` of a tensor along its chunked axis. The same rows are always the same bits.
pub trait Maker: Send + Sync + std::fmt::Debug {
    fn make(&self, lo: usize, hi: usize) -> Result<Value>;
}

/// A tensor cut into tiles along `axis`.
#[derive(Clone, Debug)]
pub struct Chunked {
    /// The axis that is cut, with its whole length.
    pub axis: Dim,
    /// The length of every tile but the last, which may be shorter.
    pub step: usize,
    /// All axes with their whole lengths, in the order in which the first tile has them. Strides mean nothing.
    pub dims: Vec<Dim>,
    pub dtype: DType,
    tiles: Vec<Arc<Tile>>,
    /// Makes what is not kept.
    maker: Option<Arc<dyn Maker>>,
}

impl Chunked {
    /// A tensor whose tiles are made when they are read. `first` is the first of them, which tells the other axes;
    /// with `keep`, every tile is kept once it was made.
    pub fn lazy(
        axis: Axis,
        len: usize,
        step: usize,
        first: Value,
        maker: Arc<dyn Maker>,
        keep: bool,
    ) -> Result<Chunked> {
        let (mut dims, dtype) = shape_of(&first)?;
        let own = dims.iter_mut().find(|dim| dim.axis == axis).ok_or_else(|| missing(axis))?;
        own.len = len;
        let own = *own;
        let mut made = Chunked { axis: own, step: step.max(1), dims, dtype, tiles: Vec::new(), maker: Some(maker) };
        if keep {
            made.tiles = (0..made.count()).map(|_| Tile::empty()).collect();
            made.tiles[0].put(first)?;
        }
        Ok(made)
    }

    /// The first tile of a tensor that will be `len` long along `axis`.
    pub fn begin(axis: Axis, len: usize, first: Value) -> Result<Chunked> {
        let (mut dims, dtype) = shape_of(&first)?;
        let own = dims.iter_mut().find(|dim| dim.axis == axis).ok_or_else(|| missing(axis))?;
        let step = own.len.max(1);
        own.len = len;
        let (own, tile) = (*own, Tile::empty());
        tile.put(first)?;
        Ok(Chunked { axis: own, step, dims, dtype, tiles: vec![tile], maker: None })
    }

    /// Puts the next tile, whose first row is `at`, behind the others.
    pub fn append(&mut self, at: usize, next: Value) -> Result<()> {
        let (dims, dtype) = shape_of(&next)?;
        let fits = |dim: &Dim| dim.axis == self.axis.axis || self.dim(dim.axis).is_some_and(|own| own.len == dim.len);
        let own = dims.iter().find(|dim| dim.axis == self.axis.axis).map_or(0, |dim| dim.len);
        let end = at + own;
        let due = self.tiles.len() * self.step == at && (own == self.step || end == self.axis.len);
        if !due || dtype != self.dtype || dims.len() != self.dims.len() || !dims.iter().all(fits) {
            return Err(Error::new(
                code::SIZE,
                format!(
                    "part {} along `{}` differs from those before it in another axis",
                    self.tiles.len(),
                    self.axis.axis
                ),
            ));
        }
        let tile = Tile::empty();
        tile.put(next)?;
        self.tiles.push(tile);
        Ok(())
    }

    pub fn dim(&self, axis: Axis) -> Option<&Dim> {
        self.dims.iter().find(|dim| dim.axis == axis)
    }

    /// How many tiles there are: at least one, which is empty if the axis is.
    pub fn count(&self) -> usize {
        self.axis.len.div_ceil(self.step).max(1)
    }

    /// How many tiles can be read: all, unless it is still being put together.
    pub fn readable(&self) -> usize {
        if self.maker.is_some() { self.count() } else { self.tiles.len() }
    }

    /// Does reading a tile mean making it?
    pub fn is_lazy(&self) -> bool {
        self.tiles.is_empty()
    }

    pub fn elements(&self) -> usize {
        self.dims.iter().fold(1, |count, dim| count.saturating_mul(dim.len))
    }

    /// Bytes as one dense tensor.
    pub fn bytes(&self) -> usize {
        self.elements().saturating_mul(self.dtype.bytes())
    }

    /// About how many bytes its tiles take where they are kept; as one dense tensor where that is not known.
    pub fn kept_bytes(&self) -> usize {
        let first = self.tiles.first().and_then(|tile| tile.bytes());
        first.map_or(self.bytes(), |bytes| bytes.saturating_mul(self.count()))
    }

    /// Where tile `number` begins and ends.
    pub fn bounds(&self, number: usize) -> (usize, usize) {
        ((number * self.step).min(self.axis.len), ((number + 1) * self.step).min(self.axis.len))
    }

    /// One tile: a tensor, dense or sparse.
    pub fn tile(&self, number: usize) -> Result<Value> {
        let (lo, hi) = self.bounds(number);
        let make = || match &self.maker {
            Some(maker) => maker.make(lo, hi),
            None => Err(internal(format!("tile {number} along `{}` was never made", self.axis.axis))),
        };
        match self.tiles.get(number) {
            Some(tile) => tile.get(make),
            None => make(),
        }
    }

    /// The rows `lo..hi` as one tensor in memory, sparse if the tiles are.
    pub fn range(&self, lo: usize, hi: usize) -> Result<Value> {
        let (axis, step) = (self.axis.axis, self.step);
        let mut parts = Vec::new();
        // No rows are an empty part of the tile where they would begin.
        let start = (lo / step).min(self.count() - 1);
        for number in start..hi.div_ceil(step).clamp(start + 1, self.count()) {
            let (first, end) = self.bounds(number);
            let (from, to) = (lo.max(first), hi.min(end).max(lo.max(first)));
            let tile = self.tile(number)?;
            parts.push(match tile {
                whole if (from, to) == (first, end) => whole,
                tile => part_of(tile, axis, (from - first) as i64, (to - first) as i64)?,
            });
        }
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        let codes: Vec<&Sparse> =
            parts.iter().filter_map(|part| if let Value::Sparse(code) = part { Some(&**code) } else { None }).collect();
        if codes.len() == parts.len()
            && let Some(joined) = views::concat(&codes, axis)?
        {
            return Ok(Value::Sparse(Arc::new(joined)));
        }
        let parts = parts.into_iter().map(Value::plain).collect::<Result<Vec<Value>>>()?;
        self.refuse_above_limit(hi - lo)?;
        Ok(Value::Tensor(index::concat(&parts, axis)?))
    }

    /// The whole as one tensor, the chunked axis outermost; an error that says the size if memory does not allow it.
    pub fn whole(&self) -> Result<Tensor> {
        self.refuse_above_limit(self.axis.len)?;
        let own = self.dims.iter().filter(|dim| dim.axis == self.axis.axis);
        let dims: Vec<Dim> = own.chain(self.dims.iter().filter(|dim| dim.axis != self.axis.axis)).copied().collect();
        with_element!(self.dtype, T => self.gathered::<T>(&dims))
    }

    fn gathered<T: Element>(&self, dims: &[Dim]) -> Result<Tensor> {
        let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let order: Vec<Axis> = dims.iter().map(|dim| dim.axis).collect();
        let width: usize = dims[1..].iter().map(|dim| dim.len).product();
        let mut out = Aligned::<T>::scratch(checked_count(&shape)?);
        for number in 0..self.count() {
            let (lo, hi) = self.bounds(number);
            let Value::Tensor(tile) = self.tile(number)?.plain()? else { return Err(internal("a tile is no tensor")) };
            let tile = tile.in_order(&order)?;
            let values = tile.as_dense::<T>().ok_or_else(|| internal("a tile of another element type"))?;
            let place = out.get_mut(lo * width..hi * width).filter(|place| place.len() == values.len());
            place.ok_or_else(|| internal("a tile of another size"))?.copy_from_slice(values);
        }
        Tensor::dense_over(dims, out)
    }

    /// An error if `rows` of the tensor do not fit into the memory that is left.
    fn refuse_above_limit(&self, rows: usize) -> Result<()> {
        let bytes = self.bytes() / self.axis.len.max(1) * rows;
        let Some(left) = super::aligned::lacks_room(bytes) else { return Ok(()) };
        let axis = self.axis.axis;
        let shown: Vec<String> = self.dims.iter().map(|dim| format!("{} = {}", dim.axis, dim.len)).collect();
        Err(Error::new(
            code::MEMORY,
            format!(
                "this needs {} of a tensor over [{}] in memory at once, along `{axis}`",
                size_shown(bytes),
                shown.join(", ")
            ),
        )
        .note("limit", format!("{} are left", size_shown(left)))
        .help(format!(
            "work on parts of it:  fold[{axis}](x, adding(fn(part) => ...)), or tiled[{axis}](x, fn(part) => ...)"
        )))
    }
}

/// The rows `lo..hi` of a tile, sparse if it is.
fn part_of(tile: Value, axis: Axis, lo: i64, hi: i64) -> Result<Value> {
    if let Value::Sparse(code) = &tile
        && let Some(part) = views::slice(code, axis, axis, lo, hi)?
    {
        return Ok(Value::Sparse(Arc::new(part)));
    }
    match tile.plain()? {
        Value::Tensor(tile) => index::slice(&tile, axis, axis, lo, hi).map(Value::Tensor),
        _ => Err(internal("a tile is no tensor")),
    }
}

/// `31.5 MB`, for messages.
pub fn size_shown(bytes: usize) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The axes and the element type of a tile.
fn shape_of(tile: &Value) -> Result<(Vec<Dim>, DType)> {
    match tile {
        Value::Tensor(tensor) => Ok((tensor.dims.clone(), tensor.dtype())),
        Value::Sparse(sparse) => {
            let mut dims = sparse.rows.clone();
            dims.push(sparse.along);
            Ok((dims, tile::dtype_of(&sparse.values)))
        }
        _ => Err(internal("a tile is no tensor")),
    }
}

fn missing(axis: Axis) -> Error {
    internal(format!("a tile lacks the axis `{axis}` that it was cut along"))
}

fn internal(message: impl Into<String>) -> Error {
    Error::new(code::INTERNAL, message)
}
