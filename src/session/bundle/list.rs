//! A bundle as text, for people: what it holds, what is missing, and what came of running it.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::manifest::{Input, Manifest};
use super::read::{Checked, read};
use crate::rt::error::Result;
use crate::rt::guard::quoted;
use crate::session::profile::shown_bytes;

/// Reads a bundle to its end and describes it; nothing is unpacked.
pub fn text(path: &Path) -> Result<String> {
    let checked = read(path, None, &AtomicBool::new(false))?;
    let manifest = &checked.manifest;
    let mut out = format!("{}\n", path.display());
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    row(&mut out, "what", &format!("a bundle of {} files, {}", manifest.files.len(), shown_bytes(bytes)));
    row(&mut out, "identity", &manifest.identity());
    row(&mut out, "locus", &manifest.locus);
    program(&mut out, manifest);
    inputs(&mut out, manifest);
    run(&mut out, &checked);
    let _ = writeln!(out, "\nfiles");
    for file in &manifest.files {
        let _ = writeln!(out, "  {}  {:>9}  {}", short(&file.sha256), shown_bytes(file.bytes), file.path);
    }
    Ok(out)
}

fn row(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:<12} {text}");
}

fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

fn program(out: &mut String, manifest: &Manifest) {
    row(out, "program", &manifest.program.path);
    if let Some(experiment) = &manifest.program.experiment {
        let seed = manifest.program.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
        row(out, "experiment", &format!("{}{seed}", quoted(experiment)));
    }
    for (name, value) in &manifest.program.overrides {
        row(out, "set", &format!("{} = {}", quoted(name), quoted(value)));
    }
}

fn inputs(out: &mut String, manifest: &Manifest) {
    if manifest.inputs.is_empty() {
        return;
    }
    let _ = writeln!(out, "\ninputs");
    for input in &manifest.inputs {
        let place = if input.is_enclosed() { input.path.as_str() } else { "not in the bundle" };
        let what = format!("{}  {:>9}  {place}", short(&input.sha256), shown_bytes(input.bytes));
        row(out, &quoted(&input.name), &what);
        if !input.is_enclosed() {
            where_from(input).iter().for_each(|line| row(out, "", line));
        }
    }
}

fn run(out: &mut String, checked: &Checked) {
    let Some(run) = &checked.manifest.run else {
        let _ = writeln!(out, "\nrun\n  the program was not run before it was bundled");
        return;
    };
    let _ = writeln!(out, "\nrun");
    let machine = &checked.machine;
    row(out, "machine", &format!("{}, {}", machine.processor, machine.shown()));
    row(out, "kernel", &format!("{}, engine {}", run.kernel, run.engine));
    for judged in &run.expectations {
        let shown: Vec<&str> = judged.shown.split_whitespace().collect();
        row(out, if judged.held { "holds" } else { "FAILS" }, &shown.join(" "));
    }
    for file in &run.written {
        row(out, "wrote", &format!("{}  {:>9}  {}", short(&file.sha256), shown_bytes(file.bytes), file.path));
    }
}

/// An input that is not in a bundle: what it is, and where to get it.
pub fn left_out(input: &Input) -> Vec<String> {
    let kind = if input.folder { "folder" } else { "file" };
    let what = format!("{}: a {kind} of {} for {}", input.name, shown_bytes(input.bytes), input.path);
    let mut lines = vec![what, format!("  sha256 {}", input.sha256)];
    lines.extend(where_from(input).into_iter().map(|line| format!("  {line}")));
    lines
}

fn where_from(input: &Input) -> Vec<String> {
    let about = input.about.iter().flat_map(|about| about.lines().map(str::to_string));
    let from = input.from.iter().map(|from| format!("from {}", quoted(from)));
    about.chain(from).collect()
}
