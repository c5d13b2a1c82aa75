//! Locus: an embedded experiment language for people who take transformers apart.
//!
//! A program that wants to run Locus needs what stands here at the top: it opens a [`Session`], gives it arrays with axis
//! names, evaluates texts or files, and takes results back. `docs/embedding.md` is the guide, `examples/embed.rs` a
//! whole program.
//!
//! The modules below are the implementation, in reading order; each imports only from those above it (tested in
//! `tests/house.rs`). They are public for the command, the tests and the curious, and may change with every version.

// Links the BLAS that ndarray calls.
extern crate blas_src;

pub mod app;
pub mod base;
pub mod check;
pub mod embed;
pub mod exec;
pub mod ir;
pub mod jit;
pub mod pass;
pub mod rt;
pub mod session;
pub mod syntax;

pub use embed::{
    Arguments, Array, Bound, Diagnostic, Element, ElementType, Enforced, Engine, Evaluated, Expectation, Failure,
    FailureKind, File, HostResult, Interrupter, Label, Listener, NumericClass, Options, Place, Progress, Session,
    Transcript, Value, process,
};
