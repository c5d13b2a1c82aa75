//! Locus: an embedded experiment language for people who take transformers apart.
//!
//! The modules in reading order; each imports only from those above it (tested in `tests/house.rs`).

// Links the BLAS that ndarray calls.
extern crate blas_src;

pub mod base;
pub mod syntax;
pub mod ir;
pub mod rt;
pub mod check;
pub mod pass;
pub mod exec;
pub mod jit;
pub mod session;
pub mod app;
