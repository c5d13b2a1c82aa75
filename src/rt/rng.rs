//! Keyed, counter-based random numbers.
//!
//! There is no state: a `Key` and an index give the number. Keys are derived by label, so a new random tensor
//! never changes the others.

/// A 256-bit key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Key(pub [u8; 32]);
