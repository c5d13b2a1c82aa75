//! Locus: an embedded experiment language for people who take transformers apart.
//!
//! The modules in reading order; each imports only from those above it (tested in `tests/house.rs`).

// Links the BLAS that ndarray calls.
extern crate blas_src;

pub mod app;
pub mod base;
pub mod check;
pub mod exec;
pub mod ir;
pub mod jit;
pub mod pass;
pub mod rt;
pub mod session;
pub mod syntax;
