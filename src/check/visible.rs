//! What can be named at the prompt, for completion, hints and questions: names with types, signatures of functions,
//! members of modules, sites of models, axes with their lengths. Reads what the checker knows and changes nothing.

use super::Checker;
use super::host::Length;
use super::modules::ModId;
use super::value::{FnVal, Lit, Val};
use crate::base::span::{Sources, Span};
use crate::ir::GlobalId;
use crate::syntax::{ast, words};
use std::collections::BTreeSet;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameKind {
    Value,
    Function,
    Module,
}

/// A name with what is shown of it: a type, a signature, or the name of a module.
#[derive(Clone, Debug)]
pub struct Visible {
    pub name: String,
    pub kind: NameKind,
    pub shown: String,
    /// It is the person's own, not the library's.
    pub own: bool,
    /// Of a module: its functions with their signatures.
    pub members: Vec<(String, String)>,
    /// Of a model: what `capture` can name.
    pub sites: Vec<String>,
}

impl Checker {
    /// Every name in scope at the prompt, sorted.
    pub fn visible(&self) -> Vec<Visible> {
        let Some(user) = self.modules.get(ModId::USER.0) else { return Vec::new() };
        let mut found: Vec<Visible> = Vec::new();
        let plain = |name: &str, kind, shown, own| Visible {
            name: name.to_string(),
            kind,
            shown,
            own,
            members: Vec::new(),
            sites: Vec::new(),
        };
        for var in &user.top {
            let kind = if matches!(var.val, Val::Fn(_)) { NameKind::Function } else { NameKind::Value };
            let shown = self.described(&var.val);
            found.push(Visible { sites: self.sites(&var.val), ..plain(&var.name, kind, shown, true) });
        }
        for (name, item) in &user.functions {
            found.push(plain(name, NameKind::Function, signature(&self.sources, item), true));
        }
        for (alias, id) in &user.aliases {
            let shown = self.modules[id.0].name.clone();
            found.push(Visible { members: self.members(*id), ..plain(alias, NameKind::Module, shown, true) });
        }
        for (name, (id, original)) in &user.imported {
            if let Some(item) = self.modules[id.0].functions.get(original) {
                found.push(plain(name, NameKind::Function, signature(&self.sources, item), true));
            }
        }
        for (name, item) in &self.modules[ModId::CORE.0].functions {
            found.push(plain(name, NameKind::Function, signature(&self.sources, item), false));
        }
        for name in super::special::NAMES {
            found.push(plain(name, NameKind::Function, "fn".to_string(), false));
        }
        // The person's own meaning comes first, and is the one that counts.
        found.sort_by(|a, b| (&a.name, !a.own).cmp(&(&b.name, !b.own)));
        found.dedup_by(|later, first| later.name == first.name);
        found
    }

    /// The names that mean something before anything is entered, whatever they mean now.
    pub fn library_names(&self) -> BTreeSet<String> {
        let core = self.modules.get(ModId::CORE.0).into_iter();
        let names = core.flat_map(|core| core.functions.keys().chain(core.top.iter().map(|var| &var.name))).cloned();
        names.chain(super::special::NAMES.iter().map(|name| name.to_string())).chain(["root".to_string()]).collect()
    }

    /// The axes that were declared at the prompt, with their lengths.
    pub fn own_axes(&self) -> Vec<(String, Option<Length>)> {
        let Some(user) = self.modules.get(ModId::USER.0) else { return Vec::new() };
        let length = |size: &Option<Val>| match size {
            Some(Val::Lit(Lit::Int(length))) => Some(Length::Known(*length)),
            Some(Val::Global(global, _)) => Some(Length::Held(*global)),
            _ => None,
        };
        user.axes.iter().map(|(name, info)| (name.clone(), length(&info.size))).collect()
    }

    /// The globals that hold the leaves of a name.
    pub fn globals_of(&self, name: &str) -> Vec<GlobalId> {
        let user = self.modules.get(ModId::USER.0).into_iter().flat_map(|module| &module.top);
        let leaves = user.filter(|var| var.name == name).flat_map(|var| var.val.leaves());
        let global = |val| if let Val::Global(global, _) = val { Some(global) } else { None };
        leaves.filter_map(global).collect()
    }

