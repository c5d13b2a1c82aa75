//! What a program will need, before anything runs: shapes, products, passes over data, memory.
//!
//! A second interpreter of the IR, whose values are shapes (`value`), with one rule for each operation (`shapes`). It
//! follows the control flow of a run as far as values are known; what is not known it calls unknown. It opens inputs
//! for their headers only, and never computes with the elements of a tensor.

mod machine;
mod shapes;
pub mod value;

pub use machine::Planner;

use crate::base::span::Span;

/// What one top-level item will do.
#[derive(Clone, Debug, Default)]
pub struct Need {
    pub products: Vec<Work>,
    /// Operations on the whole of an input or a stream, by its number: how often it is gone over.
    pub passes: Vec<(usize, u64)>,
    /// Bytes of the largest array.
    pub largest: u64,
    /// Bytes in use at most, what earlier items left included.
    pub peak: u64,
    /// Are there arrays of unknown size, which `largest` and `peak` lack?
    pub unknown: bool,
    /// Loops whose number of rounds is unknown: counted once.
    pub open_loops: u64,
    /// Conditions that are known only when it runs: the dearer branch was counted.
    pub open_branches: u64,
    /// Loops too long to be followed: their first round was counted for each.
    pub estimated: bool,
}

/// Products at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    pub span: Span,
    pub count: u64,
    /// Of all of them; `None` if a length is unknown.
    pub flops: Option<f64>,
    pub left: String,
    pub right: String,
}

/// An input or a stream whose elements are read.
#[derive(Clone, Debug)]
pub struct Source {
    pub span: Span,
    pub shape: String,
    pub bytes: Option<u64>,
    /// A tensor that is made and kept in tiles: axis, length of a tile, number of tiles.
    pub tiles: Option<(String, Option<u64>, Option<u64>)>,
}

impl Need {
    /// Operations of all products; `None` if one is unknown.
    pub fn flops(&self) -> Option<f64> {
        self.products.iter().map(|work| work.flops).sum()
    }
}
