//! `locus explain` and `locus doc`: texts that the binary carries.

use super::output::{complain, say};
use super::{OK, REFUSED};
use crate::base::span::Sources;
use crate::session::embedded::{ERROR_PAGES, STDLIB, error_page, std_module};
use crate::syntax::ast::{FnItem, Item, ItemKind};
use crate::syntax::parse;

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
            complain(&format!("error: no page explains `{code}`; `locus explain` lists all codes"));
            REFUSED
        }
    }
}

/// The first line of a page, without `# E012: `.
fn title(page: &str) -> &str {
    let line = page.lines().next().unwrap_or("");
    line.split_once(": ").map_or(line, |(_, title)| title)
}

pub fn doc(name: Option<&str>) -> u8 {
    let Some(name) = name else {
        for (module, text) in STDLIB {
            let library = Library::read(module, text);
            say(&format!("std.{module:<16} {}", first_sentence(library.doc.as_deref().unwrap_or(""))));
        }
        return OK;
    };
    let found = find(name);
    if found.is_empty() {
        complain(&format!("error: the standard library has no `{name}`; `locus doc` lists its modules"));
        return REFUSED;
    }
    say(&found.join("\n\n"));
    OK
}

/// All entries of that name; used by the prompt too.
pub fn find(name: &str) -> Vec<String> {
    let name = name.strip_prefix("std.").unwrap_or(name);
    if let Some(text) = std_module(name) {
        return vec![Library::read(name, text).overview()];
    }
    let (module, item) = match name.rsplit_once('.') {
        Some((module, item)) => (Some(module), item),
        None => (None, name),
    };
    let modules = STDLIB
        .iter()
        .filter(|(known, _)| module.is_none_or(|module| *known == module || known.rsplit('.').next() == Some(module)));
    modules.flat_map(|(known, text)| Library::read(known, text).entries(item)).collect()
}

/// A parsed module of the standard library.
struct Library {
    name: String,
    doc: Option<String>,
    items: Vec<Item>,
    sources: Sources,
}

impl Library {
    fn read(name: &str, text: &str) -> Library {
        let mut sources = Sources::default();
        let file = sources.add(format!("std.{name}"), text);
        let (program, _) = parse::parse_program(file, text);
        Library { name: name.to_string(), doc: program.doc, items: program.items, sources }
    }

    fn overview(&self) -> String {
        let mut text = format!("std.{}\n", self.name);
        if let Some(doc) = &self.doc {
            text.push_str(&format!("\n{}\n", doc.trim()));
        }
        for item in &self.items {
            if let Some((_, signature)) = self.signature(item) {
                text.push_str(&format!("\n{signature}\n"));
                if let Some(doc) = &item.doc {
                    text.push_str(&format!("    {}\n", first_sentence(doc)));
                }
            }
        }
        text.trim_end().to_string()
    }

    fn entries(&self, name: &str) -> Vec<String> {
        let matching = |item: &&Item| self.signature(item).is_some_and(|(known, _)| known == name);
        let entry = |item: &Item| {
            let signature = self.signature(item).map_or(String::new(), |(_, signature)| signature);
            let doc = item.doc.as_deref().map_or(String::new(), |doc| format!("\n\n{}", doc.trim()));
            format!("{signature}{doc}\n\n(in std.{})", self.name)
        };
        self.items.iter().filter(matching).map(entry).collect()
    }

    /// The name of a public item and its text without the body.
    fn signature(&self, item: &Item) -> Option<(String, String)> {
        match &item.kind {
            ItemKind::Fn(function) if function.public => {
                Some((function.name.name.clone(), self.function_signature(item, function)))
            }
            ItemKind::Type { public: true, name, .. } => {
                Some((name.name.clone(), self.sources.slice(item.span).trim().to_string()))
            }
            _ => None,
        }
    }

    fn function_signature(&self, item: &Item, function: &FnItem) -> String {
        let start = function.span.start.max(item.span.start);
        let ends =
            [function.body.as_ref().map(|body| body.span.start), function.vjp.as_ref().map(|vjp| vjp.span.start)];
        let end = ends.into_iter().flatten().min().unwrap_or(function.span.end);
        let text = self.sources.slice(crate::base::span::Span { start, end, ..function.span });
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn first_sentence(doc: &str) -> String {
    let paragraph = doc.trim().split("\n\n").next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_string(),
        None => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_first_sentences() {
        assert_eq!(title("# E012: missing axis\n\ntext"), "missing axis");
        assert_eq!(first_sentence("One thing\nand more. Two.\n\nThree."), "One thing and more.");
    }
}
