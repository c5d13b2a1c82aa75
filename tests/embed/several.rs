//! Several sessions in one process, on several threads: the bits of `locus run`, and nothing shared but the processor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use locus::base::axis::Axis;
use locus::{Engine, NumericClass, Options, Transcript};

use super::{ENGINES, alive, number, open};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What the program printed, and the files that it wrote.
type Ran = (String, Vec<Vec<u8>>);

/// The lines without those that name the folder, which differs.
fn told(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("wrote ")).map(|line| format!("{line}\n")).collect()
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    ["w.npy", "sums.npy"].iter().map(|name| std::fs::read(folder.join(name)).unwrap()).collect()
}

fn by_the_command(program: &Path) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    command.args(["run", "--fresh"]).arg(program).arg("--out").arg(folder.path());
    let ran = command.env("LOCUS_CACHE", "off").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    (told(&String::from_utf8_lossy(&ran.stdout)), files(folder.path()))
}

fn by_a_session(program: &Path, engine: Engine) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let heard = Transcript::default();
    let mut session = Options::new().engine(engine).output(folder.path()).listener(heard.clone()).open().unwrap();
    session.run_file(program).unwrap_or_else(|failure| panic!("{failure}"));
    let lines = told(&heard.take_lines().join("\n"));
    // What is taken out holds the bits that were written.
    for name in ["w", "sums"] {
        let value = session.get(if name == "w" { "p" } else { name }).unwrap();
        let array = value.field("w").unwrap_or(&value).array().unwrap().clone();
        let axes: Vec<String> = array.axes().into_iter().map(|(axis, _)| axis).collect();
        let order: Vec<&str> = axes.iter().map(String::as_str).collect();
        let view = array.view::<f32>(&order).unwrap();
        let written = std::fs::read(folder.path().join(format!("{name}.npy"))).unwrap();
        let mut bits: Vec<u32> = view.iter().map(|x| x.to_bits()).collect();
        let start = written.len() - 4 * bits.len();
        let mut stored: Vec<u32> =
            written[start..].chunks(4).map(|x| u32::from_le_bytes(x.try_into().unwrap())).collect();
        // The file may have another order of axes.
        bits.sort_unstable();
        stored.sort_unstable();
        assert_eq!(bits, stored);
    }
    (lines, files(folder.path()))
}

#[test]
fn two_sessions_at_once_give_the_bits_of_the_command() {
    // Whatever this process named before must not matter: these axes are known in another order than to the command.
    for name in ["zeta", "other", "middle", "inner", "beta", "alpha"] {
        Axis::named("", name);
    }
    let program = root().join("tests/embed/bits.exp");
    let stated = by_the_command(&program);
    let barrier = Arc::new(Barrier::new(2));
    let threads: Vec<_> = ENGINES
        .into_iter()
        .map(|engine| {
            let (program, barrier) = (program.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                by_a_session(&program, engine)
            })
        })
        .collect();
    for thread in threads {
        let found = thread.join().unwrap();
        assert_eq!(found.0, stated.0);
        assert!(found.1 == stated.1, "the same text, and other bits");
    }
}

#[test]
fn programs_print_what_they_print_for_the_command() {
    // Axes in the order opposite to their names, before any program names them.
    for letter in ('a'..='z').rev() {
        Axis::named("", &letter.to_string());
    }
    let all = std::env::var_os("LOCUS_FULL").is_some();
    let some = ["axes", "control", "grad", "merge_split", "reductions", "statistics", "strings"];
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("tests/run")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|end| end != "exp") || !(all || some.contains(&name.as_str())) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let heard = Transcript::default();
        let mut session = Options::new().output(folder.path()).listener(heard.clone()).open().unwrap();
        session.run_file(&path).unwrap_or_else(|failure| panic!("{name}\n{failure}"));
        let lines: String = heard.take_lines().iter().map(|line| format!("{line}\n")).collect();
        let stated = std::fs::read_to_string(path.with_extension("out")).unwrap();
        assert_eq!(lines, stated, "{name}");
        seen += 1;
    }
    assert!(seen >= some.len());
}

#[test]
fn a_session_is_used_from_threads_and_dropped_anywhere() {
    let mut session = open();
    session.evaluate("let n = 20").unwrap();
    let mut session = thread::spawn(move || {
        assert_eq!(number(&mut session, "n + 1"), 21.0);
        session
    })
    .join()
    .unwrap();
    session.evaluate("let n = 1 +").unwrap_err();
    thread::spawn(move || drop(session)).join().unwrap();
    // One goes while another runs.
    let mut other = open();
    let stopper = other.interrupter();
    let running = thread::spawn(move || {
        let failure = other.evaluate("let mut n = 0\nwhile n >= 0 { n = (n + 1) % 7 }").unwrap_err();
        alive(&mut other);
        failure
    });
    let mut short = open();
    alive(&mut short);
    drop(short);
    while !stopper.interrupt() {
        thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(running.join().unwrap().code(), "R013");
}

#[test]
fn a_session_whose_host_panics_goes_with_it() {
    let outcome = thread::spawn(|| {
        let mut session = open();
        session.evaluate("let n = 1").unwrap();
        panic!("the host has a fault of its own");
    })
    .join();
    assert!(outcome.is_err());
    alive(&mut open());
}

#[test]
fn sessions_in_all_tasks_of_a_pool_of_the_host_wait_for_none_of_its_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let work = |_: rayon::BroadcastContext<'_>| {
        let mut session = Options::new().threads(2).open().unwrap();
        session.evaluate("axis a = 300, b = 300, c = 300\nlet x = [i in a, j in b => float(int(i) + int(j))]").unwrap();
        number(&mut session, "total(x @[b] x[a -> c])")
    };
    let found: Vec<f64> = pool.broadcast(work);
    assert_eq!(found[0], found[1]);
    // The pool that every thread without one of its own would use.
    let found: Vec<f64> = rayon::broadcast(work);
    assert!(found.iter().all(|one| *one == found[0]));
}

#[test]
fn the_numeric_class_is_known() {
    let class = open().numeric_class();
    assert_eq!(class, NumericClass::here());
    assert_eq!(class.version, env!("CARGO_PKG_VERSION"));
    assert!(!class.kernel.is_empty() && !class.openblas.is_empty());
    let info = Command::new(env!("CARGO_BIN_EXE_locus")).args(["info", "--kernel"]).output().unwrap();
    let wanted = String::from_utf8_lossy(&info.stdout).trim().to_string();
    assert!(class.command_kernel.eq_ignore_ascii_case(&wanted), "{class:?} {wanted}");
    assert_eq!(class.is_the_commands(), class.kernel.eq_ignore_ascii_case(&wanted));
    assert_eq!(class.advice().is_some(), !class.is_the_commands());
}

#[test]
fn many_sessions_leave_nothing_behind() {
    let before = locus::process::memory_in_use();
    for _ in 0..10 {
        let mut session = open();
        session.evaluate("axis a = 2_000_000\nlet x = cumsum[a](ones[a]())").unwrap();
    }
    // Others of this process may hold arrays meanwhile; ten sessions would have left 80 MB.
    let after = locus::process::memory_in_use();
    assert!(after < before + (40 << 20), "{before} {after}");
}
