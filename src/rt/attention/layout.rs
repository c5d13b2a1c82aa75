//! Where the rows of queries, keys and values lie, which positions are independent, and how far a mask lets see.
//!
//! Batch axes that lie outside the queries are outer (tasks), those inside (heads) are walked within a task, so that
//! the result is laid out like the queries. Nothing here computes.

use super::super::error::{Error, Result, code};
use super::super::tensor::{Dim, Element, Tensor, size_mismatch};
use super::super::walk::Walk;
use super::{Roles, Scores};
use crate::base::axis::Axis;

/// Which keys a query may see.
pub enum Seen<'a> {
    All,
    /// The first so many: for each matrix of the mask, by query.
    First(Vec<usize>),
    /// Any.
    Some(Mask<'a>),
}

/// A mask that is read element by element.
#[derive(Clone, Copy)]
pub struct Mask<'a> {
    values: &'a [u8],
    q: usize,
    k: usize,
}

impl Mask<'_> {
    /// Puts `hidden` where query `q` may not see.
    pub fn hide<T: Copy>(&self, start: usize, q: usize, row: &mut [T], hidden: T) {
        for (k, score) in row.iter_mut().enumerate() {
            if self.values[start + q * self.q + k * self.k] == 0 {
                *score = hidden;
            }
        }
    }
}

/// One computation. The four operands are queries, keys, values and the mask; a fifth is the result's adjoint.
pub struct Job<'a> {
    pub roles: Roles,
    pub scale: f64,
    pub hidden: f64,
    pub queries: usize,
    pub keys: usize,
    /// The length of `d`, and of `e`.
    pub depth: usize,
    pub width: usize,
    /// Elements between two rows of queries, keys, values and the adjoint.
    pub rows: [usize; 4],
    outer_axes: Vec<Dim>,
    inner_axes: Vec<Dim>,
    pub outer: Walk<5>,
    pub inner: Walk<5>,
    pub seen: Seen<'a>,
    mask: Option<&'a Tensor>,
    strides: Vec<(Axis, [isize; 5])>,
}

/// With fewer outer positions than this, a gradient spreads over the inner ones too.
const FEW: usize = 8;

/// The operands with their last axes side by side; most often they are so already.
pub fn readable(operands: [&Tensor; 3], roles: Roles) -> Result<[Tensor; 3]> {
    let [q, k, v] = operands;
    Ok([in_rows(q, roles.q, roles.d)?, in_rows(k, roles.k, roles.d)?, in_rows(v, roles.k, roles.e)?])
}

/// The same elements such that `column` lies side by side and rows do not overlap.
pub fn in_rows(t: &Tensor, row: Axis, column: Axis) -> Result<Tensor> {
    let find = |axis| t.dim(axis).copied().ok_or_else(|| Error::new(code::INTERNAL, format!("no axis `{axis}`")));
    let (rows, columns) = (find(row)?, find(column)?);
    let apart = rows.len <= 1 || rows.stride >= columns.len as isize;
    if (columns.stride == 1 || columns.len <= 1) && apart {
        return Ok(t.clone());
    }
    let mut order: Vec<Axis> =
        t.dims.iter().map(|dim| dim.axis).filter(|&axis| axis != row && axis != column).collect();
    order.extend([row, column]);
    t.in_order(&order)
}

/// The elements of tensors, each from its first on.
pub fn values<T: Element, const N: usize>(tensors: &[Tensor; N]) -> Result<[&[T]; N]> {
    let mut found: [&[T]; N] = [&[]; N];
    for (slice, tensor) in found.iter_mut().zip(tensors) {
        *slice = tensor.store::<T>()?.get(tensor.offset..).unwrap_or(&[]);
    }
    Ok(found)
}

/// Sums of offsets, as places in slices.
pub fn sum(a: [isize; 5], b: [isize; 5]) -> [usize; 5] {
    std::array::from_fn(|i| (a[i] + b[i]) as usize)
}

