//! Tensors in tiles along one axis: what is longer than memory should hold at once.
//!
//! Each tile is in memory or in the runtime's own store on disk; which of the two changes time, never a bit. Tiles
//! follow from shapes alone. Nothing here knows which operation of a program asked.

use super::error::Result;
use super::tensor::{Dim, Tensor};

/// A tensor cut into tiles along `axis`.
#[derive(Debug)]
pub struct Chunked {
    /// The axis that is cut, with its whole length.
    pub axis: Dim,
}

impl Chunked {
    /// The whole as one tensor; an error that says the size if the memory limit does not allow it.
    pub fn whole(&self) -> Result<Tensor> {
        todo!("stub of the contract")
    }
}
