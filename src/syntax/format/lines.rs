//! Tokens as lines: which line ends stay, which are added, and how far each line is indented.

use super::cut::{Break, Role, Token};
use super::frames::{Frames, separators_are_needless};
use super::split::{split, too_wide};
use std::ops::Range;

/// A line of the result.
pub(super) struct Line {
    pub tokens: Range<usize>,
    pub indentation: usize,
    /// The bracket that it starts in.
    pub bracket: usize,
    /// An empty line comes before it.
    pub blank: bool,
}

pub(super) fn lines(tokens: &mut [Token]) -> Vec<Line> {
    settle_line_ends(tokens);
    open_braces(tokens);
    drop_separators(tokens);
    let next_code = next_code(tokens);
    let mut frames = Frames::new();
    let mut found = Vec::new();
    let mut start = 0;
    while start < tokens.len() {
        let indentation = frames.indentation(&tokens[start], next_code[start].map(|at| &tokens[at]));
        let line = start..line_end(tokens, start);
        let closing = tokens[line.clone()].iter().take_while(|token| token.closes()).count();
        let (inside, bracket) = frames.outer(closing);
        if too_wide(tokens, line.clone(), indentation) && split(tokens, line.clone(), indentation, inside) {
            // The line is shorter now, and is looked at again.
            continue;
        }
        tokens[line.clone()].iter().for_each(|token| frames.step(token, indentation));
        start = line.end;
        found.push(Line { blank: tokens[line.start].breaks == Break::Blank, tokens: line, indentation, bracket });
    }
    drop_separators(tokens);
    found
}

/// For each token the first from it on that is no comment.
fn next_code(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut next = None;
    let mut found: Vec<Option<usize>> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate().rev() {
        next = if token.is_comment() { next } else { Some(at) };
        found.push(next);
    }
    found.reverse();
    found
}

fn line_end(tokens: &[Token], start: usize) -> usize {
    let next = tokens[start + 1..].iter().position(|token| token.breaks != Break::Nothing);
    next.map_or(tokens.len(), |length| start + 1 + length)
}

/// Takes out the line ends that have no place: an empty line beside a bracket, `else` on a line of its own, and one that
/// the parser passes over only for how the text before it was written. A comma that starts a line ends the one above.
fn settle_line_ends(tokens: &mut [Token]) {
    for at in 1..tokens.len() {
        if tokens[at].separator() && !tokens[at - 1].is_comment() {
            let breaks = std::mem::replace(&mut tokens[at].breaks, Break::Nothing);
            if let Some(next) = tokens.get_mut(at + 1).filter(|next| !next.is_comment()) {
                next.breaks = next.breaks.max(breaks);
            }
        }
        let (before, token) = (&tokens[at - 1], &tokens[at]);
        let continues = before.role == Role::AngleClose && !token.separates;
        let starts_anyway = matches!(token.text, "|>" | "vjp");
        let breaks = match token.breaks {
            Break::Blank if before.opens() || token.closes() => Break::Line,
            _ if token.is("else") && before.is("}") => Break::Nothing,
            _ if continues && !starts_anyway && !token.is_comment() => Break::Nothing,
            breaks => breaks,
        };
        tokens[at].breaks = breaks;
    }
}

/// Braces that hold a line end start with one and end with one.
fn open_braces(tokens: &mut [Token]) {
    // For each open bracket: where it is, and whether a line ends in it.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if let Some((_, broken)) = open.last_mut() {
            *broken |= token.breaks != Break::Nothing;
        }
        if token.opens() {
            open.push((at, false));
        } else if token.closes()
            && let Some((start, true)) = open.pop()
            && token.is("}")
        {
            found.extend([start + 1, at]);
        }
    }
    for at in found {
        let comment_of_the_line = tokens[at].is_comment() && tokens[at].breaks == Break::Nothing;
        if !comment_of_the_line {
            tokens[at].breaks = tokens[at].breaks.max(Break::Line);
        }
    }
}

/// A comma or semicolon says nothing in braces where the line ends.
fn drop_separators(tokens: &mut [Token]) {
    // For each open bracket: can it do without?
    let mut open = Vec::new();
    for at in 0..tokens.len() {
        let next = tokens.get(at + 1);
        let ends_line = next.is_some_and(|next| next.breaks != Break::Nothing || next.is_comment());
        if tokens[at].opens() {
            open.push(tokens[at].is("{") && separators_are_needless(tokens, at));
        } else if tokens[at].closes() {
            open.pop();
        } else if tokens[at].separator() && tokens[at].breaks == Break::Nothing {
            tokens[at].dropped = ends_line && open.last() == Some(&true);
        }
    }
}
