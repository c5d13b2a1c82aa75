//! Which kernels of the BLAS and how many threads: chosen once, when the program starts.
//!
//! An OpenBLAS that is older than the processor falls back to its slowest kernels without a word, and reads the
//! variable that could tell it better only when it is loaded. So the program may execute itself anew, once. A library
//! must never do that to its host; only `main` calls `prepare_process`.

use super::blas::{corename, set_single_thread};

/// Set when the program was executed anew, so that it happens once.
const RESTARTED: &str = "LOCUS_BLAS_RESTARTED";
const CORETYPE: &str = "OPENBLAS_CORETYPE";

/// Was the program executed anew to get better kernels?
pub fn was_restarted() -> bool {
    std::env::var_os(RESTARTED).is_some()
}

/// Executes the program anew, once, if OpenBLAS chose kernels below what the processor has: they are five times slower.
/// To be called first in `main`. A choice that the person made by `OPENBLAS_CORETYPE` stands.
pub fn prepare_process() {
    let chosen = std::env::var_os(CORETYPE).is_some() || was_restarted();
    if let (false, Some(better)) = (chosen, better_kernels(&corename(), &cpu_features())) {
        restart(better);
    }
    set_single_thread();
}

#[cfg(unix)]
fn restart(kernels: &str) {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return };
    let mut args = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).env(RESTARTED, "1").env(CORETYPE, kernels);
    command.env("OPENBLAS_NUM_THREADS", "1").env("OMP_NUM_THREADS", "1");
    // Returns only if it failed; then the slow kernels have to do.
    let _ = command.exec();
}

#[cfg(not(unix))]
fn restart(_: &str) {}

/// The name to put into `OPENBLAS_CORETYPE` for the fastest kernels that this processor has.
pub fn wanted_kernel() -> String {
    let corename = corename();
    better_kernels(&corename, &cpu_features()).map_or(corename.to_uppercase(), str::to_string)
}

/// The kernels to ask for, if those in force are below what the processor has.
fn better_kernels(corename: &str, features: &[&str]) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().all(|name| features.contains(name));
    let (wanted, name) = if has(&["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"]) {
        (3, "SKYLAKEX")
    } else if has(&["avx2", "fma"]) {
        (2, "HASWELL")
    } else {
        return None;
    };
    (kernel_class(corename) < wanted).then_some(name)
}

/// 0: SSE, 1: AVX, 2: AVX2, 3: AVX-512. An unknown name is a newer one, and stands.
fn kernel_class(corename: &str) -> u32 {
    match corename.to_ascii_lowercase().as_str() {
        "katmai" | "coppermine" | "northwood" | "prescott" | "banias" | "atom" | "core2" | "penryn" | "dunnington"
        | "nehalem" | "athlon" | "opteron" | "opteron_sse3" | "barcelona" | "nano" | "bobcat" | "generic" => 0,
        "sandybridge" | "bulldozer" | "piledriver" | "steamroller" | "excavator" => 1,
        "haswell" | "zen" => 2,
        _ => 3,
    }
}

/// What the processor can do, of the things that matter for kernels.
pub fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! look {
            ($($name:tt),*) => { $(if std::is_x86_feature_detected!($name) { found.push($name); })* };
        }
        look!(
            "sse4.2",
            "avx",
            "avx2",
            "fma",
            "avx512f",
            "avx512cd",
            "avx512bw",
            "avx512dq",
            "avx512vl",
            "avx512vnni",
            "avx512bf16"
        );
    }
    found
}

/// Threads that work is spread over.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// How many threads there should be: `wanted`, or `LOCUS_THREADS`, or one per processor.
pub fn usual_threads(wanted: Option<usize>) -> usize {
    let from_environment = || std::env::var("LOCUS_THREADS").ok().and_then(|text| text.trim().parse().ok());
    let count = wanted.or_else(from_environment).filter(|&count| count > 0);
    count.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1)
}

/// Makes this thread, and others that start and end with it, a pool of its own: what it computes is spread over these and
/// nobody else's. The pool ends when what is returned is dropped.
pub fn own_pool(threads: usize, start: impl Fn() + Send + Sync + 'static) -> Result<rayon::ThreadPool, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    let pool = pool.thread_name(|i| format!("locus-{i}")).start_handler(move |_| start());
    pool.build().map_err(|why| why.to_string())
}

/// Sets the number of threads for the whole process, see `usual_threads`. Works once, before anything was computed;
/// returns the number in force.
pub fn set_threads(wanted: Option<usize>) -> usize {
    let count = usual_threads(wanted);
    // Fails if the pool exists already; then its number stands.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|i| format!("locus-{i}")).build_global();
    threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: &[&str] = &["avx", "avx2", "fma", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"];

    #[test]
    fn slow_kernels_are_replaced_and_fitting_ones_stand() {
        assert_eq!(better_kernels("Prescott", WIDE), Some("SKYLAKEX"));
        assert_eq!(better_kernels("Haswell", WIDE), Some("SKYLAKEX"));
        assert_eq!(better_kernels("Zen", WIDE), Some("SKYLAKEX"));
        assert_eq!(better_kernels("SkylakeX", WIDE), None);
        assert_eq!(better_kernels("Sapphirerapids", WIDE), None);
        assert_eq!(better_kernels("Prescott", &WIDE[..3]), Some("HASWELL"));
        assert_eq!(better_kernels("Sandybridge", &WIDE[..3]), Some("HASWELL"));
        assert_eq!(better_kernels("Zen", &WIDE[..3]), None);
        assert_eq!(better_kernels("Prescott", &["sse4.2"]), None);
    }

    #[test]
    fn there_is_a_thread_at_least() {
        assert!(threads() >= 1);
    }
}
