//! Tensors of which only some entries of each row are kept: the codes of dictionaries.
//!
//! A representation of a tensor, never a type: it is chosen by the operation (`keep_top`), and programs cannot tell
//! it from a dense one but by time and memory. Nothing here knows which operation of a program asked.

use super::error::Result;
use super::tensor::{Aligned, Buffer, Dim, Tensor};
use std::sync::Arc;

/// Rows of (index, value), row-major over `rows`; what is not kept is 0 (false).
#[derive(Clone, Debug)]
pub struct Sparse {
    /// The axes that count rows, outermost first. Strides are those of a dense tensor over `rows` alone.
    pub rows: Vec<Dim>,
    /// The axis whose indices are kept; the stride is 1.
    pub along: Dim,
    /// Which entries are kept, shared by all that was made from the same selection.
    pub pattern: Arc<Pattern>,
    /// One value for each kept entry, in the order of `pattern`.
    pub values: Buffer,
}

/// Which entries are kept.
#[derive(Debug)]
pub struct Pattern {
    /// Row `r` has the entries `starts[r]..starts[r + 1]`; one more than there are rows.
    pub starts: Vec<usize>,
    /// Indices along the axis, ascending within a row.
    pub index: Aligned<u32>,
}

impl Sparse {
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(|dim| dim.len).product()
    }

    /// The same values as a dense tensor, rows outermost.
    pub fn dense(&self) -> Result<Tensor> {
        todo!("stub of the contract")
    }
}
