//! The brackets that are open where a line starts, and what they say about its indentation.
//!
//! What a bracket holds stands one step further in than the line that opened it, however many brackets that line opened;
//! what closes it stands with that line. A line that goes on with what an earlier one began stands one step further in.

use super::cut::{Kind, Token};

/// Columns of one step.
pub(super) const STEP: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bracket {
    /// No bracket: the text itself.
    Top,
    Round,
    Square,
    Brace,
}

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub bracket: Bracket,
    /// Tells this bracket from all others of the text.
    pub number: usize,
    /// The indentation of the line that opened it.
    line: usize,
    /// The indentation of what it holds.
    inside: usize,
    /// Nothing has come yet of the statement, field or element that is next.
    fresh: bool,
    /// A `fn` came in this element, so that a `=>` is its arrow.
    function: bool,
}

pub(super) struct Frames {
    open: Vec<Frame>,
    opened: usize,
}

impl Frames {
    pub fn new() -> Frames {
        let top = Frame { bracket: Bracket::Top, number: 0, line: 0, inside: 0, fresh: true, function: false };
        Frames { open: vec![top], opened: 0 }
    }

    /// The innermost bracket, `out` brackets further out.
    pub fn outer(&self, out: usize) -> (Bracket, usize) {
        let place = self.open.len().saturating_sub(out + 1);
        self.open.get(place).map_or((Bracket::Top, 0), |frame| (frame.bracket, frame.number))
    }

    /// The indentation of a line that starts with `first`; `code` is that token or the next one that is no comment.
    pub fn indentation(&self, first: &Token, code: Option<&Token>) -> usize {
        let Some(frame) = self.open.last() else { return 0 };
        // A comment stands as what follows it does, but inside the bracket that ends after it.
        match code {
            Some(code) if code.closes() && first.is_comment() => frame.inside,
            Some(code) if code.closes() => frame.line,
            Some(code) if !code.is("else") && self.goes_on(code) => frame.inside + STEP,
            _ => frame.inside,
        }
    }

    /// Does `next`, the first token of a line, go on with what an earlier line began?
    fn goes_on(&self, next: &Token) -> bool {
        let Some(frame) = self.open.last() else { return false };
        let lines_separate = matches!(frame.bracket, Bracket::Top | Bracket::Brace);
        !(frame.fresh || lines_separate && next.separates)
    }

    /// Passes over a token of a line with this indentation.
    pub fn step(&mut self, token: &Token, indentation: usize) {
        if token.is_comment() {
            return;
        }
        if token.closes() && self.open.len() > 1 {
            self.open.pop();
        }
        let Some(frame) = self.open.last_mut() else { return };
        let comprehension = frame.bracket == Bracket::Square && !frame.function;
        frame.fresh = match token.text {
            ";" => true,
            "," => frame.bracket != Bracket::Top,
            "=>" => comprehension,
            _ => false,
        };
        frame.function = !frame.fresh && (frame.function || token.is("fn"));
        if token.opens() {
            self.opened += 1;
            let bracket = match token.text {
                "(" => Bracket::Round,
                "{" => Bracket::Brace,
                _ => Bracket::Square,
            };
            let inside = indentation + STEP;
            let frame = Frame { bracket, number: self.opened, line: indentation, inside, fresh: true, function: false };
            self.open.push(frame);
        }
    }
}

/// For each token the place of the bracket that closes it, or that it closes.
pub(super) fn partners(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut found = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        if token.opens() {
            open.push(place);
        } else if token.closes()
            && let Some(opener) = open.pop()
        {
            found[opener] = Some(place);
            found[place] = Some(opener);
        }
    }
    found
}

/// May separators at line ends be left out in the braces that open at `open`?
///
/// `{ a, b }` is a record and `{ a; b }` a block: where braces start with a lone name, the sign after it decides.
pub(super) fn separators_are_needless(tokens: &[Token], open: usize) -> bool {
    let mut code = tokens.iter().skip(open + 1).filter(|token| !token.is_comment());
    let (Some(first), Some(second)) = (code.next(), code.next()) else { return false };
    let lone = matches!(second.text, "," | ";" | "}") || second.separates;
    !(first.kind == Kind::Word && lone)
}
