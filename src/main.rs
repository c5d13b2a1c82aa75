//! The `locus` command: chooses the BLAS kernel, then hands over to `locus::app`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, because it may execute the program anew: OpenBLAS reads its environment when it is loaded.
    locus::rt::kernels::prepare_process();
    locus::app::main()
}
