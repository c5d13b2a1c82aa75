//! Where a word of a program leads: to a function, a type, an axis or a module of the reference.
//!
//! It reads tokens, not trees, so that what stands in documentation is looked up like code. A word that a program binds for itself leads
//! nowhere; when in doubt there is no link.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::read::{Module, Part};
use crate::syntax::ast::{Use, UseSource};
use crate::syntax::tokens::{Kind, Token, tokens};

pub struct Names<'a> {
    modules: BTreeMap<&'a str, &'a Module>,
    /// The modules of a person, by where they lie.
    paths: BTreeMap<PathBuf, &'a Module>,
    /// The leads of each module, found once.
    leads: BTreeMap<&'a str, Vec<Lead>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Module,
    Entry,
    Axis,
}

/// What a word leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The module's name.
    pub module: String,
    /// The file of its page.
    pub page: String,
    pub sort: Sort,
    /// The function, type or axis; nothing for a module.
    pub name: String,
}

impl Target {
    fn new(module: &Module, sort: Sort, name: &str) -> Target {
        Target { module: module.name.clone(), page: module.page(), sort, name: name.to_string() }
    }

    pub fn module(module: &Module) -> Target {
        Target::new(module, Sort::Module, "")
    }

    pub fn entry(module: &Module, name: &str) -> Target {
        Target::new(module, Sort::Entry, name)
    }

    /// The address on `page`.
    pub fn address(&self, page: &str) -> String {
        let file = if self.page == page { "" } else { &self.page };
        match self.sort {
            Sort::Module if file.is_empty() => "#the-content".to_string(),
            Sort::Module => file.to_string(),
            Sort::Entry => format!("{file}#{}", self.name),
            Sort::Axis => format!("{file}#{}", axis_id(&self.name)),
        }
    }
}

/// No identifier has a hyphen, so this is never the id of a function.
pub fn axis_id(name: &str) -> String {
    format!("axis-{name}")
}

/// A word of a text that leads somewhere.
#[derive(Clone, Debug)]
pub struct Lead {
    pub start: usize,
    pub end: usize,
    pub target: Target,
}

