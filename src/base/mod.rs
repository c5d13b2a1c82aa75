//! What every stage shares: places in source text, diagnostics, axis names, and the scalar operations.
//!
//! This layer knows no syntax, no IR and no tensors, and must never import from the layers above.

pub mod axis;
pub mod diag;
pub mod difference;
pub mod kernel;
pub mod markup;
pub mod ops;
pub mod render;
pub mod span;
pub mod suggest;
pub mod sweep;
