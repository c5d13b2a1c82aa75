//! Which numeric class a process is in: equal bits are promised for equal classes only.
//!
//! The command restarts itself, once, where that gets it faster kernels of the BLAS. A library must not do that to its
//! host, so it says what is in force, whether the command would have the same, and how the host can be started for it.

use crate::rt::{blas, kernels};

/// What the bits of numbers depend on, beside the program and its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumericClass {
    /// The version of Locus.
    pub version: String,
    /// The kernels of OpenBLAS that are in force in this process.
    pub kernel: String,
    /// The kernels that `locus run` would have on this machine, started from the same environment.
    pub command_kernel: String,
    /// What OpenBLAS says of itself.
    pub openblas: String,
}

impl NumericClass {
    /// That of this process.
    pub fn here() -> NumericClass {
        let blas = blas::info();
        NumericClass {
            version: env!("CARGO_PKG_VERSION").to_string(),
            kernel: blas.corename,
            command_kernel: kernels::wanted_kernel(),
            openblas: blas.config,
        }
    }

    /// Would the command give the same bits on this machine?
    pub fn is_the_commands(&self) -> bool {
        self.kernel.eq_ignore_ascii_case(&self.command_kernel)
    }

    /// How to start the host so that its bits are those of the command; `None` if they are.
    pub fn advice(&self) -> Option<String> {
        (!self.is_the_commands()).then(|| {
            format!(
                "OpenBLAS chose the kernels {} where the command would have {}; they are chosen when a process starts: \
                 start this program with OPENBLAS_CORETYPE={} OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1",
                self.kernel, self.command_kernel, self.command_kernel
            )
        })
    }
}
