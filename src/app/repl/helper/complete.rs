//! What can stand at the cursor: names, fields, axes, sites, files, modules, commands, codes of errors.

use std::path::Path;

use super::place::{Wanted, file_part, wanted};
use super::words::{Known, Words};
use super::{KEYWORDS, TYPES};
use crate::app::pages;
use crate::app::repl::commands::COMMANDS;
use crate::session::embedded::{ERROR_PAGES, STDLIB};

/// More files of a folder are not looked at.
const MOST_FILES: usize = 10_000;

/// Where the word starts that ends `line`, and what it can become.
pub fn candidates(words: &Words, line: &str) -> (usize, Vec<String>) {
    let (start, wanted) = wanted(line);
    let word = line.get(start..).unwrap_or("");
    let mut found = all(&words.known(), &wanted);
    found.retain(|candidate| candidate.starts_with(word) && candidate != word);
    found.sort();
    found.dedup();
    (start, found)
}

fn all(known: &Known, wanted: &Wanted) -> Vec<String> {
    match wanted {
        Wanted::Command => COMMANDS.iter().map(|command| command.name.to_string()).collect(),
        Wanted::Argument(command) => argument(known, command),
        Wanted::Path { written, programs } => files(known, written, *programs),
        Wanted::Module(before) => modules(before),
        Wanted::Import(module) => pages::public_names(module),
        Wanted::Member(path) => known.members(&borrowed(path)),
        Wanted::Axis(owner) => axes(known, owner.as_deref()),
        Wanted::Site(model) => sites(known, model),
        Wanted::Type => owned(TYPES).into_iter().chain(known.axes.iter().cloned()).collect(),
        Wanted::Name => {
            let names = known.names.iter().map(|known| known.name.clone());
            names.chain(owned(KEYWORDS)).chain(owned(TYPES)).collect()
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn borrowed(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn argument(known: &Known, command: &str) -> Vec<String> {
    match command {
        "explain" => ERROR_PAGES.iter().map(|(code, _)| code.to_string()).collect(),
        "help" => {
            let modules = STDLIB.iter().map(|(name, _)| format!("std.{name}"));
            let commands = COMMANDS.iter().map(|command| format!(":{}", command.name));
            modules.chain(commands).chain(known.names.iter().map(|known| known.name.clone())).collect()
        }
        _ => Vec::new(),
    }
}

fn modules(before: &str) -> Vec<String> {
    match before.strip_prefix("std.") {
        Some(path) => STDLIB.iter().filter_map(|(name, _)| name.strip_prefix(path)).map(str::to_string).collect(),
        None => vec!["std.".to_string()],
    }
}

/// The axes of the value that is indexed, or all.
fn axes(known: &Known, owner: Option<&str>) -> Vec<String> {
    let ty = owner.and_then(|owner| known.shown(&[owner])).unwrap_or_default();
    let own = ty.split_once('[').and_then(|(head, rest)| Some((head, rest.strip_suffix(']')?)));
    match own {
        Some((head, inner)) if TYPES.contains(&head) => {
            inner.split(',').map(|axis| axis.trim().to_string()).filter(|axis| !axis.is_empty()).collect()
        }
        _ => known.axes.clone(),
    }
}

fn sites(known: &Known, model: &[String]) -> Vec<String> {
    let own = match model {
        [name] => known.find(name).map(|model| model.sites.clone()),
        _ => None,
    };
    own.filter(|sites| !sites.is_empty()).unwrap_or_default()
}

/// Files and folders where the path leads, folders with a `/`.
fn files(known: &Known, written: &str, programs: bool) -> Vec<String> {
    let begun = file_part(written);
    let folder = Path::new(written.strip_suffix(begun).unwrap_or(""));
    let Ok(entries) = std::fs::read_dir(known.folder.join(folder)) else { return Vec::new() };
    let shown = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let wanted = is_folder || !programs || name.ends_with(".exp");
        let hidden = name.starts_with('.') && !begun.starts_with('.');
        // A control character in a name would reach the terminal.
        let harmless = !name.chars().any(char::is_control);
        (wanted && harmless && !hidden).then(|| if is_folder { format!("{name}/") } else { name })
    };
    entries.take(MOST_FILES).filter_map(|entry| shown(entry.ok()?)).collect()
}