impl<'a> Job<'a> {
    /// `adjoint`, for a gradient, belongs to the result.
    pub fn new(operands: [&Tensor; 3], adjoint: Option<&Tensor>, scores: Scores<'a>, roles: Roles) -> Result<Job<'a>> {
        let [q, k, v] = operands;
        let keys = k.len(roles.k)?;
        if keys == 0 {
            let message = format!("`max[{}]` of nothing: the axis has length 0", roles.k);
            return Err(Error::new(code::ARGUMENT, message));
        }
        let all: Vec<&Tensor> = operands.into_iter().chain(scores.seen).chain(adjoint).collect();
        agree(&all)?;
        let stride = |t: &Tensor, axis: Axis| t.dim(axis).map_or(0, |dim| dim.stride);
        let rows = [stride(q, roles.q), stride(k, roles.k), stride(v, roles.k)].map(|stride| stride as usize);
        let columns = [q.len(roles.d)?, k.len(roles.d)?, v.len(roles.e)?];
        let mut job = Job {
            roles,
            scale: scores.scale,
            hidden: scores.hidden,
            queries: q.len(roles.q)?,
            keys,
            depth: columns[0],
            width: columns[2],
            // Of a single row the distance does not matter, but it must look like one.
            rows: [0, 1, 2, 3].map(|i| {
                let given = if i < 3 { rows[i] } else { adjoint.map_or(0, |t| stride(t, roles.q) as usize) };
                given.max(columns[if i < 3 { i } else { 2 }])
            }),
            outer_axes: Vec::new(),
            inner_axes: Vec::new(),
            outer: Walk::new([]),
            inner: Walk::new([]),
            seen: Seen::All,
            mask: scores.seen,
            strides: Vec::new(),
        };
        job.place(operands, adjoint, roles);
        job.look(scores.seen)?;
        job.walks();
        Ok(job)
    }

    /// Which batch axes are outer, and the strides of all.
    fn place(&mut self, operands: [&Tensor; 3], adjoint: Option<&Tensor>, roles: Roles) {
        let [q, k, v] = operands;
        let own = [roles.q, roles.k, roles.d, roles.e];
        let mut batch: Vec<Dim> = Vec::new();
        for dim in [q, k, v].into_iter().chain(self.mask).flat_map(|t| &t.dims) {
            if !own.contains(&dim.axis) && batch.iter().all(|known| known.axis != dim.axis) {
                batch.push(*dim);
            }
        }
        let stride = |t: &Tensor, axis: Axis| t.dim(axis).map_or(0, |dim| dim.stride);
        batch.sort_by_key(|dim| std::cmp::Reverse(stride(q, dim.axis).max(stride(k, dim.axis))));
        for dim in &batch {
            let mask = self.mask.map_or(0, |mask| stride(mask, dim.axis));
            let last = adjoint.map_or(0, |adjoint| stride(adjoint, dim.axis));
            let of = |t| stride(t, dim.axis);
            self.strides.push((dim.axis, [of(q), of(k), of(v), mask, last]));
        }
        let everywhere = |axis: Axis| [q, k, v].iter().all(|t| t.dim(axis).is_some());
        let outside = |dim: &&Dim| stride(q, dim.axis) >= stride(q, roles.q);
        let (mut outer, mut inner): (Vec<&Dim>, Vec<&Dim>) =
            batch.iter().partition(|dim| outside(dim) && (adjoint.is_none() || everywhere(dim.axis)));
        if adjoint.is_some() && outer.iter().map(|dim| dim.len).product::<usize>() < FEW {
            let (more, rest) = inner.iter().partition(|dim| everywhere(dim.axis));
            outer.extend::<Vec<&Dim>>(more);
            inner = rest;
        }
        self.outer_axes = outer.into_iter().copied().collect();
        self.inner_axes = inner.into_iter().copied().collect();
    }

    fn walks(&mut self) {
        let strides = |axis: Axis| self.strides.iter().find(|found| found.0 == axis).map_or([0; 5], |found| found.1);
        let walk = |dims: &[Dim]| Walk::new(dims.iter().map(|dim| (dim.len, strides(dim.axis))));
        (self.outer, self.inner) = (walk(&self.outer_axes), walk(&self.inner_axes));
    }

    /// If every row of the mask is so many times true and then false, how many times.
    fn look(&mut self, mask: Option<&'a Tensor>) -> Result<()> {
        let Some(mask) = mask else { return Ok(()) };
        let plain = self.plain_mask(mask)?;
        let own = [self.roles.q, self.roles.k];
        let batch: Vec<Dim> = mask.dims.iter().filter(|dim| !own.contains(&dim.axis)).copied().collect();
        let positions = Walk::new(batch.iter().map(|dim| (dim.len, [dim.stride])));
        let mut ends = Vec::with_capacity(positions.count() * self.queries);
        for position in 0..positions.count() {
            let [start] = positions.at(position);
            for q in 0..self.queries {
                let first = start as usize + q * plain.q;
                let at = |k: usize| plain.values[first + k * plain.k] != 0;
                let end = (0..self.keys).take_while(|&k| at(k)).count();
                if end == 0 || (end..self.keys).any(at) {
                    self.seen = Seen::Some(plain);
                    return Ok(());
                }
                ends.push(end);
            }
        }
        // From here on the mask's place is that of its list of ends.
        let mut stride = self.queries as isize;
        for dim in batch.iter().rev() {
            if let Some(found) = self.strides.iter_mut().find(|found| found.0 == dim.axis) {
                found.1[3] = stride;
            }
            stride *= dim.len as isize;
        }
        self.seen = Seen::First(ends);
        Ok(())
    }

    fn plain_mask(&self, mask: &'a Tensor) -> Result<Mask<'a>> {
        let stride = |axis| mask.dim(axis).map_or(0, |dim| dim.stride as usize);
        let values = mask.store::<u8>()?.get(mask.offset..).unwrap_or(&[]);
        Ok(Mask { values, q: stride(self.roles.q), k: stride(self.roles.k) })
    }

    /// The same with every key computed, hidden or not.
    pub fn without_limits(mut self) -> Job<'a> {
        if let (Some(mask), Seen::First(_)) = (self.mask, &self.seen)
            && let Ok(plain) = self.plain_mask(mask)
        {
            for (axis, strides) in &mut self.strides {
                strides[3] = mask.dim(*axis).map_or(0, |dim| dim.stride);
            }
            self.seen = Seen::Some(plain);
            self.walks();
        }
        self
    }

    /// Outer axes, queries, inner axes, `e`.
    pub fn result_shape(&self) -> Vec<(Axis, usize)> {
        self.shape(None, (self.roles.q, self.queries), (self.roles.e, self.width))
    }

    /// The shape of what has a row of `columns` for each of `rows` in each position of the axes that `like` has.
    pub fn shape(&self, like: Option<&Tensor>, rows: (Axis, usize), columns: (Axis, usize)) -> Vec<(Axis, usize)> {
        let has = |dim: &&Dim| like.is_none_or(|like| like.dim(dim.axis).is_some());
        let named = |dim: &Dim| (dim.axis, dim.len);
        let outer = self.outer_axes.iter().filter(has).map(named);
        outer.chain([rows]).chain(self.inner_axes.iter().filter(has).map(named)).chain([columns]).collect()
    }

    /// For each inner position where its columns start within a row of what `like` gets.
    pub fn columns(&self, like: &Tensor, len: usize) -> Walk<1> {
        let mut stride = len as isize;
        let mut dims: Vec<(usize, [isize; 1])> = Vec::new();
        for dim in self.inner_axes.iter().rev() {
            let has = like.dim(dim.axis).is_some();
            dims.push((dim.len, [if has { stride } else { 0 }]));
            stride *= if has { dim.len as isize } else { 1 };
        }
        dims.reverse();
        Walk::new(dims)
    }

    /// The lengths' origins, as the operands know them.
    pub fn origins(&self, mut found: Tensor, operands: &[Tensor]) -> Result<Tensor> {
        for dim in &mut found.dims {
            if let Some(known) = operands.iter().find_map(|t| t.dim(dim.axis)) {
                dim.origin = known.origin;
            }
        }
        Ok(found)
    }
}

/// All operands have the same lengths.
fn agree(tensors: &[&Tensor]) -> Result<()> {
    for (number, t) in tensors.iter().enumerate() {
        for dim in &t.dims {
            for other in &tensors[..number] {
                if let Some(other) = other.dim(dim.axis).filter(|other| other.len != dim.len) {
                    return Err(size_mismatch(dim.axis, other, dim));
                }
            }
        }
    }
    Ok(())
}
