//! `locus info`: what the numbers of a run may depend on.

use super::OK;
use super::output::say;
use crate::rt::kernels;
use crate::session::embedded::STDLIB;
use crate::session::fence::{Enforced, Fence, raise};
use crate::session::machine::{Machine, memory_limit};

/// What the kernel would enforce around a run, tried in a thread that ends at once.
fn enforced() -> Enforced {
    let tried = std::thread::spawn(|| raise(&Fence::default())).join();
    tried.unwrap_or(Enforced { files: false, calls: false })
}

pub fn info(kernel_only: bool) -> u8 {
    if kernel_only {
        say(&kernels::wanted_kernel());
        return OK;
    }
    let machine = Machine::here();
    let modules: Vec<&str> = STDLIB.iter().map(|(name, _)| *name).collect();
    let features = if machine.features.is_empty() { "none known".to_string() } else { machine.features.join(" ") };
    say(&format!("locus       {}", machine.locus));
    say(&format!("processor   {}", machine.processor));
    say(&format!("features    {features}"));
    say(&format!("openblas    {}", machine.openblas));
    say(&format!("kernel      {}", machine.kernel));
    say(&format!("threads     {} (OpenBLAS itself uses 1; results do not depend on this number)", machine.threads));
    say(&format!("memory      at most {:.1} GiB for one tensor", memory_limit() as f64 / (1u64 << 30) as f64));
    say(&format!("fence       {}", enforced().shown()));
    say(&format!("modules     {}", modules.join(" ")));
    OK
}
