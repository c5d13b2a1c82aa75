//! What the fuzzer kept is tried again in every test: each file of `fuzz/corpus` by its target, within 2 s and in little
//! memory. `make fuzz` makes these files (docs/testing.md); a new finding goes there too.

// Not all of it is used here.
#[allow(dead_code)]
#[path = "common/broken.rs"]
mod broken;
#[path = "../fuzz/targets.rs"]
mod targets;

use broken::Made;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SLOWEST: Duration = Duration::from_secs(2);
/// The whole process, after all files.
const LARGEST_KIB: u64 = 1 << 20;
/// All corpora together: they are part of the repository.
const LARGEST_BYTES: u64 = 3 << 20;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The files of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// The time that this thread has run: what else the machine does is not part of it.
fn own_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0))
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

#[test]
fn what_the_fuzzer_kept_is_answered_soon_and_in_little_memory() {
    let (mut faults, mut bytes) = (Vec::new(), 0);
    for (name, target) in targets::TARGETS {
        let (found, mut slowest) = (files(&corpus().join(name)), Duration::ZERO);
        assert!(!found.is_empty(), "no files for {name}");
        for path in &found {
            let input = fs::read(path).unwrap();
            bytes += input.len() as u64;
            let started = own_time();
            let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
            let time = own_time() - started;
            slowest = slowest.max(time);
            if outcome.is_err() || time > SLOWEST {
                faults.push(format!("{name} {}: {time:?}", path.display()));
            }
        }
        println!("{name:<12} {:>5} files, slowest {slowest:?}, peak {} KiB", found.len(), peak_kib());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(peak_kib() < LARGEST_KIB, "{} KiB", peak_kib());
    assert!(bytes < LARGEST_BYTES, "{bytes} bytes of corpora");
}

#[test]
fn every_corpus_has_its_target() {
    for folder in files(&corpus()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(targets::TARGETS.iter().any(|(known, _)| *known == name), "fuzz/corpus/{name} has no target");
    }
}

/// `LOCUS_SEEDS=FOLDER` writes the cases of `tests/broken_files.rs` there, for the fuzzer to begin with.
#[test]
fn seeds_are_the_broken_files() {
    let cases = broken::cases();
    assert!(cases.len() > 1000);
    let Some(folder) = std::env::var_os("LOCUS_SEEDS").map(PathBuf::from) else { return };
    for (number, case) in cases.iter().enumerate() {
        let name = case.of.rsplit(' ').next().unwrap_or(case.of);
        let known = targets::TARGETS.iter().any(|(known, _)| *known == name);
        if let (Made::File(bytes), true) = (&case.made, known) {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join(format!("broken-{number}")), bytes).unwrap();
        }
    }
}
