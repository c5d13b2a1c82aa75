//! What all sessions of a process share: the memory of all together, which the host may bound, and the BLAS.
//!
//! Each session has limits of its own beside these. Two more things are the whole process's: the BLAS is set to one
//! thread when the first session opens (our own threads share the work, and its numbers would depend on theirs), and
//! memory that sessions gave up is kept for later, at most a quarter of what all may take and never above 1 GiB.

use std::sync::Once;

use crate::rt::{aligned, blas, tensor};
use crate::session::machine;

static MEMORY: Once = Once::new();

/// Sets how many bytes the arrays of all sessions together may take: four fifths of the machine's memory unless this is
/// called. It may be called again.
pub fn set_memory(bytes: usize) {
    MEMORY.call_once(|| {});
    bound(bytes);
}

/// Bytes that the large arrays of all sessions take now.
pub fn memory_in_use() -> usize {
    aligned::live_bytes()
}

fn bound(bytes: usize) {
    tensor::set_memory_limit(bytes);
    aligned::set_budget(bytes);
}

/// What has to be so before the first session opens.
pub(super) fn prepare() {
    MEMORY.call_once(|| bound(machine::memory_limit()));
    blas::set_single_thread();
}
