//! Locus inside another program: sessions, arrays with axis names, functions of the host, limits, diagnostics as data.
//!
//! A [`Session`] owns a thread, on which everything of it runs; the host sends it work and waits. So a session can be
//! moved and used from any thread, the stack of the host does not matter, and what binds a session's thread never
//! binds the host. Nothing here prints, ends the process, restarts it, or sets a handler for signals or panics.
//!
//! Reading order: `options`, `session`, `worker` (what runs on the thread), `value` and `array` (data both ways),
//! `function` (what the host registers), `listener` (what a program says), `diagnostic`, `numeric`, `process`.

mod array;
mod diagnostic;
mod function;
mod interrupt;
mod listener;
mod numeric;
mod options;
pub mod process;
mod session;
mod value;
mod worker;

pub use array::{Array, Element, ElementType};
pub use diagnostic::{Diagnostic, Failure, FailureKind, Label, Place};
pub use function::{Arguments, HostResult};
pub use interrupt::Interrupter;
pub use listener::{Expectation, File, Listener, Progress, Transcript};
pub use numeric::NumericClass;
pub use options::{Engine, Options};
pub use session::{Bound, Evaluated, Session};
pub use value::Value;

pub use crate::session::fence::Enforced;