impl<'a> Names<'a> {
    pub fn new(modules: &'a [Module]) -> Names<'a> {
        let paths = modules.iter().filter_map(|module| Some((plain(module.path.as_deref()?), module)));
        let by_name = modules.iter().map(|module| (module.name.as_str(), module));
        let mut names = Names { modules: by_name.collect(), paths: paths.collect(), leads: BTreeMap::new() };
        names.leads = modules.iter().map(|module| (module.name.as_str(), names.of_program(module))).collect();
        names
    }

    /// All words of a module that lead somewhere.
    pub fn of_module(&self, module: &Module) -> &[Lead] {
        self.leads.get(module.name.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The same of a program that is no module.
    pub fn of_program(&self, program: &Module) -> Vec<Lead> {
        self.of_code(program, &program.code, &program.items, false)
    }

    /// The words of a piece of code that stands in the documentation of `module`, where modules go by their names without being
    /// imported. `own` are names that mean something else there.
    pub fn of_snippet(&self, module: &Module, code: &str, own: &[String]) -> Vec<Lead> {
        let part = Part { start: 0, end: code.len(), declares: None, generics: own.to_vec(), parameters: Vec::new() };
        self.of_code(module, code, &[part], true)
    }

    /// Which items of a module name which of its private ones.
    pub fn private_uses(&self, module: &Module) -> Vec<(String, String)> {
        let cut = tokens(&module.code);
        let public = |name: &str| module.entries.iter().any(|entry| entry.name == name);
        let mut found = Vec::new();
        for part in &module.items {
            for token in cut.iter().filter(|token| token.start >= part.start && token.end <= part.end) {
                let word = module.code.get(token.start..token.end).unwrap_or("");
                if module.declared.contains(word) && !public(word) {
                    found.push((part.declares.clone().unwrap_or_default(), word.to_string()));
                }
            }
        }
        found
    }

    fn of_code(&self, module: &Module, code: &str, parts: &[Part], told: bool) -> Vec<Lead> {
        let cut = tokens(code);
        let mut found = Vec::new();
        for part in parts {
            // Tokens stand in the order of the text.
            let from = cut.partition_point(|token| token.start < part.start);
            let to = cut.partition_point(|token| token.end <= part.end).max(from);
            let inside = cut.get(from..to).unwrap_or(&[]);
            let bound = bound(part, code, inside);
            let reader = Reader { names: self, module, code, told, part, bound, tokens: inside };
            found.extend(reader.read());
        }
        found
    }

    /// The module that goes by a short name in `module`.
    fn called(&self, module: &Module, short: &str, told: bool) -> Option<&'a Module> {
        let imported = module.uses.iter().find(|import| import.names.is_empty() && short_name(import) == short);
        if let Some(import) = imported {
            return self.imported(module, import);
        }
        if !told {
            return None;
        }
        let mut same = self.modules.values().filter(|known| known.short() == short);
        match (same.next(), same.next()) {
            _ if module.short() == short => self.modules.get(module.name.as_str()).copied(),
            (Some(only), None) => Some(only),
            // `std.sae` before `std.models.sae`: what is meant by a short name is what has no longer one.
            _ => self.modules.get(format!("std.{short}").as_str()).copied(),
        }
    }

    fn imported(&self, module: &Module, import: &Use) -> Option<&'a Module> {
        match &import.source {
            UseSource::Module(name) => self.modules.get(name.as_str()).copied(),
            UseSource::Path(path) => {
                let folder = module.path.as_deref()?.parent()?;
                self.paths.get(&plain(&folder.join(path))).copied()
            }
        }
    }

    /// What a word by itself leads to in `module`.
    fn by_itself(&self, module: &Module, word: &str) -> Option<Target> {
        if module.declared.contains(word) {
            return entry(module, word);
        }
        let named = module.uses.iter().find(|import| import.names.iter().any(|name| name.name == word));
        if let Some(import) = named {
            return entry(self.imported(module, import)?, word);
        }
        entry(self.modules.get("std.core")?, word)
    }

    fn axis(&self, module: &Module, word: &str) -> Option<Target> {
        let has = |module: &&&Module| module.axes.iter().any(|axis| axis.name == word);
        let own = self.modules.get(module.name.as_str());
        let module = own.filter(has).or_else(|| self.modules.get("std.axes").filter(has))?;
        Some(Target::new(module, Sort::Axis, word))
    }
}

fn entry(module: &Module, word: &str) -> Option<Target> {
    module.entries.iter().any(|entry| entry.name == word).then(|| Target::entry(module, word))
}

fn short_name(import: &Use) -> &str {
    let last = match &import.source {
        UseSource::Module(name) => name.rsplit('.').next().unwrap_or(name),
        UseSource::Path(path) => path.rsplit('/').next().unwrap_or(path).trim_end_matches(".exp"),
    };
    import.alias.as_ref().map_or(last, |alias| alias.name.as_str())
}

/// A path without `.` and `..` as far as that can be said without looking.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The names that an item binds: its parameters, what `let`, `for`, `in` and `=` name, and the parameters of functions without a name.
fn bound<'t>(part: &'t Part, code: &'t str, tokens: &[Token]) -> BTreeSet<&'t str> {
    let text = |at: usize| tokens.get(at).and_then(|token| code.get(token.start..token.end)).unwrap_or("");
    let mut found: BTreeSet<&str> = part.generics.iter().chain(&part.parameters).map(String::as_str).collect();
    for at in 0..tokens.len() {
        match (text(at), text(at + 1)) {
            ("let", "{") | ("fn", "(") => {
                let inside = (at + 2..tokens.len()).take_while(|&at| !["}", ")", "=>"].contains(&text(at)));
                found.extend(inside.filter(|&at| is_word(tokens, at)).map(text));
            }
            ("let", "mut") => {
                found.insert(text(at + 2));
            }
            ("let" | "for", name) => {
                found.insert(name);
            }
            (name, "in" | "=") if is_word(tokens, at) && part.declares.as_deref() != Some(name) => {
                found.insert(name);
            }
            _ => {}
        }
    }
    found
}

fn is_word(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.kind == Kind::Word)
}

/// Reads one item.
struct Reader<'n, 'a, 't> {
    names: &'n Names<'a>,
    module: &'t Module,
    code: &'t str,
    /// Is it documentation?
    told: bool,
    part: &'t Part,
    bound: BTreeSet<&'t str>,
    tokens: &'t [Token],
}

