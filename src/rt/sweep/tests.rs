//! Sweeps over blocks against their statements over whole tensors: the same bits, and memory taken over.
