//! `locus explain` and `locus doc`: texts that the binary carries.

use std::path::Path;

use super::cli::DocArgs;
use super::output::{complain, report_all, report_plain, say};
use super::{OK, REFUSED};
use crate::base::span::Sources;
use crate::base::suggest::closest;
use crate::session::embedded::{ERROR_PAGES, EXAMPLES, STDLIB, error_page, std_module};
use crate::session::load::read_script;
use crate::session::reference::read::{Entry, Module};
use crate::session::reference::{Reference, folder};

pub fn explain(code: Option<&str>) -> u8 {
    let Some(code) = code else {
        for (code, page) in ERROR_PAGES {
            say(&format!("{code}  {}", title(page)));
        }
        return OK;
    };
    match error_page(code) {
        Some(page) => {
            say(page.trim_end());
            OK
        }
        None => {
            let near = closest(code, ERROR_PAGES.iter().map(|(known, _)| *known));
            complain(&format!("error: no page explains `{code}`; {}", meant(near, "`locus explain` lists all codes")));
            REFUSED
        }
    }
}

/// The first line of a page, without `# E012: `.
fn title(page: &str) -> &str {
    let line = page.lines().next().unwrap_or("");
    line.split_once(": ").map_or(line, |(_, title)| title)
}

pub fn doc(args: &DocArgs) -> u8 {
    if let Some(folder) = &args.html {
        return html(folder, &args.names);
    }
    if args.names.is_empty() {
        for (module, text) in STDLIB {
            say(&format!("std.{module:<16} {}", Module::library(module, text).gist()));
        }
        return OK;
    }
    let mut all = Vec::new();
    for name in &args.names {
        let found = find(name);
        if found.is_empty() {
            let known: Vec<String> = STDLIB.iter().flat_map(|(module, text)| names_of(module, text)).collect();
            let near = closest(name, known.iter().map(String::as_str));
            let otherwise = "`locus doc` lists its modules, and `docs/language.md` is about the words of the language";
            complain(&format!("error: the standard library has no `{name}`; {}", meant(near, otherwise)));
            return REFUSED;
        }
        all.extend(found);
    }
    say(&all.join("\n\n"));
    OK
}

fn meant(near: Option<&str>, otherwise: &str) -> String {
    near.map_or(otherwise.to_string(), |near| format!("did you mean `{near}`?"))
}

/// What `locus doc` knows of a module: itself, and its names alone and behind its own, `sae.encode`.
fn names_of(module: &str, text: &str) -> Vec<String> {
    let short = module.rsplit('.').next().unwrap_or(module);
    let entries = Module::library(module, text).entries;
    let names = entries.into_iter().flat_map(|entry| [format!("{short}.{}", entry.name), entry.name]);
    std::iter::once(format!("std.{module}")).chain(names).collect()
}

/// The reference as pages, with a person's own modules.
fn html(folder: &Path, files: &[String]) -> u8 {
    let Some(own) = own_modules(files) else { return REFUSED };
    let pages: Vec<String> = own.iter().map(Module::page).collect();
    let twin = pages.iter().enumerate().find(|(at, page)| pages.iter().take(*at).any(|before| before == *page));
    if let Some((_, page)) = twin {
        complain(&format!("error: two of the files would have the page `{page}`: rename one of them"));
        return REFUSED;
    }
    let written = Reference::new(own).pages();
    match folder::write(folder, &written) {
        Ok(()) => {
            say(&format!("{} pages: open {}", written.len(), folder.join("index.html").display()));
            OK
        }
        Err(why) => {
            complain(&format!("error: {why}"));
            REFUSED
        }
    }
}

/// The modules in files, by name; nothing, and a message, where one cannot be read.
fn own_modules(files: &[String]) -> Option<Vec<Module>> {
    let mut own: Vec<Module> = Vec::new();
    let mut sources = Sources::default();
    for file in files {
        let script = read_script(Path::new(file)).map_err(|diagnostic| report_plain(&diagnostic)).ok()?;
        let number = sources.add(script.name.clone(), script.text.clone());
        // One file may be named in two ways.
        let path = script.path.canonicalize().unwrap_or(script.path);
        let module = Module::own(&script.name, &script.text, path, number);
        own.push(module.map_err(|found| report_all(&found, &sources)).ok()?);
    }
    own.sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
    own.dedup_by(|a, b| a.path == b.path);
    own.sort_by(|a, b| a.name.cmp(&b.name));
    Some(own)
}

/// All entries of that name; used by the prompt too.
pub fn find(name: &str) -> Vec<String> {
    let name = name.strip_prefix("std.").unwrap_or(name);
    if let Some(text) = std_module(name) {
        return vec![overview(&Module::library(name, text))];
    }
    let (module, item) = match name.rsplit_once('.') {
        Some((module, item)) => (Some(module), item),
        None => (None, name),
    };
    let modules = STDLIB
        .iter()
        .filter(|(known, _)| module.is_none_or(|module| *known == module || known.rsplit('.').next() == Some(module)));
    modules.flat_map(|(known, text)| entries(&Module::library(known, text), item)).collect()
}

/// The names that `use MODULE: ...` can bring into scope.
pub fn public_names(module: &str) -> Vec<String> {
    let name = module.strip_prefix("std.").unwrap_or(module);
    let Some(text) = std_module(name) else { return Vec::new() };
    Module::library(name, text).entries.into_iter().map(|entry| entry.name).collect()
}

fn overview(module: &Module) -> String {
    let mut text = format!("{}\n", module.name);
    if let Some(doc) = &module.doc {
        text.push_str(&format!("\n{}\n", doc.trim()));
    }
    for entry in &module.entries {
        text.push_str(&format!("\n{}\n", module.signature(entry)));
        if entry.doc.is_some() {
            text.push_str(&format!("    {}\n", entry.gist()));
        }
    }
    let name = module.name.trim_start_matches("std.");
    if let Some((_, example)) = EXAMPLES.iter().find(|(known, _)| *known == name) {
        text.push_str(&format!("\nAn example; what it prints stands behind `#>`:\n\n{example}"));
    }
    text.trim_end().to_string()
}

fn entries(module: &Module, name: &str) -> Vec<String> {
    let shown = |entry: &Entry| {
        let doc = entry.doc.as_deref().map_or(String::new(), |doc| format!("\n\n{}", doc.trim()));
        format!("{}{doc}\n\n(in {})", module.signature(entry), module.name)
    };
    module.entries.iter().filter(|entry| entry.name == name).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_stand_without_their_codes() {
        assert_eq!(title("# E012: missing axis\n\ntext"), "missing axis");
    }
}
