//! Text to syntax tree: each item that `scan` cut out is parsed alone with pest, so that one run reports the errors
//! of several items. The files of this folder are the only ones that know pest's rules. Nothing here may panic,
//! whatever the text: a rule that does not look as the grammar says gives a diagnostic.

mod compound;
mod expr;
mod item;
mod literal;
mod outline;
mod report;
mod stmt;
mod ty;

use super::ast;
use super::scan::{self, MAX_DEPTH, Piece, Scan};
use super::slips;
use crate::base::diag::Diagnostic;
use crate::base::span::{FileId, Span};
use pest::Parser;
use std::num::NonZeroUsize;
use std::sync::Once;

pub use outline::{Signs, same_tree, signs};

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/exp.pest"]
pub(super) struct Grammar;

pub(super) type Pair<'a> = pest::iterators::Pair<'a, Rule>;

/// Steps pest may take for one item: hundreds of times what a 100 kB item needs.
const CALL_LIMIT: usize = 200_000_000;

/// A file or a module. The program holds the items that are right, the list says what is wrong with the others.
pub fn parse_program(file: FileId, text: &str) -> (ast::Program, Vec<Diagnostic>) {
    set_limits();
    let scan = scan::scan(file, text);
    let mut program = ast::Program { doc: scan.doc.clone(), items: Vec::new() };
    let mut errors = scan.errors.clone();
    for (number, piece) in scan.pieces.iter().enumerate() {
        let span = Span::new(file, piece.start, piece.end);
        if let Some(error) = slips::leading_minus(&text[piece.start..], span).filter(|_| number > 0) {
            errors.push(error);
            continue;
        }
        match parse_piece(file, &scan, piece) {
            Ok(item) => program.items.push(item),
            Err(mut found) => errors.append(&mut found),
        }
    }
    errors.sort_by_key(|error| error.primary.as_ref().map(|label| label.span));
    (program, errors)
}

/// An entry at the prompt: any number of items.
pub fn parse_entry(file: FileId, text: &str) -> (ast::Program, Vec<Diagnostic>) {
    parse_program(file, text)
}

/// Can the text be the name of something?
pub fn is_name(text: &str) -> bool {
    Grammar::parse(Rule::ident, text).is_ok_and(|mut pairs| pairs.next().is_some_and(|pair| pair.as_str() == text))
}

fn parse_piece(file: FileId, scan: &Scan, piece: &Piece) -> Result<ast::Item, Vec<Diagnostic>> {
    let input = &scan.text[piece.start..piece.end];
    let pairs = match Grammar::parse(Rule::item, input) {
        Ok(pairs) => pairs,
        Err(_) => return Err(vec![report::explain(file, scan, piece)]),
    };
    let mut builder = Builder { file, base: piece.start, depth: 0, errors: Vec::new() };
    let item = pairs.into_iter().next().and_then(|pair| builder.item(pair, piece.doc.clone()));
    match item {
        Some(item) if builder.errors.is_empty() => Ok(item),
        _ => {
            if builder.errors.is_empty() {
                let span = Span::new(file, piece.start, piece.end);
                builder.errors.push(Diagnostic::error("E001", span, "this could not be understood"));
            }
            Err(builder.errors)
        }
    }
}

/// pest keeps its limits in process-wide settings; this is the one place that sets them.
fn set_limits() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| pest::set_call_limit(NonZeroUsize::new(CALL_LIMIT)));
}

/// Turns the pairs of one item into a tree. A method that returns `None` has either reported an error or met pairs
/// that the grammar does not produce; `parse_piece` reports the latter.
struct Builder {
    file: FileId,
    /// Where the item starts in its file.
    base: usize,
    depth: usize,
    errors: Vec<Diagnostic>,
}

impl Builder {
    fn span(&self, pair: &Pair) -> Span {
        // pest skips spaces before it tries an optional part, so the text of a pair may end in them.
        let start = self.base + pair.as_span().start();
        Span::new(self.file, start, start + pair.as_str().trim_end().len())
    }

    fn ident(&self, pair: Pair) -> ast::Ident {
        ast::Ident { name: pair.as_str().to_string(), span: self.span(&pair) }
    }

    /// All names directly under `pair`.
    fn idents(&self, pair: Pair) -> Vec<ast::Ident> {
        pair.into_inner().filter(|inner| inner.as_rule() == Rule::ident).map(|inner| self.ident(inner)).collect()
    }

    /// Runs `build` `levels` deeper in the tree, or reports that the tree is too deep.
    fn deeper<T>(&mut self, levels: usize, span: Span, build: impl FnOnce(&mut Builder) -> Option<T>) -> Option<T> {
        if self.depth + levels > MAX_DEPTH {
            self.errors.push(scan::too_deep(span));
            return None;
        }
        self.depth += levels;
        let result = build(self);
        self.depth -= levels;
        result
    }
}

/// The words that carry no information of their own in a tree.
fn is_word(rule: Rule) -> bool {
    use Rule::*;
    matches!(
        rule,
        kw_experiment
            | kw_use
            | kw_as
            | kw_axis
            | kw_like
            | kw_input
            | kw_type
            | kw_vjp
            | kw_site
            | kw_fn
            | kw_expect
            | kw_capture
            | kw_with
            | kw_fit
            | kw_plot
            | kw_let
            | kw_for
            | kw_in
            | kw_while
            | kw_return
            | kw_if
            | kw_else
            | kw_match
    )
}

/// The pairs under `pair` without its words.
fn parts<'a>(pair: Pair<'a>) -> impl Iterator<Item = Pair<'a>> + use<'a> {
    pair.into_inner().filter(|inner| !is_word(inner.as_rule()))
}
