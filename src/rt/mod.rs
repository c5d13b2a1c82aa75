//! The runtime: named-axis tensors and everything that computes on them.
//!
//! It knows no syntax, no IR and no sessions. Errors are values of `error::Error`; nothing here prints, and
//! nothing panics on data. Everything that compiled code may call is in `table`.

pub mod account;
pub mod aligned;
pub mod attention;
pub mod blas;
pub mod builtins;
pub mod chunked;
pub mod contract;
pub mod copy;
pub mod corpus;
pub mod ctx;
pub mod elementwise;
pub mod error;
pub mod files;
pub mod format;
pub mod grouping;
pub mod guard;
pub mod host;
pub mod index;
pub mod kernels;
pub mod linalg;
pub mod plot;
pub mod products;
pub mod profile;
pub mod reach;
pub mod reduce;
pub mod rng;
pub mod select;
pub mod simd;
pub mod sparse;
pub mod squares;
pub mod sums;
pub mod sweep;
pub mod table;
pub mod tensor;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod value;
pub mod walk;
