//! The reference of the standard library, and of a person's own modules, as pages for a browser.
//!
//! Pages stand alone: nothing is fetched from elsewhere, the only script is the search of the first page, and everything is there without
//! it. The same modules give the same bytes. What a module says of itself is text to us: no markup of its own reaches a page.

mod code;
pub mod folder;
mod formula;
mod index;
mod names;
mod page;
mod papers;
mod prose;
pub mod read;
mod shapes;
mod source;
mod used;

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::base::markup::escaped;
use crate::session::embedded;
use names::Names;
use read::Module;
use used::Used;

const STYLE: &str = include_str!("reference.css");

/// Everything that pages are made from.
pub struct Reference {
    /// A person's own modules first, then the library; each by name.
    modules: Vec<Module>,
    /// Whole programs that show how modules are used, by the name of the module.
    examples: BTreeMap<String, Module>,
    /// The programs of `examples/`, by their file's name.
    programs: Vec<Module>,
}

impl Reference {
    /// The library, and `own` modules beside it.
    pub fn new(own: Vec<Module>) -> Reference {
        let library = embedded::STDLIB.iter().map(|(name, text)| Module::library(name, text));
        let example =
            |(name, text): &(&str, &str)| (format!("std.{name}"), Module::program(&format!("{name}.exp"), text));
        let program = |(name, text): &(&str, &str)| Module::program(&format!("{}.exp", name.replace('.', "/")), text);
        Reference {
            modules: own.into_iter().chain(library).collect(),
            examples: embedded::EXAMPLES.iter().map(example).collect(),
            programs: embedded::PROGRAMS.iter().map(program).collect(),
        }
    }

    /// The public functions of the library that no example and no program of `examples/` reaches, as `std.stats.mse`.
    pub fn without_example(&self) -> Vec<String> {
        let names = Names::new(&self.modules);
        let shown: Vec<&Module> = self.examples.values().chain(&self.programs).collect();
        let reached = used::reached(&names, &self.modules, &shown);
        let mut missing = Vec::new();
        for module in self.modules.iter().filter(|module| module.is_library()) {
            for entry in module.entries.iter().filter(|entry| entry.function().is_some()) {
                if !reached.contains(&(module.name.clone(), entry.name.clone())) {
                    missing.push(format!("{}.{}", module.name, entry.name));
                }
            }
        }
        missing
    }

    /// The pages by the names of their files.
    pub fn pages(&self) -> BTreeMap<String, String> {
        let names = Names::new(&self.modules);
        let used = Used::new(&names, &self.modules, &self.examples, &self.programs);
        let mut pages = BTreeMap::new();
        pages.insert("index.html".to_string(), index::page(&self.modules, &names));
        for module in &self.modules {
            let example = self.examples.get(&module.name);
            pages.insert(module.page(), page::page(module, example, &names, &used));
            pages.insert(module.source_page(), source::page(module, &names));
        }
        pages
    }
}

/// Nothing is fetched, and only the page's own style and script are in force.
fn policy(script: Option<&str>) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let script =
        script.map_or(String::new(), |script| format!("; script-src 'sha256-{}'", hash(&format!("\n{script}"))));
    format!("default-src 'none'; style-src 'sha256-{}'{script}; base-uri 'none'", hash(&format!("\n{STYLE}")))
}

/// A page around its content. The box asks the first page, which works without a server.
fn framed(title: &str, script: Option<&str>, content: &str) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"));
    line(&mut out, format_args!("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy(script)));
    line(&mut out, format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"));
    line(&mut out, format_args!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", escaped(title)));
    line(&mut out, format_args!("<a class=\"skip\" href=\"#the-content\">to the content</a>"));
    line(&mut out, format_args!("<header><nav aria-label=\"reference\"><a href=\"index.html\">All modules</a>"));
    if script.is_none() {
        line(
            &mut out,
            format_args!(
                "<form action=\"index.html\" role=\"search\"><label>Search <input name=\"q\" type=\"search\" size=\"18\"></label></form>"
            ),
        );
    }
    line(&mut out, format_args!("</nav></header>\n<main id=\"the-content\">\n{content}</main>"));
    line(&mut out, format_args!("<footer>locus {}</footer>", env!("CARGO_PKG_VERSION")));
    if let Some(script) = script {
        line(&mut out, format_args!("<script>\n{script}</script>"));
    }
    line(&mut out, format_args!("</body>\n</html>"));
    out
}

/// Writing to a string cannot fail.
fn line(out: &mut String, text: std::fmt::Arguments) {
    let _ = out.write_fmt(text);
    out.push('\n');
}