    fn members(&self, id: ModId) -> Vec<(String, String)> {
        let module = &self.modules[id.0];
        let library = module.name.starts_with("std.");
        let functions = module.functions.values().filter(|item| item.public || !library);
        let mut found: Vec<(String, String)> =
            functions.map(|item| (item.name.name.clone(), signature(&self.sources, item))).collect();
        found.extend(module.top.iter().map(|var| (var.name.clone(), self.described(&var.val))));
        found.extend(
            module.types.iter().filter(|(_, decl)| decl.public).map(|(name, _)| (name.clone(), "type".to_string())),
        );
        found.sort();
        found
    }

    /// The type; of a function its parameters, as written.
    fn described(&self, val: &Val) -> String {
        match val {
            Val::Fn(f) => self.described_function(f),
            Val::Record(fields) => {
                let part = |(name, val): &(String, Val)| format!("{name}: {}", self.described(val));
                format!("{{ {} }}", fields.iter().map(part).collect::<Vec<_>>().join(", "))
            }
            other => other.ty().to_string(),
        }
    }

    fn described_function(&self, f: &FnVal) -> String {
        match f {
            FnVal::Item { item, .. } => signature(&self.sources, item),
            FnVal::Lambda(closure) => {
                let body = closure.lambda.body.span;
                let head = Span { end: body.start.max(closure.lambda.span.start), ..closure.lambda.span };
                one_line(self.sources.slice(head)).trim_end_matches("=>").trim_end().to_string()
            }
            FnVal::WithAxes { inner, .. } => self.described_function(inner),
            FnVal::With { f, .. } => self.described_function(f),
            FnVal::Special(_) | FnVal::Grad { .. } | FnVal::Loss { .. } => "fn".to_string(),
        }
    }

    /// The sites that a model's forward function names, and those of the functions that it calls.
    fn sites(&self, val: &Val) -> Vec<String> {
        let Some(Val::Fn(forward)) = val.field("forward").or(match val {
            Val::Fn(_) => Some(val),
            _ => None,
        }) else {
            return Vec::new();
        };
        let Some((module, span)) = place(forward) else { return Vec::new() };
        let (mut pending, mut seen, mut found) = (vec![(module, span)], BTreeSet::new(), BTreeSet::new());
        while let Some((id, span)) = pending.pop() {
            if !seen.insert(span) {
                continue;
            }
            let text = self.sources.slice(span).to_string();
            let all: Vec<&str> = words(&text).into_iter().map(|(_, word)| word).collect();
            for (at, word) in all.iter().enumerate() {
                if *word == "site" {
                    found.extend(all.get(at + 1).map(|name| name.to_string()));
                }
                pending.extend(self.functions_called(id, word));
            }
        }
        found.into_iter().collect()
    }

    /// The functions that a word of a module's text can mean: its own, imported ones, and those of its modules.
    fn functions_called(&self, id: ModId, word: &str) -> Vec<(ModId, Span)> {
        let module = &self.modules[id.0];
        let own = module.functions.get(word).map(|item| (id, item.span));
        let imported = module
            .imported
            .get(word)
            .and_then(|(from, name)| self.modules[from.0].functions.get(name).map(|item| (*from, item.span)));
        let reached = module
            .aliases
            .values()
            .filter_map(|from| self.modules[from.0].functions.get(word).map(|item| (*from, item.span)));
        own.into_iter().chain(imported).chain(reached).collect()
    }
}

fn place(f: &FnVal) -> Option<(ModId, Span)> {
    match f {
        FnVal::Item { module, item } => Some((*module, item.span)),
        FnVal::Lambda(closure) => Some((closure.module, closure.lambda.span)),
        FnVal::WithAxes { inner: f, .. } | FnVal::Grad { f, .. } | FnVal::Loss { f, .. } | FnVal::With { f, .. } => {
            place(f)
        }
        FnVal::Special(_) => None,
    }
}

/// A function's text up to its body, on one line, without `pub` and `intrinsic`.
fn signature(sources: &Sources, item: &ast::FnItem) -> String {
    let ends = [item.body.as_ref().map(|body| body.span.start), item.vjp.as_ref().map(|vjp| vjp.span.start)];
    let end = ends.into_iter().flatten().min().unwrap_or(item.span.end);
    let text = one_line(sources.slice(Span { start: item.name.span.start, end, ..item.span }));
    format!("fn {}", text.trim_end_matches("vjp").trim_end())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
