//! The examples of the standard library in `docs/library`: each runs, prints what it says behind `#>`, and its expectations hold. `UPDATE=1`
//! writes what is printed behind the marks that are there. No public function is without one.

mod common;

use common::differences::on_a_large_stack;
use common::{programs, run};
use locus::session::EngineKind;
use locus::session::embedded;
use locus::session::reference::Reference;
use std::path::Path;

/// What a program says that it prints, line by line.
fn claims(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.split_once("#>"))
        .map(|(_, claim)| claim.strip_prefix(' ').unwrap_or(claim))
        .collect()
}

fn rewritten(text: &str, printed: &[&str]) -> String {
    let mut printed = printed.iter();
    let line = |line: &str| match line.split_once("#>") {
        Some((code, _)) => format!("{code}#> {}\n", printed.next().unwrap_or(&"")),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn judged(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let ran = run(path, EngineKind::Jit, &[]);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(fault) = ran.fault {
        return Some(format!("{name}:\n{fault}"));
    }
    if !ran.failures.is_empty() {
        return Some(format!("{name}: {}", ran.failures.join("; ")));
    }
    let (claimed, printed) = (claims(&text), ran.text.lines().collect::<Vec<_>>());
    if claimed.len() == printed.len() && std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, rewritten(&text, &printed)).unwrap();
        return None;
    }
    let stated = claimed.iter().map(|line| line.trim_end());
    let same = claimed.len() == printed.len() && stated.eq(printed.iter().map(|line| line.trim_end()));
    (!same).then(|| format!("{name}:\n--- stated\n{}\n--- printed\n{}", claimed.join("\n"), printed.join("\n")))
}

#[test]
fn each_example_prints_what_it_says() {
    let faults =
        on_a_large_stack(|| programs("docs/library").iter().filter_map(|path| judged(path)).collect::<Vec<_>>());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_example_is_that_of_a_module_and_prints_something() {
    for &(name, text) in embedded::EXAMPLES {
        assert!(embedded::std_module(name).is_some(), "docs/library/{name}.exp: there is no std.{name}");
        assert!(!claims(text).is_empty(), "docs/library/{name}.exp prints nothing behind `#>`");
    }
}

#[test]
fn every_public_function_has_an_example() {
    let missing = Reference::new(Vec::new()).without_example();
    assert!(missing.is_empty(), "these need an example in docs/library: {}", missing.join(", "));
}
