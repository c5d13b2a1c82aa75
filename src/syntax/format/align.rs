//! Columns: where an author wrote more than one space so that a sign, a value or a comment stands below that of the line
//! above, it does so in the result. All other runs of spaces become one.

use super::cut::Token;
use super::lines::Line;
use super::spacing::spaced;
use std::collections::BTreeMap;

/// Signs of claims: an expectation may stand below one of another kind.
const CLAIMS: &[&str] = &["~", "≈", "in", "==", "!=", "<=", ">=", "<", ">"];

/// The spaces before each token, those that start lines aside.
pub(super) fn spaces(tokens: &[Token], lines: &[Line]) -> Vec<usize> {
    let mut spaces = vec![0; tokens.len()];
    for line in lines {
        for (before, at) in neighbours(tokens, line) {
            let space = usize::from(spaced(&tokens[before], &tokens[at]));
            spaces[at] = if tokens[at].is_comment() { before_comment(&tokens[at]) } else { space };
        }
    }
    let groups = groups(tokens, lines);
    // Each round settles at least one more column from the left; tables are not wider than this.
    for _ in 0..64 {
        if !align(tokens, lines, &groups, &mut spaces) {
            break;
        }
    }
    spaces
}

/// How far a comment stands from its line is its author's choice.
fn before_comment(comment: &Token) -> usize {
    if comment.gap == 0 { 2 } else { comment.gap }
}

/// The tokens of a line that are printed, each with the one before it.
fn neighbours<'a>(tokens: &'a [Token], line: &'a Line) -> impl Iterator<Item = (usize, usize)> + 'a {
    let mut before = line.tokens.start;
    line.tokens
        .clone()
        .skip(1)
        .filter(|&at| !tokens[at].dropped)
        .map(move |at| (std::mem::replace(&mut before, at), at))
}

/// Which tokens stand below each other: for each that does, the first of its column.
fn groups(tokens: &[Token], lines: &[Line]) -> BTreeMap<usize, usize> {
    let mut found = BTreeMap::new();
    // The last line that started in each bracket.
    let mut above: BTreeMap<usize, &Line> = BTreeMap::new();
    let mut comments: BTreeMap<usize, usize> = BTreeMap::new();
    for line in lines {
        if line.blank {
            above.remove(&line.bracket);
            comments.clear();
        }
        // The end of a bracket does not part the lines around it, and neither does a comment.
        let first = &tokens[line.tokens.start];
        let counts = !first.closes() && !first.is_comment() && is_the_authors(tokens, line);
        if let Some(upper) = Some(line).filter(|_| counts).and_then(|line| above.insert(line.bracket, line)) {
            pair_columns(tokens, upper, line, &mut found);
        }
        let last = line.tokens.end - 1;
        if tokens[last].is_comment() && last > line.tokens.start {
            let upper = *comments.entry(tokens[last].column).or_insert(last);
            found.insert(last, upper);
        }
    }
    found
}

/// Was this one line before? Where tokens of one that was broken or joined stood says nothing.
fn is_the_authors(tokens: &[Token], line: &Line) -> bool {
    let later = line.tokens.start + 1..line.tokens.end;
    tokens[line.tokens.start].first && !tokens[later].iter().any(|token| token.first)
}

/// Finds the tokens of a line that stood below one of the line above it.
fn pair_columns(tokens: &[Token], upper: &Line, lower: &Line, found: &mut BTreeMap<usize, usize>) {
    let movable = |line: &Line| -> Vec<(usize, usize)> {
        let all = neighbours(tokens, line).filter(|&(before, at)| {
            let (before, token) = (&tokens[before], &tokens[at]);
            token.gap > 0 && !token.is_comment() && spaced(before, token)
        });
        all.collect()
    };
    let columns: BTreeMap<usize, (usize, usize)> =
        movable(upper).into_iter().map(|(before, at)| (tokens[at].column, (before, at))).collect();
    for (before, at) in movable(lower) {
        let Some(&(upper_before, upper)) = columns.get(&tokens[at].column) else { continue };
        let claims = CLAIMS.contains(&tokens[upper].text) && CLAIMS.contains(&tokens[at].text);
        let same = tokens[upper].text == tokens[at].text || tokens[upper_before].text == tokens[before].text;
        let alike = claims || same;
        if alike && tokens[upper].gap.max(tokens[at].gap) > 1 {
            let first = *found.entry(upper).or_insert(upper);
            found.insert(at, first);
        }
    }
}

/// Moves the tokens of each group to the first column that all of them can reach; says whether any moved.
fn align(tokens: &[Token], lines: &[Line], groups: &BTreeMap<usize, usize>, spaces: &mut [usize]) -> bool {
    let mut least: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, first) in groups {
        let gap = if tokens[*at].is_comment() { before_comment(&tokens[*at]) } else { 1 };
        least.entry(*first).and_modify(|known| *known = gap.min(*known)).or_insert(gap);
    }
    let mut ends: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        let mut column = line.indentation + tokens[line.tokens.start].width();
        for (_, at) in neighbours(tokens, line) {
            if groups.contains_key(&at) {
                ends.push((at, column));
            }
            column += spaces[at] + tokens[at].width();
        }
    }
    let mut target: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, end) in &ends {
        let Some(first) = groups.get(at) else { continue };
        let column = end + least.get(first).copied().unwrap_or(1);
        target.entry(*first).and_modify(|known| *known = column.max(*known)).or_insert(column);
    }
    let mut moved = false;
    for (at, end) in ends {
        let Some(column) = groups.get(&at).and_then(|first| target.get(first)) else { continue };
        moved |= std::mem::replace(&mut spaces[at], column - end) != column - end;
    }
    moved
}
