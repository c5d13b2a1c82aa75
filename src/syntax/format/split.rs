//! Where a line that is too wide is broken. Line ends that are there already stay: this only adds some, all at places
//! where a person would, and leaves a line alone that has no such place.

use super::cut::{Break, Kind, Token};
use super::frames::{Bracket, STEP, partners};
use super::spacing::{ends_value, spaced};
use std::ops::Range;

/// Columns of a line.
const WIDTH: usize = 120;
/// A line of more tokens was made by no person, and breaking it bracket by bracket would take long.
const MOST_TOKENS: usize = 2_000;

/// Is this line, which has `indentation`, too wide? A comment at its end does not count.
pub(super) fn too_wide(tokens: &[Token], line: Range<usize>, indentation: usize) -> bool {
    indentation + width(tokens, line) > WIDTH
}

fn width(tokens: &[Token], line: Range<usize>) -> usize {
    let mut sum = 0;
    let mut before: Option<&Token> = None;
    for token in tokens[line].iter().filter(|token| !token.dropped && !token.is_comment()) {
        sum += token.width() + usize::from(before.is_some_and(|before| spaced(before, token)));
        before = Some(token);
    }
    sum
}

/// A line that is to be broken, and the brackets that start and end in it.
struct Line {
    range: Range<usize>,
    indentation: usize,
    /// For each token of the line how deep it is in brackets of the line.
    depth: Vec<usize>,
    partner: Vec<Option<usize>>,
}

/// Breaks a line; says whether it could. `inside` is the bracket that the line starts in.
pub(super) fn split(tokens: &mut [Token], range: Range<usize>, indentation: usize, inside: Bracket) -> bool {
    if range.len() > MOST_TOKENS || is_input(&tokens[range.clone()], inside) {
        return false;
    }
    // Braces hold line ends of their own from their first line on, or none: see `lines::open_braces`.
    let closed = inside == Bracket::Brace && tokens[range.start].closes();
    let Some(line) = Line::new(tokens, range, indentation) else { return false };
    !closed && (split_elements(tokens, &line, inside) || split_pipeline(tokens, &line)) || split_bracket(tokens, &line)
}

/// An input stays on its line, with the hash that `locus bless` writes there.
fn is_input(line: &[Token], inside: Bracket) -> bool {
    let named = |at: usize| line.get(at).is_some_and(|token| token.kind == Kind::Word);
    inside == Bracket::Top && line.first().is_some_and(|first| first.is("input")) && named(1)
}

impl Line {
    /// `None` for a line that opens a bracket in its middle and leaves it open: its author broke that bracket.
    fn new(tokens: &[Token], range: Range<usize>, indentation: usize) -> Option<Line> {
        let closing = tokens[range.clone()].iter().take_while(|token| token.closes()).count();
        let start = range.start + closing;
        // What follows a bracket that an earlier line opened is further out.
        let part = &tokens[start..range.end];
        let partner = partners(part);
        let end = (0..part.len()).find(|&at| part[at].closes() && partner[at].is_none()).unwrap_or(part.len());
        let part = &part[..end];
        let last = part.iter().rposition(|token| !token.is_comment() && !token.opens()).map_or(0, |at| at + 1);
        let left_open = (0..last).any(|at| part[at].opens() && partner[at].is_none());
        let mut level = 0_usize;
        let depth = part.iter().map(|token| {
            level -= usize::from(token.closes());
            let depth = level;
            level += usize::from(token.opens());
            depth
        });
        let depth = depth.collect();
        (!left_open).then_some(Line { range: start..start + end, indentation, depth, partner })
    }

    /// The places of tokens at this depth that are outside of all brackets of the line.
    fn outside(&self) -> impl Iterator<Item = usize> {
        let outside = self.depth.iter().enumerate().filter(|(_, depth)| **depth == 0);
        outside.map(|(at, _)| self.range.start + at)
    }

    /// The brackets directly inside of `within` that start and end in the line.
    fn brackets(&self, tokens: &[Token], within: Range<usize>) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut at = within.start;
        while at < within.end {
            let close =
                self.partner.get(at - self.range.start).copied().flatten().map(|close| close + self.range.start);
            match close.filter(|_| tokens[at].opens()) {
                Some(close) => {
                    found.push((at, close));
                    at = close + 1;
                }
                None => at += 1,
            }
        }
        found
    }
}

/// Rows of elements in a bracket that is broken already: as many in each as fit.
fn split_elements(tokens: &mut [Token], line: &Line, inside: Bracket) -> bool {
    if inside == Bracket::Top {
        return false;
    }
    let ends: Vec<usize> = line.outside().filter(|&at| tokens[at].separator()).map(|at| at + 1).collect();
    let mut places = fill(tokens, line.range.start, &ends, line.range.end, line.indentation);
    places.retain(|&at| !tokens[at].is_comment());
    break_before(tokens, &places);
    !places.is_empty()
}

