//! The page of one module.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::code::{self, Mark};
use super::names::{Lead, Names, axis_id};
use super::papers::{self, Paper};
use super::prose::Prose;
use super::read::{Entry, Module};
use super::used::{Used, User};
use super::{framed, shapes};
use crate::base::markup::escaped;
use crate::syntax::tokens::tokens;

/// What is used by more than this is listed by modules.
const MANY: usize = 40;

pub fn page(module: &Module, example: Option<&Module>, names: &Names, used: &Used) -> String {
    let shown = example.map_or(Vec::new(), |example| code::links(&names.of_program(example), &module.page()));
    let writer = Writer { module, example, shown, names, used };
    let name = escaped(&module.name);
    let mut out = format!("<h1>{name}</h1>\n");
    out += &writer.prose(Vec::new()).whole(module.doc.as_deref().unwrap_or(""));
    let _ = writeln!(out, "<p><a href=\"{}\">Source</a></p>", escaped(&module.source_page()));
    writer.contents(&mut out);
    writer.axes(&mut out);
    let mut seen = BTreeSet::new();
    for entry in &module.entries {
        writer.entry(&mut out, entry, seen.insert(&entry.name));
    }
    writer.example(&mut out);
    writer.papers(&mut out);
    framed(&module.name, None, &out)
}

struct Writer<'a> {
    module: &'a Module,
    example: Option<&'a Module>,
    /// The links of the example.
    shown: Vec<Mark>,
    names: &'a Names<'a>,
    used: &'a Used,
}

