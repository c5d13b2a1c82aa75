//! The prompt as people see it, driven through a pseudo-terminal: what is typed stands in `tests/repl/NAME.keys`, the
//! screen after each step in `NAME.screen`. `UPDATE=1` writes the screens anew.
//!
//! A step is over when the screen is what it should be; nothing waits for a time to pass, except to find out what a
//! screen is when it is written anew.

#[path = "repl/random.rs"]
mod random;
#[path = "repl/terminal.rs"]
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use terminal::{Script, Terminal};

/// Sessions that run at once.
const TOGETHER: usize = 2;

fn sessions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repl");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "keys"))
        .collect();
    found.sort();
    found
}

#[test]
fn sessions_look_as_they_should() {
    let (all, next, faults) = (sessions(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    assert!(all.len() >= 10, "only {} sessions were found", all.len());
    let work = || {
        while let Some(path) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(fault) = session(path) {
                faults.lock().unwrap().push(format!("{}: {fault}", path.display()));
            }
        }
    };
    std::thread::scope(|scope| (0..TOGETHER).for_each(|_| drop(scope.spawn(work))));
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}\n\nUPDATE=1 writes the screens anew", faults.join("\n\n"));
}

fn session(path: &Path) -> Result<(), String> {
    let script = Script::read(&fs::read_to_string(path).unwrap());
    let stored = path.with_extension("screen");
    let update = std::env::var_os("UPDATE").is_some();
    let wanted = fs::read_to_string(&stored).unwrap_or_default();
    let mut wanted: Vec<&str> = wanted.split("\n=== ").collect();
    let first = wanted.remove(0);
    assert!(first.is_empty() || first.starts_with('#'), "{}: the first line", stored.display());
    let mut terminal = Terminal::start(&script);
    let mut seen = format!("# written by tests/repl.rs from {}\n", path.file_name().unwrap().to_string_lossy());
    for (number, step) in script.steps.iter().enumerate() {
        terminal.press(&step.keys);
        let head = format!("{}\n", step.shown);
        let right = wanted.get(number).and_then(|wanted| wanted.strip_prefix(&head)).map(str::trim_end);
        let screen = if update { terminal.steady() } else { terminal.becomes(right.unwrap_or("")) };
        seen.push_str(&format!("\n=== {head}{screen}\n"));
        if !update && right != Some(screen.as_str()) {
            let right = right.unwrap_or("(no screen is stored for this step)");
            return Err(format!("after `{}` the screen is\n{screen}\n\nand should be\n{right}", step.shown));
        }
    }
    if update {
        fs::write(&stored, seen).unwrap();
    } else if wanted.len() != script.steps.len() {
        return Err("there are screens of steps that are gone".to_string());
    }
    Ok(())
}

/// Every command has a session that shows it.
#[test]
fn every_command_is_shown() {
    let typed: String = sessions().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let page = include_str!("../docs/prompt.md");
    let help = piped(&tempfile::tempdir().unwrap(), ":help\n").0;
    let commands: Vec<&str> = help.lines().filter(|line| line.starts_with("  :")).collect();
    assert!(commands.len() >= 13, "{help}");
    for line in commands {
        let name = line.split_whitespace().next().unwrap();
        assert!(typed.contains(&format!("\n{name}")), "no session shows {name}");
        assert!(page.contains(line.trim_end()), "docs/prompt.md lacks the line\n{line}");
    }
}

/// What is printed and what is said of errors, when `text` is piped into the prompt.
fn piped(folder: &tempfile::TempDir, text: &str) -> (String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_locus"))
        .arg("repl")
        .current_dir(folder.path())
        .env("LOCUS_CACHE", "off")
        .env("LOCUS_HISTORY", folder.path().join("history"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&ran.stdout).into_owned(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// Random sessions with functions and values that get new meanings, failures, files that are loaded, and entries that
/// are taken back: the saved program prints what the session printed.
#[test]
fn a_saved_session_gives_the_same_values() {
    let full = std::env::var_os("LOCUS_FULL").is_some();
    let count = std::env::var("LOCUS_SESSIONS").ok().and_then(|text| text.parse().ok());
    let (mut renamed, mut refused, mut printed) = (0, 0, 0);
    for seed in 0..count.unwrap_or(if full { 500 } else { 12 }) {
        let folder = tempfile::tempdir().unwrap();
        let text = random::session(seed, folder.path());
        let (out, err) = piped(&folder, &format!("{text}:save kept.exp\n"));
        let saved = fs::read_to_string(folder.path().join("kept.exp"))
            .unwrap_or_else(|_| panic!("seed {seed}: nothing was saved\n{text}\n{out}\n{err}"));
        let run = Command::new(env!("CARGO_BIN_EXE_locus"))
            .args(["run", "kept.exp"])
            .current_dir(folder.path())
            .env("LOCUS_CACHE", "off")
            .output()
            .unwrap();
        let again = String::from_utf8_lossy(&run.stdout).into_owned();
        let marks: Vec<&str> = again.lines().filter_map(|line| line.split(' ').next()).collect();
        let before: Vec<&str> =
            out.lines().filter(|line| line.split(' ').next().is_some_and(|mark| marks.contains(&mark))).collect();
        let shown = || format!("seed {seed}\n{text}\n---\n{out}\n---\n{err}\n---\n{saved}\n---\n{again}");
        assert_eq!(before, again.lines().collect::<Vec<_>>(), "{}", shown());
        assert!(again.contains("end "), "{}", shown());
        renamed += usize::from(saved.contains("_1"));
        refused += usize::from(err.contains("would mean this from now on"));
        printed += again.lines().count();
    }
    assert!(renamed > 0 && refused > 0 && printed > 20, "{renamed} renamed, {refused} refused, {printed} lines");
}

/// Of several starts the fastest counts: a machine that does other work makes each slower, never faster.
#[test]
fn the_first_prompt_comes_at_once() {
    let script = Script::read("");
    let times = (0..5).map(|_| {
        let start = Instant::now();
        let mut terminal = Terminal::start(&script);
        terminal.wait_for(|screen| screen.lines().any(|line| line.trim_end() == ">"));
        start.elapsed()
    });
    let fastest = times.min().unwrap();
    println!("the first prompt comes after {fastest:.1?}");
    assert!(fastest <= Duration::from_millis(100), "{fastest:?}");
}
