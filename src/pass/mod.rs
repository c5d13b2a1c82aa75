//! Passes over the IR. Each is a function on a module and leaves it well-formed; none knows the syntax.

pub mod drops;
pub mod fuse;
pub mod grad;
pub mod inline;
pub mod simplify;
