//! The oracle and machine code on the same functions: equal bits, and equal faults with equal places.
//!
//! The functions are built by hand (`engine/build.rs`), so that these tests need neither syntax nor checker.

#[path = "engine/build.rs"]
mod build;
#[path = "engine/control.rs"]
mod control;
#[path = "engine/elements.rs"]
mod elements;
#[path = "engine/kernels.rs"]
mod kernels;
#[path = "engine/random.rs"]
mod random;
