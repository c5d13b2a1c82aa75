//! What the formatter asks of the grammar: which signs are brackets or prefixes and not operators, and whether two texts
//! are the same tree. It compares the rules that matched, not the trees built from them, so it needs no spans.

use super::{Grammar, Pair, Rule, set_limits};
use crate::base::span::FileId;
use crate::syntax::scan::{self, Piece, Scan};
use pest::Parser;
use pest::iterators::Pairs;
use std::collections::BTreeSet;

/// Places of signs that cannot be told from operators by their characters.
#[derive(Debug, Default)]
pub struct Signs {
    /// `<` of axis parameters and of `list<..>`.
    pub opening: BTreeSet<usize>,
    /// `>` of the same.
    pub closing: BTreeSet<usize>,
    /// `-` in front of a value.
    pub prefix: BTreeSet<usize>,
    /// `..` between the bounds of an expectation.
    pub bounds: BTreeSet<usize>,
}

/// The signs of a text without errors.
pub fn signs(text: &str) -> Signs {
    set_limits();
    let scan = scan::scan(FileId(0), text);
    let mut found = Signs::default();
    for piece in &scan.pieces {
        for pair in pairs(&scan, piece).into_iter().flat_map(Pairs::flatten) {
            let start = piece.start + pair.as_span().start();
            let matched = pair.as_str().trim_end();
            match pair.as_rule() {
                Rule::neg => drop(found.prefix.insert(start)),
                Rule::generics | Rule::list_ty => {
                    found.opening.extend(matched.find('<').map(|place| start + place));
                    found.closing.insert(start + matched.len().saturating_sub(1));
                }
                Rule::within => {
                    let between = pair.into_inner().filter(|inner| inner.as_rule() == Rule::range_op);
                    found.bounds.extend(between.map(|sign| piece.start + sign.as_span().start()));
                }
                _ => {}
            }
        }
    }
    found
}

/// Are these the same items with the same documentation, wherever they stand?
pub fn same_tree(one: &str, other: &str) -> bool {
    set_limits();
    let (one, other) = (scan::scan(FileId(0), one), scan::scan(FileId(0), other));
    one.errors.is_empty()
        && other.errors.is_empty()
        && one.doc == other.doc
        && one.pieces.len() == other.pieces.len()
        && one.pieces.iter().zip(&other.pieces).all(|(a, b)| a.doc == b.doc && same_piece(&one, a, &other, b))
}

fn same_piece(one: &Scan, a: &Piece, other: &Scan, b: &Piece) -> bool {
    let (Some(a), Some(b)) = (pairs(one, a), pairs(other, b)) else { return false };
    let nested = |pairs: &Pairs<Rule>| pairs.clone().tokens().map(|token| rule_of(&token)).collect::<Vec<_>>();
    nested(&a) == nested(&b) && a.flatten().zip(b.flatten()).all(|(a, b)| leaf(&a) == leaf(&b))
}

fn pairs<'a>(scan: &'a Scan, piece: &Piece) -> Option<Pairs<'a, Rule>> {
    Grammar::parse(Rule::item, scan.text.get(piece.start..piece.end)?).ok()
}

/// The rule that a token of pest starts (true) or ends.
fn rule_of(token: &pest::Token<Rule>) -> (bool, Rule) {
    match token {
        pest::Token::Start { rule, .. } => (true, *rule),
        pest::Token::End { rule, .. } => (false, *rule),
    }
}

/// The words, numbers and signs at the ends of a tree. A pair of brackets with nothing in it is one as well, and may
/// hold spaces.
fn leaf<'a>(pair: &Pair<'a>) -> Option<&'a str> {
    let text = pair.as_str();
    match pair.as_rule() {
        _ if pair.clone().into_inner().next().is_some() => None,
        Rule::text => Some(text),
        _ if text.starts_with(['(', '[', '{']) => None,
        _ => Some(text.trim_end()),
    }
}