/// A line end before each `|>`.
fn split_pipeline(tokens: &mut [Token], line: &Line) -> bool {
    let places: Vec<usize> = line.outside().filter(|&at| tokens[at].is("|>") && at > line.range.start).collect();
    break_before(tokens, &places);
    !places.is_empty()
}

/// The widest bracket that has parts, the outermost first.
fn split_bracket(tokens: &mut [Token], line: &Line) -> bool {
    let mut within = line.range.clone();
    loop {
        let brackets = line.brackets(tokens, within.clone());
        let wide = |&&(open, close): &&(usize, usize)| width(tokens, open..close + 1);
        let parts = brackets.iter().filter(|(open, close)| has_parts(tokens, *open, *close));
        if let Some(&chosen) = parts.max_by_key(wide) {
            for (open, close) in with_its_branches(tokens, chosen, &brackets, within) {
                split_parts(tokens, line, open, close);
            }
            return true;
        }
        let enterable = brackets.iter().filter(|(open, _)| !holds_axes(tokens, *open));
        let Some(&(open, close)) = enterable.max_by_key(wide) else { return false };
        within = open + 1..close;
    }
}

/// Can the bracket be broken: is it a block, a record, or a list of more than one element?
fn has_parts(tokens: &[Token], open: usize, close: usize) -> bool {
    let before = open.checked_sub(1).map(|at| &tokens[at]);
    let parameters = before.is_some_and(|before| before.is("fn") || before.is("vjp"));
    let comprehension = tokens.get(open + 2).is_some_and(|token| token.is("in"));
    match tokens[open].text {
        "{" => close > open + 1,
        _ if parameters || comprehension || holds_axes(tokens, open) => false,
        _ => own(tokens, open, close).any(|at| tokens[at].is(",") && at + 1 < close),
    }
}

/// `f[..]`, `x[..]` and `@[..]`, which are no lists.
fn holds_axes(tokens: &[Token], open: usize) -> bool {
    let after_value = open.checked_sub(1).is_some_and(|at| ends_value(&tokens[at]));
    tokens[open].is("@[") || tokens[open].is("[") && after_value
}

/// The blocks of an `if` are broken together.
fn with_its_branches(
    tokens: &[Token],
    chosen: (usize, usize),
    brackets: &[(usize, usize)],
    within: Range<usize>,
) -> Vec<(usize, usize)> {
    let is_branch = |&(open, close): &(usize, usize)| {
        let before = open.checked_sub(1).is_some_and(|at| tokens[at].is("else"));
        tokens[open].is("{") && (before || tokens.get(close + 1).is_some_and(|token| token.is("else")))
    };
    let first = within.into_iter().find(|&at| tokens[at].is("if"));
    match first {
        Some(first) if is_branch(&chosen) && chosen.0 > first => brackets
            .iter()
            .copied()
            .filter(|branch| branch.0 > first && (*branch == chosen || is_branch(branch)))
            .collect(),
        _ => vec![chosen],
    }
}

/// The places between the two that are in no bracket of their own.
fn own(tokens: &[Token], open: usize, close: usize) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    (open + 1..close).filter(move |&at| {
        depth -= usize::from(tokens[at].closes());
        let outside = depth == 0;
        depth += usize::from(tokens[at].opens());
        outside
    })
}

fn split_parts(tokens: &mut [Token], line: &Line, open: usize, close: usize) {
    let ends: Vec<usize> = own(tokens, open, close).filter(|&at| tokens[at].separator()).map(|at| at + 1).collect();
    let parts = if is_table(tokens, open, close) {
        fill(tokens, open + 1, &ends, close, line.indentation + STEP)
    } else {
        ends
    };
    break_before(tokens, &[vec![open + 1], parts, vec![close]].concat());
}

/// A list of numbers, names or texts, which is read better in full lines than with one on each.
fn is_table(tokens: &[Token], open: usize, close: usize) -> bool {
    let atoms = tokens[open + 1..close].iter();
    tokens[open].is("[") && atoms.clone().all(|token| token.kind != Kind::Sign || matches!(token.text, "," | "-" | "."))
}

/// The elements that start a line when as many as fit stand on each; `ends` are the places after their commas, and the
/// last element ends at `end`.
fn fill(tokens: &[Token], start: usize, ends: &[usize], end: usize, indentation: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut start, mut element) = (start, start);
    for end in ends.iter().copied().chain([end]) {
        if element > start && element < end && indentation + width(tokens, start..end) > WIDTH {
            found.push(element);
            start = element;
        }
        element = end;
    }
    found
}

fn break_before(tokens: &mut [Token], places: &[usize]) {
    for &place in places {
        let Some(token) = tokens.get_mut(place) else { continue };
        token.breaks = token.breaks.max(Break::Line);
    }
}
