//! What a function takes and gives, in words: an argument to a row, with its elements and the axes that it lies over.

use std::fmt::Write;

use super::code;
use super::names::{Lead, Names};
use super::read::{Entry, Module};
use crate::base::markup::escaped;
use crate::base::span::Span;
use crate::syntax::ast::{FnItem, Generic, Param, Ty, TyKind};

/// The table of a function; nothing where no type says anything.
pub fn table(module: &Module, entry: &Entry, names: &Names) -> String {
    let Some(function) = entry.function() else { return String::new() };
    let told = function.params.iter().any(|p| p.ty.is_some() || p.default.is_some()) || function.result.is_some();
    if !told {
        return String::new();
    }
    let shapes = Shapes { module, function, names };
    let defaults = function.params.iter().any(|parameter| parameter.default.is_some());
    let last = if defaults { "<th scope=\"col\">unless told</th>" } else { "" };
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><table class=\"shapes\">\n<thead><tr><th scope=\"col\">argument</th><th scope=\"col\">what it is</th><th scope=\"col\">shape</th>{last}</tr></thead>\n<tbody>\n"
    );
    function.params.iter().for_each(|parameter| shapes.row(&mut out, parameter, defaults));
    if let Some(ty) = &function.result {
        let last = if defaults { "<td></td>" } else { "" };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">gives</th><td>{}</td><td>{}</td>{last}</tr>",
            shapes.code(ty.span),
            shapes.axes(ty)
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

struct Shapes<'a> {
    module: &'a Module,
    function: &'a FnItem,
    names: &'a Names<'a>,
}

impl Shapes<'_> {
    fn row(&self, out: &mut String, parameter: &Param, defaults: bool) {
        let name = escaped(&parameter.name.name);
        let (what, shape) = match &parameter.ty {
            Some(ty) => (self.code(ty.span), self.axes(ty)),
            None => ("as the call says".to_string(), String::new()),
        };
        let told = parameter.default.as_ref().map(|value| self.code(value.span)).unwrap_or_default();
        let last = if defaults { format!("<td>{told}</td>") } else { String::new() };
        let _ =
            writeln!(out, "<tr><th scope=\"row\"><code>{name}</code></th><td>{what}</td><td>{shape}</td>{last}</tr>");
    }

    fn code(&self, span: Span) -> String {
        let place = (span.start as usize, span.end as usize);
        let inside = |lead: &&Lead| lead.start >= place.0 && lead.end <= place.1;
        let leads: Vec<Lead> = self.names.of_module(self.module).iter().filter(inside).cloned().collect();
        let marks = code::links(&leads, &self.module.page());
        format!("<code>{}</code>", code::part(&self.module.text, &self.module.code, place, &marks))
    }

    fn axes(&self, ty: &Ty) -> String {
        match &ty.kind {
            TyKind::Path(name) => self.element(name).unwrap_or_default(),
            TyKind::Applied { head, axes } => {
                let (rows, named): (Vec<_>, Vec<_>) = axes.iter().partition(|axis| axis.row);
                let mut over: Vec<String> = named.iter().map(|axis| self.axis(&axis.name.name)).collect();
                let rows: Vec<String> =
                    rows.iter().map(|row| format!("<code>..{}</code>", escaped(&row.name.name))).collect();
                over.extend((!rows.is_empty()).then(|| format!("any axes {}", listed(&rows))));
                let kind = self.element(head).map_or(String::new(), |words| format!("{words}, "));
                format!("{kind}over {}", listed(&over))
            }
            TyKind::Record(fields) => {
                let names: Vec<String> =
                    fields.iter().map(|(name, _)| format!("<code>{}</code>", escaped(&name.name))).collect();
                format!("a record of {}", listed(&names))
            }
            TyKind::List(_) => "any number of them".to_string(),
            TyKind::Fn(..) => "a function".to_string(),
        }
    }

    /// `e: float` stands for elements that are floats.
    fn element(&self, head: &str) -> Option<String> {
        let generic = self.generic(head)?;
        match generic.bound.as_ref().map(|bound| bound.name.as_str()) {
            Some("float") => Some("32 or 64-bit floats".to_string()),
            Some("number") => Some("floats or integers".to_string()),
            Some("any") => Some("elements of any kind".to_string()),
            _ => Some(format!("indices of <code>{}</code>", escaped(head))),
        }
    }

    fn axis(&self, name: &str) -> String {
        let shown = format!("<code>{}</code>", escaped(name));
        let makes = |generic: &&Generic| generic.makes.as_ref().is_some_and(|made| made.name == name);
        match self.function.generics.iter().find(makes) {
            Some(from) => format!("{shown}, made of <code>{}</code>", escaped(&from.name.name)),
            None => shown,
        }
    }

    fn generic(&self, name: &str) -> Option<&Generic> {
        self.function.generics.iter().find(|generic| generic.name.name == name)
    }
}

fn listed(all: &[String]) -> String {
    match all {
        [] => "nothing: a single value".to_string(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
