//! The first page: the modules, every name with what it is for, and the search, which only hides what does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::framed;
use super::names::{Names, Sort, Target, axis_id};
use super::page::cited;
use super::papers::{self, Paper};
use super::prose::Prose;
use super::read::Module;
use crate::base::markup::escaped;

const SCRIPT: &str = include_str!("search.js");
const PAGE: &str = "index.html";

pub fn page(modules: &[Module], names: &Names) -> String {
    let own: Vec<&Module> = modules.iter().filter(|module| !module.is_library()).collect();
    let library: Vec<&Module> = modules.iter().filter(|module| module.is_library()).collect();
    let mut out = String::from("<h1>Reference</h1>\n");
    out.push_str("<p>Every module, and every function, type and axis in it. <code>locus doc NAME</code> shows the same in a terminal.</p>\n");
    out.push_str("<div id=\"the-search\" role=\"search\" hidden><label for=\"the-words\">Search</label> <input id=\"the-words\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"> <output id=\"the-count\" for=\"the-words\" aria-live=\"polite\"></output></div>\n");
    if !own.is_empty() {
        list(&mut out, "own-modules", "Your modules", &own, names);
    }
    list(&mut out, "library-modules", "The standard library", &library, names);
    everything(&mut out, modules, names);
    all_papers(&mut out, modules);
    framed("Reference of locus", Some(SCRIPT), &out)
}

fn prose<'a>(module: &'a Module, names: &'a Names<'a>) -> Prose<'a> {
    Prose { names, module, page: PAGE.to_string(), own: Vec::new() }
}

fn list(out: &mut String, id: &str, title: &str, modules: &[&Module], names: &Names) {
    let _ = writeln!(
        out,
        "<section class=\"modules\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n<dl class=\"list\">"
    );
    for module in modules {
        let gist = prose(module, names).words(&module.gist());
        let _ = writeln!(
            out,
            "<div><dt><a href=\"{}\">{}</a></dt><dd>{gist}</dd></div>",
            escaped(&module.page()),
            escaped(&module.name)
        );
    }
    out.push_str("</dl>\n</section>\n");
}

/// One row of the list of everything.
struct Row {
    name: String,
    module: String,
    sort: &'static str,
    address: String,
    gist: String,
}

fn rows(modules: &[Module], names: &Names) -> Vec<Row> {
    let mut rows = Vec::new();
    for module in modules {
        let prose = prose(module, names);
        for entry in &module.entries {
            let sort = if entry.function().is_some() { "function" } else { "type" };
            let address = Target::entry(module, &entry.name).address(PAGE);
            let gist = prose.words(&entry.gist());
            rows.push(Row { name: entry.name.clone(), module: module.name.clone(), sort, address, gist });
        }
        let mut seen = BTreeSet::new();
        for axis in module.axes.iter().filter(|axis| seen.insert(axis.name.as_str())) {
            let address = format!("{}#{}", module.page(), axis_id(&axis.name));
            let gist = prose.words(&module.note_above(axis.start).unwrap_or_default());
            rows.push(Row { name: axis.name.clone(), module: module.name.clone(), sort: "axis", address, gist });
        }
    }
    rows.sort_by_key(|row| (row.name.to_lowercase(), row.module.clone(), row.sort));
    rows
}

fn everything(out: &mut String, modules: &[Module], names: &Names) {
    out.push_str("<section aria-labelledby=\"every-name\">\n<h2 id=\"every-name\">Every name</h2>\n<ul class=\"every\" id=\"the-names\">\n");
    for row in rows(modules, names) {
        let (name, module) = (escaped(&row.name), escaped(&row.module));
        let _ = writeln!(
            out,
            "<li data-name=\"{name}\"><a href=\"{}\"><code>{name}</code></a> <span class=\"hint\">{} of {module}</span> {}</li>",
            escaped(&row.address),
            row.sort,
            row.gist
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn all_papers(out: &mut String, modules: &[Module]) {
    let mut all: BTreeMap<Paper, BTreeSet<Target>> = BTreeMap::new();
    for module in modules {
        let docs = module.entries.iter().map(|entry| (Target::entry(module, &entry.name), entry.doc.as_deref()));
        for (target, doc) in std::iter::once((Target::module(module), module.doc.as_deref())).chain(docs) {
            for paper in papers::named(doc.unwrap_or("")) {
                all.entry(paper).or_default().insert(target.clone());
            }
        }
    }
    out.push_str(
        "<section class=\"modules\" aria-labelledby=\"every-paper\">\n<h2 id=\"every-paper\">Papers</h2>\n<ul>\n",
    );
    for (paper, targets) in all {
        let link = |target: &Target| {
            let name = if target.sort == Sort::Module {
                target.module.clone()
            } else {
                format!("{}.{}", target.module, target.name)
            };
            format!("<a href=\"{}\">{}</a>", escaped(&target.address(PAGE)), escaped(&name))
        };
        let named = targets.iter().map(link).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "<li>{}: {named}</li>", cited(&paper));
    }
    out.push_str("</ul>\n</section>\n");
}
