//! The parts of a file, for an editor's list of symbols.

use super::Analysis;
use super::members::bound;
use crate::base::span::Span;
use crate::syntax::ast::{Block, Item, ItemKind, StmtKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Function,
    Type,
    Axis,
    Input,
    Value,
    Fit,
    Plot,
    Expect,
    Site,
    Experiment,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Symbol {
    pub name: String,
    pub part: Part,
    pub whole: Span,
    pub name_span: Span,
    pub inside: Vec<Symbol>,
}

pub fn outline(analysis: &Analysis) -> Vec<Symbol> {
    analysis.program.items.iter().flat_map(symbols).collect()
}

fn symbols(item: &Item) -> Vec<Symbol> {
    let symbol = |name: &str, part: Part, name_span: Span| {
        let whole = item.span.to(name_span);
        Symbol { name: name.to_string(), part, whole, name_span, inside: Vec::new() }
    };
    let start = Span { end: item.span.start, ..item.span };
    match &item.kind {
        ItemKind::Experiment { name, .. } => vec![symbol(name, Part::Experiment, start)],
        ItemKind::Axis(axes) => {
            let whole = |decl: &crate::syntax::ast::AxisDecl| {
                let ends = [decl.size.as_ref().map(|e| e.span.end), decl.like.as_ref().map(|like| like.span.end)];
                Span { end: ends.into_iter().flatten().max().unwrap_or(decl.name.span.end), ..decl.name.span }
            };
            let each = axes
                .iter()
                .map(|decl| Symbol { whole: whole(decl), ..symbol(&decl.name.name, Part::Axis, decl.name.span) });
            each.collect()
        }
        ItemKind::Input { name, .. } => vec![symbol(&name.name, Part::Input, name.span)],
        ItemKind::Type { name, .. } => vec![symbol(&name.name, Part::Type, name.span)],
        ItemKind::Fn(function) => {
            let mut found = symbol(&function.name.name, Part::Function, function.name.span);
            if let Some(body) = &function.body {
                sites(body, &mut found.inside);
            }
            vec![found]
        }
        ItemKind::Plot(plot) => vec![symbol(&plot.kind.name, Part::Plot, plot.kind.span)],
        ItemKind::Expect(_) => vec![symbol("expect", Part::Expect, start)],
        ItemKind::Stmt(stmt) => {
            let part = if matches!(stmt.kind, StmtKind::Fit { .. }) { Part::Fit } else { Part::Value };
            bound(stmt).into_iter().map(|name| symbol(&name.name, part, name.span)).collect()
        }
        ItemKind::Use(_) => Vec::new(),
    }
}

/// The sites of a forward pass, those in loops too.
fn sites(block: &Block, found: &mut Vec<Symbol>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Site { name, .. } => found.push(Symbol {
                name: name.name.clone(),
                part: Part::Site,
                whole: stmt.span.to(name.span),
                name_span: name.span,
                inside: Vec::new(),
            }),
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => sites(body, found),
            _ => {}
        }
    }
}
