//! The messages: small programs with one fault each, and beside each what is said about it.
//!
//! `NAME.exp` is checked and never run; `NAME.txt` holds the rendered message (`UPDATE=1` rewrites it);
//! `NAME.fixed.exp`, where there is one, is the program after the help was followed, and must check.

use locus::base::diag::Diagnostic;
use locus::base::render::render_all;
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Failure, Output, Session, Settings};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong")
}

/// The programs, or their repairs; those whose name starts with `_` are only imported by others.
fn programs(fixed: bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "exp"));
    found.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('_'));
    found.retain(|path| path.to_string_lossy().ends_with(".fixed.exp") == fixed);
    found.sort();
    found
}

/// The diagnostics of a program, and as people see them.
fn told(path: &Path) -> (Vec<Diagnostic>, String) {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let settings = Settings { folder: folder(), ..Settings::default() };
    let mut session =
        Session::new(Box::new(DiskLoader::new(&folder())), settings, Output::buffer(&BufferWorld::default()));
    let faults = session
        .prepare(&name, &text)
        .err()
        .map(|failure: Failure| failure.diagnostics().into_iter().cloned().collect());
    let faults: Vec<Diagnostic> = faults.unwrap_or_default();
    // A neighbour is known by its full path, which differs between machines.
    let shown = render_all(&faults, session.sources(), false).replace(&format!("{}/", folder().display()), "");
    (faults, shown)
}

/// What a message must never show: types and ids of the compiler, and places left open.
const NEVER: &[&str] = &[
    "Some(",
    "None)",
    "Elem",
    "Tensor(",
    "Index(",
    "LocalId",
    "GlobalId",
    "AxisSet",
    "Val::",
    "Type::",
    "Span",
    "%",
    "[?",
    "expected_",
];

/// What is wrong with a message as a message.
fn faults_of(diagnostic: &Diagnostic) -> Vec<String> {
    let mut found = Vec::new();
    if diagnostic.primary.is_none() && diagnostic.code != "E051" {
        found.push("has no place in the text".to_string());
    }
    if diagnostic.primary.as_ref().is_some_and(|label| label.span.end <= label.span.start) {
        found.push("marks nothing".to_string());
    }
    let note = |name: &str| diagnostic.notes.iter().find(|(key, _)| *key == name).map(|(_, text)| text);
    if note("found").is_some() && note("found") == note("needed") {
        found.push("found and needed print alike".to_string());
    }
    let labels = diagnostic.labels.iter().chain(&diagnostic.primary).map(|label| label.text.as_str());
    let notes = diagnostic.notes.iter().map(|(_, text)| text.as_str());
    let texts = labels.chain(notes).chain(diagnostic.help.as_deref()).chain([diagnostic.message.as_str()]);
    for text in texts {
        found.extend(NEVER.iter().filter(|never| text.contains(*never)).map(|never| format!("shows `{never}`")));
    }
    let first = diagnostic.message.chars().next().unwrap_or('.');
    if first.is_uppercase() || diagnostic.message.ends_with('.') {
        found.push("is not one sentence in lower case".to_string());
    }
    found
}

fn judge(path: &Path) -> Vec<String> {
    let (diagnostics, shown) = told(path);
    let mut found: Vec<String> = diagnostics.iter().flat_map(faults_of).collect();
    if diagnostics.is_empty() {
        found.push("is accepted".to_string());
    }
    if diagnostics.len() > 1 {
        found.push(format!("gives {} messages for one fault", diagnostics.len()));
    }
    if shown.matches("= help").count() > diagnostics.len() {
        found.push("has more than one help".to_string());
    }
    let beside = path.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&beside, &shown).unwrap();
    }
    if std::fs::read_to_string(&beside).unwrap_or_default() != shown {
        found.push("differs from the text beside it".to_string());
    }
    found.into_iter().map(|fault| format!("{} {fault}:\n{shown}", path.display())).collect()
}

/// Checking goes deep; the stack of a test is small.
fn deep<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn each_message_is_as_it_should_be() {
    let found: Vec<String> = deep(|| programs(false).iter().flat_map(|path| judge(path)).collect());
    assert!(programs(false).len() >= 60);
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_repair_checks() {
    let repairs = programs(true);
    assert!(repairs.len() >= 20);
    for path in repairs {
        let shown = deep({
            let path = path.clone();
            move || told(&path).1
        });
        assert!(shown.is_empty(), "{}:\n{shown}", path.display());
        let wrong = path.to_string_lossy().replace(".fixed.exp", ".exp");
        assert!(Path::new(&wrong).exists(), "{} repairs nothing", path.display());
    }
}

/// Every code that the checker or the parser can give has a program here, but for those that small programs cannot
/// reach.
#[test]
fn every_code_is_shown() {
    let unreachable = ["E051", "E099"];
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut codes: Vec<String> = std::fs::read_dir(pages)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|code| code.starts_with('E') && !unreachable.contains(&code.as_str()))
        .collect();
    let shown: Vec<String> = programs(false)
        .iter()
        .map(|path| std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default())
        .collect();
    codes.retain(|code| !shown.iter().any(|text| text.contains(&format!("[{code}]"))));
    assert!(codes.is_empty(), "no program shows {codes:?}");
}
