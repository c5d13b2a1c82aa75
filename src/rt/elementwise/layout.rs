//! From named axes to loops: the result's dims, each argument's strides along them, neighbours merged, tiles cut.

use super::cells::{Slice, SliceMut};
use super::{TILE, dense_dims};
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Dim, Origin, Tensor, checked_count, size_mismatch};

/// The union of the axes of several tensors, in order of appearance. Two lengths of one axis are error R003.
/// Strides are those of the first tensor with the axis and mean nothing here.
pub fn union_shape(tensors: &[&Tensor]) -> Result<Vec<Dim>> {
    let mut union: Vec<Dim> = Vec::new();
    for tensor in tensors {
        for dim in &tensor.dims {
            match union.iter_mut().find(|known| known.axis == dim.axis) {
                Some(known) if known.len != dim.len => return Err(size_mismatch(dim.axis, known, dim)),
                Some(known) if known.origin == Origin(0) => known.origin = dim.origin,
                Some(_) => {}
                None => union.push(*dim),
            }
        }
    }
    Ok(union)
}

/// The dims of the result, dense. Their order follows the tensor with the most elements in memory, so that its inner
/// run is ours; axes that it lacks come outermost.
pub fn result_dims(tensors: &[&Tensor]) -> Result<Vec<Dim>> {
    let union = union_shape(tensors)?;
    let stored = |tensor: &Tensor| -> usize {
        tensor.dims.iter().filter(|dim| dim.stride != 0).map(|dim| dim.len.max(1)).product()
    };
    let weight = |tensor: &Tensor| (stored(tensor), tensor.rank(), tensor.is_dense());
    let lead = tensors.iter().rev().max_by_key(|tensor| weight(tensor));
    let lead = lead.ok_or_else(|| Error::new(code::INTERNAL, "a kernel needs at least one tensor"))?;
    let mut order: Vec<Dim> = lead.dims.clone();
    if !lead.is_dense() {
        // Repeated axes outermost, then by falling stride.
        order.sort_by_key(|dim| (dim.stride != 0, std::cmp::Reverse(dim.stride.unsigned_abs())));
    }
    let missing = union.iter().filter(|dim| lead.dim(dim.axis).is_none());
    let axes: Vec<_> = missing.chain(&order).map(|dim| (dim.axis, dim.len)).collect();
    checked_count(&axes)?;
    let mut dims = dense_dims(&axes);
    for dim in &mut dims {
        if let Some(known) = union.iter().find(|known| known.axis == dim.axis) {
            dim.origin = known.origin;
        }
    }
    Ok(dims)
}

/// One argument seen from the result's loops.
pub struct Operand {
    offset: usize,
    /// Along the merged dims, outermost first.
    strides: Vec<isize>,
    /// Does it lie exactly like the result?
    flat: bool,
}

/// The loops over a result: merged dims, and how they are cut into tiles.
pub struct Layout {
    /// Merged lengths but the innermost, outermost first.
    outer: Vec<usize>,
    inner: usize,
    rows: usize,
    /// Whole rows in a tile, where rows are short.
    tile_rows: usize,
    /// Tiles in a row, where rows are long.
    pieces: usize,
    operands: Vec<Operand>,
}

/// Part of the result: `rows` rows from `row` on, or part of one row from `column` on.
#[derive(Clone, Copy)]
pub struct Tile {
    pub row: usize,
    pub rows: usize,
    pub column: usize,
    /// Elements.
    pub len: usize,
}

impl Layout {
    /// `args` holds the tensors; `None` for scalars.
    pub fn new(dims: &[Dim], args: &[Option<&Tensor>]) -> Layout {
        let kept: Vec<&Dim> = dims.iter().filter(|dim| dim.len != 1).collect();
        let stride = |tensor: &Tensor, dim: &Dim| tensor.dim(dim.axis).map_or(0, |own| own.stride);
        let mut lens: Vec<usize> = Vec::new();
        let mut strides: Vec<Vec<isize>> = vec![Vec::new(); args.len()];
        for dim in kept {
            let here: Vec<isize> = args.iter().map(|arg| arg.map_or(0, |tensor| stride(tensor, dim))).collect();
            let fits = |(past, &now): (&Vec<isize>, &isize)| past.last() == Some(&(now * dim.len as isize));
            if !lens.is_empty() && strides.iter().zip(&here).all(fits) {
                // This axis continues the one before in every argument: one longer axis.
                *lens.last_mut().unwrap_or(&mut 1) *= dim.len;
                strides.iter_mut().zip(here).for_each(|(past, now)| *past.last_mut().unwrap_or(&mut 0) = now);
            } else {
                lens.push(dim.len);
                strides.iter_mut().zip(here).for_each(|(past, now)| past.push(now));
            }
        }
        Layout::cut(lens, strides, args)
    }

