//! Running the IR: one operation on runtime values (`op`), and the oracle that interprets whole functions.
//!
//! Machine code (`jit`) runs its heavy operations through the same `op::execute`, so both engines give the same
//! bits and the same errors. Nothing here knows source text, and nothing here compiles.

pub mod buffers;
pub mod chunked;
pub mod finite;
mod frame;
pub mod graph;
mod host;
pub mod op;
pub mod oracle;
pub mod plan;
pub mod sparse;
pub mod sweep;
pub mod uses;
pub mod zero;

use crate::base::span::Span;
use crate::ir::{FuncId, Module};
use crate::rt::ctx::Ctx;
use crate::rt::error::{Error, code};
use crate::rt::value::Value;
pub use oracle::Oracle;

/// Calls nest at most this deep.
pub const DEPTH_LIMIT: u32 = 1000;

/// An error and where in the script it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub error: Error,
    /// The statement that failed.
    pub span: Span,
    /// The calls that led there, innermost first.
    pub trace: Vec<Span>,
}

impl Fault {
    pub fn new(error: Error, span: Span) -> Fault {
        Fault { error, span, trace: Vec::new() }
    }
}

/// Something that runs functions of a module. An engine may keep what it compiled by `FuncId`, so it serves one
/// module only, to which functions are appended.
pub trait Engine {
    fn call(
        &mut self,
        module: &Module,
        func: FuncId,
        args: Vec<Value>,
        globals: &mut Vec<Value>,
        ctx: &mut Ctx,
    ) -> Result<Vec<Value>, Fault>;
}

/// The error of a call that nests too deep.
pub fn too_deep() -> Error {
    Error::new(code::DEPTH, format!("calls nest deeper than {DEPTH_LIMIT}"))
        .help("a function that calls itself needs a case in which it does not")
}

/// The error of an operation that no earlier stage should have let through.
pub fn internal(text: impl Into<String>) -> Error {
    Error::new(code::INTERNAL, text)
}