impl Reader<'_, '_, '_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).and_then(|token| self.code.get(token.start..token.end)).unwrap_or("")
    }

    fn before(&self, at: usize, back: usize) -> &str {
        at.checked_sub(back).map_or("", |at| self.text(at))
    }

    fn read(&self) -> Vec<Lead> {
        let mut found = Vec::new();
        // The open brackets, each with whether axes stand in it.
        let mut open: Vec<bool> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match self.text(at) {
                "[" | "@[" => open.push(true),
                "(" => {
                    let merged = open.last() == Some(&true) && ["[", ",", "->"].contains(&self.before(at, 1));
                    open.push(merged);
                }
                "{" => open.push(false),
                "]" | ")" | "}" => {
                    open.pop();
                }
                _ if token.kind == Kind::Word => {
                    let last = |length: usize| self.tokens.get(at + length - 1).map_or(token.end, |token| token.end);
                    let lead = self.word(at, open.last() == Some(&true));
                    found.extend(lead.map(|(target, n)| Lead { start: token.start, end: last(n), target }));
                }
                _ => {}
            }
        }
        found
    }

    /// What the word there leads to, and over how many tokens.
    fn word(&self, at: usize, among_axes: bool) -> Option<(Target, usize)> {
        let (word, before, after) = (self.text(at), self.before(at, 1), self.text(at + 1));
        if before == "." {
            let (base, further) = (self.before(at, 2), self.before(at, 3));
            let module = self.names.called(self.module, base, self.told);
            return module
                .filter(|_| further != "." && !self.bound.contains(base))
                .and_then(|m| Some((entry(m, word)?, 1)));
        }
        if word == "std" && after == "." {
            return self.path(at);
        }
        if ["fn", "type", "axis"].contains(&before) {
            return None;
        }
        if self.is_axis(at, among_axes) {
            return if self.bound.contains(word) { None } else { Some((self.names.axis(self.module, word)?, 1)) };
        }
        if after == ":" || self.bound.contains(word) {
            return None;
        }
        Some((self.names.by_itself(self.module, word)?, 1))
    }

    /// Does the word stand where an axis stands?
    fn is_axis(&self, at: usize, among_axes: bool) -> bool {
        let (before, after) = (self.before(at, 1), self.text(at + 1));
        let declared = self.part.declares.is_none() && before == "like";
        let bracketed =
            among_axes && ["[", "@[", ",", "->", "("].contains(&before) && ["]", ",", "->", ":", ")"].contains(&after);
        declared || bracketed || (before == "in" && ["=>", ","].contains(&after))
    }

    /// `std.posdecomp.factors`, or a name in it.
    fn path(&self, at: usize) -> Option<(Target, usize)> {
        let mut path = self.text(at).to_string();
        let (mut length, mut found) = (1, None);
        while self.text(at + length) == "." && is_word(self.tokens, at + length + 1) {
            let word = self.text(at + length + 1);
            if let Some(module) = self.names.modules.get(path.as_str()).and_then(|module| entry(module, word)) {
                found = Some((module, length + 2));
            }
            path = format!("{path}.{word}");
            length += 2;
            if let Some(module) = self.names.modules.get(path.as_str()) {
                found = Some((Target::module(module), length));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(text: &str) -> Vec<(String, String)> {
        let module = Module::library("here", text);
        let core = Module::library("core", "## d\npub fn sum<a>(x) { x }\n## d\npub fn mean<a>(x) { sum[a](x) }\n");
        let stats = Module::library("stats", "## d\npub fn mse(x) { x }\n## d\npub type Pair = { a: int }\n");
        let axes = Module::library("axes", "axis pos\naxis head\n");
        let all = [core, stats, axes, module.clone()];
        let names = Names::new(&all);
        let shown = |lead: Lead| {
            (text[lead.start..lead.end].to_string(), format!("{} {}", lead.target.module, lead.target.name))
        };
        names.of_program(&module).into_iter().map(shown).collect()
    }

    fn words(text: &str) -> Vec<String> {
        leads(text).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn functions_types_axes_and_modules_are_found() {
        let text =
            "use std.stats\nuse std.stats: Pair\nfn f(x: Pair) { stats.mse(sum[pos](x)) + mean[head -> pos](x) }\n";
        let found = leads(text);
        let expected = [
            ("std.stats", "std.stats "),
            ("std.stats", "std.stats "),
            ("Pair", "std.stats Pair"),
            ("Pair", "std.stats Pair"),
            ("mse", "std.stats mse"),
            ("sum", "std.core sum"),
            ("pos", "std.axes pos"),
            ("mean", "std.core mean"),
            ("head", "std.axes head"),
            ("pos", "std.axes pos"),
        ];
        let expected: Vec<(String, String)> = expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_bound_leads_nowhere() {
        assert!(words("fn f(mean, stats) { let sum = 1\n g(mean: sum, fn(mse) => mse).sum + stats.mse }\n").is_empty());
        assert!(words("fn f<pos>(x) { x[pos: 1] }\n").is_empty());
        assert!(words("fn f(x) { for mean in 0..2 { mean } }\n").is_empty());
        assert!(words("let a = r.mean\n").is_empty());
    }
}
