//! A tensor put together tile by tile whose length nobody knows before its last tile: the tokens of a file.

use super::tile::Tile;
use super::{Chunked, internal, shape_of};
use crate::base::axis::Axis;
use crate::rt::error::Result;
use crate::rt::value::Value;
use std::sync::Arc;

/// Tiles so far. Every one but the last has the same length along the axis.
pub struct Growing {
    axis: Axis,
    step: usize,
    /// The first tile; a tensor of one tile is an ordinary tensor.
    first: Option<Value>,
    tiles: Vec<Arc<Tile>>,
    len: usize,
}

impl Growing {
    /// A tensor without tiles, which will have `step` rows each.
    pub fn new(axis: Axis, step: usize) -> Growing {
        Growing { axis, step, first: None, tiles: Vec::new(), len: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next tile. The one before it must have been full.
    pub fn push(&mut self, tile: Value) -> Result<()> {
        let (dims, _) = shape_of(&tile)?;
        let own = dims.iter().find(|dim| dim.axis == self.axis).map_or(0, |dim| dim.len);
        let due = self.len == self.step * (self.tiles.len() + usize::from(self.first.is_some()));
        if !due || own > self.step {
            return Err(internal("a tile that does not follow the one before it"));
        }
        self.len += own;
        match self.first.take() {
            None if self.tiles.is_empty() => {
                self.first = Some(tile);
                return Ok(());
            }
            None => {}
            Some(first) => self.keep(first)?,
        }
        self.keep(tile)
    }

    fn keep(&mut self, value: Value) -> Result<()> {
        let tile = Tile::empty();
        tile.put(value)?;
        self.tiles.push(tile);
        Ok(())
    }

    /// The tensor: an ordinary one if it has one tile only.
    pub fn finish(self) -> Result<Value> {
        if let Some(first) = self.first {
            return Ok(first);
        }
        let first = self.tiles.first().ok_or_else(|| internal("a tensor without a tile"))?;
        let (mut dims, dtype) = shape_of(&first.get(|| Err(internal("a tile that was never made")))?)?;
        let own = dims.iter_mut().find(|dim| dim.axis == self.axis).ok_or_else(|| super::missing(self.axis))?;
        own.len = self.len;
        let axis = *own;
        Ok(Value::Chunked(Arc::new(Chunked { axis, step: self.step, dims, dtype, tiles: self.tiles, maker: None })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::tensor::Tensor;

    fn tile(axis: Axis, values: &[i64]) -> Value {
        Value::Tensor(Tensor::from_slice(&[(axis, values.len())], values).unwrap())
    }

    #[test]
    fn tiles_become_one_tensor() {
        let axis = Axis::named("", "pos");
        let mut growing = Growing::new(axis, 3);
        growing.push(tile(axis, &[1, 2, 3])).unwrap();
        growing.push(tile(axis, &[4, 5, 6])).unwrap();
        growing.push(tile(axis, &[7])).unwrap();
        assert!(growing.push(tile(axis, &[8])).is_err());
        let Value::Chunked(made) = growing.finish().unwrap() else { panic!("not in tiles") };
        assert_eq!((made.axis.len, made.count()), (7, 3));
        assert_eq!(made.whole().unwrap().as_dense::<i64>().unwrap(), [1, 2, 3, 4, 5, 6, 7]);
        let mut short = Growing::new(axis, 3);
        short.push(tile(axis, &[1, 2])).unwrap();
        assert!(matches!(short.finish().unwrap(), Value::Tensor(_)));
        assert!(Growing::new(axis, 3).finish().is_err());
    }
}