impl Writer<'_> {
    fn prose(&self, own: Vec<String>) -> Prose<'_> {
        Prose { names: self.names, module: self.module, page: self.module.page(), own }
    }

    fn contents(&self, out: &mut String) {
        if self.module.entries.is_empty() {
            return;
        }
        out.push_str("<nav aria-label=\"functions and types\"><ul class=\"names\">\n");
        for entry in &self.module.entries {
            let name = escaped(&entry.name);
            let _ = writeln!(out, "<li><a href=\"#{name}\"><code>{name}</code></a></li>");
        }
        out.push_str("</ul></nav>\n");
    }

    fn axes(&self, out: &mut String) {
        if self.module.axes.is_empty() {
            return;
        }
        out.push_str("<section aria-labelledby=\"the-axes\">\n<h2 id=\"the-axes\">Axes</h2>\n<ul class=\"names\">\n");
        let prose = self.prose(Vec::new());
        let mut seen = BTreeSet::new();
        for axis in self.module.axes.iter().filter(|axis| seen.insert(axis.name.clone())) {
            if let Some(note) = self.module.note_above(axis.start) {
                let _ = writeln!(out, "</ul>\n<p>{}</p>\n<ul class=\"names\">", prose.words(&note));
            }
            let (name, line) = (escaped(&axis.name), self.module.line(axis.start));
            let like = axis.like.as_ref().map_or(String::new(), |like| format!(" like <code>{}</code>", escaped(like)));
            let (id, source) = (escaped(&axis_id(&axis.name)), escaped(&self.module.source_page()));
            let _ = writeln!(out, "<li id=\"{id}\"><a href=\"{source}#L{line}\"><code>{name}</code></a>{like}</li>");
        }
        out.push_str("</ul>\n</section>\n");
    }

    fn entry(&self, out: &mut String, entry: &Entry, first: bool) {
        let name = escaped(&entry.name);
        let id = if first { format!(" id=\"{name}\"") } else { String::new() };
        let line = self.module.line(entry.signature.0);
        let source = escaped(&self.module.source_page());
        let _ = writeln!(out, "<section{id} class=\"entry\">\n<h2><a href=\"#{name}\">{name}</a></h2>");
        let _ = writeln!(
            out,
            "<pre class=\"signature\" tabindex=\"0\"><code>{}</code></pre>",
            self.signature(entry, first)
        );
        let own = self.module.items.iter().find(|part| part.start == entry.signature.0);
        let own = own.map_or(Vec::new(), |part| [part.generics.clone(), part.parameters.clone()].concat());
        *out += &self.prose(own).whole(entry.doc.as_deref().unwrap_or(""));
        *out += &shapes::table(self.module, entry, self.names);
        self.shown(out, &entry.name);
        self.users(out, &entry.name);
        let _ =
            writeln!(out, "<p class=\"facts\"><a href=\"{source}#L{line}\">source, line {line}</a></p>\n</section>");
    }

    /// The signature; the axes and elements that it is written for lead to where it names them first.
    fn signature(&self, entry: &Entry, first: bool) -> String {
        let (start, end) = entry.signature;
        let inside = |lead: &&Lead| lead.start >= start && lead.end <= end;
        let leads: Vec<Lead> = self.names.of_module(self.module).iter().filter(inside).cloned().collect();
        let mut marks = code::links(&leads, &self.module.page());
        if first {
            marks.extend(self.generics(entry));
        }
        let text = self.module.text.get(..end).unwrap_or(&self.module.text).trim_end();
        code::part(&self.module.text, &self.module.code, (start, text.len().max(start)), &marks)
    }

    fn generics(&self, entry: &Entry) -> Vec<Mark> {
        let own = self.module.items.iter().find(|part| part.start == entry.signature.0);
        let own: BTreeSet<&str> = own.iter().flat_map(|part| part.generics.iter().map(String::as_str)).collect();
        let (start, end) = entry.signature;
        let code = self.module.code.get(start..end).unwrap_or("");
        let cut = tokens(code);
        let text =
            |at: Option<usize>| at.and_then(|at| cut.get(at)).and_then(|t| code.get(t.start..t.end)).unwrap_or("");
        let mut seen = BTreeSet::new();
        let mut marks = Vec::new();
        for (at, token) in cut.iter().enumerate() {
            let (word, before, after) = (text(Some(at)), text(at.checked_sub(1)), text(Some(at + 1)));
            // A parameter may be called like an axis.
            let parameter = seen.contains(word) && ["(", ","].contains(&before) && after == ":";
            if !own.contains(word) || before == "." || parameter {
                continue;
            }
            let id = escaped(&format!("{}-for-{word}", entry.name));
            let (opens, closes) = match seen.insert(word) {
                true => (format!("<b id=\"{id}\">"), "</b>"),
                false => (format!("<a href=\"#{id}\">"), "</a>"),
            };
            marks.push(Mark { start: start + token.start, end: start + token.end, opens, closes });
        }
        marks
    }

    /// What the module's example does with it.
    fn shown(&self, out: &mut String, name: &str) {
        let Some(example) = self.example else { return };
        let places = self.used.shown(self.module, name);
        if places.is_empty() {
            return;
        }
        out.push_str("<p class=\"label\">In the <a href=\"#the-example\">example</a>:</p>\n<pre tabindex=\"0\"><code>");
        for place in places {
            let _ = writeln!(out, "{}", code::part(&example.text, &example.code, *place, &self.shown));
        }
        out.push_str("</code></pre>\n");
    }

    fn users(&self, out: &mut String, name: &str) {
        let users: Vec<&User> = self.used.users(self.module, name).collect();
        if users.is_empty() {
            return;
        }
        let many = users.len() > MANY;
        let items: Vec<String> =
            if many { by_module(&users) } else { users.iter().map(|user| self.user(user)).collect() };
        let count = if users.len() == 1 { "one place".to_string() } else { format!("{} places", users.len()) };
        let _ = writeln!(out, "<details class=\"users\">\n<summary>used in {count}</summary>\n<ul class=\"names\">");
        for item in items {
            let _ = writeln!(out, "<li>{item}</li>");
        }
        out.push_str("</ul>\n</details>\n");
    }

    fn user(&self, user: &User) -> String {
        match user {
            User::Public(target) => {
                let module =
                    if target.module == self.module.name { String::new() } else { format!("{}.", target.module) };
                let (address, name) = (escaped(&target.address(&self.module.page())), escaped(&target.name));
                format!("<a href=\"{address}\"><code>{}{name}</code></a>", escaped(&module))
            }
            User::Line { module, page, line } => {
                format!("<a href=\"{}#L{line}\">{}, line {line}</a>", escaped(page), escaped(module))
            }
            User::Program(name) => format!("<code>examples/{}</code>", escaped(name)),
        }
    }

    fn example(&self, out: &mut String) {
        let Some(example) = self.example else { return };
        let shown = code::part(&example.text, &example.code, (0, example.text.trim_end().len()), &self.shown);
        out.push_str("<section aria-labelledby=\"the-example\">\n<h2 id=\"the-example\">Example</h2>\n");
        out.push_str("<p>A whole program. What it prints stands behind <code>#&gt;</code>.</p>\n");
        let _ = writeln!(out, "<pre tabindex=\"0\"><code>{shown}</code></pre>\n</section>");
    }

    fn papers(&self, out: &mut String) {
        let mut all: BTreeMap<Paper, Vec<&str>> = BTreeMap::new();
        for paper in papers::named(self.module.doc.as_deref().unwrap_or("")) {
            all.entry(paper).or_default();
        }
        for entry in &self.module.entries {
            for paper in papers::named(entry.doc.as_deref().unwrap_or("")) {
                all.entry(paper).or_default().push(&entry.name);
            }
        }
        if all.is_empty() {
            return;
        }
        out.push_str("<section aria-labelledby=\"the-papers\">\n<h2 id=\"the-papers\">Papers</h2>\n<ul>\n");
        for (paper, entries) in all {
            let link = |name: &&str| format!("<a href=\"#{0}\"><code>{0}</code></a>", escaped(name));
            let named = entries.iter().map(link).collect::<Vec<_>>().join(", ");
            let named = if named.is_empty() { named } else { format!(": {named}") };
            let _ = writeln!(out, "<li>{}{named}</li>", cited(&paper));
        }
        out.push_str("</ul>\n</section>\n");
    }
}

/// A paper, with a link if it is known where it is.
pub fn cited(paper: &Paper) -> String {
    let link = |id: &String| format!(", <a href=\"https://arxiv.org/abs/{0}\">arXiv {0}</a>", escaped(id));
    format!("{}{}", escaped(&paper.shown), paper.arxiv.as_ref().map(link).unwrap_or_default())
}

fn by_module(users: &[&User]) -> Vec<String> {
    let mut counts: BTreeMap<String, (Option<&str>, usize)> = BTreeMap::new();
    for user in users {
        let (name, page) = match user {
            User::Public(target) => (target.module.clone(), Some(target.page.as_str())),
            User::Line { module, page, .. } => (module.clone(), Some(page.as_str())),
            User::Program(_) => ("programs of examples/".to_string(), None),
        };
        let entry = counts.entry(name).or_insert((page, 0));
        entry.1 += 1;
    }
    let shown = |(name, (page, count)): (String, (Option<&str>, usize))| match page {
        Some(page) => format!("<a href=\"{}\">{}</a> {count}", escaped(page), escaped(&name)),
        None => format!("{} {count}", escaped(&name)),
    };
    counts.into_iter().map(shown).collect()
}
