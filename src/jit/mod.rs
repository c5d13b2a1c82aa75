//! Machine code through cranelift.
