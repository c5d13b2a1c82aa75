//! What the numbers of a run may depend on: version, processor, BLAS kernel, threads.

use serde::{Deserialize, Serialize};

use crate::rt::{aligned, blas, chunked, tensor};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub locus: String,
    pub processor: String,
    pub features: Vec<String>,
    pub openblas: String,
    /// The kernel in force; equal bits are promised for equal kernels only.
    pub kernel: String,
    pub threads: usize,
}

impl Machine {
    pub fn here() -> Machine {
        let blas = blas::info();
        Machine {
            locus: env!("CARGO_PKG_VERSION").to_string(),
            processor: processor_name(),
            features: blas.cpu_features.iter().map(|name| name.to_string()).collect(),
            openblas: blas.config,
            kernel: blas.corename,
            threads: crate::rt::kernels::threads(),
        }
    }

    /// `OpenBLAS SkylakeX, 2 threads`, for messages.
    pub fn shown(&self) -> String {
        let plural = if self.threads == 1 { "" } else { "s" };
        format!("OpenBLAS {}, {} thread{plural}", self.kernel, self.threads)
    }
}

/// The processor as the system names it, or the architecture.
fn processor_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or(std::env::consts::ARCH).to_string()
}

/// Four fifths of the machine's memory: a process above it would be killed by the system without a word.
pub fn memory_limit() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
    kib.map_or(usize::MAX, |kib| kib / 5 * 4 * 1024)
}

/// What the program itself takes, with the library of products and compiled code: not for tensors.
const OWN: usize = 72_000_000;

/// Bounds what tensors, tiles and the store may take, for the whole process; gives the limit for one tensor.
pub fn bound_memory(memory: Option<usize>, disk: Option<u64>) -> usize {
    let limit = memory.unwrap_or_else(memory_limit);
    let tensors = limit.saturating_sub(OWN);
    tensor::set_memory_limit(tensors);
    aligned::set_budget(tensors);
    chunked::cache::set_limit((tensors / 6).min(chunked::cache::USUAL));
    chunked::store::set_limit(disk.unwrap_or(u64::MAX));
    tensors
}

/// The most memory that this process has had, in bytes.
pub fn peak_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_known() {
        let here = Machine::here();
        assert!(!here.processor.is_empty() && !here.kernel.is_empty() && here.threads > 0);
        assert!(memory_limit() > 1 << 28);
    }
}
