//! Source text to syntax tree. `scan` cuts a text into items by its brackets, `parse` turns each into a tree
//! with pest, `slips` has words for common mistakes (`tokens` shows it what stands around one), `format` lays a text out
//! anew. This layer resolves no names and must never do IO.

pub mod ast;
pub mod format;
pub mod free;
pub mod parse;
pub mod scan;
pub mod slips;
pub mod tokens;

pub use tokens::{Kind, Token, code_tokens, comments, words};