    fn cut(mut lens: Vec<usize>, strides: Vec<Vec<isize>>, args: &[Option<&Tensor>]) -> Layout {
        let like_result: Vec<isize> =
            (0..lens.len()).map(|i| lens[i + 1..].iter().product::<usize>() as isize).collect();
        let operand = |(strides, arg): (Vec<isize>, &Option<&Tensor>)| Operand {
            offset: arg.map_or(0, |tensor| tensor.offset),
            flat: arg.is_some() && strides == like_result,
            strides,
        };
        let operands = strides.into_iter().zip(args).map(operand).collect();
        let inner = lens.pop().unwrap_or(1);
        let rows = lens.iter().product();
        let tile_rows = (TILE / inner.max(1)).max(1);
        Layout { outer: lens, inner, rows, tile_rows, pieces: inner.div_ceil(TILE), operands }
    }

    pub fn elements(&self) -> usize {
        self.rows * self.inner
    }

    /// The position in an argument of element `start` of the result, if the argument lies exactly like the result.
    pub fn flat(&self, operand: usize, start: usize) -> Option<usize> {
        let operand = &self.operands[operand];
        operand.flat.then_some(operand.offset + start)
    }

    /// Elements of a full tile.
    pub fn tile_len(&self) -> usize {
        if self.pieces > 1 { TILE } else { self.inner * self.tile_rows.min(self.rows) }
    }

    pub fn tiles(&self) -> usize {
        match self.elements() {
            0 => 0,
            _ if self.pieces > 1 => self.rows * self.pieces,
            _ => self.rows.div_ceil(self.tile_rows),
        }
    }

    pub fn tile(&self, number: usize) -> Tile {
        if self.pieces > 1 {
            let (row, column) = (number / self.pieces, number % self.pieces * TILE);
            return Tile { row, rows: 1, column, len: TILE.min(self.inner - column) };
        }
        let row = number * self.tile_rows;
        let rows = self.tile_rows.min(self.rows - row);
        Tile { row, rows, column: 0, len: rows * self.inner }
    }

    /// The position in the result of a tile's first element; of the end, for the number of tiles.
    pub fn start(&self, number: usize) -> usize {
        if number >= self.tiles() {
            return self.elements();
        }
        let tile = self.tile(number);
        tile.row * self.inner + tile.column
    }

    /// Where an argument's elements of this tile lie contiguously, if they do.
    pub fn contiguous(&self, operand: usize, tile: Tile) -> Option<usize> {
        let operand = &self.operands[operand];
        if operand.flat {
            return Some(operand.offset + tile.row * self.inner + tile.column);
        }
        let unit = self.inner <= 1 || operand.strides.last() == Some(&1);
        (tile.rows == 1 && unit).then(|| (self.row_start(operand, tile.row) + tile.column as isize) as usize)
    }

    /// The position of a row's first element in an argument.
    fn row_start(&self, operand: &Operand, mut row: usize) -> isize {
        let mut at = operand.offset as isize;
        for (len, stride) in self.outer.iter().zip(&operand.strides).rev() {
            at += (row % len) as isize * stride;
            row /= len;
        }
        at
    }

    /// Copies an argument's elements of this tile to `target`, in the result's order.
    pub fn gather(&self, operand: usize, tile: Tile, source: Slice, target: SliceMut) {
        match (source, target) {
            (Slice::F32(from), SliceMut::F32(to)) => self.gather_as(operand, tile, from, to),
            (Slice::F64(from), SliceMut::F64(to)) => self.gather_as(operand, tile, from, to),
            (Slice::I64(from), SliceMut::I64(to)) => self.gather_as(operand, tile, from, to),
            (Slice::Bool(from), SliceMut::Bool(to)) => self.gather_as(operand, tile, from, to),
            // Types were checked when the kernel was.
            _ => {}
        }
    }

    fn gather_as<T: Copy>(&self, operand: usize, tile: Tile, from: &[T], to: &mut [T]) {
        let operand = &self.operands[operand];
        let stride = operand.strides.last().copied().unwrap_or(0);
        let width = tile.len / tile.rows.max(1);
        let mut row = self.place(tile.row);
        let mut start = self.row_start(operand, tile.row) + tile.column as isize * stride;
        for to in to[..tile.len].chunks_exact_mut(width.max(1)) {
            match stride {
                0 => to.fill(from[start as usize]),
                1 => to.copy_from_slice(&from[start as usize..start as usize + width]),
                _ => {
                    for (j, to) in to.iter_mut().enumerate() {
                        *to = from[(start + j as isize * stride) as usize];
                    }
                }
            }
            start += self.next(&mut row, operand);
        }
    }

    /// The indices of a row along the outer dims.
    fn place(&self, mut row: usize) -> Vec<usize> {
        let mut place = vec![0; self.outer.len()];
        for (index, len) in place.iter_mut().zip(&self.outer).rev() {
            *index = row % len;
            row /= len;
        }
        place
    }

    /// Goes on to the next row, and says how far its first element lies from that of the last: rows may be short, and
    /// dividing anew for each would cost more than copying it.
    fn next(&self, place: &mut [usize], operand: &Operand) -> isize {
        let mut step = 0;
        for ((index, len), stride) in place.iter_mut().zip(&self.outer).zip(&operand.strides).rev() {
            *index += 1;
            step += stride;
            if *index < *len {
                break;
            }
            *index = 0;
            step -= *len as isize * stride;
        }
        step
    }
}
